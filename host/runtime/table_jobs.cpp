#include <algorithm>

#include "blackbox/box.hpp"
#include "gantry/abi/jobs.h"
#include "jobs/job_board.hpp"
#include "runtime/context.hpp"
#include "runtime/instance.hpp"
#include "runtime/tables.hpp"
#include "runtime/text.hpp"

namespace gantry::runtime {
namespace {

// Longer delays than a thousand years would not fit when they are added to the time.
std::int64_t bounded(std::uint64_t delay_us) {
  constexpr std::uint64_t longest = 1000ULL * 366 * 86'400 * 1'000'000;
  return static_cast<std::int64_t>(std::min(delay_us, longest));
}

gantry_status declare_kind(const gantry_host* host, const gantry_job_kind* k) {
  auto& self = instance::of(host);
  if (self.state() != phase::setup) return fail(GANTRY_REFUSED, "jobs.kind is for setup only");
  if (k == nullptr || k->name.len == 0 || k->run == nullptr) return fail(GANTRY_INVALID, "a job kind needs a name and run");
  if (self.find_job(view(k->name)) >= 0)
    return fail(GANTRY_INVALID, "job kind " + std::string(view(k->name)) + " is declared twice");
  job_kind kind;
  kind.name = view(k->name);
  if (k->max_attempts != 0) kind.max_attempts = k->max_attempts;
  if (k->timeout_us != 0) kind.timeout_us = static_cast<std::int64_t>(k->timeout_us);
  if (k->concurrency != 0) kind.concurrency = k->concurrency;
  kind.run = k->run;
  kind.on_done = k->on_done;
  kind.on_failed = k->on_failed;
  kind.user = k->user;
  self.declared.jobs.push_back(std::move(kind));
  return GANTRY_OK;
}

gantry_status declare_timer(const gantry_host* host, const gantry_timer_kind* k) {
  auto& self = instance::of(host);
  if (self.state() != phase::setup) return fail(GANTRY_REFUSED, "jobs.timer is for setup only");
  if (k == nullptr || k->name.len == 0 || k->fire == nullptr)
    return fail(GANTRY_INVALID, "a timer kind needs a name and fire");
  if (self.find_timer(view(k->name)) >= 0)
    return fail(GANTRY_INVALID, "timer kind " + std::string(view(k->name)) + " is declared twice");
  self.declared.timers.push_back({std::string(view(k->name)), k->fire, k->restore, k->user});
  return GANTRY_OK;
}

gantry_status schedule(gantry_tx* tx, const gantry_schedule* job) {
  if (tx == nullptr || !tx->usable) return fail(GANTRY_REFUSED, "schedule: the transaction is not open");
  if (job == nullptr) return fail(GANTRY_INVALID, "schedule: no job");
  auto& self = *tx->owner;
  const int kind = self.find_job(view(job->kind));
  if (kind < 0)
    return fail(GANTRY_REFUSED, self.id() + " schedules a job of kind " + std::string(view(job->kind)) +
                                    " but has not declared it in setup");
  const blackbox::host_time waits;
  return self.jobs->schedule(*tx, static_cast<std::uint32_t>(kind), view(job->key), view(job->payload), job->at_us,
                            (job->flags & GANTRY_SCHEDULE_NEW_KEY) != 0);
}

gantry_status cancel(gantry_tx* tx, gantry_str kind, gantry_str key) {
  if (tx == nullptr || !tx->usable) return fail(GANTRY_REFUSED, "cancel: the transaction is not open");
  const blackbox::host_time waits;
  return tx->owner->jobs->cancel(*tx, view(kind), view(key));
}

gantry_status change_timer(gantry_tx* tx, gantry_str kind, gantry_str key, bool armed, std::uint64_t delay_us,
                           std::uint32_t flags) {
  if (tx == nullptr || !tx->usable) return fail(GANTRY_REFUSED, "timer: the transaction is not open");
  const int index = tx->owner->find_timer(view(kind));
  if (index < 0)
    return fail(GANTRY_REFUSED, tx->owner->id() + " uses a timer of kind " + std::string(view(kind)) +
                                    " but has not declared it in setup");
  if (tx->suppressed) return GANTRY_OK;
  tx->timers.push_back({armed, (flags & GANTRY_TIMER_AFTER_ACK) != 0, static_cast<std::uint32_t>(index),
                        std::string(view(key)), bounded(delay_us)});
  return GANTRY_OK;
}

gantry_status arm(gantry_tx* tx, gantry_str kind, gantry_str key, std::uint64_t delay_us, std::uint32_t flags) {
  return change_timer(tx, kind, key, true, delay_us, flags);
}

gantry_status disarm(gantry_tx* tx, gantry_str kind, gantry_str key) { return change_timer(tx, kind, key, false, 0, 0); }

gantry_status rearm(const gantry_host* host, gantry_str kind, gantry_str key, std::uint64_t delay_us) {
  auto& self = instance::of(host);
  if (!self.restoring) return fail(GANTRY_REFUSED, "rearm is for restore only");
  const int index = self.find_timer(view(kind));
  if (index < 0) return fail(GANTRY_REFUSED, "timer kind " + std::string(view(kind)) + " is not declared");
  self.restored_timers.push_back(
      {true, false, static_cast<std::uint32_t>(index), std::string(view(key)), bounded(delay_us)});
  return GANTRY_OK;
}

gantry_status set_result(gantry_context* context, gantry_str result) {
  if (context == nullptr || !context->is_job) return fail(GANTRY_REFUSED, "set_result is for jobs only");
  context->result = view(result);
  return GANTRY_OK;
}

}  // namespace

const void* jobs_table() noexcept {
  static constexpr gantry_jobs_1 table = {sizeof table, declare_kind, declare_timer, schedule, cancel,
                                          arm,          disarm,       rearm,         set_result};
  return &table;
}

}  // namespace gantry::runtime
