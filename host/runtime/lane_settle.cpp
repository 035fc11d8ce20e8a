// After a commit: what follows from it, told once it is durable; and what is tidied up when little goes on.
#include "runtime/lane.hpp"

#include <algorithm>

#include "jobs/job_board.hpp"
#include "observability/log.hpp"
#include "runtime/instance.hpp"
#include "runtime/values.hpp"

namespace gantry::runtime {
namespace {
constexpr std::int64_t age_note_us = 60'000'000;
}

void lane::after_commit(std::uint64_t mark) {
  const auto now = timer_now();
  auto& counts = owner_->counts;
  deleted_through_ = std::max(deleted_through_, deleting_through_);
  auto what = settled_.empty() ? std::make_unique<aftermath>() : std::move(settled_.back());
  if (!settled_.empty()) settled_.pop_back();
  what->mark = mark;
  what->row = 0;
  if (tx_.has_events()) {
    what->row = outbox_id_;
    ++row_;
    if (row_ >= row_bound_) row_bound_ += row_block;
    counts.events_out->add(tx_.event_count());
    tx_.hand_over(what->events);
  }
  std::size_t handled = 0;
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    if (!fresh_[i]) {
      counts.events_dropped->add();
    } else if (taken_[i].handler != nullptr) {
      ++handled;
      if (is_poison(taken_[i])) counts.events_parked->add();
    }
  }
  for (auto& [f, n] : touched_) {
    if (f->park_head) counts.events_parked->add();
    f->park_head = false;
    f->attempts = 0;
    f->taken(n, true);
    what->positions.emplace_back(f, f->next());
  }
  counts.events_in->add(handled);
  counts.transactions->add();
  counts.batch_size->set(static_cast<std::int64_t>(handled + writes_.size()));
  parking_.committed();
  halt_when_full();
  idempotency_.committed();
  for (auto& t : tx_.timers) {
    if (!t.armed) {
      wheel_.disarm(t.kind, t.key);
    } else if (t.after_ack && what->row != 0) {
      wheel_.arm_after(what->row, t.kind, t.key, t.delay_us);
    } else {
      wheel_.arm(t.kind, t.key, now + t.delay_us);
    }
  }
  what->jobs.swap(tx_.jobs);
  if (owner_->jobs && !tx_.dropped_jobs.empty()) {
    // Before anybody hears of the commit: who was told that a job is cancelled must not see it begin.
    const auto dropped = [this](const ready_job& job) {
      return std::find(tx_.dropped_jobs.begin(), tx_.dropped_jobs.end(), job.id) != tx_.dropped_jobs.end();
    };
    owner_->jobs->start({}, tx_.dropped_jobs);
    std::erase_if(what->jobs, dropped);
    for (auto& earlier : unsettled_) std::erase_if(earlier->jobs, dropped);
  }
  what->writes.swap(writes_);
  what->write_ends.swap(write_ends_);
  taken_.clear();
  unsettled_.push_back(std::move(what));
  unsettled_count_ = unsettled_.size();
  if (limit_ < options_.batch_max) limit_ = std::min(options_.batch_max, limit_ * 2);
  settle();
}

void lane::halt_when_full() {
  if (parking_.count() < options_.parked_max) return;
  for (auto& f : feeds_) f->halted = std::to_string(parking_.count()) + " events are parked, that is the bound";
  const std::lock_guard lock(queue_mutex_);
  halted_ = std::to_string(parking_.count()) + " events are parked, the bound is " + std::to_string(options_.parked_max);
}

bool lane::holds_job(std::string_view id) const {
  for (const auto& each : unsettled_)
    for (const auto& job : each->jobs)
      if (job.id == id) return true;
  return false;
}

std::size_t lane::held_jobs() const {
  std::size_t out = 0;
  for (const auto& each : unsettled_) out += each->jobs.size();
  return out;
}

// Tells of the commits that are durable by now.
void lane::settle() {
  if (unsettled_.empty()) return;
  std::uint64_t durable = 0;
  const bool good = session_->durable(durable) == GANTRY_OK;
  while (!unsettled_.empty() && unsettled_.front()->mark <= durable) {
    auto what = std::move(unsettled_.front());
    unsettled_.pop_front();
    tell(*what);
    settled_.push_back(std::move(what));
  }
  if (!good && !unsettled_.empty()) break_down(std::string(session_->error_text()));
  unsettled_count_ = unsettled_.size();
}

// False when the store can't do it any more.
bool lane::make_durable() {
  if (unsettled_.empty()) return true;
  const bool good = session_->sync() == GANTRY_OK;
  settle();
  return good;
}

void lane::tell(aftermath& what) {
  if (what.row != 0) relay_->committed(what.row, what.events.batches(source_), what.events.row_size);
  for (const auto& [f, next] : what.positions) f->from().committed(f->where, next);
  for (std::size_t i = 0; i < what.writes.size(); ++i) {
    // Conflicts of the whole transaction never reach a single write: what stands here is its own affair.
    what.writes[i]->finished(true, what.write_ends[i].first, what.write_ends[i].second);
  }
  if (owner_->jobs && !what.jobs.empty()) owner_->jobs->start(std::move(what.jobs), {});
  what.jobs.clear();
  what.writes.clear();
  what.positions.clear();
}

// Hosts that share the store stamp by one clock, its server's, or what one of them has just kept would be old to
// another. Where the server's clock was set back, by the clock of ages, which is not.
std::int64_t lane::stamp_us() const noexcept {
  const auto age = age_.now_us();
  return presence_ ? std::max(age, tx_.now_us) : age;
}

// Beside a reply that is kept, now and then. Hosts that share the store need not: their stamps go with its server.
gantry_status lane::note_age(std::int64_t now_us) {
  if (presence_ || now_us - age_noted_us_ < age_note_us) return GANTRY_OK;
  age_noted_us_ = now_us;
  return set_meta(age_name, std::to_string(now_us / 1'000'000));
}

void lane::maintain() {
  // What is left to write when nothing else is going on: positions behind events that nobody handles, acknowledged rows.
  const bool rows = relay_ && !presence_ && relay_->acknowledged_through() > deleted_through_;
  const auto now_us = age_.now_us();
  const bool old = idempotency_.wants_expiry(now_us);
  const bool old_ids = id_window_.wants_expiry(now_us);
  const bool positions =
      std::any_of(feeds_.begin(), feeds_.end(), [](const auto& f) { return f->held() && f->unsaved() != 0; });
  if (!rows && !positions && !old && !old_ids) return;
  auto& s = *session_;
  const auto failed = [&](gantry_status status) {
    const std::string why(s.error_text());
    s.rollback();
    // Another host was in the way: the next look will do.
    if (status == GANTRY_RETRY || status == GANTRY_CONFLICT || why == maintenance_error_) return;
    observability::log_warn("What a store keeps could not be tidied up, and is tried again.",
                            {{"plugin", owner_->id()}, {"store", store_.describe()}, {"reason", why}});
    maintenance_error_ = why;
  };
  if (const auto status = s.begin(); status != GANTRY_OK) return failed(status);
  std::vector<feed*> saved;
  for (auto& f : feeds_) {
    if (!f->held() || f->unsaved() == 0) continue;
    f->begin_batch();
    if (const auto status = f->save(s, 0); status != GANTRY_OK) {
      failed(status);
      if (status == GANTRY_CONFLICT) give_back_stale(*f);
      return;
    }
    saved.push_back(f.get());
  }
  const auto through = rows ? relay_->acknowledged_through() : deleted_through_;
  const gantry_value params[] = {value(through)};
  gantry_status status = rows ? s.exec("DELETE FROM gantry_outbox WHERE id <= $1", params, nullptr) : GANTRY_OK;
  if (status == GANTRY_OK && old) status = idempotency_.expire(s, now_us);
  if (status == GANTRY_OK && old_ids) status = id_window_.expire(s, now_us);
  if (status == GANTRY_OK) status = s.commit();
  if (status != GANTRY_OK) return failed(status);
  maintenance_error_.clear();
  settle();  // that sync was theirs too, and their positions come first
  deleted_through_ = std::max(deleted_through_, through);
  if (old) idempotency_.expired(now_us);
  for (auto* f : saved) {
    f->taken(0, true);
    f->from().committed(f->where, f->next());
  }
}

}  // namespace gantry::runtime
