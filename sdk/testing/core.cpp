#include "core.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace gantry::testing {
namespace {

using detail::str;
using detail::view;

// Sets the phase for a while.
class during {
 public:
  during(fake_core& c, fake_core::phase to) : c_(c), before_(std::exchange(c.at, to)) {}
  during(const during&) = delete;
  during& operator=(const during&) = delete;
  ~during() { c_.at = before_; }

 private:
  fake_core& c_;
  fake_core::phase before_;
};

std::string summary(gantry_status status, const transaction& t) {
  std::string out = "status " + std::to_string(status);
  for (const emitted_event& e : t.events) out += ", " + e.type + "(" + e.key + ")";
  for (const transaction::change& c : t.changes) {
    constexpr const char* names[] = {"schedule", "cancel", "arm", "disarm"};
    out += std::string(", ") + names[static_cast<int>(c.kind)] + " " + c.job.kind + "(" + c.job.key + ")";
  }
  return out;
}

// As gantry_request_handler lists them.
call_reply problem_of(gantry_status status, const std::string& detail) {
  const auto make = [&](int code, const char* slug, const char* title) {
    const reply r = problem(code, slug, title, detail);
    return call_reply(r.status(), r.headers(), r.body());
  };
  switch (status) {
    case GANTRY_RETRY:
    case GANTRY_UNAVAILABLE:
      return make(503, "unavailable", "Service unavailable");
    case GANTRY_NOT_FOUND:
      return make(404, "not-found", "Not found");
    case GANTRY_INVALID:
      return make(400, "bad-request", "Bad request");
    case GANTRY_CONFLICT:
      return make(409, "conflict", "Conflict");
    case GANTRY_REJECT:
      return make(422, "rejected", "Unprocessable");
    case GANTRY_REFUSED:
      return make(403, "refused", "Forbidden");
    case GANTRY_TIMEOUT:
      return make(504, "timeout", "Timeout");
    case GANTRY_TOO_LARGE:
      return make(413, "too-large", "Too large");
    default:
      return make(500, "internal", "Internal error");
  }
}

std::optional<std::string> header_of(const gantry_request& request, std::string_view name) {
  for (std::size_t i = 0; i < request.header_count; ++i) {
    if (view(request.headers[i].name) == name) return std::string(view(request.headers[i].value));
  }
  return std::nullopt;
}

}  // namespace

fake_core::fake_core() {
  host.struct_size = sizeof(gantry_host);
  host.owner = this;
  host.capability = [](const gantry_host*, const char* wanted) { return capability_table(wanted); };
  host.fail = [](const gantry_host* h, gantry_status status, gantry_str text) {
    fake_core& c = of(h);
    const lock hold(c.mutex);
    return c.fail(status, std::string(view(text)));
  };
  host.error = [](const gantry_host* h) {
    fake_core& c = of(h);
    const lock hold(c.mutex);
    c.error_shown = c.error;
    return str(c.error_shown);
  };
  host.now_us = [](const gantry_host* h) {
    fake_core& c = of(h);
    const lock hold(c.mutex);
    return c.clock.now().us;
  };
  host.new_id = [](const gantry_host* h, char out[36]) {
    fake_core& c = of(h);
    const lock hold(c.mutex);
    std::memcpy(out, c.next_id().data(), 36);
  };
}

fake_core::~fake_core() = default;

// A UUIDv7 of the clock's time and a counter, so ids grow and a rerun gets the same ones.
std::string fake_core::next_id() {
  char text[37];
  const auto ms = static_cast<unsigned long long>(clock.now().us / 1000) & 0xFFFFFFFFFFFFULL;
  const unsigned long long n = ++ids;
  std::snprintf(text, sizeof text, "%08llx-%04llx-7%03llx-8%03llx-%012llx", ms >> 16U, ms & 0xFFFFU,
                (n >> 60U) & 0xFFFU, (n >> 48U) & 0xFFFU, n & 0xFFFFFFFFFFFFULL);
  return text;
}

gantry_status fake_core::flush(transaction& t) {
  const auto later = std::exchange(t.later, {});
  for (const transaction::deferred& d : later) {
    std::string why;
    const gantry_status status = db.exec(d.sql, d.params.data(), d.params.size(), nullptr, why);
    if (status != GANTRY_OK) return fail(status, "a deferred statement: " + why);
  }
  return GANTRY_OK;
}

gantry_status fake_core::run_once(transaction& t, const tx_body& body) {
  t.owner = this;
  db.script("BEGIN");
  const during lane(*this, phase::lane);
  open = &t;
  gantry_status status = body(raw(&t));
  if (status == GANTRY_OK) status = flush(t);
  open = nullptr;
  if (cursors != 0) throw std::logic_error(std::to_string(cursors) + " cursors were not closed");
  return status;
}

gantry_status fake_core::in_tx(const tx_body& body, std::optional<call_reply>* reply, const std::string& what) {
  const std::uint64_t first_id = ids;
  transaction rehearsal;
  const gantry_status rehearsed = run_once(rehearsal, body);
  db.script("ROLLBACK");
  ids = first_id;
  transaction t;
  const gantry_status status = run_once(t, body);
  db.script(status == GANTRY_OK ? "COMMIT" : "ROLLBACK");
  const std::string before = summary(rehearsed, rehearsal);
  const std::string after = summary(status, t);
  if (before != after) {
    throw std::logic_error(what +
                           ": run again after a rollback it did something else, so it keeps state outside of its " +
                           "transaction. First: " + before + "; then: " + after);
  }
  if (status == GANTRY_OK) apply(t);
  if (reply != nullptr) *reply = std::move(t.reply);
  return status;
}

void fake_core::drop_job(std::string_view kind, std::string_view key) {
  std::erase_if(jobs,
                [&](const scheduled_job& job) { return job.kind == kind && job.key == key && job.attempts == 0; });
}

void fake_core::apply(transaction& t) {
  std::ranges::move(t.events, std::back_inserter(emitted));
  for (transaction::change& change : t.changes) {
    scheduled_job& job = change.job;
    switch (change.kind) {
      case transaction::change_kind::schedule:
        if (!job.key.empty()) drop_job(job.kind, job.key);
        jobs.push_back(std::move(job));
        break;
      case transaction::change_kind::cancel:
        drop_job(job.kind, job.key);
        break;
      case transaction::change_kind::arm:
        timers[{job.kind, job.key}] = job.due;
        break;
      case transaction::change_kind::disarm:
        timers.erase({job.kind, job.key});
        break;
    }
  }
}

void fake_core::run_async() {
  while (!async.empty()) {
    const async_write next = async.front();
    async.erase(async.begin());
    const gantry_status status =
        in_tx([&next](gantry_tx* tx) { return next.fn(next.user, tx); }, nullptr, "write_async");
    if (next.done != nullptr) next.done(next.user, status);
  }
}

const subscription& fake_core::subscription_of(std::string_view topic, std::string_view type) const {
  const subscription* found = nullptr;
  for (const subscription& s : subscriptions) {
    if (s.topic == topic && s.type == type && (found == nullptr || s.raw.observe == nullptr)) found = &s;
  }
  if (found == nullptr) {
    throw std::logic_error("no handler of " + std::string(type) + " on " + std::string(topic));
  }
  return *found;
}

call_reply fake_core::serve(const gantry_request& request, const route& to) {
  std::string scope;
  if (to.idempotent) {
    const auto key = header_of(request, "idempotency-key");
    if (!key) return problem_of(GANTRY_INVALID, "the header Idempotency-Key is missing");
    scope = to.method + " " + std::string(view(request.path)) + " " + *key;
    if (const auto stored = idempotency.find(scope); stored != idempotency.end()) {
      if (stored->second.first == view(request.body)) return stored->second.second;
      return problem_of(GANTRY_REJECT, "this Idempotency-Key was used with another body");
    }
  }
  progress p;
  p.owner = this;
  p.is_request = true;
  gantry_status status = GANTRY_OK;
  {
    const during pool(*this, phase::pool);
    status = to.handler(to.user, &request, raw(&p));
  }
  const std::string why = error;
  if (p.write != nullptr) {
    const auto drop = [&p] {
      if (p.drop != nullptr) p.drop(p.write_user);
    };
    if (status != GANTRY_OK) {
      drop();
      return problem_of(status, why);
    }
    try {
      status = in_tx([&p](gantry_tx* tx) { return p.write(p.write_user, tx); }, &p.reply, "the write of a request");
    } catch (...) {
      drop();
      throw;
    }
    drop();
    if (!p.reply && status == GANTRY_OK) status = fail(GANTRY_FAILED, "the write function has set no reply");
  } else if (status == GANTRY_OK && to.idempotent) {
    return problem_of(GANTRY_FAILED, "an idempotent route must answer by write()");
  } else if (status == GANTRY_OK && !p.reply) {
    status = fail(GANTRY_FAILED, "the handler has set no reply");
  }
  call_reply answer = p.reply && (status == GANTRY_OK || p.write != nullptr) ? *p.reply : problem_of(status, error);
  if (to.idempotent && answer.status < 500) idempotency[scope] = {std::string(view(request.body)), answer};
  return answer;
}

void fake_core::run_job(scheduled_job job) {
  const gantry_job_kind& kind = job_kinds.at(job.kind);
  ++job.attempts;
  const auto timeout = static_cast<std::int64_t>(kind.timeout_us == 0 ? 30'000'000 : kind.timeout_us);
  const gantry_job given{sizeof given, job.attempts,     str(job.id), str(job.kind),
                         str(job.key), str(job.payload), job.due.us,  clock.now().us + timeout,
                         {nullptr, 0}};
  progress p;
  p.owner = this;
  gantry_status status = GANTRY_OK;
  {
    const during pool(*this, phase::pool);
    status = kind.run(kind.user, &given, raw(&p));
  }
  if (status == GANTRY_OK && kind.on_done != nullptr) {
    status = in_tx([&](gantry_tx* tx) { return kind.on_done(kind.user, &given, str(p.result), tx); }, nullptr,
                   "on_done of " + job.kind);
  }
  if (status == GANTRY_OK) return;
  const std::string why = error;
  const std::uint32_t most = kind.max_attempts == 0 ? 4 : kind.max_attempts;
  if (status != GANTRY_REJECT && job.attempts < most) {
    job.due = clock.now() + std::chrono::milliseconds(100LL << std::min(job.attempts - 1, 8U));
    jobs.push_back(std::move(job));
    return;
  }
  if (kind.on_failed == nullptr) return;
  status = in_tx([&](gantry_tx* tx) { return kind.on_failed(kind.user, &given, str(why), tx); }, nullptr,
                 "on_failed of " + job.kind);
  if (status != GANTRY_OK) throw std::runtime_error("on_failed of " + job.kind + ": " + error);
}

}  // namespace gantry::testing
