// The beginning and the end of a lane: its tables, the names and numbers it is known by, its place in the group.
#include "runtime/lane.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/uuid.hpp"
#include "jobs/job_board.hpp"
#include "observability/log.hpp"
#include "runtime/carry.hpp"
#include "runtime/instance.hpp"
#include "runtime/server_time.hpp"
#include "runtime/values.hpp"
#include "store/dialect.hpp"

namespace gantry::runtime {
namespace {

// Together some seconds: the others' transactions are short, but there may be many.
constexpr int attempts_to_open = 20;
constexpr auto pause_to_open = std::chrono::milliseconds(20);
constexpr auto most_pause_to_open = std::chrono::milliseconds(400);

}  // namespace

std::string schema_of(std::string_view driver, bool shared) {
  std::string schema = "CREATE TABLE IF NOT EXISTS gantry_meta (name TEXT PRIMARY KEY, content TEXT NOT NULL);";
  for (const auto part :
       {outbox::schema, feed_schema, idempotency_schema, key_run_schema, parking_schema, id_window_schema, job_schema})
    schema.append(part);
  if (shared) schema.append(presence_schema).append(shared_idempotency_schema);
  return store::for_driver(std::move(schema), driver);
}

result<void> lane::open(const std::string& source_prefix) {
  const std::lock_guard running(run_mutex_);
  auto opened = store_.open_writer();
  if (!opened) return opened.failure();
  session_ = std::move(*opened);
  auto& s = *session_;
  if (store_.shared())
    presence_ = std::make_unique<presence>(options_.host, owner_->jobs ? owner_->jobs->token() : new_uuid_string(),
                                           options_.lease_us, options_.lead_us);
  if (auto done = in_transaction([&] { return make_tables(); }); !done) return done;
  // After it has entered: whoever has the host's name last reserves last.
  if (auto done = in_transaction([&] { return take_name(source_prefix); }); !done) return done;

  // Hosts that share the store keep to one clock, its server's.
  if (presence_) {
    const auto server = ask_server_time(s, clock_);
    if (!server) return error{errc::io, "asking the store's server for the time: " + std::string(s.error_text())};
    set_time(*server);
  }
  if (auto done = idempotency_.load(s, presence_ != nullptr); !done) return done;
  // In a snapshot: hosts that write meanwhile must not have this one told to try again.
  if (s.begin_read() != GANTRY_OK) return error{errc::io, "opening the store: " + std::string(s.error_text())};
  auto loaded = load();
  s.end_read();
  if (!loaded) return loaded;
  if (owner_->jobs) {
    const auto all = owner_->jobs->recover(s, presence_ != nullptr);
    if (!all) return all.failure();
    jobs_left_ = !*all;
  }
  workers_.schedule(*this);
  return {};
}

// What was there when it opened.
result<void> lane::load() {
  auto& s = *session_;
  relay_ = std::make_unique<outbox::relay>(
      bus_, clock_, [this](std::string_view name) { return find_topic(name); }, [this] { workers_.schedule(*this); },
      presence_ != nullptr);
  if (auto done = relay_->recover(s, presence_ ? 0 : row_ - 1); !done) return done;
  deleted_through_ = relay_->acknowledged_through();
  if (!leads()) relay_->follow();
  if (auto done = id_window_.load(s); !done) return done;
  if (auto done = begin_ages(); !done) return done;
  if (auto done = parking_.load(s); !done) return done;
  return {};
}

// No later than the newest thing that is kept; of replies only the hour is known, so the age is noted besides.
result<void> lane::begin_ages() {
  std::string noted;
  if (!presence_)
    if (auto done = meta(age_name, noted); !done) return done;
  const auto seconds = named_number(age_name, noted, 0);
  if (!seconds) return seconds.failure();
  age_.begin(time_.now_us(clock_), std::max({idempotency_.newest_us(), id_window_.newest_us(),
                                             static_cast<std::int64_t>(*seconds) * 1'000'000}));
  return {};
}

// Of hosts that start on one store at the same time some are told to try again.
result<void> lane::in_transaction(const std::function<result<void>()>& what) {
  auto& s = *session_;
  for (int attempt = 1;; ++attempt) {
    result<void> done;
    if (s.begin() != GANTRY_OK) {
      done = error{errc::io, "opening the store: " + std::string(s.error_text())};
    } else if (done = what(); done) {
      if (s.commit() == GANTRY_OK) return {};
      done = error{errc::io, "opening the store: " + std::string(s.error_text())};
    }
    s.rollback();
    if (!presence_ || attempt == attempts_to_open) return done;
    std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(attempt * pause_to_open, most_pause_to_open));
  }
}

result<void> lane::make_tables() {
  auto status = session_->script(schema_of(store_.driver(), presence_ != nullptr));
  if (status == GANTRY_OK && presence_) status = presence_->join(*session_, owner_->version());
  if (status == GANTRY_OK) return {};
  return error{errc::io, "creating the runtime's tables: " + std::string(session_->error_text())};
}

result<bus::topic_id> lane::find_topic(std::string_view name) const {
  const auto at = owner_->around.topics->find(name);
  if (at != owner_->around.topics->end()) return at->second;
  return error{errc::not_found, "topic " + std::string(name) + " is not in this topology"};
}

std::vector<std::string> lane::topics_of(const instance& who) const {
  std::vector<std::string> topics;
  for (const auto& sub : who.declared.subscriptions)
    if (sub.observe == nullptr && std::find(topics.begin(), topics.end(), sub.topic) == topics.end())
      topics.push_back(sub.topic);
  return topics;
}

result<void> lane::consume(std::string_view group) {
  const std::lock_guard running(run_mutex_);
  return join(group);
}

result<void> lane::join(std::string_view group) {
  const auto topics = topics_of(*owner_);
  // They begin to count once the plugin has handled what was there: until then they wait for a ticket that no row has.
  for (auto& t : owner_->restored_timers) wheel_.arm_after(UINT64_MAX, t.kind, t.key, t.delay_us);
  owner_->restored_timers.clear();
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
    for (const auto& sub : owner_->declared.subscriptions)
      if (sub.topic == topics[i] && sub.observe == nullptr) latest = latest && sub.latest;
    const auto partitions = bus_.topic(ids[i]).partitions;
    const std::lock_guard lock(feeds_mutex_);
    for (std::uint32_t p = 0; p < partitions; ++p)
      feeds_.push_back(std::make_unique<feed>(bus::partition_id{ids[i], p}, topics[i], *consumer_,
                                              std::string(bus_.id()), options_.batch_max, latest));
  }
  starting_ends_.assign(feeds_.size(), UINT64_MAX);
  others_next_.assign(feeds_.size(), 0);
  feeds_ready_ = true;
  events_on_ = true;
  hear_of_moves();
  claim_partitions(clock_.steady_us());
  begin_at_ends();
  workers_.schedule(*this);
  return {};
}

result<void> lane::hand_over(instance& next, std::string_view group, const std::function<result<void>()>& between,
                             std::int64_t& paused_us) {
  const auto sorted = [this](const instance& who) {
    auto topics = topics_of(who);
    std::sort(topics.begin(), topics.end());
    return topics;
  };
  const std::lock_guard running(run_mutex_);
  const auto begun = clock_.steady_us();
  if (auto done = between(); !done) return done;
  instance& former = *owner_;
  const bool other_topics = sorted(former) != sorted(next);
  if (other_topics) leave_group();
  set_time_of(next);
  if (next.jobs) next.jobs->become(next);
  owner_.become(next);
  deadly_ = deadly_events_of(next);
  tx_.owner = &next;
  // The others run already.
  for (auto& t : next.restored_timers)
    if (t.kind >= former.declared.timers.size()) wheel_.arm(t.kind, t.key, timer_now() + t.delay_us);
  next.restored_timers.clear();
  auto done = other_topics ? join(group) : result<void>();
  if (!done) {
    leave_group();
    if (next.jobs) next.jobs->become(former);
    owner_.become(former);
    deadly_ = deadly_events_of(former);
    tx_.owner = &former;
    if (auto back = join(group); !back) break_down(back.failure().text);
  }
  paused_us = clock_.steady_us() - begun;
  workers_.schedule(*this);
  return done;
}

result<std::vector<std::string>> lane::settle_version() {
  const std::lock_guard running(run_mutex_);
  if (!presence_) return std::vector<std::string>();
  make_durable();
  if (auto done = presence_->runs(*session_, owner_->version()); !done) return done.failure();
  return hosts_of_other_versions(*session_, presence_->host(), owner_->version());
}

void lane::leave_group() {
  make_durable();  // what waits to be told points to the feeds
  events_on_ = false;
  feeds_ready_ = false;
  consumer_.reset();
  {
    const std::lock_guard lock(moves_mutex_);
    moves_.clear();
  }
  moved_ = false;
  const std::lock_guard lock(feeds_mutex_);
  feeds_.clear();
}

// The bus may take its time to share the partitions out: what is emitted meanwhile is news for who asked for the
// latest.
void lane::begin_at_ends() {
  auto& s = *session_;
  if (std::all_of(feeds_.begin(), feeds_.end(), [](const auto& f) { return f->held(); })) return;
  result<void> done;
  if (s.begin_relaxed() != GANTRY_OK) return;
  for (auto& f : feeds_)
    if (done && !f->held()) done = f->begin_at_end(s);
  if (done && s.commit() == GANTRY_OK) return;
  // Then the claim does it.
  observability::log_warn(
      "Where to begin could not be noted yet.",
      {{"plugin", owner_->id()}, {"reason", done ? std::string(s.error_text()) : done.failure().text}});
  s.rollback();
}

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
      if (presence_) {
        delete_acknowledged();
        presence_->leave(*session_);
      }
    }
    feeds_ready_ = false;
    consumer_.reset();
    {
      const std::lock_guard lock(feeds_mutex_);
      feeds_.clear();
    }
    relay_.reset();
    session_.reset();  // waits for a sync under way, which schedules the lane
  }
  // Nobody is left who could schedule it again.
  workers_.quiesce(*this);
  for (auto& w : queue_) w->finished(false, GANTRY_UNAVAILABLE, owner_->id() + " has stopped");
  queue_.clear();
}

}  // namespace gantry::runtime
