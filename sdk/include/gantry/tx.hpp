// A transaction: all that is read and written through it, emitted and scheduled, commits or none does.
// Owned by the caller of the handler, valid for the handler. Thread: lane.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "gantry/db.hpp"
#include "gantry/json_writer.hpp"
#include "gantry/time.hpp"

namespace gantry {

// When a job runs, and what replaces it.
struct job_time {
  instant at{};            // not before; 0: now
  std::string_view key{};  // not empty: a job of this kind and key that has not begun is replaced
  // No job of this kind and key waits: what the key names is new in this transaction, say. None is looked for.
  bool new_key = false;
};

class tx : public db {
 public:
  tx(const detail::runtime& rt, gantry_tx* raw)
      : db(rt, rt.store == nullptr ? nullptr : rt.store->of(raw)), raw_(raw) {}

  // Adds an event to the outbox; its id. The key is the aggregate id. Throws REFUSED when the type was not declared
  // with emits(), TOO_LARGE, INVALID.
  std::string emit(std::string_view topic, std::string_view type, std::string_view key, const json& body) {
    return emit_text(topic, type, key, body.text());
  }
  std::string emit(std::string_view topic, std::string_view type, std::string_view key, const json_writer& body) {
    return emit_text(topic, type, key, body.str());
  }

  // Adds a job, to run after the commit. Everything is copied.
  template <detail::text_like Text>
  void schedule(std::string_view kind, const Text& payload, job_time when = {}) {
    schedule_text(kind, payload, when);
  }
  void schedule(std::string_view kind, const json& payload, job_time when = {}) {
    schedule_text(kind, payload.text(), when);
  }
  // Removes a job that has not begun; false if there is none.
  bool cancel(std::string_view kind, std::string_view key) {
    const gantry_status status = jobs().cancel(raw_, detail::str(kind), detail::str(key));
    if (status == GANTRY_NOT_FOUND) return false;
    rt().check(status);
    return true;
  }

  // Arms a timer at commit, in place of one of the same kind and key. after_ack: the delay counts from when the bus has
  // acknowledged all that this transaction emits.
  void arm(std::string_view kind, std::string_view key, std::chrono::microseconds delay, bool after_ack = false) {
    const auto us = static_cast<std::uint64_t>(delay.count() < 0 ? 0 : delay.count());
    rt().check(jobs().arm(raw_, detail::str(kind), detail::str(key), us, after_ack ? GANTRY_TIMER_AFTER_ACK : 0));
  }
  void disarm(std::string_view kind, std::string_view key) {
    rt().check(jobs().disarm(raw_, detail::str(kind), detail::str(key)));
  }

  instant now() const { return {rt().host->now_us(rt().host)}; }

  gantry_tx* raw() const noexcept { return raw_; }

 private:
  void schedule_text(std::string_view kind, std::string_view payload, const job_time& when) {
    gantry_schedule job{};
    job.struct_size = sizeof job;
    if (when.new_key) job.flags = GANTRY_SCHEDULE_NEW_KEY;
    job.kind = detail::str(kind);
    job.key = detail::str(when.key);
    job.payload = detail::str(payload);
    job.at_us = when.at.us;
    rt().check(jobs().schedule(raw_, &job));
  }

  const gantry_jobs_1& jobs() const { return rt().need(rt().jobs, GANTRY_JOBS_1); }

  std::string emit_text(std::string_view topic, std::string_view type, std::string_view key, std::string_view body) {
    const gantry_emit event{sizeof event,     0, detail::str(topic), detail::str(type), detail::str(key),
                            detail::str(body)};
    std::string id(36, '\0');
    rt().check(rt().need(rt().bus, GANTRY_BUS_1).emit(raw_, &event, id.data()));
    return id;
  }

  gantry_tx* raw_;
};

}  // namespace gantry
