#include "app/isolated_plugin.hpp"

#include <signal.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <utility>

#include "base/uuid.hpp"
#include "lifecycle/loading.hpp"
#include "observability/log.hpp"
#include "runtime/reply.hpp"
#include "runtime/target.hpp"
#include "topology/isolation.hpp"

namespace gantry::app {
namespace {

using runtime::problem;
using runtime::problem_for;

// Each waits for a reply. So many writes can share one transaction over there.
constexpr std::size_t first_workers = 2;
constexpr std::size_t most_workers = 64;
constexpr std::size_t more_headers = 4 * 1024;  // that this host adds
constexpr auto between_looks = std::chrono::milliseconds(200);
constexpr auto between_looks_for_one_away = std::chrono::milliseconds(20);
constexpr auto patience_of_a_look = std::chrono::milliseconds(1000);
constexpr auto patience_of_an_end = std::chrono::milliseconds(250);
// A process that takes no connection is away. One that does and is late may only be busy, until it is late again and
// again.
constexpr int late_looks = 3;

std::string_view header(const runtime::inbound& in, std::string_view name) {
  for (const auto& [n, v] : in.headers)
    if (n == name) return v;
  return {};
}

gantry_str str(std::string_view text) noexcept { return {text.data(), text.size()}; }

call::forwarder_options ways_of(const isolated_options& options) {
  call::forwarder_options out;
  out.max_connections = most_workers + 2 * runtime::request_pool::reserved_workers;
  out.max_headers = options.max_headers + more_headers;
  return out;
}

runtime::reply unanswered(const call::remote_request& request, const call::remote_outcome& outcome,
                          const std::string& plugin) {
  const auto text = plugin + ": " + outcome.text;
  if (outcome.status != GANTRY_FAILED) return problem_for(outcome.status, text);
  // It has the request and will not answer. What has no effect, or is known by its key, may be sent again.
  if (call::forwarder::repeatable(request)) return problem_for(GANTRY_UNAVAILABLE, text);
  return problem(502, "bad-gateway", "Bad Gateway", text);
}

}  // namespace

// One request, on its way to the other process and back.
class isolated_plugin::passing final : public runtime::work {
 public:
  passing(isolated_plugin& by, runtime::inbound&& in, std::unique_ptr<runtime::reply_sink> sink)
      : by_(by), in_(std::move(in)), sink_(std::move(sink)), begun_us_(by.time_.steady_us()) {
    correlation_id_ = header(in_, "correlation-id");
    if (correlation_id_.empty() || correlation_id_.size() > 128) correlation_id_ = new_uuid_string();
  }

  void run() override {
    const auto deadline_us =
        begun_us_ + runtime::timeout_of(header(in_, "gantry-deadline-ms"), by_.options_.deadline_us);
    if (by_.time_.steady_us() >= deadline_us) {
      answer(problem_for(GANTRY_TIMEOUT, "the request waited longer than its deadline"));
      return;
    }
    const auto target = in_.query.empty() ? in_.path : in_.path + "?" + in_.query;
    std::vector<gantry_field> headers;
    headers.reserve(in_.headers.size());
    for (const auto& [name, text] : in_.headers) headers.push_back({str(name), str(text)});
    call::remote_request request;
    request.plugin = by_.options_.plugin;
    request.caller = in_.caller;
    request.unproven_call = in_.is_call && in_.caller.empty();
    request.method = in_.method;
    request.target = target;
    request.headers = headers;
    request.body = in_.body;
    request.deadline_us = deadline_us;
    request.correlation_id = correlation_id_;
    request.traceparent = header(in_, "traceparent");
    request.host = header(in_, "host");
    auto outcome = by_.way_->forward(request);
    if (outcome.status == GANTRY_OK) {
      answer({outcome.reply.status, std::move(outcome.reply.headers), std::move(outcome.reply.body)});
      return;
    }
    if (by_.counts_.unanswered != nullptr) by_.counts_.unanswered->add();
    answer(unanswered(request, outcome, by_.options_.plugin));
  }

  void refuse(std::string_view text) { answer(problem_for(GANTRY_UNAVAILABLE, text)); }
  bool is_call() const noexcept { return in_.is_call; }

 private:
  void answer(runtime::reply&& r) {
    bool named = false;
    for (const auto& h : r.headers) named = named || h.first == "correlation-id";
    if (!named) r.headers.emplace_back("correlation-id", correlation_id_);
    if (by_.counts_.requests != nullptr) by_.counts_.requests->add();
    if (by_.counts_.latency != nullptr) by_.counts_.latency->observe_ns((by_.time_.steady_us() - begun_us_) * 1000);
    sink_->send(std::move(r));
  }

  isolated_plugin& by_;
  runtime::inbound in_;
  std::unique_ptr<runtime::reply_sink> sink_;
  const std::int64_t begun_us_;
  std::string correlation_id_;
};

isolated_plugin::isolated_plugin(isolated_options options, std::unique_ptr<call::forwarder> way,
                                 observability::registry& metrics, const clock& time)
    : options_(std::move(options)),
      way_(std::move(way)),
      time_(time),
      workers_(first_workers, options_.queue_max, "to " + options_.plugin, most_workers),
      away_("it has not answered yet") {
  last_.routes = options_.routes;
  const observability::labels with = {{"plugin", options_.plugin}};
  if (auto made = metrics.get_counter("gantry_forwarded_requests_total",
                                      "Requests that were passed on to the process of an isolated plugin.", with))
    counts_.requests = *made;
  if (auto made = metrics.get_counter("gantry_forwarded_unanswered_total",
                                      "Those of them that its process has not answered.", with))
    counts_.unanswered = *made;
  if (auto made = metrics.get_histogram("gantry_forwarded_seconds",
                                        "Requests for isolated plugins, from their arrival to the reply.", with))
    counts_.latency = *made;
}

isolated_plugin::~isolated_plugin() { stop(); }

result<std::shared_ptr<isolated_plugin>> isolated_plugin::make(isolated_options options,
                                                               observability::registry& metrics, const clock& time) {
  call::remote_host to;
  to.name = options.process;
  to.address = options.address;
  to.inner_key = options.key;
  auto way = call::forwarder::make(to, ways_of(options), time);
  if (!way) return way.failure();
  return std::shared_ptr<isolated_plugin>(new isolated_plugin(std::move(options), std::move(*way), metrics, time));
}

void isolated_plugin::watch(std::function<void()> routes_changed) {
  routes_changed_ = std::move(routes_changed);
  watcher_ = std::thread([this] { look(); });
}

void isolated_plugin::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  way_->call_off();
  if (watcher_.joinable()) watcher_.join();
  workers_.stop();
}

void isolated_plugin::pass_on(runtime::inbound&& in, std::unique_ptr<runtime::reply_sink> sink) {
  auto made = std::make_unique<passing>(*this, std::move(in), std::move(sink));
  auto* const mine = made.get();
  std::unique_ptr<runtime::work> queued = std::move(made);
  const bool taken = mine->is_call() ? workers_.submit_call(options_.plugin, queued) : workers_.submit(queued);
  if (!taken) mine->refuse("too many requests wait for " + options_.plugin);
}

std::vector<runtime::apart_route> isolated_plugin::routes() const {
  const std::lock_guard lock(mutex_);
  return last_.routes;
}

result<void> isolated_plugin::health() const {
  const std::lock_guard lock(mutex_);
  if (!away_.empty()) return error{errc::unavailable, "its process " + options_.process + " does not answer: " + away_};
  if (!last_.ailing.empty()) return error{errc::unavailable, last_.ailing};
  return {};
}

std::int64_t isolated_plugin::pid() const {
  const std::lock_guard lock(mutex_);
  return away_.empty() ? last_.pid : 0;
}

call::remote_outcome isolated_plugin::send(std::string_view method, std::string_view target,
                                           std::chrono::milliseconds at_most, std::string_view body) {
  call::remote_request request;
  request.plugin = options_.plugin;
  request.method = method;
  request.target = target;
  request.body = body;
  request.deadline_us = time_.steady_us() + std::chrono::microseconds(at_most).count();
  return way_->forward_now(request);
}

result<http::reply> isolated_plugin::ask(std::string_view method, std::string_view target,
                                         std::chrono::milliseconds at_most, std::string_view body) {
  auto outcome = send(method, target, at_most, body);
  if (outcome.status != GANTRY_OK)
    return error{outcome.status == GANTRY_TIMEOUT ? errc::timeout : errc::unavailable, std::move(outcome.text)};
  http::reply out;
  out.status = outcome.reply.status;
  for (auto& [name, text] : outcome.reply.headers) out.headers.push_back({std::move(name), std::move(text)});
  out.body = std::move(outcome.reply.body);
  return out;
}

void isolated_plugin::end(std::chrono::milliseconds within) {
  {
    const std::lock_guard lock(mutex_);
    if (told_to_end_) return;
  }
  const auto outcome = send("POST", "/inner/end?within_ms=" + std::to_string(within.count()), patience_of_an_end);
  const std::lock_guard lock(mutex_);
  if (outcome.status == GANTRY_OK && outcome.reply.status == 200) {
    const auto& text = outcome.reply.body;
    std::from_chars(text.data(), text.data() + text.size(), ending_);
    told_to_end_ = true;
  } else if (outcome.status == GANTRY_UNAVAILABLE) {
    observability::log_info("The process of an isolated plugin was not there to be ended.",
                            {{"plugin", options_.plugin}, {"reason", outcome.text}});
    // It takes no connections any more, or not yet; the one that was there last may still be about to end.
    ending_ = last_.pid;
    told_to_end_ = true;
  }
}

// Its last connections and files go with the process alone, so what it answers says too little.
bool isolated_plugin::has_ended() const {
  const std::lock_guard lock(mutex_);
  if (!told_to_end_) return false;
  return ending_ <= 0 || (kill(static_cast<pid_t>(ending_), 0) != 0 && errno == ESRCH);
}

void isolated_plugin::close_idle() { way_->close_idle(); }

result<process_state> isolated_plugin::ask_state() {
  auto said = ask("GET", "/inner/state", patience_of_a_look);
  if (!said) return said.failure();
  if (said->status != 200) return error{errc::unavailable, "it answered with " + std::to_string(said->status)};
  return read_process_state(said->body);
}

void isolated_plugin::look() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    take(ask_state());
    lock.lock();
    // Its host is ready as soon as it is.
    const bool well = away_.empty() && last_.ailing.empty();
    wake_.wait_for(lock, well ? between_looks : between_looks_for_one_away, [this] { return stopping_; });
  }
}

void isolated_plugin::take(result<process_state> seen) {
  bool other_routes = false;
  {
    const std::lock_guard lock(mutex_);
    const bool was_there = away_.empty();
    late_ = !seen && seen.failure().code == errc::timeout ? late_ + 1 : 0;
    if (was_there && late_ > 0 && late_ < late_looks) return;
    if (!seen) {
      away_ = seen.failure().text;
      if (was_there)
        observability::log_warn("The process of an isolated plugin does not answer.",
                                {{"plugin", options_.plugin}, {"process", options_.process}, {"reason", away_}});
      return;
    }
    if (!was_there || seen->pid != last_.pid)
      observability::log_info(
          "The process of an isolated plugin answers.",
          {{"plugin", options_.plugin}, {"process", options_.process}, {"pid", std::to_string(seen->pid)}});
    away_.clear();
    // A plugin that could not be loaded has no routes; its callers are still told that it is not well.
    if (seen->generation == 0) seen->routes = last_.routes;
    other_routes = seen->routes != last_.routes;
    last_ = std::move(*seen);
  }
  if (other_routes && routes_changed_) routes_changed_();
}

result<std::vector<std::shared_ptr<isolated_plugin>>> isolated_plugins_of(const topology::topology& model,
                                                                          const std::string& host,
                                                                          const host_family& family,
                                                                          observability::registry& metrics,
                                                                          const clock& time) {
  std::vector<std::shared_ptr<isolated_plugin>> out;
  for (const auto& [name, address] : family.inner) {
    const auto plugin = topology::split_process(name).plugin;
    if (plugin.empty()) continue;
    isolated_options o;
    o.plugin = plugin;
    o.process = name;
    o.address = address;
    o.key = family.key;
    o.queue_max = static_cast<std::size_t>(*model.limits.requests);
    o.max_headers = static_cast<std::size_t>(*model.limits.headers);
    o.deadline_us = model.limits.deadline->count();
    if (auto promised = lifecycle::manifest_to_start(model, plugin, host)) {
      for (auto& r : promised->routes) o.routes.push_back({std::move(r.method), std::move(r.pattern)});
    } else {
      observability::log_error("The routes of an isolated plugin are not known.",
                               {{"plugin", plugin}, {"error", promised.failure().text}});
    }
    auto made = isolated_plugin::make(std::move(o), metrics, time);
    if (!made) return made.failure();
    out.push_back(std::move(*made));
  }
  return out;
}

std::vector<std::string> isolated_operations::plugins() const {
  std::vector<std::string> out;
  for (const auto& one : all_) out.push_back(one->id());
  return out;
}

result<http::reply> isolated_operations::ask(std::string_view plugin, std::string_view method, std::string_view target,
                                             std::chrono::milliseconds at_most, std::string_view body) {
  for (const auto& one : all_)
    if (one->id() == plugin) return one->ask(method, target, at_most, body);
  return error{errc::not_found, "plugin " + std::string(plugin) + " has no process of its own here"};
}

}  // namespace gantry::app
