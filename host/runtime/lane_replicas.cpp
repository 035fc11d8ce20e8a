// What a lane does because others may have its partitions, or its store, too: it claims the partitions that the bus gives it,
// keeps its place among the store's hosts, and takes over what one of them has left behind.
#include <algorithm>
#include <cstdlib>

#include "jobs/job_board.hpp"
#include "observability/log.hpp"
#include "runtime/instance.hpp"
#include "runtime/lane.hpp"
#include "runtime/text.hpp"
#include "runtime/values.hpp"

namespace gantry::runtime {
namespace {

constexpr std::int64_t claim_again_us = 200'000;
// Longer than the bus takes to tell a reader that its partition is somebody else's by now.
constexpr std::int64_t lost_pause_us = 2'000'000;
constexpr std::int64_t outbox_look_us = 5'000;
constexpr std::int64_t jobs_look_us = 200'000;
constexpr std::int64_t deletion_us = 200'000;
constexpr std::int64_t positions_look_us = 100'000;
constexpr std::int64_t clock_look_us = 10'000'000;
constexpr std::int64_t clock_set_us = 1'000'000;

using observability::log_warn;

}  // namespace

void lane::assigned(bus::partition_id where) {
  {
    const std::lock_guard lock(moves_mutex_);
    moves_.emplace_back(where, true);
    moved_.store(true, std::memory_order_release);
  }
  if (events_on_.load(std::memory_order_acquire)) workers_.schedule(*this);
}

void lane::revoked(bus::partition_id where) {
  {
    const std::lock_guard lock(moves_mutex_);
    moves_.emplace_back(where, false);
    moved_.store(true, std::memory_order_release);
  }
  if (events_on_.load(std::memory_order_acquire)) workers_.schedule(*this);
}

// In the order in which they came. A batch that ran meanwhile has committed, or could not: its partition was claimed by
// another host.
void lane::hear_of_moves() {
  if (!feeds_ready_.load(std::memory_order_acquire)) return;
  std::vector<std::pair<bus::partition_id, bool>> moves;
  {
    const std::lock_guard lock(moves_mutex_);
    moves.swap(moves_);
    moved_ = false;
  }
  for (const auto& [where, here] : moves)
    for (auto& f : feeds_)
      if (f->where == where) want(*f, here);
}

void lane::want(feed& f, bool wanted) {
  f.wanted = wanted;
  if (wanted) {
    if (!f.held()) claim_later(f, 0);
    return;
  }
  f.let_go();
  if (std::any_of(feeds_.begin(), feeds_.end(), [](const auto& each) { return !each->halted.empty(); })) return;
  const std::lock_guard lock(queue_mutex_);
  halted_.clear();
}

void lane::claim_later(feed& f, std::int64_t at_us) {
  f.claim_at_us = at_us;
  next_claim_us_ = std::min(next_claim_us_, at_us);
}

void lane::claim_partitions(std::int64_t now) {
  if (!events_on_.load(std::memory_order_acquire)) return;
  next_claim_us_ = INT64_MAX;
  std::vector<feed*> due;
  for (auto& f : feeds_) {
    if (!f->wanted || f->held()) continue;
    if (f->claim_at_us > now) {
      next_claim_us_ = std::min(next_claim_us_, f->claim_at_us);
    } else {
      due.push_back(f.get());
    }
  }
  if (due.empty()) return;
  std::string why;
  auto claimed = claim(due, why);
  if (!claimed) why = claimed.failure().text;
  if (!why.empty() && why != claim_error_)
    log_warn("Partitions could not be claimed yet.", {{"plugin", owner_->id()}, {"reason", why}});
  claim_error_ = why;
  if (claimed)
    for (auto* f : *claimed) f->claimed();
  for (auto* f : due)
    if (!f->held()) lose(*f, now + claim_again_us);
  if (!claimed || claimed->empty()) return;
  owner_->counts.epoch_moves->add(claimed->size());
  // What ends a timer may be among the events that the host before has not handled.
  if (presence_) hold_timers();
}

// All in one transaction, but for those that can't be had now: `busy` says why.
result<std::vector<feed*>> lane::claim(const std::vector<feed*>& all, std::string& busy) {
  auto& s = *session_;
  result<void> done;
  std::vector<feed*> mine;
  const auto failed = [&] { return error{errc::io, std::string(s.error_text())}; };
  if (s.begin_relaxed() != GANTRY_OK) return failed();
  for (auto* f : all) {
    done = f->claim(s, presence_ != nullptr);
    if (done) {
      mine.push_back(f);
    } else if (done.failure().code == errc::unavailable) {
      busy = done.failure().text;
      done = {};
    } else {
      break;
    }
  }
  // The one who had them may have parked events of theirs.
  if (done && presence_) done = parking_.load(s);
  if (!done) {
    s.rollback();
    return done.failure();
  }
  if (s.commit() != GANTRY_OK) return failed();
  return mine;
}

void lane::lose(feed& f, std::int64_t claim_at_us) {
  f.let_go();
  if (f.wanted) claim_later(f, claim_at_us);
}

void lane::give_back_stale(feed& f) {
  lose(f, presence_ ? clock_.steady_us() + lost_pause_us : 0);
  owner_->counts.stale_batches->add();
  workers_.schedule(*this);
}

void lane::keep_place(std::int64_t now) {
  if (now >= next_round_us_) look_around(now);
  {
    const std::lock_guard lock(queue_mutex_);
    if (!broken_.empty()) return;
  }
  carry_outbox(now);
  if (!presence_->alone() && now >= next_jobs_us_ && owner_->jobs) {
    next_jobs_us_ = now + jobs_look_us;
    owner_->jobs->look(*session_);
  }
}

// Times that hosts read of each other, when a job is due or a reservation ends, are those of the store's server.
void lane::set_time(const server_time& at) {
  machine_offset_us_ = at.machine_offset_us();
  time_.set(at);
  set_time_of(*owner_);
}

void lane::set_time_of(instance& next) const noexcept { next.keep_to(time_); }

// What plugin code sees of the time is corrected; log lines are not. A machine that slept has a clock that was set.
void lane::look_at_clock(std::int64_t now) {
  const auto set_by = std::abs(clock_.wall_us() - clock_.steady_us() - machine_offset_us_);
  if (now < next_skew_look_us_ && set_by < clock_set_us) return;
  const auto at = ask_server_time(*session_, clock_);
  if (!at) return;
  next_skew_look_us_ = now + clock_look_us;
  set_time(*at);
  owner_->counts.clock_ahead->set(static_cast<double>(at->ahead_us) / 1e6);
  const std::string seconds = std::to_string(std::abs(at->ahead_us) / 1'000'000);
  switch (skew_.look(*at)) {
    case skew_watch::news::wrong:
      log_warn("This machine's clock is wrong: times in this host's log are too.",
               {{"plugin", owner_->id()},
                {"host", presence_->host()},
                {"reason", "it is " + seconds + " s " + (at->ahead_us > 0 ? "ahead of" : "behind") +
                               " the clock of the server of " + store_.describe() + "; set it by NTP"}});
      break;
    case skew_watch::news::right:
      observability::log_info("This machine's clock is right again.", {{"plugin", owner_->id()}, {"host", presence_->host()}});
      break;
    case skew_watch::news::none:
      break;
  }
}

// The log says it once, readiness as long as it is so.
void lane::tell_of_store(store_watch::news what) const {
  switch (what) {
    case store_watch::news::gone:
      log_warn("The store can't be reached.",
               {{"plugin", owner_->id()}, {"store", store_.describe()}, {"reason", answers_.reason()}});
      break;
    case store_watch::news::back:
      observability::log_info("The store can be reached again.",
                              {{"plugin", owner_->id()}, {"store", store_.describe()}});
      break;
    case store_watch::news::none:
      break;
  }
}

void lane::look_around(std::int64_t now) {
  const store_watch::question asking(answers_, now);
  look_at_clock(now);
  const bool led = presence_->leads();
  const auto heard = presence_->round(*session_);
  store_away_ = !heard;
  tell_of_store(heard ? answers_.heard() : answers_.missed(heard.failure().text));
  if (!heard) {
    next_round_us_ = now + claim_again_us;
    return;
  }
  next_round_us_ = now + options_.lead_us / 5;
  if (heard->expelled) {
    break_down("another process runs as host " + presence_->host() + " of this store");
    return;
  }
  if (presence_->leads() != led) {
    observability::log_info(led ? "Another host's relay leads." : "This host's relay leads.",
                            {{"plugin", owner_->id()}, {"host", presence_->host()}});
    led ? relay_->follow() : recover_relay(relay_->highest());
  }
  // Others that have left since may have left rows behind.
  if (presence_->leads()) relay_->look();
  if (parking_.count() != 0) {
    // Another host may have taken events out.
    const auto before = parking_.count();
    if (session_->begin_read() == GANTRY_OK) {
      if (const auto done = parking_.load(*session_); !done)
        log_warn("Parked events could not be read.", {{"plugin", owner_->id()}, {"reason", done.failure().text}});
      session_->end_read();
    }
    if (parking_.count() < before) resume();
  }
  if (heard->somebody_left) jobs_left_ = timers_left_ = true;
  take_over();
  read_positions();
}

// What fails is tried again in the next round: nobody tells a second time that a host has left.
void lane::take_over() {
  if (jobs_left_ && owner_->jobs) {
    const auto all = owner_->jobs->recover(*session_, true);
    if (!all)
      log_warn("Jobs of a host that has left could not be taken over yet.",
               {{"plugin", owner_->id()}, {"reason", all.failure().text}});
    jobs_left_ = !all || !*all;
  }
  if (timers_left_) timers_left_ = !restore_timers();
}

void lane::recover_relay(std::uint64_t highest) {
  if (session_->begin_read() != GANTRY_OK) return;
  if (const auto done = relay_->recover(*session_, highest); !done)
    log_warn("The outbox could not be read.", {{"plugin", owner_->id()}, {"reason", done.failure().text}});
  session_->end_read();
  deleted_through_ = relay_->acknowledged_through();
}

void lane::carry_outbox(std::int64_t now) {
  if (presence_->leads()) {
    // One that leads and still follows could not read the outbox when it began to lead.
    if (relay_->follows())
      recover_relay(relay_->highest());
    else if (relay_->wants_recovery())
      recover_relay(0);
    if (!presence_->alone() && now >= next_outbox_us_) {
      next_outbox_us_ = now + outbox_look_us;
      relay_->look();
    }
    if (now >= next_deletion_us_ && relay_->acknowledged_through() > deleted_through_) {
      next_deletion_us_ = now + deletion_us;
      delete_acknowledged();
    }
    return;
  }
  if (!relay_->waits() || now < next_outbox_us_) return;
  next_outbox_us_ = now + outbox_look_us;
  if (session_->begin_read() != GANTRY_OK) return;
  if (const auto done = relay_->observe(*session_); !done)
    log_warn("The outbox could not be read.", {{"plugin", owner_->id()}, {"reason", done.failure().text}});
  session_->end_read();
}

// Not with a batch: what it would have read of the outbox contradicts what other hosts write.
void lane::delete_acknowledged() {
  if (!presence_->leads() || !relay_) return;
  const auto through = relay_->acknowledged_through();
  if (through <= deleted_through_) return;
  // Not below: were numbers given a second time, by a server that lost commits, those rows have not been sent.
  const gantry_value params[] = {value(deleted_through_), value(through)};
  auto& s = *session_;
  if (s.begin_relaxed() != GANTRY_OK) return;
  if (s.exec("DELETE FROM gantry_outbox WHERE id > $1 AND id <= $2", params, nullptr) != GANTRY_OK) {
    s.rollback();
    return;
  }
  if (s.commit() == GANTRY_OK) deleted_through_ = through;
}

bool lane::restore_timers() {
  if (owner_->state() != phase::running || session_->begin_read() != GANTRY_OK) return false;
  const auto restored = owner_->restore_timers(*session_);
  session_->end_read();
  if (!restored) {
    log_warn("Timers of a host that has left could not be restored yet.",
             {{"plugin", owner_->id()}, {"reason", restored.failure().text}});
    owner_->restored_timers.clear();
    return false;
  }
  // Those that this host has armed itself run already.
  for (auto& t : owner_->restored_timers)
    if (!wheel_.has(t.kind, t.key)) wheel_.arm_after(UINT64_MAX, t.kind, t.key, t.delay_us);
  owner_->restored_timers.clear();
  hold_timers();
  return true;
}

// No timer fires until what is on the plugin's topics now has been handled, by whichever host.
void lane::hold_timers() {
  timers_wait_ = true;
  std::fill(starting_ends_.begin(), starting_ends_.end(), UINT64_MAX);
}

// Who owns a partition finds its epoch moved when it commits. One that gets no event commits nothing: here it hears of
// a replay that another host was asked for, and of a claim by mistake.
bool lane::read_positions() {
  if (session_->begin_read() != GANTRY_OK) return false;
  const gantry_value bus[] = {value(bus_.id())};
  store::cursor* rows = nullptr;
  const bool good =
      session_->query("SELECT topic, part, next, epoch FROM gantry_position WHERE bus = $1", bus, &rows) == GANTRY_OK;
  while (good && rows->next() == GANTRY_OK)
    for (std::size_t i = 0; i < feeds_.size(); ++i) {
      feed& f = *feeds_[i];
      if (f.where.partition != integer_at(*rows, 1) || f.topic != text_at(*rows, 0)) continue;
      others_next_[i] = static_cast<std::uint64_t>(integer_at(*rows, 2));
      if (!f.moved(static_cast<std::uint64_t>(integer_at(*rows, 3)))) continue;
      // Nobody goes back but by a replay, and that leaves the partition whose it is.
      lose(f, f.back(others_next_[i]) ? 0 : clock_.steady_us() + lost_pause_us);
      workers_.schedule(*this);
    }
  if (rows != nullptr) rows->close();
  session_->end_read();
  return good;
}

bool lane::others_reached(std::size_t i) {
  if (!presence_) return false;
  if (others_next_[i] >= starting_ends_[i]) return true;
  const auto now = clock_.steady_us();
  if (now < next_positions_us_) return false;
  next_positions_us_ = now + positions_look_us;
  return read_positions() && others_next_[i] >= starting_ends_[i];
}

// Another host may have taken out the events behind which this batch's are to be parked: who parks has looked.
gantry_status lane::forget_unparked() {
  if (!presence_ || parking_.count() == 0) return GANTRY_OK;
  for (const auto& t : taken_) {
    if (!parking_.has(t.from->topic, t.event->key)) continue;
    if (const auto status = parking_.look(*session_, t.from->topic, t.event->key); status != GANTRY_OK) return status;
  }
  return GANTRY_OK;
}

}  // namespace gantry::runtime
