#include "runtime/lane.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "base/uuid.hpp"
#include "jobs/job_board.hpp"
#include "observability/log.hpp"
#include "runtime/instance.hpp"
#include "runtime/text.hpp"
#include "runtime/values.hpp"
#include "runtime/watch.hpp"
#include "store/dialect.hpp"

namespace gantry::runtime {
namespace {

// Row ids are handed out in blocks that are reserved durably, so that none is given twice, although rows are deleted.
constexpr std::uint64_t row_block = 1'000'000;
constexpr std::uint32_t attempts_before_parking = 4;
constexpr std::int64_t first_pause_us = 100'000;
constexpr std::int64_t longest_pause_us = 30'000'000;
constexpr std::int64_t maintenance_us = 1'000'000;
constexpr std::int64_t longest_fetch_pause_us = 200'000;
constexpr std::size_t reruns_alone = 3;  // of a single event or write, before it is to blame
constexpr std::size_t longest_error = 4096;
constexpr std::uint64_t unsaved_max = 1000;
constexpr std::int64_t slow_batch_us = 20'000;
constexpr std::size_t unsettled_max = 4;  // commits that wait for their sync

constexpr std::string_view meta_schema =
    "CREATE TABLE IF NOT EXISTS gantry_meta (name TEXT PRIMARY KEY, content TEXT NOT NULL);";

using observability::log_error;
using observability::log_warn;

}  // namespace

lane::lane(instance& owner, store::store& database, bus::bus& bus, const clock& time, worker_pool& workers,
           lane_options options)
    : owner_(owner),
      store_(database),
      bus_(bus),
      clock_(time),
      workers_(workers),
      options_(options),
      tx_(owner),
      limit_(options.batch_max),
      random_state_(options.seed | 1U) {}

lane::~lane() { close(); }

result<void> lane::open(const std::string& source_prefix) {
  const std::lock_guard running(run_mutex_);
  auto opened = store_.open_writer();
  if (!opened) return opened.failure();
  session_ = std::move(*opened);
  auto& s = *session_;
  const auto failed = [&](const char* doing) {
    return error{errc::io, std::string(doing) + ": " + std::string(s.error_text())};
  };
  std::string schema;
  for (const auto part : {meta_schema, outbox::schema, feed_schema, idempotency_schema, parking_schema,
                          id_window_schema, job_schema})
    schema.append(part);
  schema = store::for_driver(std::move(schema), store_.driver());
  // Hosts that share a store may create the tables at the same time: one of them is told to try again.
  for (int attempt = 1;; ++attempt) {
    auto status = s.begin();
    if (status == GANTRY_OK) status = s.script(schema);
    if (status == GANTRY_OK) break;
    const auto why = failed("creating the runtime's tables");
    s.rollback();
    if ((status != GANTRY_RETRY && status != GANTRY_CONFLICT) || attempt == 5) return why;
  }

  const auto meta = [&](std::string_view name) {
    const gantry_value params[] = {value(name)};
    std::string out;
    store::cursor* rows = nullptr;
    if (s.query("SELECT content FROM gantry_meta WHERE name = $1", params, &rows) != GANTRY_OK) return out;
    if (rows->next() == GANTRY_OK) out = text_at(*rows, 0);
    rows->close();
    return out;
  };
  const auto set_meta = [&](std::string_view name, std::string_view content) {
    const gantry_value params[] = {value(name), value(content)};
    return s.exec("INSERT INTO gantry_meta (name, content) VALUES ($1, $2)"
                  " ON CONFLICT (name) DO UPDATE SET content = excluded.content",
                  params, nullptr);
  };
  std::string store_id = meta("store_id");
  if (store_id.empty()) {
    store_id = new_uuid_string();
    if (set_meta("store_id", store_id) != GANTRY_OK) return failed("naming the store");
  }
  std::string incarnation = meta("incarnation");
  if (incarnation.empty()) {
    incarnation = "1";
    if (set_meta("incarnation", incarnation) != GANTRY_OK) return failed("naming the store");
  }
  source_ = source_prefix + store_id + "." + incarnation;
  const std::string reserved = meta("outbox_reserved");
  row_ = reserved.empty() ? 1 : std::stoull(reserved);
  row_bound_ = row_ + row_block;
  if (set_meta("outbox_reserved", std::to_string(row_bound_)) != GANTRY_OK) return failed("reserving outbox numbers");
  if (s.commit() != GANTRY_OK) return failed("creating the runtime's tables");

  relay_ = std::make_unique<outbox::relay>(
      bus_, clock_, [this](std::string_view name) { return find_topic(name); },
      [this] { workers_.schedule(*this); });
  if (auto done = relay_->recover(s, row_ - 1); !done) return done;
  if (auto done = idempotency_.load(s); !done) return done;
  if (auto done = parking_.load(s); !done) return done;
  if (owner_.jobs)
    if (auto done = owner_.jobs->recover(s); !done) return done;
  workers_.schedule(*this);
  return {};
}

result<bus::topic_id> lane::find_topic(std::string_view name) const {
  const auto at = owner_.around.topics->find(name);
  if (at != owner_.around.topics->end()) return at->second;
  return error{errc::not_found, "topic " + std::string(name) + " is not in this topology"};
}

result<void> lane::consume(std::string_view group) {
  const std::lock_guard running(run_mutex_);
  std::vector<std::string> topics;
  for (const auto& sub : owner_.declared.subscriptions)
    if (sub.observe == nullptr && std::find(topics.begin(), topics.end(), sub.topic) == topics.end())
      topics.push_back(sub.topic);
  // They begin to count once the plugin has handled what was there: until then they wait for a ticket that no row has.
  for (auto& t : owner_.restored_timers) wheel_.arm_after(UINT64_MAX, t.kind, t.key, t.delay_us);
  if (topics.empty()) {
    events_on_ = true;
    workers_.schedule(*this);
    return {};
  }
  std::vector<bus::topic_id> ids;
  for (const auto& name : topics) {
    const auto id = find_topic(name);
    if (!id) return id.failure();
    ids.push_back(*id);
  }
  auto joined = bus_.open_consumer(group, ids, *this);
  if (!joined) return joined.failure();
  consumer_ = std::move(*joined);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    bool latest = true;
    for (const auto& sub : owner_.declared.subscriptions)
      if (sub.topic == topics[i] && sub.observe == nullptr) latest = latest && sub.latest;
    const auto partitions = bus_.topic(ids[i]).partitions;
    for (std::uint32_t p = 0; p < partitions; ++p) {
      auto f = std::make_unique<feed>(bus::partition_id{ids[i], p}, topics[i], *consumer_, std::string(bus_.id()),
                                      options_.batch_max);
      // Through the lane's own session, in a transaction: a first position is written.
      if (session_->begin() != GANTRY_OK) return error{errc::io, std::string(session_->error_text())};
      auto loaded = f->load(*session_, latest);
      if (!loaded) {
        session_->rollback();
        return loaded;
      }
      if (session_->commit() != GANTRY_OK) return error{errc::io, std::string(session_->error_text())};
      const auto range = consumer_->range(f->where);
      if (!range) return range.failure();
      starting_ends_.push_back(range->end);
      feeds_.push_back(std::move(f));
    }
  }
  feeds_ready_ = true;
  events_on_ = true;
  workers_.schedule(*this);
  return {};
}

void lane::stop_events() { events_on_ = false; }

void lane::close() {
  {
    const std::lock_guard lock(queue_mutex_);
    if (closed_) return;
    closed_ = true;
  }
  events_on_ = false;
  workers_.quiesce(*this);
  {
    // The bus may have scheduled it once more; such a run sees that the lane has ended.
    const std::lock_guard running(run_mutex_);
    if (session_) {
      make_durable();
      maintain();
    }
    feeds_ready_ = false;
    consumer_.reset();
    feeds_.clear();
    relay_.reset();
    session_.reset();  // waits for a sync under way, which schedules the lane
  }
  // Nobody is left who could schedule it again.
  workers_.quiesce(*this);
  for (auto& w : queue_) w->finished(false, GANTRY_UNAVAILABLE, owner_.id() + " has stopped");
  queue_.clear();
}

bool lane::enqueue(std::unique_ptr<write>& w, std::string& why) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (closed_) {
      why = owner_.id() + " has stopped";
      return false;
    }
    if (!broken_.empty()) {
      why = broken_;
      return false;
    }
    if (queue_.size() >= options_.queue_max) {
      why = owner_.id() + ": " + std::to_string(queue_.size()) + " writes are waiting, that is all the queue takes";
      return false;
    }
    if (relay_ && relay_->pending_bytes() > options_.outbox_max_bytes) {
      why = owner_.id() + ": the bus has not taken " + std::to_string(relay_->pending_bytes()) +
            " bytes of the outbox, outbox.max_bytes is " + std::to_string(options_.outbox_max_bytes);
      return false;
    }
    queue_.push_back(std::move(w));
    workers_.schedule(*this);  // under the lock: nothing is scheduled once close() has begun
  }
  return true;
}

bool lane::enqueue_always(std::unique_ptr<write>& w) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (closed_ || !broken_.empty()) return false;
    queue_.push_back(std::move(w));
    workers_.schedule(*this);
  }
  return true;
}

void lane::tick() {
  {
    const std::lock_guard lock(queue_mutex_);
    if (closed_ || !broken_.empty()) return;
    workers_.schedule(*this);
  }
}

bool lane::idle() const {
  const std::lock_guard lock(queue_mutex_);
  return queue_.empty() && !busy_ && unsettled_count_ == 0 && (!relay_ || (relay_->current() && relay_->pending_bytes() == 0));
}

void lane::assigned(bus::partition_id) {}
void lane::revoked(bus::partition_id) {}

void lane::available(bus::partition_id where) {
  if (!events_on_.load(std::memory_order_acquire)) return;
  for (auto& f : feeds_)
    if (f->where == where) f->available.store(true, std::memory_order_release);
  workers_.schedule(*this);
}

feed* lane::find_feed(std::string_view topic, std::uint32_t partition) {
  for (auto& f : feeds_)
    if (f->topic == topic && f->where.partition == partition) return f.get();
  return nullptr;
}

std::vector<feed*> lane::feeds_of(std::string_view topic) {
  std::vector<feed*> out;
  for (auto& f : feeds_)
    if (f->topic == topic) out.push_back(f.get());
  return out;
}

void lane::run() {
  const std::lock_guard running(run_mutex_);
  busy_ = true;
  const auto now = clock_.steady_us();
  {
    const std::lock_guard lock(queue_mutex_);
    if (closed_ || !broken_.empty() || !relay_) {
      busy_ = false;
      return;
    }
  }
  settle();
  {
    const std::lock_guard lock(queue_mutex_);
    if (!broken_.empty()) {
      busy_ = false;
      return;
    }
  }
  if (relay_->wants_catch_up() && make_durable()) {
    relay_->catch_up(*session_);
    if (relay_->wants_catch_up()) workers_.schedule(*this);
  }
  wheel_.acknowledged(relay_->acknowledged_through(), timer_now());
  bool waiting = false;
  if (now >= blocked_until_us_) {
    fire_timers();
    take_writes();
    const bool more = take_events();
    if (!taken_.empty() || !writes_.empty()) handle_batch();
    waiting = more;
    if (!waiting) {
      const std::lock_guard lock(queue_mutex_);
      waiting = !queue_.empty();
    }
    if (waiting) workers_.schedule(*this);
  }
  // Beside a slow handler a sync costs nothing, and what was committed should not wait for the next one.
  if (!waiting || unsettled_.size() >= unsettled_max || clock_.steady_us() - now > slow_batch_us) {
    make_durable();
  } else if (!unsettled_.empty()) {
    session_->sync_later([this] { workers_.schedule(*this); });
  }
  if (timers_wait_) note_caught_up();
  if (now - last_maintenance_us_ >= maintenance_us) {
    last_maintenance_us_ = now;
    maintain();
  }
  timer_count_ = wheel_.size();
  busy_ = false;
}

void lane::note_caught_up() {
  if (!events_on_ || !relay_->current()) return;
  for (std::size_t i = 0; i < feeds_.size(); ++i)
    if (feeds_[i]->next() < starting_ends_[i] && feeds_[i]->lag() != 0 && feeds_[i]->halted.empty()) return;
  caught_up_ = true;
  timers_wait_ = false;
  // Those that restore() asked for. The others' tickets are below this one, and all but a few are acknowledged.
  wheel_.acknowledged(UINT64_MAX, timer_now());
}

namespace {

// A timer of the plugin that is due.
class timer_write final : public write {
 public:
  timer_write(instance& owner, timer_wheel& wheel, std::int64_t again_us, timer_wheel::fired what)
      : owner_(owner), wheel_(wheel), again_us_(again_us), what_(std::move(what)) {}
  // One that failed is armed again, before a later batch arms or disarms it.
  bool changes_lane() const override { return failed_; }
  gantry_status run(gantry_tx& tx) override {
    const auto& kind = owner_.declared.timers[what_.kind];
    const auto status = owner_.guarded([&] { return kind.fire(kind.user, str(what_.key), &tx); }, "timer");
    failed_ = status != GANTRY_OK;
    return status;
  }
  void finished(bool, gantry_status status, std::string_view text) override {
    if (status == GANTRY_OK) return;
    log_warn("A timer failed and will fire again.", {{"plugin", owner_.id()},
                                                     {"timer", owner_.declared.timers[what_.kind].name},
                                                     {"key", what_.key},
                                                     {"error", text}});
    wheel_.arm(what_.kind, what_.key, again_us_);
  }

 private:
  instance& owner_;
  timer_wheel& wheel_;
  const std::int64_t again_us_;
  timer_wheel::fired what_;
  bool failed_ = false;
};

}  // namespace

void lane::fire_timers() {
  if (owner_.state() != phase::running || timers_wait_) return;
  const auto now = timer_now();
  fired_.clear();
  wheel_.advance(now, fired_);
  for (auto& f : fired_)
    writes_.push_back(std::make_unique<timer_write>(owner_, wheel_, now + 1'000'000, std::move(f)));
}

std::int64_t lane::timer_now() {
  const auto now = clock_.steady_us();
  if (!relay_->current() || !bus_.health()) {
    if (frozen_since_us_ == 0) frozen_since_us_ = now;
    return frozen_since_us_ - frozen_total_us_;
  }
  if (frozen_since_us_ != 0) {
    frozen_total_us_ += now - std::exchange(frozen_since_us_, 0);
    // Answers that came in the meantime are handled before a timer may fire.
    timers_wait_ = true;
    for (std::size_t i = 0; i < feeds_.size(); ++i)
      if (const auto range = consumer_->range(feeds_[i]->where)) starting_ends_[i] = range->end;
  }
  return now - frozen_total_us_;
}

void lane::take_writes() {
  const std::lock_guard lock(queue_mutex_);
  const std::size_t n = std::min(queue_.size(), limit_);
  std::move(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n), std::back_inserter(writes_));
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n));
}

const subscription* lane::find_handler(const bus::record& r, std::string_view topic) const {
  for (const auto& s : owner_.declared.subscriptions)
    if (s.observe == nullptr && s.type == r.type && s.topic == topic) return &s;
  return nullptr;
}

bool lane::take_events() {
  taken_.clear();
  if (!events_on_.load(std::memory_order_acquire) || relay_->pending_bytes() > options_.outbox_max_bytes) return false;
  const auto now = clock_.steady_us();
  bool more = false;
  std::size_t budget = limit_;
  ++rotation_;
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    feed& f = *feeds_[(i + rotation_) % feeds_.size()];
    if (!f.halted.empty() || f.blocked_until_us > now) continue;
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
                {{"plugin", owner_.id()}, {"topic", f.topic}, {"reason", f.halted}});
      const std::lock_guard lock(queue_mutex_);
      halted_ = f.topic + "/" + std::to_string(f.where.partition) + ": " + f.halted;
      continue;
    }
    // The head that failed is treated alone, so that nothing else is run again because of it.
    const std::size_t wanted = f.attempts != 0 ? std::size_t{1} : f.ready();
    const std::size_t n = std::min({f.ready(), wanted, budget});
    for (std::size_t k = 0; k < n; ++k) {
      const auto* r = f.peek(k);
      taken_.push_back({&f, k, r, find_handler(*r, f.topic)});
    }
    budget -= n;
    more = more || f.ready() > n || f.available.load(std::memory_order_relaxed);
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
  for (std::size_t reruns = 0;;) {
    failure what;
    const auto end = attempt(what);
    switch (end) {
      case attempt_end::committed: return;
      case attempt_end::event_failed:
        owner_.counts.reruns->add();
        blame(what);
        // The rest of the batch does not wait for the one that failed.
        if (taken_.empty() && writes_.empty()) return;
        continue;
      case attempt_end::rerun:
        owner_.counts.reruns->add();
        if (!halve(what, ++reruns)) return;
        continue;
      case attempt_end::stale:
        if (!reload()) {
          blocked_until_us_ = clock_.steady_us() + 1'000'000;
          end_without_commit(GANTRY_UNAVAILABLE, what.text);
          return;
        }
        if (writes_.empty()) return;
        continue;
      case attempt_end::refused:
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
      if (!fresh_[i]) owner_.counts.events_dropped->add();
    taken_.clear();
    return attempt_end::committed;
  }

  auto& s = *session_;
  const auto gave_up = [&](gantry_status status) {
    what.text = s.error_text();
    what.status = status;
    s.rollback();
    // A conflict: another host had the number of a row first.
    if (status == GANTRY_RETRY || status == GANTRY_CONFLICT) return attempt_end::rerun;
    return status == GANTRY_UNAVAILABLE ? attempt_end::refused : attempt_end::broken;
  };
  if (const auto status = s.begin(); status != GANTRY_OK)
    // Somebody else holds the store's lock, and longer than the driver waits.
    return gave_up(status == GANTRY_RETRY ? GANTRY_UNAVAILABLE : status);
  tx_.begin(s, row_, clock_.wall_us());
  for (auto& [f, n] : touched_) {
    if (const auto status = f->save(s, n); status != GANTRY_OK) {
      if (status != GANTRY_CONFLICT) return gave_up(status);
      what.text = "the position of " + f->topic + " was moved by somebody else";
      s.rollback();
      return attempt_end::stale;
    }
  }
  if (const auto status = drop_seen_ids(); status != GANTRY_OK) return gave_up(status);
  if (const auto status = run_events(what); status != GANTRY_OK) {
    if (what.store) return gave_up(status);
    // A store that can't go on, or has ended the transaction, is not the event's fault.
    if (const auto alive = s.savepoint(); alive == GANTRY_UNAVAILABLE || alive == GANTRY_FAILED || alive == GANTRY_RETRY)
      return gave_up(alive);
    s.rollback();
    return attempt_end::event_failed;
  }
  if (const auto status = run_writes(); status != GANTRY_OK) return gave_up(status);
  if (const auto status = finish_rows(); status != GANTRY_OK) return gave_up(status);
  const bool wait = std::any_of(writes_.begin(), writes_.end(), [](const auto& w) { return w->changes_lane(); });
  std::uint64_t mark = 0;
  if (const auto status = wait ? s.commit() : s.commit_early(mark); status != GANTRY_OK) {
    // After a failed fsync nobody knows what is on the disk: nothing more is written.
    what.text = s.error_text();
    what.status = status;
    // A conflict: a constraint that is checked only at the end.
    if (status == GANTRY_RETRY || status == GANTRY_CONFLICT) return attempt_end::rerun;
    return status == GANTRY_UNAVAILABLE ? attempt_end::refused : attempt_end::broken;
  }
  after_commit(mark);
  return attempt_end::committed;
}

void lane::fill_event(gantry_event& out, const bus::record& r, std::string_view topic, std::uint32_t partition,
                      bool replayed) const {
  out.struct_size = sizeof out;
  out.flags = replayed ? std::uint32_t{GANTRY_EVENT_REPLAYED} : 0U;
  out.topic = str(topic);
  out.partition = partition;
  out.version = r.version;
  out.offset = r.offset;
  out.sequence = r.sequence;
  out.occurred_at_us = r.time_us;
  out.id = str(r.id);
  out.type = str(r.type);
  out.key = str(r.key);
  out.source = str(r.source);
  out.correlation_id = str(r.correlation_id);
  out.causation_id = str(r.causation_id);
  out.traceparent = str(r.traceparent);
  out.body = str(r.document);
  out.data = str(r.data);
}

gantry_status lane::handle(gantry_tx& tx, const bus::record& r, std::string_view topic, std::uint32_t partition,
                           bool replayed) {
  const auto* s = find_handler(r, topic);
  if (s == nullptr) return GANTRY_OK;
  if (r.version < s->min_version || r.version > s->max_version)
    return fail(GANTRY_REJECT, "schema version " + std::to_string(r.version) + " of " + std::string(r.type) + ", " +
                                   owner_.id() + " reads " + std::to_string(s->min_version) + " to " +
                                   std::to_string(s->max_version));
  gantry_event event{};
  fill_event(event, r, topic, partition, replayed);
  tx.why = {r.correlation_id, r.id, r.traceparent};
  tx.suppressed = replayed;
  tx.usable = true;
  const observability::work_scope scope({owner_.id(), owner_.generation(), r.correlation_id, topic});
  const transaction_mark mark;
  const watched_work watched(owner_, work_kind::event, s->type, r.id);
  fail(GANTRY_OK, {});
  std::size_t failed = 0;
  const auto status = owner_.guarded(
      [&] { return s->on_event != nullptr ? s->on_event(s->user, &event, &tx) : s->on_batch(s->user, &event, 1, &tx, &failed); },
      "event handler");
  tx.db.close_cursors();
  tx.usable = false;
  tx.suppressed = false;
  return status;
}

gantry_status lane::run_event(taken& t, bool fresh, failure& what) {
  if (!fresh || t.handler == nullptr) return GANTRY_OK;
  feed& f = *t.from;
  const bool behind = options_.poison == poison_policy::park_key && parking_.has(f.topic, t.event->key);
  if (f.park_head || behind) {
    const auto parked = f.park_head ? park(t, f.last_error, f.attempts)
                                    : park(t, "parked behind an earlier event of this key", 0);
    what.store = parked != GANTRY_OK;
    return parked;
  }
  const auto begun = clock_.steady_us();
  const auto status = handle(tx_, *t.event, f.topic, f.where.partition, f.replaying(*t.event));
  if (t.handler->latency != nullptr) t.handler->latency->observe_ns((clock_.steady_us() - begun) * 1000);
  if (status == GANTRY_OK) return status;
  what.status = status;
  what.text = last_failure().empty() ? status_name(status) : std::string(last_failure());
  if (!is_known(status)) what.text = status_name(status);
  return status;
}

std::size_t lane::run_set(std::size_t from, failure& what) {
  const auto& first = taken_[from];
  std::size_t to = from;
  event_set_.clear();
  const bool replayed = first.from->replaying(*first.event);
  while (to < taken_.size() && taken_[to].from == first.from && taken_[to].handler == first.handler && fresh_[to] &&
         first.from->replaying(*taken_[to].event) == replayed &&
         !(options_.poison == poison_policy::park_key && parking_.has(first.from->topic, taken_[to].event->key))) {
    event_set_.emplace_back();
    fill_event(event_set_.back(), *taken_[to].event, first.from->topic, first.from->where.partition,
               first.from->replaying(*taken_[to].event));
    if (taken_[to].event->version < first.handler->min_version ||
        taken_[to].event->version > first.handler->max_version) {
      what = {to, GANTRY_REJECT, "schema version " + std::to_string(taken_[to].event->version) + " is not read here",
              false, false};
      return from;
    }
    ++to;
  }
  tx_.why = {first.event->correlation_id, first.event->id, first.event->traceparent};
  tx_.suppressed = replayed;
  tx_.usable = true;
  const observability::work_scope scope({owner_.id(), owner_.generation(), first.event->correlation_id, first.from->topic});
  std::size_t failed = SIZE_MAX;  // stays so when the handler does not know
  gantry_status status = GANTRY_OK;
  {
    const transaction_mark mark;
    const watched_work watched(owner_, work_kind::event, first.handler->type, first.event->id);
    fail(GANTRY_OK, {});
    status = owner_.guarded(
        [&] { return first.handler->on_batch(first.handler->user, event_set_.data(), event_set_.size(), &tx_, &failed); },
        "batch handler");
  }
  tx_.db.close_cursors();
  tx_.usable = false;
  tx_.suppressed = false;
  if (status == GANTRY_OK) return to;
  const bool known = failed < event_set_.size();
  what = {from + (known ? failed : 0), status,
          last_failure().empty() ? status_name(status) : std::string(last_failure()), false,
          !known && event_set_.size() > 1};
  return from;
}

gantry_status lane::drop_seen_ids() {
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    const auto& t = taken_[i];
    if (t.event->sequence != 0 || t.handler == nullptr || t.event->id.empty()) continue;
    bool is_new = true;
    if (const auto status = id_window_.note(*session_, t.from->topic, *t.event, tx_.now_us, is_new); status != GANTRY_OK)
      return status;
    fresh_[i] = is_new;
  }
  return GANTRY_OK;
}

gantry_status lane::run_events(failure& what) {
  for (std::size_t i = 0; i < taken_.size();) {
    auto& t = taken_[i];
    what.at = i;
    const bool as_set = t.handler != nullptr && t.handler->on_batch != nullptr && fresh_[i] && !t.from->park_head &&
                        !(options_.poison == poison_policy::park_key && parking_.has(t.from->topic, t.event->key));
    if (as_set) {
      const auto to = run_set(i, what);
      if (to == i) return what.status;
      i = to;
      continue;
    }
    if (const auto status = run_event(t, fresh_[i], what); status != GANTRY_OK) return status;
    ++i;
  }
  return GANTRY_OK;
}

gantry_status lane::park(taken& t, std::string_view text, std::uint32_t attempts) {
  feed& f = *t.from;
  // Bounded, so that the copy fits its topic whatever the handler had to say.
  text = text.substr(0, longest_error);
  const auto status =
      parking_.add(*session_, f.topic, f.where.partition, *t.event, text, attempts, clock_.wall_us());
  if (status != GANTRY_OK) return status;
  if (const auto dead = find_topic(f.topic + ".dlq")) {
    std::string extra;
    const auto add = [&](std::string_view name, std::string_view content) {
      extra.append(name).append("\x1f").append(content).append("\x1e");
    };
    add("gantry-error", text);
    add("gantry-attempts", std::to_string(attempts));
    add("gantry-plugin", owner_.id());
    add("gantry-origin", f.topic + "/" + std::to_string(f.where.partition) + "/" + std::to_string(t.event->offset));
    auto copy = *t.event;
    copy.extra = extra;
    const auto& spec = bus_.topic(*dead);
    tx_.emit_raw({*dead, partition_of(copy.key, spec.partitions)}, spec.name, copy);
  }
  log_warn("An event was parked.", {{"plugin", owner_.id()},
                                    {"topic", f.topic},
                                    {"event_id", t.event->id},
                                    {"type", t.event->type},
                                    {"key", t.event->key},
                                    {"error", text}});
  return GANTRY_OK;
}

gantry_status lane::run_writes() {
  auto& s = *session_;
  write_ends_.assign(writes_.size(), {GANTRY_OK, {}});
  for (std::size_t i = 0; i < writes_.size(); ++i) {
    if (const auto status = s.savepoint(); status != GANTRY_OK) return status;
    const auto mark = tx_.here();
    const auto removed = parking_.removed();
    tx_.why = writes_[i]->why();
    tx_.reply.reset();
    tx_.usable = true;
    gantry_status status = GANTRY_OK;
    {
      const observability::work_scope scope({owner_.id(), owner_.generation(), tx_.why.correlation_id, "write"});
      const transaction_mark inside;
      const watched_work watched(owner_, work_kind::write, "write", tx_.why.correlation_id);
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

bool lane::halve(const failure& what, std::size_t reruns) {
  workers_.schedule(*this);  // for what is left out here
  limit_ = std::max<std::size_t>(1, limit_ / 2);
  if (!writes_.empty()) {
    // Requests wait; the events' turn comes again.
    const bool alone = writes_.size() == 1 && taken_.empty();
    taken_.clear();
    if (!alone) {
      if (writes_.size() == 1) return true;
      const auto half = writes_.begin() + static_cast<std::ptrdiff_t>(writes_.size() / 2);
      const std::lock_guard lock(queue_mutex_);
      queue_.insert(queue_.begin(), std::make_move_iterator(half), std::make_move_iterator(writes_.end()));
      writes_.erase(half, writes_.end());
      return true;
    }
    if (what.status == GANTRY_RETRY && reruns < reruns_alone) return true;
    const bool own = !write_ends_.empty() && write_ends_[0].first != GANTRY_OK;
    end_without_commit(own ? write_ends_[0].first : what.status, own ? write_ends_[0].second : what.text);
    return false;
  }
  if (taken_.size() > 1) {
    taken_.resize(taken_.size() / 2);
    return true;
  }
  if (what.status == GANTRY_RETRY && reruns < reruns_alone) return true;
  failure alone = what;
  alone.at = 0;
  blame(alone);
  return false;
}

bool lane::reload() {
  auto& s = *session_;
  taken_.clear();
  if (s.begin() != GANTRY_OK) return false;
  for (auto& [f, n] : touched_) {
    if (f->reload(s)) continue;
    s.rollback();
    return false;
  }
  workers_.schedule(*this);
  return s.commit() == GANTRY_OK;
}

gantry_status lane::finish_rows() {
  auto& s = *session_;
  if (const auto status = idempotency_.write(s, clock_.wall_us()); status != GANTRY_OK) return status;
  if (tx_.has_events()) {
    if (row_ + 1 >= row_bound_) {
      const std::string bound = std::to_string(row_bound_ + row_block);
      const gantry_value params[] = {value(std::string_view(bound))};
      if (const auto status =
              s.exec("UPDATE gantry_meta SET content = $1 WHERE name = 'outbox_reserved'", params, nullptr);
          status != GANTRY_OK)
        return status;
    }
    const gantry_value params[] = {value(row_), value(std::string_view(source_)), blob(tx_.row_bytes())};
    if (const auto status = s.exec("INSERT INTO gantry_outbox (id, source, bytes) VALUES ($1, $2, $3)", params, nullptr);
        status != GANTRY_OK)
      return status;
  }
  const auto done = relay_->acknowledged_through();
  if (done > deleted_through_) {
    const gantry_value params[] = {value(done)};
    if (const auto status = s.exec("DELETE FROM gantry_outbox WHERE id <= $1", params, nullptr); status != GANTRY_OK)
      return status;
    deleting_through_ = done;
  }
  return GANTRY_OK;
}

void lane::after_commit(std::uint64_t mark) {
  const auto now = timer_now();
  auto& counts = owner_.counts;
  deleted_through_ = std::max(deleted_through_, deleting_through_);
  auto what = settled_.empty() ? std::make_unique<aftermath>() : std::move(settled_.back());
  if (!settled_.empty()) settled_.pop_back();
  what->mark = mark;
  what->row = 0;
  if (tx_.has_events()) {
    what->row = row_++;
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
  if (parking_.count() >= options_.parked_max) {
    for (auto& f : feeds_) f->halted = std::to_string(parking_.count()) + " events are parked, that is the bound";
    const std::lock_guard lock(queue_mutex_);
    halted_ = std::to_string(parking_.count()) + " events are parked, the bound is " + std::to_string(options_.parked_max);
  }
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
  if (owner_.jobs && !tx_.dropped_jobs.empty()) {
    // Before anybody hears of the commit: who was told that a job is cancelled must not see it begin.
    const auto dropped = [this](const ready_job& job) {
      return std::find(tx_.dropped_jobs.begin(), tx_.dropped_jobs.end(), job.id) != tx_.dropped_jobs.end();
    };
    owner_.jobs->start({}, tx_.dropped_jobs);
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
  if (owner_.jobs && !what.jobs.empty()) owner_.jobs->start(std::move(what.jobs), {});
  what.jobs.clear();
  what.writes.clear();
  what.positions.clear();
}

void lane::blame(const failure& what) {
  feed& f = *taken_[what.at].from;
  const bus::record& r = *taken_[what.at].event;
  const std::size_t own = taken_[what.at].index;
  owner_.counts.event_errors->add();
  std::erase_if(taken_, [&](const taken& t) { return t.from == &f && t.index >= own; });
  workers_.schedule(*this);  // for what was taken behind it
  if (own != 0) return;      // what came before it commits; then it stands at the head and is tried alone
  ++f.attempts;
  if (what.guess) return;  // perhaps another one is to blame: first it is tried alone
  f.last_error = what.text;
  f.park_head = what.status == GANTRY_REJECT || f.attempts >= attempts_before_parking;
  if (f.park_head && options_.poison == poison_policy::halt) {
    f.park_head = false;
    f.halted = what.text;
    const std::lock_guard lock(queue_mutex_);
    halted_ = f.topic + "/" + std::to_string(f.where.partition) + ": " + what.text;
    return;
  }
  if (f.park_head) return;
  // Full jitter: anywhere between now and the exponential bound.
  random_state_ ^= random_state_ << 13;
  random_state_ ^= random_state_ >> 7;
  random_state_ ^= random_state_ << 17;
  const std::int64_t bound = std::min(longest_pause_us, first_pause_us << (f.attempts - 1));
  f.blocked_until_us = clock_.steady_us() + static_cast<std::int64_t>(random_state_ % static_cast<std::uint64_t>(bound));
  log_warn("An event handler failed and will be tried again.", {{"plugin", owner_.id()},
                                                                {"topic", f.topic},
                                                                {"event_id", r.id},
                                                                {"type", r.type},
                                                                {"attempt", std::to_string(f.attempts)},
                                                                {"error", what.text}});
}

void lane::end_without_commit(gantry_status status, std::string_view text) {
  for (auto& w : writes_) w->finished(false, status, text);
  writes_.clear();
  taken_.clear();
}

void lane::break_down(std::string_view why) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (!broken_.empty()) return;
  }
  log_error("The store takes no more writes.", {{"plugin", owner_.id()}, {"store", store_.describe()}, {"error", why}});
  events_on_ = false;
  std::vector<std::unique_ptr<write>> waiting;
  {
    const std::lock_guard lock(queue_mutex_);
    broken_ = owner_.id() + ": the store takes no more writes: " + std::string(why);
    waiting.swap(queue_);
  }
  // What was committed and not synced may be on the disk or not: nobody is told that it is.
  for (auto& lost : unsettled_)
    for (auto& w : lost->writes) w->finished(false, GANTRY_UNAVAILABLE, why);
  unsettled_.clear();
  unsettled_count_ = 0;
  for (auto& w : waiting) w->finished(false, GANTRY_UNAVAILABLE, why);
}

void lane::maintain() {
  // What is left to write when nothing else is going on: positions behind events that nobody handles, acknowledged rows.
  const bool rows = relay_ && relay_->acknowledged_through() > deleted_through_;
  const auto wall_us = clock_.wall_us();
  const bool old = idempotency_.wants_expiry(wall_us);
  const bool old_ids = id_window_.wants_expiry(wall_us);
  const bool positions = std::any_of(feeds_.begin(), feeds_.end(), [](const auto& f) { return f->unsaved() != 0; });
  if (!rows && !positions && !old && !old_ids) return;
  auto& s = *session_;
  if (s.begin() != GANTRY_OK) return;
  bool good = true;
  std::vector<feed*> saved;
  for (auto& f : feeds_) {
    if (f->unsaved() == 0) continue;
    f->begin_batch();
    good = good && f->save(s, 0) == GANTRY_OK;
    saved.push_back(f.get());
  }
  const auto through = relay_ ? relay_->acknowledged_through() : deleted_through_;
  const gantry_value params[] = {value(through)};
  good = good && s.exec("DELETE FROM gantry_outbox WHERE id <= $1", params, nullptr) == GANTRY_OK;
  good = good && (!old || idempotency_.expire(s, wall_us) == GANTRY_OK);
  good = good && (!old_ids || id_window_.expire(s, wall_us) == GANTRY_OK);
  if (!good) {
    s.rollback();
    return;
  }
  if (s.commit() != GANTRY_OK) return;
  settle();  // that sync was theirs too, and their positions come first
  deleted_through_ = std::max(deleted_through_, through);
  if (old) idempotency_.expired(wall_us);
  for (auto* f : saved) {
    f->taken(0, true);
    f->from().committed(f->where, f->next());
  }
}

void lane::resume() {
  if (parking_.count() >= options_.parked_max) return;
  for (auto& f : feeds_) {
    if (f->halted.empty()) continue;
    f->halted.clear();
    f->attempts = 0;
    f->blocked_until_us = 0;
    f->available.store(true, std::memory_order_release);
  }
  {
    const std::lock_guard lock(queue_mutex_);
    halted_.clear();
  }
  workers_.schedule(*this);
}

lane_counts lane::count() const {
  lane_counts out;
  {
    const std::lock_guard lock(queue_mutex_);
    out.queue = queue_.size();
    out.blocked = !broken_.empty() ? broken_ : halted_;
  }
  out.timers = timer_count_;
  out.parked = parking_.count();
  if (relay_) out.outbox_bytes = relay_->pending_bytes();
  if (!feeds_ready_.load(std::memory_order_acquire)) return out;
  for (const auto& f : feeds_) out.lag += f->lag();
  return out;
}

std::vector<std::pair<std::string, std::uint64_t>> lane::lags() const {
  std::vector<std::pair<std::string, std::uint64_t>> out;
  if (!feeds_ready_.load(std::memory_order_acquire)) return out;
  for (const auto& f : feeds_) out.emplace_back(f->topic + "/" + std::to_string(f->where.partition), f->lag());
  return out;
}

}  // namespace gantry::runtime
