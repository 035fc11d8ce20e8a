// Calls to plugins that run on other hosts: HTTP/1.1 over kept connections, TLS where a host asks for it.
//
// A call does its own input and output on the thread that makes it: no other thread is woken, and the deadline bounds
// every wait. It goes to one of the plugin's hosts in turn. A host that fails is left out for a growing pause; five
// failures in a row open the breaker of (plugin, host). What may be tried again, and what not, stands in README.md.
//
// Owned by app. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "gantry/abi/types.h"

namespace gantry::call {

// Files in PEM. `cert` and `key` are what this host shows; empty: nothing. `ca`: who signs the other hosts'
// certificates; empty: the system's own list.
struct tls_files {
  std::string cert;
  std::string key;
  std::string ca;
};

struct remote_host {
  std::string name;     // in the topology
  std::string address;  // host:port as others reach it; [::1]:8080 for IPv6
  bool tls = false;
  std::string server_name;  // what its certificate must be for; empty: the host of `address`
  // Not empty: another process of this host, which believes what is sent with this key, and which is started again at
  // once when it dies. So a connection that it does not take costs nothing and opens no breaker.
  std::string inner_key{};

  bool operator==(const remote_host&) const = default;
};

// Every host that runs a plugin, by plugin.
using placement = std::map<std::string, std::vector<remote_host>, std::less<>>;

struct remote_options {
  tls_files tls;
  std::size_t max_connections = 64;             // to one host
  std::size_t max_waiting = 256;                // calls that wait for one of them; beyond: UNAVAILABLE
  std::size_t max_body = 8 * 1024 * 1024;       // bytes of a reply; beyond: TOO_LARGE
  std::size_t max_headers = 16 * 1024;          // bytes of a request's or a reply's headers; beyond: TOO_LARGE
  std::int64_t connect_timeout_us = 2'000'000;  // for a connection and its TLS handshake
  std::int64_t idle_us = 30'000'000;  // a connection unused for so long is closed; less than what a host waits
};

struct remote_request {
  std::string_view plugin;  // the callee
  std::string_view caller;  // the plugin that calls
  std::string_view method;
  std::string_view target;  // path and query, percent-encoded
  std::span<const gantry_field> headers;
  std::string_view body;
  std::int64_t deadline_us = 0;  // as clock::steady_us counts
  std::string_view correlation_id;
  std::string_view traceparent;  // sent as given; may be empty
  // Of what somebody else has asked for and is passed on; empty otherwise.
  std::string_view host{};     // the header, as it came
  bool unproven_call = false;  // it is a call, and nobody knows of whom
};

struct remote_reply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, without those of the connection
  std::string body;
};

// GANTRY_OK: there is a reply, whatever its HTTP status. Otherwise `text` says why there is none:
// UNAVAILABLE (nothing was done: no host, none reachable, breaker open, certificate refused, too many calls waiting),
// TIMEOUT, INVALID (target, method or headers that HTTP does not allow), TOO_LARGE, FAILED (the connection broke behind
// the request, or the answer is not HTTP: something may have been done).
struct remote_outcome {
  gantry_status status = GANTRY_OK;
  std::string text;
  remote_reply reply;
};

// What is known of one host as a callee's.
struct remote_figures {
  std::string plugin;
  std::string host;
  bool paused = false;         // left out after a failure, while others answer
  bool breaker_open = false;   // no call goes there
  std::uint32_t failures = 0;  // in a row
  std::size_t open = 0;        // connections, those of all plugins at this host
  std::size_t idle = 0;
  std::size_t waiting = 0;
  std::uint64_t connected = 0;  // connections made so far
  std::uint64_t reused = 0;     // calls that found one
};

class remote_calls {
 public:
  remote_calls() = default;
  remote_calls(const remote_calls&) = delete;
  remote_calls& operator=(const remote_calls&) = delete;
  virtual ~remote_calls() = default;  // no call may be in progress

  // Says which hosts run which plugin, from the next call on. A host that stays keeps its connections and its breaker.
  // The first host with TLS makes it read the files of `tls`, once. invalid: an address that is not host:port, or a
  // file that can't be used (the text names it); nothing changes then.
  virtual result<void> place(const placement& where) = 0;

  // True when `plugin` runs on a host named in place().
  virtual bool knows(std::string_view plugin) const = 0;

  // Calls and waits, at most until the deadline. Not inside a transaction.
  virtual remote_outcome call(const remote_request& request) = 0;

  // Closes connections that nobody has used for idle_us. For a ticker: returns at once.
  virtual void close_idle() = 0;

  virtual std::vector<remote_figures> figures() const = 0;
};

// The clock must outlive what is returned. Reads no file: that is for place().
std::unique_ptr<remote_calls> make_remote_calls(const remote_options& options, const clock& time);

}  // namespace gantry::call
