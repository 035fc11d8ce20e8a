// From "host:port" to socket addresses. Numeric addresses are read at once; names are looked up on a thread of their
// own, so that a name server that does not answer costs a call no more than its deadline.
//
// Owned by remote_calls. Thread: any.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "call/remote/tcp_socket.hpp"

namespace gantry::call {

struct host_port {
  std::string host;  // without brackets
  std::string port;
};

// invalid: not "host:port" with a port from 1 to 65535.
result<host_port> split_host_port(const std::string& text);

using addresses = std::vector<socket_address>;
using name_lookup = std::function<result<addresses>(const host_port& what)>;

// Asks the system; blocks. unavailable: the system's reason.
result<addresses> system_lookup(const host_port& what);

class resolver {
 public:
  static constexpr std::int64_t keep_us = 30'000'000;  // then a name is looked up again

  explicit resolver(const clock& time, name_lookup lookup = system_lookup) : time_(time), lookup_(std::move(lookup)) {}
  resolver(const resolver&) = delete;
  resolver& operator=(const resolver&) = delete;
  ~resolver();  // waits for a lookup in progress

  // Errors: timeout (by the deadline), unavailable.
  result<addresses> find(const host_port& what, const deadline& by);

 private:
  struct entry {
    result<addresses> found = error{errc::unavailable, {}};
    std::int64_t found_at_us = 0;
    std::uint64_t lookups = 0;  // finished
    bool queued = false;
  };
  using key = std::pair<std::string, std::string>;
  void run();

  const clock& time_;
  const name_lookup lookup_;
  std::mutex mutex_;
  std::condition_variable asked_, answered_;
  std::map<key, entry> names_;  // guarded, as all below
  std::deque<key> queue_;
  bool ending_ = false;
  std::thread worker_;
};

}  // namespace gantry::call
