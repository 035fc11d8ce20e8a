// Where a host listens, and who answers there: operations, the plugins of this process, and for the other processes of
// the host what they ask each other. They are open before anything else of the host is: until serve() only its health
// and metrics are answered. Owned by host_process. Thread: main, unless said otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "admin/operations.hpp"
#include "app/callers.hpp"
#include "app/former_life.hpp"
#include "app/host_process.hpp"
#include "base/result.hpp"
#include "http/endpoint.hpp"
#include "observability/health.hpp"
#include "observability/metrics.hpp"
#include "runtime/dispatcher.hpp"
#include "topology/address.hpp"
#include "topology/topology.hpp"

namespace gantry::app {

// Outlives the endpoints.
struct endpoint_parts {
  const topology::topology& model;
  const host_options& options;
  const topology::process_name& process;
  const former_life& former;
  runtime::dispatcher& router;
  observability::registry& metrics;
  observability::owner_id own_series;  // of series that end with the host
  const observability::health& checks;
};

class endpoints {
 public:
  explicit endpoints(const endpoint_parts& parts) : parts_(parts) {}

  // `callers`: who may call. conflict: an address is taken. invalid: it is none, or its certificate can't be used.
  result<void> open(known_callers callers);
  // Everything is in place: from now on all is answered. What is given outlives stop().
  void serve(admin::operations& admin, const lifecycle::plugin_set& plugins, const bus::bus& events);
  bool serving() const noexcept { return open_.load(std::memory_order_acquire); }  // [any]

  const std::string& address() const noexcept { return address_; }  // "127.0.0.1:8080", or empty

  // Takes no new connections.
  void stop_accepting();
  // Ends the exchanges that are in progress. They get half of the time that is left: what is cut off then waits for its
  // client, who must not decide how the host ends. Those that wait for a plugin go on; they are its work.
  void end_exchanges(std::chrono::steady_clock::time_point until);
  void stop();

 private:
  using opened = result<std::unique_ptr<http::endpoint>>;
  // `plain`: without TLS in any case. Operations at an address of this machine alone need no certificate.
  opened open_one(const topology::network_address& at, bool plain, http::handler serve, bool inner = false) const;
  result<void> open_inner();
  void serve_admin(http::request&& in, http::responder&& out);
  void serve_clients(http::request&& in, http::responder&& out, bool admin_is_apart);
  void serve_inner(http::request&& in, http::responder&& out);
  bool is_early(const http::request& in, http::responder& out) const;
  void submit(http::request&& in, http::responder&& out, bool is_call, std::string caller);
  void watch_certificate();
  bool is_isolated() const noexcept { return !parts_.process.plugin.empty(); }

  const endpoint_parts parts_;
  std::optional<known_callers> callers_;
  admin::operations* admin_ = nullptr;  // these three: set before open_
  const lifecycle::plugin_set* plugins_ = nullptr;
  const bus::bus* events_ = nullptr;
  std::atomic<bool> open_{false};
  std::unique_ptr<http::endpoint> endpoint_;
  std::unique_ptr<http::endpoint> inner_endpoint_;  // null: the host is one process, or endpoint_ is the inner one
  std::unique_ptr<http::endpoint> admin_endpoint_;  // null: endpoint_ answers operations
  std::string address_;
};

}  // namespace gantry::app
