// From the C functions that the host calls to the handlers of a plugin. Each handler lives in an object on the heap,
// owned by the instance; `user` points at it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "gantry/context.hpp"
#include "gantry/detail/abi_glue.hpp"
#include "gantry/event.hpp"
#include "gantry/job.hpp"

namespace gantry {

// Arms a timer from within restore.
class rearm_fn {
 public:
  rearm_fn(const detail::runtime& rt, std::string_view kind) : rt_(rt), kind_(kind) {}
  void operator()(std::string_view key, std::chrono::microseconds delay) const {
    const auto us = static_cast<std::uint64_t>(delay.count() < 0 ? 0 : delay.count());
    rt_.check(rt_.jobs->rearm(rt_.host, detail::str(kind_), detail::str(key), us));
  }

 private:
  const detail::runtime& rt_;
  std::string_view kind_;
};

namespace detail {

struct handler {
  explicit handler(runtime& of) : rt(of) {}
  handler(const handler&) = delete;
  handler& operator=(const handler&) = delete;
  virtual ~handler() = default;
  runtime& rt;
};

// A handler may answer nothing, which is ok.
template <typename Fn, typename... Args>
gantry_status outcome_of(const runtime& rt, Fn& fn, Args&&... args) {
  if constexpr (std::is_void_v<std::invoke_result_t<Fn&, Args...>>) {
    fn(std::forward<Args>(args)...);
    return GANTRY_OK;
  } else {
    return status_of(rt, outcome(fn(std::forward<Args>(args)...)));
  }
}

// A request and what serves it; lives on after the handler if a write was returned.
struct exchange {
  exchange(runtime& rt, const gantry_request& raw, gantry_context* raw_context)
      : asked(rt, raw), serving(rt, raw_context, context::of::request) {}
  request asked;
  context serving;
};

inline gantry_status start_write(const runtime& rt, gantry_context* raw, std::unique_ptr<pending_write> write) {
  const auto run = [](void* user, gantry_tx* tx) { return static_cast<pending_write*>(user)->run(tx); };
  const auto drop = [](void* user) { delete static_cast<pending_write*>(user); };  // NOLINT: given back by the host
  return rt.need(rt.http, GANTRY_HTTP_1).write(raw, run, write.release(), drop);
}

template <typename Fn>
struct route_handler final : handler {
  route_handler(runtime& of, Fn f, bool idempotent_route)
      : handler(of), fn(std::move(f)), idempotent(idempotent_route) {}
  static gantry_status call(void* user, const gantry_request* raw, gantry_context* raw_context) {
    auto& self = *static_cast<route_handler*>(user);
    return guard(self.rt, GANTRY_FAILED, [&] { return self.serve(*raw, raw_context); });
  }

 private:
  gantry_status serve(const gantry_request& raw, gantry_context* raw_context) {
    auto both = std::make_shared<exchange>(rt, raw, raw_context);
    reply answer = fn(std::as_const(both->asked), both->serving);
    auto write = answer.take_write();
    // An idempotent route answers by a write in any case, so that its key is stored or freed with it.
    if (!write && idempotent) write = constant_write(std::move(answer));
    if (write) {
      write->keeps = std::move(both);
      return start_write(rt, raw_context, std::move(write));
    }
    return send_reply(answer, [&](int status, const gantry_field* fields, std::size_t count, gantry_str body) {
      return rt.need(rt.http, GANTRY_HTTP_1).respond(raw_context, status, fields, count, body);
    });
  }

  std::unique_ptr<pending_write> constant_write(reply answer) {
    struct constant final : pending_write {
      constant(const runtime& of, reply what) : rt(of), answer(std::move(what)) {}
      gantry_status run(gantry_tx* raw) noexcept override {
        return guard(rt, GANTRY_FAILED, [&] { return answer_in(rt, raw, answer); });
      }
      const runtime& rt;
      reply answer;
    };
    return std::make_unique<constant>(rt, std::move(answer));
  }

  Fn fn;
  bool idempotent;
};

template <typename Fn>
struct event_handler final : handler {
  event_handler(runtime& of, Fn f) : handler(of), fn(std::move(f)) {}
  static gantry_status call(void* user, const gantry_event* raw, gantry_tx* raw_tx) {
    auto& self = *static_cast<event_handler*>(user);
    return guard(self.rt, GANTRY_RETRY, [&] {
      const event e(self.rt, *raw);
      tx t(self.rt, raw_tx);
      return outcome_of(self.rt, self.fn, e, t);
    });
  }
  Fn fn;
};

template <typename Fn>
struct batch_handler final : handler {
  batch_handler(runtime& of, Fn f) : handler(of), fn(std::move(f)) {}
  static gantry_status call(void* user, const gantry_event* raw, std::size_t count, gantry_tx* raw_tx,
                            std::size_t* failed) {
    auto& self = *static_cast<batch_handler*>(user);
    return guard(self.rt, GANTRY_RETRY, [&]() -> gantry_status {
      std::vector<event> events;
      events.reserve(count);
      for (std::size_t i = 0; i < count; ++i) events.emplace_back(self.rt, raw[i]);
      tx t(self.rt, raw_tx);
      try {
        return outcome_of(self.rt, self.fn, std::span<const event>(events), t);
      } catch (const batch_failure& e) {
        if (failed != nullptr) *failed = e.index();
        throw;
      }
    });
  }
  Fn fn;
};

template <typename Fn>
struct observe_handler final : handler {
  observe_handler(runtime& of, Fn f) : handler(of), fn(std::move(f)) {}
  static void call(void* user, const gantry_event* raw) {
    auto& self = *static_cast<observe_handler*>(user);
    guard_void(self.rt, "observe", [&] {
      if (raw == nullptr) {
        self.fn(nullptr);
        return;
      }
      const event e(self.rt, *raw);
      self.fn(&e);
    });
  }
  Fn fn;
};

template <typename Fn>
struct replay_handler final : handler {
  replay_handler(runtime& of, Fn f) : handler(of), fn(std::move(f)) {}
  static gantry_status call(void* user, gantry_tx* raw_tx) {
    auto& self = *static_cast<replay_handler*>(user);
    return guard(self.rt, GANTRY_RETRY, [&] {
      tx t(self.rt, raw_tx);
      return outcome_of(self.rt, self.fn, t);
    });
  }
  Fn fn;
};

template <typename Run, typename Done, typename Failed>
struct job_handler final : handler {
  job_handler(runtime& of, Run r, Done d, Failed f)
      : handler(of), run(std::move(r)), on_done(std::move(d)), on_failed(std::move(f)) {}

  static gantry_status call_run(void* user, const gantry_job* raw, gantry_context* raw_context) {
    auto& self = *static_cast<job_handler*>(user);
    return guard(self.rt, GANTRY_RETRY, [&]() -> gantry_status {
      const job j(*raw);
      context c(self.rt, raw_context, context::of::job);
      if constexpr (std::is_void_v<std::invoke_result_t<Run&, const job&, context&>>) {
        self.run(j, c);
        return GANTRY_OK;
      } else {
        const std::string result = self.run(j, c);
        return self.rt.jobs->set_result(raw_context, str(result));
      }
    });
  }
  static gantry_status call_done(void* user, const gantry_job* raw, gantry_str result, gantry_tx* raw_tx) {
    auto& self = *static_cast<job_handler*>(user);
    return finish(self, self.on_done, raw, result, raw_tx);
  }
  static gantry_status call_failed(void* user, const gantry_job* raw, gantry_str error, gantry_tx* raw_tx) {
    auto& self = *static_cast<job_handler*>(user);
    return finish(self, self.on_failed, raw, error, raw_tx);
  }

  Run run;
  Done on_done;
  Failed on_failed;

 private:
  template <typename Fn>
  static gantry_status finish(job_handler& self, Fn& fn, const gantry_job* raw, gantry_str text, gantry_tx* raw_tx) {
    return guard(self.rt, GANTRY_RETRY, [&] {
      const job j(*raw);
      tx t(self.rt, raw_tx);
      return outcome_of(self.rt, fn, j, view(text), t);
    });
  }
};

template <typename Fire, typename Restore>
struct timer_handler final : handler {
  timer_handler(runtime& of, std::string_view name, Fire f, Restore r)
      : handler(of), kind(name), fire(std::move(f)), restore(std::move(r)) {}

  static gantry_status call_fire(void* user, gantry_str key, gantry_tx* raw_tx) {
    auto& self = *static_cast<timer_handler*>(user);
    return guard(self.rt, GANTRY_RETRY, [&] {
      tx t(self.rt, raw_tx);
      return outcome_of(self.rt, self.fire, view(key), t);
    });
  }
  static gantry_status call_restore(void* user, gantry_db* snapshot) {
    auto& self = *static_cast<timer_handler*>(user);
    return guard(self.rt, GANTRY_RETRY, [&]() -> gantry_status {
      db reading(self.rt, snapshot);
      self.restore(reading, rearm_fn(self.rt, self.kind));
      return GANTRY_OK;
    });
  }

  std::string kind;
  Fire fire;
  Restore restore;
};

template <typename Describe>
struct saga_handler final : handler {
  saga_handler(runtime& of, Describe d) : handler(of), describe(std::move(d)) {}
  static gantry_status call(void* user, gantry_db* snapshot, gantry_str key, gantry_saga_sink write, void* sink) {
    auto& self = *static_cast<saga_handler*>(user);
    return guard(self.rt, GANTRY_FAILED, [&]() -> gantry_status {
      db reading(self.rt, snapshot);
      const std::optional<json> found = self.describe(reading, view(key));
      if (!found) return self.rt.host->fail(self.rt.host, GANTRY_NOT_FOUND, str("no saga of this key"));
      write(sink, str(found->text()));
      return GANTRY_OK;
    });
  }
  Describe describe;
};

}  // namespace detail
}  // namespace gantry
