#include "runtime/dispatcher.hpp"

#include <array>
#include <charconv>
#include <condition_variable>
#include <functional>
#include <optional>

#include "base/uri.hpp"
#include "base/uuid.hpp"
#include "observability/log.hpp"
#include "runtime/context.hpp"
#include "runtime/instance.hpp"
#include "runtime/lane.hpp"
#include "runtime/target.hpp"
#include "runtime/text.hpp"
#include "runtime/watch.hpp"

namespace gantry::runtime {
namespace {

std::string_view find_header(const std::vector<std::pair<std::string, std::string>>& headers, std::string_view name) {
  for (const auto& [n, v] : headers)
    if (n == name) return v;
  return {};
}

// A plugin with so many hanging workers gets no more of them.
constexpr std::uint32_t too_many_stalled = 2;

// Counts a request in and out, and refuses it when the plugin does not take any.
class visit {
 public:
  explicit visit(instance& to) : to_(to) { to.enter(); }
  ~visit() { to_.leave(); }
  visit(const visit&) = delete;
  visit& operator=(const visit&) = delete;
  bool welcome() const { return to_.state() == phase::running; }

 private:
  instance& to_;
};

bool refuses(const instance& owner, gantry_status status) {
  if (is_known(status)) return false;
  observability::log_error("A handler returned a status that the ABI does not name.",
                           {{"plugin", owner.id()}, {"status", std::to_string(status)}});
  return true;
}

// Runs the handler. Afterwards the context holds a reply, or a write to be done.
void handle(instance& owner, const route& r, const gantry_request& request, gantry_context& context) {
  const observability::work_scope scope({owner.id(), owner.generation(), context.why.correlation_id, r.pattern});
  const watched_work watched(owner, work_kind::request, r.pattern, context.why.correlation_id);
  fail(GANTRY_OK, {});
  auto status = owner.guarded([&] { return r.handler(r.user, &request, &context); }, "request handler");
  context.end_read();
  if (refuses(owner, status)) {
    context.reply = problem_for(GANTRY_FAILED, owner.id() + " answered with " + status_name(status));
    context.write = nullptr;
    return;
  }
  if (status != GANTRY_OK) {
    // Also when it asked for a write before it failed.
    context.reply = problem_for(status, last_failure());
    context.write = nullptr;
    return;
  }
  if (!context.reply && context.write == nullptr)
    context.reply = problem_for(GANTRY_FAILED, owner.id() + " gave no reply to " + r.method + " " + r.pattern);
  if (r.idempotent && context.reply && context.write == nullptr && context.reply->status < 400)
    context.reply = problem_for(GANTRY_FAILED, owner.id() + ": " + r.pattern + " is idempotent and must answer by a write");
}

// Runs a write function; `out` is what it answers.
gantry_status run_write(instance& owner, gantry_write_handler fn, void* user, gantry_tx& tx, reply& out) {
  auto status = owner.guarded([&] { return fn(user, &tx); }, "write");
  if (refuses(owner, status)) status = fail(GANTRY_FAILED, owner.id() + " answered with " + status_name(status));
  // What is rolled back can't be answered as done.
  if (status != GANTRY_OK && tx.reply && tx.reply->status < 400) tx.reply.reset();
  if (tx.reply) {
    out = std::move(*tx.reply);
    tx.reply.reset();
  } else if (status == GANTRY_OK) {
    out = problem_for(GANTRY_FAILED, owner.id() + " gave no reply in its write");
    status = fail(GANTRY_FAILED, "no reply");
  } else {
    out = problem_for(status, last_failure());
  }
  return status;
}

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
        begun_us_(clock_.steady_us()) {
    to_.enter();
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
    if (guarded_key_) to_.writer->replies().end(*guarded_key_);
    guarded_key_.reset();
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
  bool take_key();

  const clock& clock_;
  const std::int64_t default_timeout_us_;
  const std::unique_ptr<inbound> held_;  // the match's views point into it
  inbound& in_;
  std::unique_ptr<reply_sink> sink_;
  const std::shared_ptr<const route_table> table_;
  instance& to_;
  const route& route_;
  gantry_context context_;
  const std::int64_t begun_us_;
  std::string malformed_;  // what is wrong with the target
  std::string path_;
  std::string correlation_id_;
  std::string traceparent_;
  std::vector<std::pair<std::string, std::string>> params_;
  query_pairs query_;
  std::vector<gantry_field> fields_;
  std::optional<idempotency_key> key_;
  std::optional<idempotency_key> guarded_key_;  // marked as being worked on
  gantry_request request_{};
};

// The write that answers a request; keeps the request alive until then.
class dispatcher::request_write final : public write {
 public:
  explicit request_write(std::unique_ptr<request_work> request) : request_(std::move(request)) {}

  cause why() const override { return request_->context_.why; }

  gantry_status run(gantry_tx& tx) override {
    auto& r = *request_;
    auto& kept = r.to_.writer->replies();
    if (r.key_) {
      switch (kept.find(*tx.db.session, *r.key_, reply_)) {
        case idempotency::found::nothing: break;
        case idempotency::found::same: reply_.headers.emplace_back("idempotency-replayed", "true"); return GANTRY_OK;
        case idempotency::found::other_body:
          reply_ = problem(422, "idempotency-key-reused", "Idempotency-Key Reused",
                           "this Idempotency-Key was used with another request body");
          return GANTRY_OK;
        case idempotency::found::unreadable: return fail(GANTRY_RETRY, tx.db.session->error_text());
      }
    }
    if (r.context_.write == nullptr) {
      // Refused before any write: there was no earlier reply to repeat.
      reply_ = *r.context_.reply;
      return GANTRY_OK;
    }
    const auto status = run_write(r.to_, r.context_.write, r.context_.write_user, tx, reply_);
    if (r.key_ && reply_.status < 500) kept.keep(*r.key_, reply_);
    return status;
  }

  void finished(bool committed, gantry_status status, std::string_view text) override {
    request_->answer(committed ? std::move(reply_) : problem_for(status, text));
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
  std::int64_t timeout_us = default_timeout_us_;
  if (const auto text = find_header(in_.headers, "gantry-deadline-ms"); !text.empty()) {
    std::int64_t ms = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (code == std::errc{} && end == text.data() + text.size() && ms >= 0)
      timeout_us = std::min(timeout_us, ms * 1000);
  }
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
  request.deadline_us = clock_.wall_us() + (context_.deadline_us - clock_.steady_us());
  return true;
}

bool dispatcher::request_work::take_key() {
  const auto text = find_header(in_.headers, "idempotency-key");
  if (text.empty() || text.size() > 255) {
    answer(problem(400, "idempotency-key-missing", "Bad Request",
                   text.empty() ? "this route needs an Idempotency-Key header"
                                : "an Idempotency-Key has at most 255 characters, found " + std::to_string(text.size())));
    return false;
  }
  key_ = make_idempotency_key(in_.principal, in_.method, path_, text, in_.body);
  if (!to_.writer->replies().begin(*key_)) {
    answer(problem(409, "idempotency-key-in-use", "Conflict", "a request with this Idempotency-Key is still running"));
    return false;
  }
  guarded_key_ = key_;
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
  if (!prepare(request_) || (route_.idempotent && !take_key())) return false;
  handle(to_, route_, request_, context_);
  if (context_.write != nullptr) {
    context_.reply.reset();
    return true;
  }
  // A refusal of an idempotent route still asks whether the same request was answered before.
  if (key_) return true;
  answer(std::move(*context_.reply));
  return false;
}

namespace {

class pooled final : public work {
 public:
  explicit pooled(std::function<void()> what) : what_(std::move(what)) {}
  void run() override { what_(); }

 private:
  std::function<void()> what_;
};

}  // namespace

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

void dispatcher::routes(std::shared_ptr<const route_table> table) { table_.store(std::move(table)); }

void dispatcher::submit(inbound&& in, std::unique_ptr<reply_sink> sink) {
  auto table = table_.load();
  auto in_place = std::make_unique<inbound>(std::move(in));
  const auto at = table->find(in_place->method, in_place->path);
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
  auto request = std::make_unique<request_work>(*this, std::move(in_place), std::move(sink), std::move(table), at);
  auto turn = std::make_unique<request_turn>(std::move(request));
  auto* const mine = turn.get();
  std::unique_ptr<work> queued = std::move(turn);
  if (workers_.submit(queued)) return;
  mine->take_back()->answer(problem_for(GANTRY_UNAVAILABLE, "all request workers are busy and their queue is full"));
}

namespace {

// A reply that a caller holds until it releases it.
struct held_reply {
  reply answer;
  std::vector<gantry_field> headers;
};

void hand_over(reply&& answer, gantry_call_reply& out) {
  auto held = std::make_unique<held_reply>();
  held->answer = std::move(answer);
  for (const auto& [name, text] : held->answer.headers) held->headers.push_back({str(name), str(text)});
  out.status = held->answer.status;
  out.headers = held->headers.data();
  out.header_count = held->headers.size();
  out.body = str(held->answer.body);
  out.owner = held.release();
}

// The write of a call, while the caller waits for it.
// A caller waits for its callee's write. When the deadline passes before the write has begun, it is taken back; once it
// has begun it reads the caller's request, so its end must be waited for.
class call_write final : public write {
 public:
  struct shared {
    std::mutex mutex;
    std::condition_variable over;
    bool begun = false;           // guarded by mutex
    bool taken_back = false;      // guarded by mutex
    std::optional<reply> answer;  // guarded by mutex
  };
  call_write(instance& to, gantry_context& context, std::shared_ptr<shared> with)
      : to_(to),
        context_(context),
        correlation_id_(context.why.correlation_id),
        traceparent_(context.why.traceparent),
        with_(std::move(with)) {}
  cause why() const override { return {correlation_id_, {}, traceparent_}; }
  gantry_status run(gantry_tx& tx) override {
    {
      const std::lock_guard lock(with_->mutex);
      if (with_->taken_back) return fail(GANTRY_TIMEOUT, "the caller's deadline has passed");
      with_->begun = true;
    }
    return run_write(to_, context_.write, context_.write_user, tx, reply_);
  }
  void finished(bool committed, gantry_status status, std::string_view text) override {
    const std::lock_guard lock(with_->mutex);
    with_->answer = committed ? std::move(reply_) : problem_for(status, text);
    with_->over.notify_one();
  }

 private:
  instance& to_;
  gantry_context& context_;  // gone when the write is taken back
  const std::string correlation_id_;
  const std::string traceparent_;
  const std::shared_ptr<shared> with_;
  reply reply_;
};

void write_and_wait(instance& to, gantry_context& context, const clock& time) {
  const auto with = std::make_shared<call_write::shared>();
  std::unique_ptr<write> queued = std::make_unique<call_write>(to, context, with);
  std::string why;
  if (!to.writer->enqueue(queued, why)) {
    context.reply = problem_for(GANTRY_UNAVAILABLE, why);
    return;
  }
  std::unique_lock lock(with->mutex);
  while (!with->answer) {
    const auto left = context.deadline_us - time.steady_us();
    if (left > 0) {
      with->over.wait_for(lock, std::chrono::microseconds(left));
    } else if (with->begun) {
      with->over.wait(lock);
    } else {
      with->taken_back = true;
      context.reply = problem_for(GANTRY_TIMEOUT, to.id() + " had not begun to write when the deadline passed");
      return;
    }
  }
  context.reply = std::move(*with->answer);
}

}  // namespace

gantry_status dispatcher::call_from(instance& from, const gantry_call& c, std::int64_t caller_deadline_us,
                                    std::string_view correlation_id, std::string_view traceparent,
                                    gantry_call_reply& out) {
  const auto plugin = view(c.plugin);
  from.counts.calls->add();
  const auto refuse = [&](gantry_status status, std::string text) {
    from.counts.call_errors->add();
    return fail(status, text);
  };
  if (!from.may_call(plugin))
    return refuse(GANTRY_REFUSED, from.id() + " calls " + std::string(plugin) + " but has not declared it in setup");
  if (inside_transaction())
    return refuse(GANTRY_REFUSED, "a call inside a transaction is refused: call first, then write");
  const auto begun = clock_.steady_us();
  std::int64_t deadline = caller_deadline_us;
  if (c.timeout_us != 0) deadline = std::min(deadline, begun + static_cast<std::int64_t>(c.timeout_us));
  if (begun >= deadline) return refuse(GANTRY_TIMEOUT, "the deadline had passed before " + std::string(plugin) + " was called");
  const auto report = [&](bool good) {
    if (good && troubled_.load(std::memory_order_relaxed) == 0) return;
    const std::lock_guard lock(breakers_mutex_);
    if (good) {
      if (breakers_.erase(std::string(plugin)) != 0) --troubled_;
      return;
    }
    if (breakers_.find(std::string(plugin)) == breakers_.end()) ++troubled_;
    breakers_[std::string(plugin)].failed(clock_.steady_us());
  };

  const auto table = table_.load();
  const auto target = view(c.target);
  const auto mark = target.find('?');
  const auto path = target.substr(0, mark);
  const auto at = table->find_of(plugin, view(c.method), path);
  if (at.owner == nullptr) {
    if (table->find_plugin(plugin) == nullptr) {
      report(false);
      return refuse(GANTRY_UNAVAILABLE, "no host here runs " + std::string(plugin));
    }
    hand_over(at.allowed.empty() ? problem(404, "no-route", "Not Found", std::string(plugin) + " has no route " + std::string(path))
                                 : problem(405, "method-not-allowed", "Method Not Allowed", at.allowed),
              out);
    return GANTRY_OK;
  }
  std::array<gantry_field, max_path_segments> params;
  std::array<std::string, max_path_segments> decoded;
  const auto malformed = [&](const error& why) {
    return refuse(GANTRY_INVALID, "the call's target " + std::string(target) + ": " + why.text);
  };
  for (std::size_t i = 0; i < at.names->size(); ++i) {
    auto text = at.values[i];
    if (text.find('%') != std::string_view::npos) {
      auto plain = percent_decode(text);
      if (!plain) return malformed(plain.failure());
      decoded[i] = std::move(*plain);
      text = decoded[i];
    }
    params[i] = {str((*at.names)[i]), str(text)};
  }
  query_pairs query;
  if (mark != std::string_view::npos) {
    auto pairs = parse_query(target.substr(mark + 1));
    if (!pairs) return malformed(pairs.failure());
    query = std::move(*pairs);
  }
  // Only now: whoever is let through an open breaker as its probe must report how it went.
  if (troubled_.load(std::memory_order_relaxed) != 0) {
    const std::lock_guard lock(breakers_mutex_);
    const auto known = breakers_.find(std::string(plugin));
    if (known != breakers_.end() && !known->second.allows(begun))
      return refuse(GANTRY_UNAVAILABLE, "the breaker of " + std::string(plugin) + " is open after repeated failures");
  }
  instance& to = *at.owner;
  const visit inside(to);
  if (!inside.welcome()) {
    report(false);
    return refuse(GANTRY_UNAVAILABLE, to.id() + " is " + std::string(to_string(to.state())));
  }

  std::vector<gantry_field> query_fields;
  for (const auto& [name, text] : query) query_fields.push_back({str(name), str(text)});

  const std::string trace = child_trace(traceparent);
  gantry_context context(to);
  context.deadline_us = deadline;
  context.why = {correlation_id, {}, trace};
  gantry_request request{};
  request.struct_size = sizeof request;
  request.method = c.method;
  request.path = str(path);
  request.body = c.body;
  request.params = params.data();
  request.param_count = at.names->size();
  request.query = query_fields.data();
  request.query_count = query_fields.size();
  request.headers = c.headers;
  request.header_count = c.header_count;
  request.correlation_id = str(correlation_id);
  request.traceparent = str(trace);
  request.caller = str(from.id());
  request.deadline_us = clock_.wall_us() + (deadline - begun);
  handle(to, *at.found, request, context);
  if (context.write != nullptr) write_and_wait(to, context, clock_);
  if (context.write_drop != nullptr) context.write_drop(context.write_user);
  context.write_drop = nullptr;
  const auto ended = clock_.steady_us();
  to.counts.requests->add();
  if (context.reply->status >= 500) to.counts.request_errors->add();
  if (at.found->latency != nullptr) at.found->latency->observe_ns((ended - begun) * 1000);
  if (ended >= deadline) {
    report(false);
    return refuse(GANTRY_TIMEOUT, to.id() + " answered after the deadline");
  }
  report(context.reply->status < 500);
  hand_over(std::move(*context.reply), out);
  return GANTRY_OK;
}

gantry_status dispatcher::call(gantry_context& context, const gantry_call& request, gantry_call_reply& out) {
  return call_from(context.owner, request, context.deadline_us, context.why.correlation_id, context.why.traceparent, out);
}

gantry_status dispatcher::call_async(instance& from, const gantry_call& c,
                                     void (*done)(void*, gantry_status, const gantry_call_reply*), void* user) {
  struct copy {
    std::string plugin, method, target, body;
    std::vector<std::pair<std::string, std::string>> headers;
  };
  auto mine = std::make_shared<copy>();
  mine->plugin = view(c.plugin);
  mine->method = view(c.method);
  mine->target = view(c.target);
  mine->body = view(c.body);
  for (std::size_t i = 0; i < c.header_count; ++i) mine->headers.emplace_back(view(c.headers[i].name), view(c.headers[i].value));
  const std::int64_t deadline =
      clock_.steady_us() + (c.timeout_us == 0 ? default_timeout_us_ : static_cast<std::int64_t>(c.timeout_us));
  from.enter();
  std::unique_ptr<work> queued = std::make_unique<pooled>([this, &from, mine, deadline, done, user] {
    std::vector<gantry_field> headers;
    for (const auto& [name, text] : mine->headers) headers.push_back({str(name), str(text)});
    gantry_call again{};
    again.struct_size = sizeof again;
    again.plugin = str(mine->plugin);
    again.method = str(mine->method);
    again.target = str(mine->target);
    again.headers = headers.data();
    again.header_count = headers.size();
    again.body = str(mine->body);
    gantry_call_reply out{};
    out.struct_size = sizeof out;
    const std::string correlation = new_uuid_string();
    const auto status = call_from(from, again, deadline, correlation, {}, out);
    from.guarded(
        [&] {
          done(user, status, status == GANTRY_OK ? &out : nullptr);
          return GANTRY_OK;
        },
        "call_async");
    release(out);
    from.leave();
  });
  if (callbacks_.submit(queued)) return GANTRY_OK;
  from.leave();
  return fail(GANTRY_UNAVAILABLE, "too many calls are waiting for a worker");
}

void dispatcher::release(gantry_call_reply& out) noexcept {
  delete static_cast<held_reply*>(out.owner);
  out = gantry_call_reply{};
}

}  // namespace gantry::runtime
