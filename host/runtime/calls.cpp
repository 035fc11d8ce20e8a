// Calls from plugin to plugin on this host: a function call.
#include <algorithm>
#include <array>
#include <condition_variable>
#include <functional>
#include <optional>

#include "base/uri.hpp"
#include "base/uuid.hpp"
#include "runtime/context.hpp"
#include "runtime/dispatcher.hpp"
#include "runtime/handling.hpp"
#include "runtime/held_reply.hpp"
#include "runtime/instance.hpp"
#include "runtime/lane.hpp"
#include "runtime/target.hpp"
#include "runtime/text.hpp"

namespace gantry::runtime {
namespace {

class pooled final : public work {
 public:
  explicit pooled(std::function<void()> what) : what_(std::move(what)) {}
  void run() override { what_(); }

 private:
  std::function<void()> what_;
};

bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }
char lower(char c) noexcept { return is_upper(c) ? static_cast<char>(c + ('a' - 'A')) : c; }

// A call's headers as a handler is promised them, and as they would arrive over HTTP: names in lower case.
class lower_headers {
 public:
  explicit lower_headers(const gantry_call& of) : fields_(of.headers), count_(of.header_count) {
    const auto mixed = [](const gantry_field& f) { return std::ranges::any_of(view(f.name), is_upper); };
    if (std::any_of(fields_, fields_ + count_, mixed)) copy();
  }
  lower_headers(const lower_headers&) = delete;
  lower_headers& operator=(const lower_headers&) = delete;

  const gantry_field* data() const noexcept { return fields_; }
  std::string_view find(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < count_; ++i)
      if (view(fields_[i].name) == name) return view(fields_[i].value);
    return {};
  }

 private:
  void copy() {
    names_.reserve(count_);
    copies_.reserve(count_);
    for (std::size_t i = 0; i < count_; ++i) {
      auto& name = names_.emplace_back(view(fields_[i].name));
      for (char& c : name) c = lower(c);
      copies_.push_back({str(name), fields_[i].value});
    }
    fields_ = copies_.data();
  }

  const gantry_field* fields_;
  const std::size_t count_;
  std::vector<std::string> names_;
  std::vector<gantry_field> copies_;
};

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
  call_write(instance& to, gantry_context& context, const std::optional<idempotency_key>& key,
             std::shared_ptr<shared> with)
      : to_(to),
        context_(context),
        key_(key),
        correlation_id_(context.why.correlation_id),
        traceparent_(context.why.traceparent),
        with_(std::move(with)) {
    to_.enter();  // also when the caller has taken it back
  }
  ~call_write() override { to_.leave(); }
  cause why() const override { return {correlation_id_, {}, traceparent_}; }
  instance* of() const override { return &to_; }
  gantry_status run(gantry_tx& tx) override {
    {
      const std::lock_guard lock(with_->mutex);
      if (with_->taken_back) return fail(GANTRY_TIMEOUT, "the caller's deadline has passed");
      with_->begun = true;
    }
    return key_ ? run_keyed_write(to_, context_, *key_, tx, reply_) : run_write(to_, context_, tx, reply_);
  }
  void finished(bool committed, gantry_status status, std::string_view text) override {
    const std::lock_guard lock(with_->mutex);
    // Who has taken it back has taken its context along.
    with_->answer = committed           ? std::move(reply_)
                    : with_->taken_back ? problem_for(status, text)
                                        : failed_reply(to_, context_, status, text);
    with_->over.notify_one();
  }

 private:
  instance& to_;
  gantry_context& context_;  // gone when the write is taken back
  const std::optional<idempotency_key> key_;
  const std::string correlation_id_;
  const std::string traceparent_;
  const std::shared_ptr<shared> with_;
  reply reply_;
};

void write_and_wait(instance& to, gantry_context& context, const std::optional<idempotency_key>& key,
                    const clock& time) {
  const auto with = std::make_shared<call_write::shared>();
  std::unique_ptr<write> queued = std::make_unique<call_write>(to, context, key, with);
  std::string why;
  if (!to.writer->enqueue(queued, why)) {
    context.reply = problem_for(GANTRY_UNAVAILABLE, why);
    return;
  }
  const blackbox::host_time waits;
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

// The handler and its write, for a route that is idempotent.
void handle_once(instance& to, const route& at, const gantry_request& request, std::string_view key,
                 gantry_context& context, const clock& time) {
  held_key held(to);
  if (auto refusal = held.take({}, view(request.method), view(request.path), key, view(request.body))) {
    context.reply = std::move(*refusal);
    return;
  }
  handle(to, at, request, context);
  if (context.write != nullptr) context.reply.reset();
  // Also a refusal asks whether the same request was answered before.
  write_and_wait(to, context, held.value(), time);
}

}  // namespace

void dispatcher::reported(std::string_view plugin, bool good) {
  if (good && troubled_.load(std::memory_order_relaxed) == 0) return;
  const std::lock_guard lock(breakers_mutex_);
  if (good) {
    if (breakers_.erase(std::string(plugin)) != 0) --troubled_;
    return;
  }
  if (breakers_.find(std::string(plugin)) == breakers_.end()) ++troubled_;
  breakers_[std::string(plugin)].failed(clock_.steady_us());
}

bool dispatcher::breaker_allows(std::string_view plugin, std::int64_t now_us) {
  if (troubled_.load(std::memory_order_relaxed) == 0) return true;
  const std::lock_guard lock(breakers_mutex_);
  const auto known = breakers_.find(std::string(plugin));
  return known == breakers_.end() || known->second.allows(now_us);
}

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
  if (begun >= deadline)
    return refuse(GANTRY_TIMEOUT, "the deadline had passed before " + std::string(plugin) + " was called");

  auto table = table_.load();
  if (holding_.load(std::memory_order_acquire)) {
    table.reset();  // whoever holds the plugin waits until the former table is gone
    if (!let_in(plugin, deadline))
      return refuse(GANTRY_TIMEOUT, std::string(plugin) + " was being replaced when the deadline passed");
    table = table_.load();
  }
  const auto target = view(c.target);
  const auto mark = target.find('?');
  const auto path = target.substr(0, mark);
  const auto at = table->find_of(plugin, view(c.method), path);
  if (at.owner == nullptr) {
    const auto* const here = table->find_plugin(plugin);
    if (here == nullptr || here->state() != phase::running) {
      if (is_elsewhere(plugin)) return call_elsewhere(from, c, deadline, correlation_id, traceparent, out);
    }
    if (here == nullptr) {
      reported(plugin, false);
      return refuse(GANTRY_UNAVAILABLE, "no host runs " + std::string(plugin));
    }
    hand_over(at.allowed.empty()
                  ? problem(404, "no-route", "Not Found", std::string(plugin) + " has no route " + std::string(path))
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
  std::string decoded_path;
  if (path.find('%') != std::string_view::npos) {
    auto plain = percent_decode(path);
    if (!plain) return malformed(plain.failure());
    decoded_path = std::move(*plain);
  }
  query_pairs query;
  if (mark != std::string_view::npos) {
    auto pairs = parse_query(target.substr(mark + 1));
    if (!pairs) return malformed(pairs.failure());
    query = std::move(*pairs);
  }
  instance& to = *at.owner;
  const visit inside(to);
  // A replica takes over for one that did not start, or has stopped, on this host.
  if (!inside.welcome() && is_elsewhere(plugin))
    return call_elsewhere(from, c, deadline, correlation_id, traceparent, out);
  // Only now: whoever is let through an open breaker as its probe must report how it went.
  if (!breaker_allows(plugin, begun))
    return refuse(GANTRY_UNAVAILABLE, "the breaker of " + std::string(plugin) + " is open after repeated failures");
  if (!inside.welcome()) {
    reported(plugin, false);
    return refuse(GANTRY_UNAVAILABLE, to.id() + " is " + std::string(to_string(to.state())));
  }

  std::vector<gantry_field> query_fields;
  for (const auto& [name, text] : query) query_fields.push_back({str(name), str(text)});
  const lower_headers headers(c);

  const std::string trace = child_trace(traceparent);
  gantry_context context(to);
  context.deadline_us = deadline;
  context.may_lag = at.found->may_lag;
  context.why = {correlation_id, {}, trace};
  gantry_request request{};
  request.struct_size = sizeof request;
  request.method = c.method;
  request.path = str(decoded_path.empty() ? path : decoded_path);
  request.body = c.body;
  request.params = params.data();
  request.param_count = at.names->size();
  request.query = query_fields.data();
  request.query_count = query_fields.size();
  request.headers = headers.data();
  request.header_count = c.header_count;
  request.correlation_id = str(correlation_id);
  request.traceparent = str(trace);
  request.caller = str(from.id());
  request.deadline_us = to.now_us() + (deadline - begun);
  if (at.found->idempotent) {
    handle_once(to, *at.found, request, headers.find("idempotency-key"), context, clock_);
  } else {
    handle(to, *at.found, request, context);
    if (context.write != nullptr) write_and_wait(to, context, std::nullopt, clock_);
  }
  if (context.write_drop != nullptr) context.write_drop(context.write_user);
  context.write_drop = nullptr;
  const auto ended = clock_.steady_us();
  to.counts.requests->add();
  if (context.reply->status >= 500) to.counts.request_errors->add();
  if (at.found->latency != nullptr) at.found->latency->observe_ns((ended - begun) * 1000);
  if (ended >= deadline) {
    reported(plugin, false);
    return refuse(GANTRY_TIMEOUT, to.id() + " answered after the deadline");
  }
  reported(plugin, context.reply->status < 500);
  hand_over(std::move(*context.reply), out);
  return GANTRY_OK;
}

gantry_status dispatcher::call(gantry_context& context, const gantry_call& request, gantry_call_reply& out) {
  return call_from(context.owner, request, context.deadline_us, context.why.correlation_id, context.why.traceparent,
                   out);
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
  for (std::size_t i = 0; i < c.header_count; ++i)
    mine->headers.emplace_back(view(c.headers[i].name), view(c.headers[i].value));
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

void dispatcher::release(gantry_call_reply& out) noexcept { take_back(out); }

}  // namespace gantry::runtime
