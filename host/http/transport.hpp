// The bytes of an endpoint's connections. Pistache accepts them, hands them to worker threads and polls; reading,
// framing and writing are done here, since its own parser and writer are open to request smuggling, replies to a
// stranger whose connection took over the descriptor, and readers that never read. Owned by Pistache's reactor, one per
// worker thread. Thread: that one.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "http/endpoint.hpp"
#include "http/exchange.hpp"
#include "http/tls_source.hpp"

namespace Pistache::Tcp {
class Transport;
}

namespace gantry::http {

// What all transports of an endpoint share.
struct service {
  endpoint_options options;
  handler serve;
  std::unique_ptr<tls_source> tls;  // null: plain
  std::atomic<bool> draining{false};
  std::atomic<bool> hanging_up{false};  // on clients that have an exchange in their hands
  std::atomic<std::size_t> connections{0};
  std::mutex mutex;
  std::vector<std::shared_ptr<mailbox>> boxes;  // one per transport; guarded by mutex
};

// The prototype that the reactor clones for each worker.
std::shared_ptr<Pistache::Tcp::Transport> make_transport(std::shared_ptr<service> of);

}  // namespace gantry::http
