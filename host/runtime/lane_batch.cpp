// A batch: what it takes, the one transaction it is, and what to do when that does not commit.
#include "runtime/lane.hpp"

#include <algorithm>
#include <optional>

#include "observability/log.hpp"
#include "runtime/instance.hpp"
#include "runtime/text.hpp"
#include "runtime/values.hpp"
#include "runtime/watch.hpp"

namespace gantry::runtime {
namespace {

constexpr std::int64_t longest_fetch_pause_us = 200'000;
constexpr std::uint64_t unsaved_max = 1000;

using observability::log_error;

// The same, with less at once, may go well. A conflict: another host had the number of a row first, or a constraint is
// checked only at the end.
bool worth_a_rerun(gantry_status status) {
  return status == GANTRY_RETRY || status == GANTRY_CONFLICT || status == GANTRY_INVALID;
}

}  // namespace

// Without being handled: it is known by now that it can't be, or it comes behind one of its key that could not.
bool lane::will_park(const taken& t) const {
  if (t.handler == nullptr) return false;
  if ((t.from->park_head && t.index == 0) || is_poison(t)) return true;
  return options_.poison == poison_policy::park_key && parking_.has(t.from->topic, t.event->key);
}

bool lane::take_events() {
  taken_.clear();
  if (!events_on_.load(std::memory_order_acquire) || relay_->pending_bytes() > options_.outbox_max_bytes) return false;
  const auto now = clock_.steady_us();
  bool more = false;
  std::size_t budget = limit_;
  std::uint64_t parks = 0;
  ++rotation_;
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    feed& f = *feeds_[(i + rotation_) % feeds_.size()];
    if (!f.held() || !f.halted.empty() || f.blocked_until_us > now) continue;
    auto filled = f.fill();
    if (!filled && (filled.failure().code == errc::unavailable || filled.failure().code == errc::timeout)) {
      // The bus can't be reached now: nothing is lost, it is asked again.
      f.available.store(true, std::memory_order_release);
      f.blocked_until_us = now + longest_fetch_pause_us;
      continue;
    }
    if (!filled) {
      f.halted = filled.failure().text;
      log_error("A partition stands still.",
                {{"plugin", owner_->id()}, {"topic", f.topic}, {"reason", f.halted}});
      const std::lock_guard lock(queue_mutex_);
      halted_ = f.topic + "/" + std::to_string(f.where.partition) + ": " + f.halted;
      continue;
    }
    // The head that failed is treated alone, so that nothing else is run again because of it.
    const std::size_t wanted = f.attempts != 0 ? std::size_t{1} : f.ready();
    const std::size_t n = std::min({f.ready(), wanted, budget});
    std::size_t k = 0;
    for (; k < n; ++k) {
      const auto* r = f.peek(k);
      taken one{&f, k, r, find_handler(*r, f.topic)};
      if (options_.poison == poison_policy::halt && is_poison(one)) {
        if (k == 0) halt(f, death_text(*deadly(one)));
        break;
      }
      // What would be parked beyond the bound waits for room.
      if (will_park(one) && parking_.count() + ++parks > options_.parked_max) break;
      taken_.push_back(one);
    }
    if (k < n) halt_when_full();
    budget -= k;
    more = more || f.ready() > k || f.available.load(std::memory_order_relaxed);
  }
  return more;
}

bool lane::worth_a_transaction() {
  if (!writes_.empty()) return true;
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    if (taken_[i].handler != nullptr && fresh_[i]) return true;
    if (taken_[i].from->unsaved() >= unsaved_max) return true;
  }
  return false;
}

void lane::handle_batch() {
  std::size_t reruns_of_one = 0;
  for (;;) {
    failure what;
    const auto end = attempt(what);
    switch (end) {
      case attempt_end::committed: return;
      case attempt_end::event_failed:
        owner_->counts.reruns->add();
        blame(what);
        // The rest of the batch does not wait for the one that failed.
        if (taken_.empty() && writes_.empty()) return;
        continue;
      case attempt_end::rerun:
        owner_->counts.reruns->add();
        if (taken_.size() + writes_.size() == 1) ++reruns_of_one;
        if (!halve(what, reruns_of_one)) return;
        continue;
      case attempt_end::stale:
        taken_.clear();
        give_back_stale(*what.stale);
        if (writes_.empty()) return;
        continue;
      case attempt_end::refused:
        if (presence_) store_away_ = true;  // until the next renewal of this host's lease
        blocked_until_us_ = clock_.steady_us() + 1'000'000;
        end_without_commit(GANTRY_UNAVAILABLE, what.text);
        return;
      case attempt_end::broken:
        make_durable();  // earlier commits may well be: they are told
        break_down(what.text);
        end_without_commit(GANTRY_UNAVAILABLE, what.text);
        return;
    }
  }
}

lane::attempt_end lane::attempt(failure& what) {
  // First the account of what is new: positions are written before any handler runs.
  touched_.clear();
  fresh_.clear();
  parking_.begin_batch();
  idempotency_.begin_batch();
  for (auto& t : taken_) {
    if (touched_.empty() || touched_.back().first != t.from) {
      touched_.emplace_back(t.from, 0);
      t.from->begin_batch();
    }
    ++touched_.back().second;
    fresh_.push_back(t.from->is_new(*t.event));
  }
  if (!worth_a_transaction()) {
    for (auto& [f, n] : touched_) f->taken(n, false);
    for (std::size_t i = 0; i < taken_.size(); ++i)
      if (!fresh_[i]) owner_->counts.events_dropped->add();
    taken_.clear();
    return attempt_end::committed;
  }

  auto& s = *session_;
  const auto gave_up = [&](gantry_status status) {
    what.text = s.error_text();
    what.status = status;
    s.rollback();
    if (status == GANTRY_UNAVAILABLE) return attempt_end::refused;
    // FAILED alone says that the store can't go on. Anything else is the doing of one event or write: it is found and blamed.
    return status == GANTRY_FAILED ? attempt_end::broken : attempt_end::rerun;
  };
  if (const auto status = s.begin(); status != GANTRY_OK)
    // Somebody else holds the store's lock, and longer than the driver waits.
    return gave_up(status == GANTRY_RETRY ? GANTRY_UNAVAILABLE : status);
  tx_.begin(s, row_, time_.now_us(clock_));
  for (auto& [f, n] : touched_) {
    if (const auto status = f->save(s, n); status != GANTRY_OK) {
      if (status != GANTRY_CONFLICT) return gave_up(status);
      what.stale = f;
      what.text = "the position of " + f->topic + " was moved by somebody else";
      s.rollback();
      return attempt_end::stale;
    }
  }
  if (const auto status = drop_seen_ids(); status != GANTRY_OK) return gave_up(status);
  if (const auto status = forget_unparked(); status != GANTRY_OK) return gave_up(status);
  if (const auto status = run_events(what); status != GANTRY_OK) {
    if (what.store) return gave_up(status);
    // A store that can't go on, or has ended the transaction, is not the event's fault.
    auto alive = s.confirm();
    if (alive == GANTRY_OK) alive = s.savepoint();
    if (alive == GANTRY_UNAVAILABLE || alive == GANTRY_FAILED || alive == GANTRY_RETRY) return gave_up(alive);
    s.rollback();
    return attempt_end::event_failed;
  }
  if (const auto status = run_writes(); status != GANTRY_OK) return gave_up(status);
  if (const auto status = finish_rows(); status != GANTRY_OK) {
    if (!expelled_) return gave_up(status);
    what.text = "another process runs as host " + presence_->host() + " of this store";
    s.rollback();
    return attempt_end::broken;
  }
  const bool wait = std::any_of(writes_.begin(), writes_.end(), [](const auto& w) { return w->changes_lane(); });
  std::uint64_t mark = 0;
  const auto committed = [&] {
    std::optional<store_watch::question> asking;
    if (presence_) asking.emplace(answers_, clock_.steady_us());
    return wait ? s.commit() : s.commit_early(mark);
  };
  if (const auto status = committed(); status != GANTRY_OK) {
    // After a failed fsync nobody knows what is on the disk: nothing more is written.
    what.text = s.error_text();
    what.status = status;
    if (worth_a_rerun(status)) return attempt_end::rerun;
    return status == GANTRY_UNAVAILABLE ? attempt_end::refused : attempt_end::broken;
  }
  after_commit(mark);
  return attempt_end::committed;
}

gantry_status lane::run_writes() {
  auto& s = *session_;
  write_ends_.assign(writes_.size(), {GANTRY_OK, {}});
  for (std::size_t i = 0; i < writes_.size(); ++i) {
    if (const auto status = s.savepoint(); status != GANTRY_OK) return status;
    const auto mark = tx_.here();
    const auto removed = parking_.removed();
    auto* const whose = writes_[i]->of();
    auto& worker = whose != nullptr ? *whose : *owner_;
    tx_.owner = &worker;
    tx_.why = writes_[i]->why();
    tx_.reply.reset();
    tx_.usable = true;
    gantry_status status = GANTRY_OK;
    {
      const observability::work_scope scope({worker.id(), worker.generation(), tx_.why.correlation_id, "write"});
      const transaction_mark inside;
      const watched_work watched(
          worker, {.kind = work_kind::write, .what = writes_[i]->note(), .id = tx_.why.correlation_id});
      fail(GANTRY_OK, {});
      status = writes_[i]->run(tx_);
    }
    tx_.db.close_cursors();
    tx_.usable = false;
    if (status != GANTRY_OK) {
      write_ends_[i] = {status, last_failure().empty() ? status_name(status) : std::string(last_failure())};
      tx_.back_to(mark);
      parking_.back_to(removed);
      // The failure may have ended the whole transaction.
      if (const auto undone = s.rollback_to(); undone != GANTRY_OK) return undone;
    }
    if (const auto released = s.release(); released != GANTRY_OK) return released;
  }
  return GANTRY_OK;
}

gantry_status lane::finish_rows() {
  auto& s = *session_;
  const auto stamp = stamp_us();
  if (const auto status = idempotency_.write(s, stamp); status != GANTRY_OK) return status;
  if (idempotency_.kept() != 0)
    if (const auto status = note_age(stamp); status != GANTRY_OK) return status;
  if (!presence_) {
    const auto done = relay_->acknowledged_through();
    if (done > deleted_through_) {
      const gantry_value params[] = {value(done)};
      if (const auto status = s.defer("DELETE FROM gantry_outbox WHERE id <= $1", params); status != GANTRY_OK)
        return status;
      deleting_through_ = done;
    }
  }
  if (!tx_.has_events()) return GANTRY_OK;
  if (row_ + 1 >= row_bound_) {
    const std::string bound = std::to_string(row_bound_ + row_block);
    const gantry_value params[] = {value(std::string_view(bound)), value(std::string_view(reserved_name_))};
    if (const auto status = s.defer("UPDATE gantry_meta SET content = $1 WHERE name = $2", params); status != GANTRY_OK)
      return status;
  }
  // The last statement: where hosts share the store it takes the lock that puts their commits in order.
  if (presence_) return presence_->append(s, source_, tx_.row_bytes(), outbox_id_, expelled_);
  outbox_id_ = row_;
  const gantry_value params[] = {value(row_), value(std::string_view(source_)), blob(tx_.row_bytes())};
  return s.defer("INSERT INTO gantry_outbox (id, source, bytes) VALUES ($1, $2, $3)", params);
}

}  // namespace gantry::runtime
