#include "runtime/dispatcher.hpp"

#include "base/uri.hpp"
#include "base/uuid.hpp"
#include "blackbox/box.hpp"
#include "runtime/context.hpp"
#include "runtime/handling.hpp"
#include "runtime/instance.hpp"
#include "runtime/lane.hpp"
#include "runtime/target.hpp"
#include "runtime/text.hpp"

namespace gantry::runtime {
namespace {

std::string_view find_header(const std::vector<std::pair<std::string, std::string>>& headers, std::string_view name) {
  for (const auto& [n, v] : headers)
    if (n == name) return v;
  return {};
}

// A plugin with so many hanging workers gets no more of them.
constexpr std::uint32_t too_many_stalled = 2;

}  // namespace

// One request from outside, from its arrival to its reply.
class dispatcher::request_work {
 public:
  request_work(const dispatcher& owner, std::unique_ptr<inbound> in, std::unique_ptr<reply_sink> sink,
               std::shared_ptr<const route_table> table, const route_table::match& at)
      : clock_(owner.clock_),
        default_timeout_us_(owner.default_timeout_us_),
        held_(std::move(in)),
        in_(*held_),
        sink_(std::move(sink)),
        table_(std::move(table)),
        to_(*at.owner),
        route_(*at.found),
        context_(*at.owner),
        key_(*at.owner),
        begun_us_(clock_.steady_us()) {
    to_.enter();
    context_.may_lag = route_.may_lag;
    for (std::size_t i = 0; i < at.names->size(); ++i) {
      auto& [name, text] = params_.emplace_back((*at.names)[i], std::string());
      decode(at.values[i], text);
    }
  }
  ~request_work() {
    if (context_.write_drop != nullptr) context_.write_drop(context_.write_user);
    to_.leave();
  }

  request_work(const request_work&) = delete;
  request_work& operator=(const request_work&) = delete;

  // Runs the handler on this worker. True: a write is to follow.
  bool run();
  instance& to() noexcept { return to_; }

  void answer(reply&& r) {
    const auto status = r.status;
    if (find_header(r.headers, "correlation-id").empty()) r.headers.emplace_back("correlation-id", correlation_id_);
    to_.counts.requests->add();
    if (status >= 500) to_.counts.request_errors->add();
    if (route_.latency != nullptr) route_.latency->observe_ns((clock_.steady_us() - begun_us_) * 1000);
    key_.release();
    sink_->send(std::move(r));
  }

 private:
  void decode(std::string_view text, std::string& out) {
    if (text.find('%') == std::string_view::npos) {
      out = text;
    } else if (auto plain = percent_decode(text)) {
      out = std::move(*plain);
    } else {
      malformed_ = std::move(plain).failure().text;
    }
  }
  friend class request_write;
  bool prepare(gantry_request& request);

  const clock& clock_;
  const std::int64_t default_timeout_us_;
  const std::unique_ptr<inbound> held_;  // the match's views point into it
  inbound& in_;
  std::unique_ptr<reply_sink> sink_;
  const std::shared_ptr<const route_table> table_;
  instance& to_;
  const route& route_;
  gantry_context context_;
  held_key key_;  // of a route that is idempotent
  const std::int64_t begun_us_;
  std::string malformed_;  // what is wrong with the target
  std::string path_;
  std::string correlation_id_;
  std::string traceparent_;
  std::vector<std::pair<std::string, std::string>> params_;
  query_pairs query_;
  std::vector<gantry_field> fields_;
  gantry_request request_{};
};

// The write that answers a request; keeps the request alive until then.
class dispatcher::request_write final : public write {
 public:
  explicit request_write(std::unique_ptr<request_work> request) : request_(std::move(request)) {}

  cause why() const override { return request_->context_.why; }
  instance* of() const override { return &request_->to_; }
  std::uint32_t note() const override { return request_->route_.note; }

  gantry_status run(gantry_tx& tx) override {
    const auto& r = *request_;
    if (const auto& key = r.key_.value()) return run_keyed_write(r.to_, r.context_, *key, tx, reply_);
    return run_write(r.to_, r.context_, tx, reply_);
  }

  void finished(bool committed, gantry_status status, std::string_view text) override {
    request_->answer(committed ? std::move(reply_) : failed_reply(request_->to_, request_->context_, status, text));
  }

  std::unique_ptr<request_work> take_back() { return std::move(request_); }

 private:
  std::unique_ptr<request_work> request_;
  reply reply_;
};

bool dispatcher::request_work::prepare(gantry_request& request) {
  correlation_id_ = find_header(in_.headers, "correlation-id");
  if (correlation_id_.empty() || correlation_id_.size() > 128) correlation_id_ = new_uuid_string();
  decode(in_.path, path_);
  if (auto pairs = parse_query(in_.query)) {
    query_ = std::move(*pairs);
  } else {
    malformed_ = std::move(pairs).failure().text;
  }
  if (!malformed_.empty()) {
    answer(problem(400, "bad-request", "Bad Request", "the request's target: " + malformed_));
    return false;
  }
  const auto timeout_us = timeout_of(find_header(in_.headers, "gantry-deadline-ms"), default_timeout_us_);
  context_.deadline_us = begun_us_ + timeout_us;
  if (clock_.steady_us() >= context_.deadline_us) {
    answer(problem_for(GANTRY_TIMEOUT, "the request waited longer than its deadline"));
    return false;
  }
  traceparent_ = child_trace(find_header(in_.headers, "traceparent"));
  context_.why = {correlation_id_, {}, traceparent_};
  fields_.reserve(params_.size() + query_.size() + in_.headers.size());
  for (const auto* list : {&params_, &query_, &in_.headers})
    for (const auto& [name, text] : *list) fields_.push_back({str(name), str(text)});
  request.struct_size = sizeof request;
  request.method = str(in_.method);
  request.path = str(path_);
  request.body = str(in_.body);
  request.params = fields_.data();
  request.param_count = params_.size();
  request.query = fields_.data() + params_.size();
  request.query_count = query_.size();
  request.headers = fields_.data() + params_.size() + query_.size();
  request.header_count = in_.headers.size();
  request.correlation_id = str(correlation_id_);
  request.traceparent = str(traceparent_);
  request.caller = str(in_.caller);
  request.deadline_us = to_.now_us() + (context_.deadline_us - clock_.steady_us());
  return true;
}

bool dispatcher::request_work::run() {
  if (to_.state() != phase::running) {
    correlation_id_ = find_header(in_.headers, "correlation-id");
    answer(problem_for(GANTRY_UNAVAILABLE, to_.id() + " is " + std::string(to_string(to_.state()))));
    return false;
  }
  if (to_.stalled.load(std::memory_order_relaxed) >= too_many_stalled) {
    correlation_id_ = find_header(in_.headers, "correlation-id");
    answer(problem_for(GANTRY_UNAVAILABLE, to_.id() + " has workers that do not come back"));
    return false;
  }
  if (!prepare(request_)) return false;
  if (route_.idempotent) {
    auto refusal = key_.take(in_.principal, in_.method, path_, find_header(in_.headers, "idempotency-key"), in_.body);
    if (refusal) {
      answer(std::move(*refusal));
      return false;
    }
  }
  handle(to_, route_, request_, context_);
  if (context_.write != nullptr) {
    context_.reply.reset();
    return true;
  }
  // A refusal of an idempotent route still asks whether the same request was answered before.
  if (key_.value()) return true;
  answer(std::move(*context_.reply));
  return false;
}

// Carries a request over to a worker, and on to the write lane.
class dispatcher::request_turn final : public work {
 public:
  explicit request_turn(std::unique_ptr<request_work> request) : request_(std::move(request)) {}
  void run() override {
    if (!request_->run()) return;
    auto& to = request_->to();
    auto own = std::make_unique<request_write>(std::move(request_));
    auto* const mine = own.get();
    std::unique_ptr<write> queued = std::move(own);
    std::string why;
    if (to.writer->enqueue(queued, why)) return;
    mine->take_back()->answer(problem_for(GANTRY_UNAVAILABLE, why));
  }
  std::unique_ptr<request_work> take_back() { return std::move(request_); }

 private:
  std::unique_ptr<request_work> request_;
};

dispatcher::dispatcher(request_pool& workers, request_pool& callbacks, const clock& time, std::int64_t deadline_us)
    : workers_(workers),
      callbacks_(callbacks),
      clock_(time),
      default_timeout_us_(deadline_us),
      table_(std::make_shared<const route_table>()) {}

void dispatcher::routes(std::shared_ptr<const route_table> table) {
  const std::lock_guard lock(publishing_);
  table_.store(std::move(table));
}

std::weak_ptr<const route_table> dispatcher::hold(const std::string& plugin) {
  {
    const std::lock_guard lock(held_mutex_);
    held_plugin_ = plugin;
    holding_.store(true, std::memory_order_release);
  }
  // Whoever takes the new table sees that the plugin is held.
  const std::lock_guard lock(publishing_);
  auto table = table_.load();
  std::weak_ptr<const route_table> before = table;
  table_.store(std::make_shared<const route_table>(*table));
  return before;
}

std::size_t dispatcher::release() {
  std::vector<held_request> waiting;
  {
    const std::lock_guard lock(held_mutex_);
    waiting.swap(held_);
    held_plugin_.clear();
    holding_.store(false, std::memory_order_release);
  }
  released_.notify_all();
  for (auto& one : waiting) submit(std::move(*one.in), std::move(one.sink));
  return waiting.size();
}

bool dispatcher::hold_back(std::string_view plugin, std::unique_ptr<inbound>& in, std::unique_ptr<reply_sink>& sink) {
  const std::lock_guard lock(held_mutex_);
  if (held_plugin_ != plugin) return false;
  held_.push_back({std::move(in), std::move(sink)});
  return true;
}

bool dispatcher::let_in(std::string_view plugin, std::int64_t deadline_us) {
  if (!holding_.load(std::memory_order_acquire)) return true;
  const blackbox::host_time waits;
  std::unique_lock lock(held_mutex_);
  const auto left = std::chrono::microseconds(std::max<std::int64_t>(deadline_us - clock_.steady_us(), 0));
  return released_.wait_for(lock, left, [&] { return held_plugin_ != plugin; });
}

void dispatcher::submit(inbound&& in, std::unique_ptr<reply_sink> sink) {
  auto table = table_.load();
  auto in_place = std::make_unique<inbound>(std::move(in));
  const auto at = table->find(in_place->method, in_place->path);
  if (at.apart != nullptr) {
    at.apart->pass_on(std::move(*in_place), std::move(sink));
    return;
  }
  if (at.owner == nullptr) {
    if (at.allowed.empty()) {
      sink->send(problem(404, "no-route", "Not Found", "no plugin here answers " + in_place->path));
      return;
    }
    auto refusal = problem(405, "method-not-allowed", "Method Not Allowed",
                           in_place->path + " takes " + at.allowed + ", found " + in_place->method);
    refusal.headers.emplace_back("allow", at.allowed);
    sink->send(std::move(refusal));
    return;
  }
  if (holding_.load(std::memory_order_acquire) && hold_back(at.owner->id(), in_place, sink)) return;
  const bool is_call = in_place->is_call;
  auto request = std::make_unique<request_work>(*this, std::move(in_place), std::move(sink), std::move(table), at);
  auto turn = std::make_unique<request_turn>(std::move(request));
  auto* const mine = turn.get();
  std::unique_ptr<work> queued = std::move(turn);
  if (is_call ? workers_.submit_call(at.owner->id(), queued) : workers_.submit(queued)) return;
  mine->take_back()->answer(problem_for(GANTRY_UNAVAILABLE, "all request workers are busy and their queue is full"));
}

}  // namespace gantry::runtime
