// The write lane of one store: whatever changes it passes here, in batches of one transaction each. Waiting requests,
// the events of all partitions, results of jobs and timers share a commit, and with it its fsync.
//
// One run handles one batch:
//   BEGIN; positions; events in order; each write in a savepoint; idempotency row; outbox row; COMMIT
//   once it is durable the relay gets the events, replies go out, jobs begin.
// While more is waiting, the sync of a commit goes on beside the next batch: on a store whose commits are many it
// decides how many there can be. An event that fails takes the batch back: what came before it commits, and the event
// is tried again alone, later; in the end it is parked. A write that fails takes back only itself.
//
// A store that several hosts share has a lane on each of them. Each handles the events of the partitions that it has
// claimed, and any write; see presence.hpp for who leads the relay.
//
// Owned by an instance. Thread: run() on a lane worker; enqueue() any; open() and close() main.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "bus/bus.hpp"
#include "outbox/relay.hpp"
#include "runtime/age_clock.hpp"
#include "runtime/current_instance.hpp"
#include "runtime/deadly.hpp"
#include "runtime/feed.hpp"
#include "runtime/id_window.hpp"
#include "runtime/idempotency.hpp"
#include "runtime/parking.hpp"
#include "runtime/presence.hpp"
#include "runtime/server_time.hpp"
#include "runtime/standstill.hpp"
#include "runtime/store_watch.hpp"
#include "runtime/timer_wheel.hpp"
#include "runtime/transaction.hpp"
#include "runtime/worker_pool.hpp"
#include "store/store.hpp"

namespace gantry::runtime {
class instance;

// Something that wants to change the store. Owned by the lane from enqueue() until it has finished.
class write {
 public:
  write() = default;
  write(const write&) = delete;
  write& operator=(const write&) = delete;
  virtual ~write() = default;

  virtual cause why() const { return {}; }
  // Whose code it runs: what it emits is held against what this generation declares. Null: whichever works now.
  virtual instance* of() const { return nullptr; }
  // Name of what it runs, in the black box; 0: none.
  virtual std::uint32_t note() const { return 0; }
  // True when finished() changes what the lane itself keeps in memory: then it comes before the lane's next batch.
  virtual bool changes_lane() const { return false; }
  // Works on the transaction; may be called again on another one. Anything but OK takes back what it did. [lane]
  virtual gantry_status run(gantry_tx& tx) = 0;
  // Called once. After the commit: `status` is what the last run() returned, and `text` the error that went with it.
  // Not committed: why there was no commit. Must not block. [lane or the thread that closes the lane]
  virtual void finished(bool committed, gantry_status status, std::string_view text) = 0;
};

struct lane_options {
  std::size_t batch_max = 1024;  // events of one transaction, and as many writes
  std::size_t queue_max = 4096;  // writes that wait
  std::uint64_t outbox_max_bytes = 256ULL * 1024 * 1024;
  std::uint64_t parked_max = 10'000;
  poison_policy poison = poison_policy::park_key;
  std::uint64_t seed = 1;     // of the jitter
  std::string host = "main";  // its name in the topology: tells hosts apart that share a store
  // A host that shares a store counts as gone when it was not heard of for so long. It is not heard of while it is in a
  // batch, which must not cost it its jobs.
  std::int64_t lease_us = 30'000'000;
  std::int64_t lead_us =
      5'000'000;  // likewise, until another host's relay leads: what waits in the outbox is late by then
};

struct lane_counts {
  std::size_t queue = 0;
  std::size_t timers = 0;
  std::uint64_t outbox_bytes = 0;
  std::uint64_t parked = 0;
  bool leads = true;     // the relay of its store
  std::string blocked;   // why it takes no writes or no events; empty when all is well
  std::string away;      // why its store can't be reached now; empty when it can
  bool writable = true;  // the store takes writes
};

class lane final : public task, public bus::consumer_events {
 public:
  lane(instance& owner, store::store& database, bus::bus& bus, const clock& time, worker_pool& workers,
       lane_options options);
  ~lane() override;

  // Opens the writer and the runtime's tables, resumes the relay. Writes run from here on. [main]
  result<void> open(const std::string& source_prefix);

  // Joins the group and begins to handle events. [main]
  result<void> consume(std::string_view group);

  // Gives the plugin's work to another generation of it, between two batches. `between` runs while nothing of the lane
  // does; when it fails the work stays where it was. Topics that only the next one consumes are joined, and what it no
  // longer consumes is left. `paused_us`: for how long nothing ran. Neither generation may be destroyed meanwhile.
  // [main]
  result<void> hand_over(instance& next, std::string_view group, const std::function<result<void>()>& between,
                         std::int64_t& paused_us);

  // Notes in a shared store that this host runs the owner's version now, and returns the hosts that run another one.
  // Empty where the store is this host's alone. Waits for the end of a batch. [main]
  result<std::vector<std::string>> settle_version();

  // Gives a generation that is about to start the time that the hosts of the store keep to. [any]
  void set_time_of(instance& next) const noexcept;

  // Stops taking events; writes go on. [main]
  void stop_events();
  // Takes events again, after stop_events(). [main]
  void resume_events();
  // From the next batch on. [main]
  void adjust(std::size_t batch_max, poison_policy poison);
  // Ends: nothing runs afterwards; what is queued finishes with UNAVAILABLE. [main]
  void close();

  // Queues a write. False when the queue is full, or the outbox, or the lane has ended; `why` then says so. [any]
  bool enqueue(std::unique_ptr<write>& w, std::string& why);
  // Also beyond the bounds, for what is bounded elsewhere. False only when the lane has ended. [any]
  bool enqueue_always(std::unique_ptr<write>& w);

  // Wakes the lane when time has passed: timers, pauses, cleaning. [any]
  void tick();

  // Nothing queued, nothing running, all that was committed is on the bus. [any]
  bool idle() const;
  // Everything that was on the plugin's topics when it began has been handled. [any]
  bool caught_up() const noexcept { return caught_up_.load(); }
  // Whether its relay hands over what the store's hosts commit. [any]
  bool leads() const noexcept { return !presence_ || presence_->leads(); }

  lane_counts count() const;
  // Events on its topics that it has not handled. Asks the bus, which may wait for its servers. [any]
  std::uint64_t lag() const;
  std::vector<std::pair<std::string, std::uint64_t>> lags() const;  // "topic/partition" -> records
  const std::string& source() const noexcept { return source_; }
  instance& owner() noexcept { return *owner_; }  // the generation that works now [any]

  // Used by writes of the runtime's own (replay, dead letters). [lane]
  std::vector<feed*> feeds_of(std::string_view topic);
  parking& parked() noexcept { return parking_; }
  idempotency& replies() noexcept { return idempotency_; }
  gantry_status handle(gantry_tx& tx, const bus::record& r, std::string_view topic, std::uint32_t partition,
                       bool replayed);
  // Whether a job of this id belongs to a commit that was not told yet: it has not begun.
  bool holds_job(std::string_view id) const;
  std::size_t held_jobs() const;
  // Partitions that stand still are tried again, unless the parked events are still at their bound.
  void resume();

  void run() override;
  void assigned(bus::partition_id where) override;
  void revoked(bus::partition_id where) override;
  void available(bus::partition_id where) override;

 private:
  // Row ids are handed out in blocks that are reserved durably, so that none is given twice, although rows are deleted.
  static constexpr std::uint64_t row_block = 1'000'000;
  static constexpr std::string_view age_name = "age";  // of the row that keeps how far the clock of ages has come

  struct taken {
    feed* from;
    std::size_t index;  // ahead of the feed's head
    const bus::record* event;
    const subscription* handler;  // null: nobody here handles this type
  };
  struct failure {
    std::size_t at = 0;  // index into taken_
    gantry_status status = GANTRY_OK;
    std::string text;
    bool store = false;     // it was the store, no handler
    bool guess = false;     // one of several given to a handler at once, which did not say which
    feed* stale = nullptr;  // whose position somebody else has moved
  };
  // What follows from a commit and must not be seen outside before the commit is durable.
  struct aftermath {
    std::uint64_t mark = 0;  // of the commit; 0: durable
    std::uint64_t row = 0;   // of the outbox; 0: no events
    outgoing events;
    std::vector<ready_job> jobs;
    std::vector<std::unique_ptr<write>> writes;
    std::vector<std::pair<gantry_status, std::string>> write_ends;
    std::vector<std::pair<feed*, std::uint64_t>> positions;
  };
  enum class attempt_end { committed, event_failed, rerun, stale, refused, broken };

  result<void> join(std::string_view group);
  void leave_group();
  std::vector<std::string> topics_of(const instance& who) const;
  result<void> in_transaction(const std::function<result<void>()>& what);
  result<void> make_tables();
  result<void> load();
  result<void> begin_ages();
  result<void> take_name(const std::string& source_prefix);
  result<std::uint64_t> highest_on_bus(std::string_view source);
  result<void> meta(std::string_view name, std::string& out);
  result<std::uint64_t> named_number(std::string_view name, std::string_view content, std::uint64_t otherwise) const;
  gantry_status set_meta(std::string_view name, std::string_view content);

  void begin_at_ends();
  void hear_of_moves();
  void want(feed& f, bool wanted);
  void claim_partitions(std::int64_t now);
  result<std::vector<feed*>> claim(const std::vector<feed*>& all, std::string& busy);
  void claim_later(feed& f, std::int64_t at_us);
  void keep_place(std::int64_t now);
  void look_around(std::int64_t now);
  void tell_of_store(store_watch::news what) const;
  void look_at_clock(std::int64_t now);
  void set_time(const server_time& at);
  void carry_outbox(std::int64_t now);
  void recover_relay(std::uint64_t highest);
  void delete_acknowledged();
  void take_over();
  bool restore_timers();
  void hold_timers();
  bool others_reached(std::size_t i);
  bool read_positions();
  void lose(feed& f, std::int64_t claim_at_us);
  gantry_status forget_unparked();

  void look_at_outbox(std::int64_t now);
  void catch_up();
  void take_writes();
  void fire_timers();
  bool take_events();
  // What is known of this event by deaths of the process; null, as a rule: nothing.
  const deadly_work* deadly(const taken& t) const {
    return deadly_.empty() || t.handler == nullptr ? nullptr : find_deadly(t);
  }
  const deadly_work* find_deadly(const taken& t) const;
  static std::vector<deadly_work> deadly_events_of(const instance& owner);
  bool is_poison(const taken& t) const {
    const auto* const known = deadly(t);
    return known != nullptr && known->poison;
  }
  static std::string death_text(const deadly_work& known);
  // The partition stands still until an operator has seen to it.
  void halt(feed& f, const std::string& why);
  // Whether it goes to the parked rows whatever its handler would say.
  bool will_park(const taken& t) const;
  // At the bound of parked rows the partitions stand still until an operator makes room.
  void halt_when_full();
  void handle_batch();
  bool worth_a_transaction();
  attempt_end attempt(failure& what);
  // What is kept for a time is stamped so, in a batch.
  std::int64_t stamp_us() const noexcept;
  gantry_status note_age(std::int64_t now_us);
  gantry_status drop_seen_ids();
  gantry_status run_events(failure& what);
  gantry_status handle_with(const subscription& s, gantry_tx& tx, const bus::record& r, std::string_view topic,
                            std::uint32_t partition, bool replayed, std::int64_t now_us);
  gantry_status run_event(taken& t, bool fresh, failure& what);
  std::size_t run_set(std::size_t from, failure& what);
  gantry_status run_writes();
  bool halve(const failure& what, std::size_t reruns);
  void give_back_stale(feed& f);
  gantry_status finish_rows();
  void after_commit(std::uint64_t mark);
  void settle();
  bool make_durable();
  void tell(aftermath& what);
  void blame(const failure& what);
  void end_without_commit(gantry_status status, std::string_view text);
  void maintain();
  void break_down(std::string_view why);
  const subscription* find_handler(const bus::record& r, std::string_view topic) const;
  gantry_status park(taken& t, std::string_view text, std::uint32_t attempts);
  result<bus::topic_id> find_topic(std::string_view name) const;
  void note_caught_up();
  // The clock of timers: it stands still while the bus can't be reached, and stood while the process did, so that an
  // outage delays a saga and never cancels it. Microseconds.
  std::int64_t timer_now();

  current_instance owner_;
  store::store& store_;
  bus::bus& bus_;
  const clock& clock_;
  worker_pool& workers_;
  lane_options options_;             // what adjust() changes is read in batches alone
  std::vector<deadly_work> deadly_;  // events of this plugin, as its present generation is told
  std::string source_;

  std::unique_ptr<store::session> session_;
  std::unique_ptr<outbox::relay> relay_;
  std::unique_ptr<bus::consumer> consumer_;
  std::deque<std::unique_ptr<aftermath>> unsettled_;  // in the order of their commits
  std::vector<std::unique_ptr<aftermath>> settled_;   // to be used again
  std::atomic<std::size_t> unsettled_count_{0};
  std::vector<std::unique_ptr<feed>> feeds_;
  std::vector<std::uint64_t>
      starting_ends_;  // of feeds_: timers wait until they are reached; UINT64_MAX: not known yet
  gantry_tx tx_;
  timer_wheel wheel_;
  idempotency idempotency_;
  age_clock age_;                  // of replies and ids that are kept for a time
  std::int64_t age_noted_us_ = 0;  // in the store, so that the next start goes on from there
  std::string maintenance_error_;  // why the last attempt to tidy up has failed
  parking parking_;
  id_window id_window_;

  // Of a store that hosts share.
  std::unique_ptr<presence> presence_;      // null: this host has the store alone
  std::string reserved_name_;               // of the row that keeps which outbox numbers are reserved
  std::uint64_t outbox_id_ = 0;             // of the row that this batch has written
  bool expelled_ = false;                   // another process has this host's name
  std::vector<std::uint64_t> others_next_;  // positions of feeds_ as they stand in the store
  skew_watch skew_;
  store_watch answers_;
  std::int64_t next_skew_look_us_ = 0;
  std::int64_t machine_offset_us_ = 0;  // of the machine's clock to the steady one, at the last look
  common_time time_;
  std::int64_t next_round_us_ = 0;
  std::int64_t next_outbox_us_ = 0;
  std::int64_t next_jobs_us_ = 0;
  std::int64_t next_deletion_us_ = 0;
  std::int64_t next_positions_us_ = 0;

  // This batch.
  std::vector<taken> taken_;
  std::vector<bool> fresh_;
  std::vector<std::pair<feed*, std::size_t>> touched_;  // a feed and how many of its records
  std::vector<std::unique_ptr<write>> writes_;
  std::vector<std::pair<gantry_status, std::string>> write_ends_;
  std::vector<gantry_event> event_set_;
  std::vector<timer_wheel::fired> fired_;
  std::size_t limit_;
  std::size_t rotation_ = 0;
  std::uint64_t row_ = 1;
  std::uint64_t row_bound_ = 1;
  std::uint64_t deleting_through_ = 0;
  std::uint64_t deleted_through_ = 0;
  std::int64_t last_maintenance_us_ = 0;
  std::int64_t refused_since_us_ = 0;  // the outbox by a bus that is well; 0: not so
  std::int64_t blocked_until_us_ = 0;  // after a full disk
  std::uint64_t random_state_;
  std::int64_t frozen_since_us_ = 0;
  std::int64_t frozen_total_us_ = 0;
  std::int64_t well_since_us_ = 0;  // bus and store are back, and timers still stand; 0: not so
  standstill still_;
  bool jobs_left_ = false;    // of a host that has left, and not taken over yet
  bool timers_left_ = false;  // likewise
  bool store_away_ = false;   // a shared store that does not answer: its timers stand still

  std::int64_t next_claim_us_ = INT64_MAX;
  std::string claim_error_;
  std::mutex moves_mutex_;
  std::vector<std::pair<bus::partition_id, bool>> moves_;  // guarded by moves_mutex_: assigned (true) and revoked
  std::atomic<bool> moved_{false};

  std::mutex run_mutex_;  // held by whoever uses the session: run(), or main while it opens and closes

  mutable std::mutex queue_mutex_;
  std::vector<std::unique_ptr<write>> queue_;  // guarded by queue_mutex_
  bool closed_ = false;                        // guarded by queue_mutex_
  std::string broken_;                         // guarded by queue_mutex_: why the store takes no writes any more
  std::string outbox_error_;  // guarded by queue_mutex_: events that a healthy bus does not take, and why
  std::string halted_;        // guarded by queue_mutex_: a partition that stands still, and why
  std::atomic<bool> events_on_{false};
  std::atomic<bool> feeds_ready_{false};
  mutable std::mutex feeds_mutex_;  // held while feeds_ changes, and by other threads that read it
  std::atomic<bool> caught_up_{false};
  bool timers_wait_ = true;  // until the plugin has handled what was on its topics when the bus was there (again)
  std::atomic<bool> busy_{false};
  std::atomic<std::size_t> timer_count_{0};
};

}  // namespace gantry::runtime
