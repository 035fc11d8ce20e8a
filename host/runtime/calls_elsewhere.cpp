// Calls to plugins on other hosts, by call/remote.
#include "call/remote/remote_calls.hpp"
#include "runtime/dispatcher.hpp"
#include "runtime/held_reply.hpp"
#include "runtime/instance.hpp"
#include "runtime/text.hpp"
#include "runtime/watch.hpp"

namespace gantry::runtime {

bool dispatcher::is_elsewhere(std::string_view plugin) const {
  return elsewhere_ != nullptr && elsewhere_->knows(plugin);
}

// Series of the host itself: they outlive the generations of both plugins.
dispatcher::remote_probe& dispatcher::probe_of(instance& from, std::string_view plugin) {
  std::string pair = from.id() + '>' + std::string(plugin);
  const std::lock_guard lock(probes_mutex_);
  const auto known = probes_.find(pair);
  if (known != probes_.end()) return known->second;
  auto& metrics = *from.around.metrics;
  const observability::labels with = {{"plugin", from.id()}, {"callee", std::string(plugin)}};
  remote_probe made;
  if (auto made_calls = metrics.get_counter("gantry_remote_calls_total", "Calls to plugins on other hosts.", with))
    made.calls = *made_calls;
  if (auto made_errors = metrics.get_counter("gantry_remote_call_errors_total",
                                             "Calls to other hosts without a reply, or with a status of 5xx.", with))
    made.errors = *made_errors;
  if (auto made_latency =
          metrics.get_histogram("gantry_remote_call_seconds", "Calls to plugins on other hosts, to the reply.", with))
    made.latency = *made_latency;
  return probes_.emplace(std::move(pair), made).first->second;
}

gantry_status dispatcher::call_elsewhere(instance& from, const gantry_call& c, std::int64_t deadline_us,
                                         std::string_view correlation_id, std::string_view traceparent,
                                         gantry_call_reply& out) {
  const auto& seen = probe_of(from, view(c.plugin));
  call::remote_request request;
  request.plugin = view(c.plugin);
  request.caller = from.id();
  request.method = view(c.method);
  request.target = view(c.target);
  request.headers = {c.headers, c.header_count};
  request.body = view(c.body);
  request.deadline_us = deadline_us;
  request.correlation_id = correlation_id;
  request.traceparent = traceparent;
  const auto begun = clock_.steady_us();
  auto outcome = [&] {
    // The deadline bounds this wait: the caller's code does not hang in it.
    const watched_wait waiting(from);
    return elsewhere_->call(request);
  }();
  if (seen.calls != nullptr) seen.calls->add();
  if (seen.latency != nullptr) seen.latency->observe_ns((clock_.steady_us() - begun) * 1000);
  const bool failed = outcome.status != GANTRY_OK || outcome.reply.status >= 500;
  if (failed && seen.errors != nullptr) seen.errors->add();
  if (outcome.status == GANTRY_OK) {
    hand_over({outcome.reply.status, std::move(outcome.reply.headers), std::move(outcome.reply.body)}, out);
    return GANTRY_OK;
  }
  from.counts.call_errors->add();
  if (outcome.status == GANTRY_UNAVAILABLE || outcome.status == GANTRY_TIMEOUT || outcome.status == GANTRY_INVALID)
    return fail(outcome.status, outcome.text);
  // The connection broke behind the request, or what came is no answer: what a gateway between the two would say.
  hand_over(problem(502, "bad-gateway", "Bad Gateway", outcome.text), out);
  return GANTRY_OK;
}

}  // namespace gantry::runtime
