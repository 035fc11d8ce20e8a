#include "call/remote/forwarder.hpp"

#include <chrono>
#include <thread>

#include "call/remote/attempt.hpp"
#include "call/remote/resolver.hpp"

namespace gantry::call {
namespace {

using ending = attempt::ending;

constexpr auto between_looks = std::chrono::milliseconds(5);

remote_options limits_of(const forwarder_options& options) {
  remote_options out;
  out.max_connections = options.max_connections;
  out.max_waiting = 64 * 1024;  // who waits here is bounded by the queue in front
  out.max_body = options.max_body;
  out.max_headers = options.max_headers;
  return out;
}

}  // namespace

// The process at the other end.
class forwarder::line {
 public:
  line(const remote_host& to, host_port where, const remote_options& limits, const clock& time) : names_(time) {
    to_.host = to;
    to_.pool = std::make_shared<connection_pool>(
        std::move(where), tls_choice{},
        pool_limits{limits.max_connections, limits.max_waiting, limits.connect_timeout_us, limits.idle_us}, names_,
        time);
  }
  replica& to() noexcept { return to_; }

 private:
  resolver names_;
  replica to_;
};

forwarder::forwarder(std::unique_ptr<line> to, const forwarder_options& options, const clock& time)
    : line_(std::move(to)), options_(options), limits_(limits_of(options)), time_(time) {}

forwarder::~forwarder() = default;

result<std::unique_ptr<forwarder>> forwarder::make(const remote_host& to, const forwarder_options& options,
                                                   const clock& time) {
  auto at = split_host_port(to.address);
  if (!at) return at.failure();
  auto made = std::make_unique<line>(to, std::move(*at), limits_of(options), time);
  return std::unique_ptr<forwarder>(new forwarder(std::move(made), options, time));
}

bool forwarder::repeatable(const remote_request& request) {
  const auto head = request_head::make(request, std::size_t{1} << 30U);
  return head && head->repeatable();
}

void forwarder::call_off() noexcept { off_.now(); }

void forwarder::close_idle() { line_->to().pool->close_idle(); }

remote_outcome forwarder::forward(const remote_request& request) { return send(request, options_.patience_us); }
remote_outcome forwarder::forward_now(const remote_request& request) { return send(request, 0); }

// Whether a process that does not take connections may still come back within its time.
bool forwarder::may_wait(std::int64_t patience_us) {
  const auto now = time_.steady_us();
  std::int64_t since = 0;
  if (away_since_us_.compare_exchange_strong(since, now)) since = now;
  return now - since < patience_us;
}

remote_outcome forwarder::send(const remote_request& request, std::int64_t patience_us) {
  const auto head = request_head::make(request, options_.max_headers);
  if (!head)
    return {head.failure().code == errc::too_large ? GANTRY_TOO_LARGE : GANTRY_INVALID, head.failure().text, {}};
  if (off_.done()) return {GANTRY_UNAVAILABLE, "this host ends", {}};
  const deadline by(time_, request.deadline_us, &off_);
  const call_in_progress call{request, *head, limits_, by};
  for (;;) {
    auto one = try_once(call, line_->to(), false);
    // Nothing of it was sent.
    if (one.how == ending::stale && one.outcome.status == GANTRY_UNAVAILABLE) one = try_once(call, line_->to(), true);
    // It looks as if its time were over.
    if (off_.done() && one.outcome.status == GANTRY_TIMEOUT)
      return {GANTRY_FAILED, "this host ends, and there is no answer yet", {}};
    if (one.how == ending::answered) away_since_us_.store(0, std::memory_order_relaxed);
    if (one.how != ending::unreached || !may_wait(patience_us)) return std::move(one.outcome);
    if (by.passed()) return std::move(one.outcome);
    std::this_thread::sleep_for(
        std::min<std::chrono::microseconds>(between_looks, std::chrono::microseconds(by.left_us())));
  }
}

}  // namespace gantry::call
