#include "bus/kafka/kafka_consumer.hpp"

#include <algorithm>
#include <string_view>

#include "bus/kafka/late_end.hpp"

namespace gantry::bus::kafka {
namespace {

using std::chrono::milliseconds;

constexpr int poll_ms = 200;
// Between losing a membership and joining anew. Two hosts with one name throw each other out: ever less often.
constexpr milliseconds shortest_pause{500};
constexpr milliseconds longest_pause{30'000};
// A membership of that length was no turn between such two.
constexpr milliseconds lasting{300'000};
// An end waits so long for the group's first answer.
constexpr milliseconds longest_answer{2'000};

// Whether a member's client may be destroyed between its join and what the group then gives it; see late_end.hpp.
bool bears_an_early_end() { return rd_kafka_version() >= 0x02030000; }

}  // namespace

result<std::unique_ptr<consumer>> kafka_consumer::open(cluster& of, std::string_view group,
                                                       std::span<const topic_id> topics, consumer_events& events) {
  for (const auto id : topics)
    if (!of.has({id, 0})) return error{errc::invalid, "topic " + std::to_string(id) + " was not opened on this bus"};
  std::unique_ptr<kafka_consumer> out(new kafka_consumer(of, group, topics, events));
  if (auto joined = out->join(); !joined) return std::move(joined).failure();
  out->membership_ = std::thread([&all = *out] { all.run(); });
  return std::unique_ptr<consumer>(std::move(out));
}

kafka_consumer::kafka_consumer(cluster& of, std::string_view group, std::span<const topic_id> topics,
                               consumer_events& events)
    : cluster_(of),
      group_(group),
      name_((group.empty() ? "observer-" : "consumer-") + std::to_string(of.next_client()) +
            (group.empty() ? "" : " of " + group_)),
      events_(events),
      context_(make_context()),
      topics_(topics.begin(), topics.end()) {
  for (const auto id : topics)
    for (std::uint32_t p = 0; p < of.topic(id).partitions; ++p)
      readers_[{id, p}] = std::make_unique<partition_reader>(of, partition_id{id, p}, events, [this] { wake(); });
}

std::unique_ptr<client_context> kafka_consumer::make_context() {
  auto out = std::make_unique<client_context>();
  out->name = name_;
  out->options = &cluster_.options();
  out->on_error = [this](rd_kafka_resp_err_t code, std::string_view, bool) {
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) cluster_.doubt();
  };
  out->on_rebalance = [this](rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions) {
    rebalance(code, partitions);
  };
  out->on_commit = [this](rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* offsets) {
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__NO_OFFSET || offsets == nullptr) return;
    // It is only for tools that show lag; the next round tries again.
    for (int i = 0; i < offsets->cnt; ++i)
      if (auto* reader = find(offsets->elems[i])) reader->commit_again();
  };
  return out;
}

result<void> kafka_consumer::join() {
  auto made = make_client(RD_KAFKA_CONSUMER, consumer_properties(cluster_.options(), group_), *context_);
  if (!made) return std::move(made).failure();
  {
    const std::lock_guard lock(mutex_);
    events_queue_.reset();  // before its client
    client_ = std::move(*made);
    events_queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
  }
  over_ = false;
  begun_ = false;
  tells_ = true;
  rd_kafka_poll_set_consumer(client_.get());
  if (group_.empty()) return {};
  const partition_list names(rd_kafka_topic_partition_list_new(static_cast<int>(topics_.size())));
  for (const auto id : topics_)
    rd_kafka_topic_partition_list_add(names.get(), cluster_.topic(id).name.c_str(), RD_KAFKA_PARTITION_UA);
  const auto code = rd_kafka_subscribe(client_.get(), names.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return error{kind_of(code), "joining group " + group_ + ": " + rd_kafka_err2str(code)};
}

kafka_consumer::~kafka_consumer() {
  if (membership_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    stop_.notify_all();
    wake();
    membership_.join();
  }
  // librdkafka's queues before its client.
  readers_.clear();
}

void kafka_consumer::wake() {
  const std::lock_guard lock(mutex_);
  if (events_queue_) rd_kafka_queue_yield(events_queue_.get());
}

void kafka_consumer::run() {
  auto pause = shortest_pause;
  while (true) {
    const auto joined = std::chrono::steady_clock::now();
    keep_membership();
    leave();
    if (std::chrono::steady_clock::now() - joined > lasting) pause = shortest_pause;
    if (!wait_and_join_again(pause)) return;
    pause = std::min(2 * pause, longest_pause);
  }
}

void kafka_consumer::keep_membership() {
  if (group_.empty()) {
    const partition_list all(rd_kafka_topic_partition_list_new(static_cast<int>(readers_.size())));
    for (const auto& [where, reader] : readers_)
      rd_kafka_topic_partition_list_add(all.get(), reader->topic().c_str(), static_cast<std::int32_t>(where.partition));
    assign(*all, true);
  }
  auto next_commit = std::chrono::steady_clock::now() + cluster_.options().commit_interval;
  while (!stopping_ && !over_) {
    if (const message_handle message{rd_kafka_consumer_poll(client_.get(), poll_ms)}) hear(*message);
    for (const auto& [where, reader] : readers_)
      if (reader->take_retry()) events_.available(where);
    const auto now = std::chrono::steady_clock::now();
    if (now < next_commit) continue;
    commit();
    next_commit = now + cluster_.options().commit_interval;
  }
}

void kafka_consumer::leave() {
  // Better than a client that ends later.
  const bool early = !group_.empty() && !bears_an_early_end();
  const auto until = std::chrono::steady_clock::now() + longest_answer;
  while (early && !begun_ && !over_ && cluster_.answers() && std::chrono::steady_clock::now() < until)
    if (const message_handle message{rd_kafka_consumer_poll(client_.get(), poll_ms)}) hear(*message);
  // revoke() tells Kafka what is left, unless brokers are away: librdkafka would wait for them.
  tells_ = !over_ && cluster_.answers();
  // After a fatal error it closes nothing, and destroying the client may then wait for good: for an answer to a
  // rebalance that is not handed out any more.
  const bool closed = rd_kafka_consumer_close(client_.get()) != RD_KAFKA_RESP_ERR__FATAL;
  if (!closed) rd_kafka_assign(client_.get(), nullptr);
  for (const auto& [where, reader] : readers_) {
    if (over_ && reader->lose_place()) events_.revoked(where);
    reader->end();
  }
  {
    const std::lock_guard lock(mutex_);
    events_queue_.reset();
  }
  const bool answered = begun_ || !early;
  if (!closed || !answered) {
    end_later(std::move(client_), std::exchange(context_, make_context()), answered);
  }
  client_.reset();
}

bool kafka_consumer::wait_and_join_again(milliseconds pause) {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (stop_.wait_for(lock, pause, [this] { return stopping_.load(); })) return false;
    }
    const auto joined = join();
    if (joined) return true;
    log(cluster_.options(), 3, name_ + ": " + joined.failure().text);
  }
}

void kafka_consumer::hear(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    // Partitions have queues of their own. Should one come this way all the same, it is fetched again.
    rd_kafka_topic_partition_t place{};
    place.topic = const_cast<char*>(rd_kafka_topic_name(message.rkt));
    place.partition = message.partition;
    if (auto* reader = find(place); reader != nullptr && reader->lose_place()) events_.available(reader->where);
    return;
  }
  if (message.err == RD_KAFKA_RESP_ERR__FATAL) {
    char why[512] = {};
    rd_kafka_fatal_error(client_.get(), why, sizeof why);
    log(cluster_.options(), 3, name_ + " is no member any more and joins anew: " + why);
    over_ = true;
    return;
  }
  log(cluster_.options(), 4, name_ + ": " + rd_kafka_message_errstr(&message));
}

void kafka_consumer::rebalance(rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions) {
  if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    begun_ = true;
    assign(*partitions, false);
  } else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    revoke(*partitions);
  } else {
    log(cluster_.options(), 4, name_ + ": rebalancing: " + rd_kafka_err2str(code));
    rd_kafka_assign(client_.get(), nullptr);
  }
  // librdkafka pauses what stays ours meanwhile, and goes on with it within a second; at once when it is sought.
  for (const auto& [where, reader] : readers_)
    if (reader->lose_place()) events_.available(where);
}

void kafka_consumer::assign(const rd_kafka_topic_partition_list_t& partitions, bool on_all) {
  const partition_list ours(rd_kafka_topic_partition_list_new(partitions.cnt));
  const partition_list unasked(rd_kafka_topic_partition_list_new(partitions.cnt));
  std::vector<partition_reader*> begun;
  for (int i = 0; i < partitions.cnt; ++i) {
    const auto& one = partitions.elems[i];
    auto* reader = find(one);
    if (reader == nullptr) {
      log(cluster_.options(), 3,
          std::string("topic ") + one.topic + " has a partition " + std::to_string(one.partition) +
              " that it did not have at the start: nobody reads it");
      continue;
    }
    const auto from = reader->begin(client_.get());
    rd_kafka_topic_partition_list_add(ours.get(), one.topic, one.partition)->offset =
        static_cast<std::int64_t>(from.value_or(0));
    if (!from) rd_kafka_topic_partition_list_add(unasked.get(), one.topic, one.partition);
    begun.push_back(reader);
  }
  error_handle failed;
  if (on_all) {
    if (const auto code = rd_kafka_assign(client_.get(), ours.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR)
      log(cluster_.options(), 3, name_ + ": " + rd_kafka_err2str(code));
  } else if (failed.reset(rd_kafka_incremental_assign(client_.get(), ours.get())); failed) {
    log(cluster_.options(), 3, name_ + ": " + rd_kafka_error_string(failed.get()));
  }
  if (unasked->cnt != 0) rd_kafka_pause_partitions(client_.get(), unasked.get());
  for (auto* reader : begun) {
    reader->begun();
    events_.assigned(reader->where);
    events_.available(reader->where);
  }
}

void kafka_consumer::revoke(rd_kafka_topic_partition_list_t& partitions) {
  for (int i = 0; i < partitions.cnt; ++i)
    if (const auto* reader = find(partitions.elems[i])) events_.revoked(reader->where);
  if (rd_kafka_assignment_lost(client_.get()) == 0) commit();
  for (int i = 0; i < partitions.cnt; ++i)
    if (auto* reader = find(partitions.elems[i])) reader->end();
  const error_handle failed(rd_kafka_incremental_unassign(client_.get(), &partitions));
  if (failed) log(cluster_.options(), 4, name_ + ": " + rd_kafka_error_string(failed.get()));
}

void kafka_consumer::commit() {
  if (group_.empty() || !tells_) return;
  const partition_list due(rd_kafka_topic_partition_list_new(static_cast<int>(readers_.size())));
  for (const auto& [where, reader] : readers_)
    if (const auto next = reader->take_commit())
      rd_kafka_topic_partition_list_add(due.get(), reader->topic().c_str(), static_cast<std::int32_t>(where.partition))
          ->offset = static_cast<std::int64_t>(*next);
  if (due->cnt != 0) rd_kafka_commit(client_.get(), due.get(), 1);
}

partition_reader* kafka_consumer::find(const rd_kafka_topic_partition_t& of) const {
  for (const auto& [where, reader] : readers_)
    if (static_cast<std::int32_t>(where.partition) == of.partition && reader->topic() == of.topic) return reader.get();
  return nullptr;
}

result<partition_reader*> kafka_consumer::find(partition_id where) const {
  if (const auto found = readers_.find(where); found != readers_.end()) return found->second.get();
  return error{errc::invalid, "partition " + std::to_string(where.partition) + " of topic " +
                                  std::to_string(where.topic) + " is not one that this consumer was opened for"};
}

result<void> kafka_consumer::fetch(partition_id where, std::uint64_t from, std::size_t max_records,
                                   std::size_t max_bytes, fetched& out) {
  auto reader = find(where);
  if (!reader) return std::move(reader).failure();
  return (*reader)->fetch(from, max_records, max_bytes, out);
}

void kafka_consumer::committed(partition_id where, std::uint64_t next) {
  if (auto reader = find(where)) (*reader)->committed(next);
}

result<log_range> kafka_consumer::range(partition_id where) const {
  auto reader = find(where);
  if (!reader) return std::move(reader).failure();
  auto out = cluster_.range(where);
  if (out) (*reader)->note_end(out->end);
  return out;
}

std::uint64_t kafka_consumer::lag(partition_id where, std::uint64_t from) const {
  const auto reader = find(where);
  return reader ? (*reader)->lag(from) : 0;
}

result<std::uint64_t> kafka_consumer::offset_at(partition_id where, std::int64_t time_us) const {
  auto reader = find(where);
  if (!reader) return std::move(reader).failure();
  return cluster_.offset_at(where, time_us);
}

}  // namespace gantry::bus::kafka
