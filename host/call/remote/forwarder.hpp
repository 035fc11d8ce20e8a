// Passes requests on to one process of this machine, over connections that are kept: what a host does with requests for
// a plugin that runs in a process of its own. Unlike a call it opens no breaker and never sends a request twice, for
// one that has brought that process down once would do it again.
// Owned by app. Thread: any; the caller's own does the input and output.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "call/remote/deadline.hpp"
#include "call/remote/remote_calls.hpp"

namespace gantry::call {

struct forwarder_options {
  std::size_t max_connections = 64;
  std::size_t max_body = std::size_t{1} << 30U;  // bytes of a reply
  std::size_t max_headers = 64 * 1024;           // bytes of a request's or a reply's
  // A process that dies is started again within a moment: for so long after it was seen to be away, requests wait for
  // it, within their deadline. Later ones are refused at once.
  std::int64_t patience_us = 3'000'000;
};

class forwarder {
 public:
  // `to` has an address of this machine. invalid: it is not host:port.
  static result<std::unique_ptr<forwarder>> make(const remote_host& to, const forwarder_options& options,
                                                 const clock& time);
  ~forwarder();
  forwarder(const forwarder&) = delete;
  forwarder& operator=(const forwarder&) = delete;

  // Waits for the reply, at most until the deadline. As remote_calls::call; FAILED: the process has the request, or a
  // part of it, and has not answered.
  remote_outcome forward(const remote_request& request);
  // The same, and never waits for a process that is away.
  remote_outcome forward_now(const remote_request& request);

  // Ends the waiting for replies: FAILED where the process has the request, else UNAVAILABLE. So does everything that
  // is to be sent from now on, at once.
  void call_off() noexcept;

  // Whether the request may be sent again by whoever sent it: it has no effect, or has an Idempotency-Key.
  static bool repeatable(const remote_request& request);

  void close_idle();

 private:
  class line;
  forwarder(std::unique_ptr<line> to, const forwarder_options& options, const clock& time);
  remote_outcome send(const remote_request& request, std::int64_t patience_us);
  bool may_wait(std::int64_t patience_us);

  const std::unique_ptr<line> line_;
  const forwarder_options options_;
  const remote_options limits_;
  const clock& time_;
  calling_off off_;
  std::atomic<std::int64_t> away_since_us_{0};  // 0: it is there
};

}  // namespace gantry::call
