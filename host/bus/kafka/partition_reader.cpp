#include "bus/kafka/partition_reader.hpp"

#include <algorithm>
#include <mutex>

namespace gantry::bus::kafka {
namespace {

constexpr int seek_ms = 1000;
constexpr std::size_t most_at_once = 512;

partition_list list_of_one() { return partition_list(rd_kafka_topic_partition_list_new(1)); }

}  // namespace

partition_reader::partition_reader(cluster& of, partition_id place, consumer_events& events, std::function<void()> wake)
    : where(place), cluster_(of), topic_(of.topic(place.topic).name), events_(events), wake_(std::move(wake)) {}

partition_reader::~partition_reader() { end(); }

void partition_reader::put(rd_kafka_topic_partition_list_t* list, std::int64_t offset) const {
  rd_kafka_topic_partition_list_add(list, topic_.c_str(), static_cast<std::int32_t>(where.partition))->offset = offset;
}

std::optional<std::uint64_t> partition_reader::begin(rd_kafka_t* client) {
  const std::lock_guard lock(mutex_);
  client_ = client;
  queue_.reset(rd_kafka_queue_get_partition(client, topic_.c_str(), static_cast<std::int32_t>(where.partition)));
  // A queue of its own: lanes take from it directly, and it is bounded by itself.
  rd_kafka_queue_forward(queue_.get(), nullptr);
  rd_kafka_queue_cb_event_enable(
      queue_.get(),
      [](rd_kafka_t*, void* reader) {
        auto& self = *static_cast<partition_reader*>(reader);
        self.events_.available(self.where);
      },
      this);
  // librdkafka remembers a pause when a partition goes and comes back: the next fetch ends it, by seeking.
  paused_ = paused_ || !wanted_;
  if (!paused_) place_ = wanted_;
  stopped_ = false;
  return wanted_;
}

void partition_reader::begun() {
  const std::lock_guard lock(mutex_);
  begun_ = true;
}

void partition_reader::end() {
  const std::lock_guard lock(mutex_);
  if (queue_) rd_kafka_queue_cb_event_enable(queue_.get(), nullptr, nullptr);
  waiting_.clear();
  place_.reset();
  queue_.reset();
  client_ = nullptr;
  begun_ = false;
}

bool partition_reader::lose_place() {
  const std::lock_guard lock(mutex_);
  place_.reset();
  return begun_;
}

result<void> partition_reader::fetch(std::uint64_t from, std::size_t max_records, std::size_t max_bytes, fetched& out) {
  out.records.clear();
  out.next = from;
  out.more = false;
  const std::lock_guard lock(mutex_);
  wanted_ = from;
  if (!begun_) return {};
  if (place_ != from && !seek(from)) {
    retry_ = true;
    wake_();
    return {};
  }
  take(std::max<std::size_t>(1, max_records), max_bytes, from);
  if (taken_.empty()) {
    if (waiting_.empty()) return {};
    const message_handle failed = std::move(waiting_.front());
    waiting_.pop_front();
    return failure_of(*failed, from);
  }
  convert(out);
  place_ = out.next;
  out.more = !waiting_.empty() || rd_kafka_queue_length(queue_.get()) != 0;
  return {};
}

bool partition_reader::seek(std::uint64_t to) {
  waiting_.clear();
  place_.reset();
  // First: librdkafka looks at the partition again at once when it is sought, and within a second when it is resumed.
  if (paused_) {
    const auto list = list_of_one();
    put(list.get(), RD_KAFKA_OFFSET_INVALID);
    if (rd_kafka_resume_partitions(client_, list.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
    paused_ = false;
  }
  if (stopped_) {
    if (!assign_again(to)) return false;
  } else {
    const auto list = list_of_one();
    put(list.get(), static_cast<std::int64_t>(to));
    const error_handle failed(rd_kafka_seek_partitions(client_, list.get(), seek_ms));
    if (failed) return false;
    const auto code = list->elems[0].err;
    // librdkafka has stopped it by itself: between its assignment and its pause it was read at an offset that retention
    // has taken. A partition that stands still can't be sought.
    const bool still = code == RD_KAFKA_RESP_ERR__STATE;
    if (still ? !assign_again(to) : code != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  }
  place_ = to;
  return true;
}

bool partition_reader::assign_again(std::uint64_t to) {
  const auto list = list_of_one();
  put(list.get(), static_cast<std::int64_t>(to));
  const error_handle removed(rd_kafka_incremental_unassign(client_, list.get()));
  if (removed && rd_kafka_error_code(removed.get()) != RD_KAFKA_RESP_ERR__INVALID_ARG) return false;
  const error_handle failed(rd_kafka_incremental_assign(client_, list.get()));
  if (failed) return false;
  stopped_ = false;
  return true;
}

bool partition_reader::refill(std::size_t records, std::size_t bytes) {
  batch_.resize(std::clamp<std::size_t>(std::min(records, bytes / mean_bytes_), 1, most_at_once));
  const auto count = rd_kafka_consume_batch_queue(queue_.get(), 0, batch_.data(), batch_.size());
  for (ssize_t i = 0; i < count; ++i) waiting_.emplace_back(batch_[static_cast<std::size_t>(i)]);
  return count > 0;
}

void partition_reader::take(std::size_t max_records, std::size_t max_bytes, std::uint64_t from) {
  taken_.clear();
  std::size_t bytes = 0;
  while (taken_.size() < max_records) {
    if (waiting_.empty() && !refill(max_records - taken_.size(), max_bytes - std::min(bytes, max_bytes))) return;
    const auto& next = *waiting_.front();
    if (next.err != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    if (static_cast<std::uint64_t>(next.offset) < from) {
      waiting_.pop_front();
      continue;
    }
    const auto size = next.len + next.key_len;
    if (!taken_.empty() && bytes + size > max_bytes) return;
    bytes += size;
    mean_bytes_ = std::max<std::size_t>(1, (mean_bytes_ * 7 + size) / 8);
    taken_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void partition_reader::convert(fetched& out) {
  headers_.clear();
  delivered_.clear();
  auto& begins = header_begins_;
  begins.clear();
  for (const auto& m : taken_) {
    begins.push_back(headers_.size());
    rd_kafka_headers_t* found = nullptr;
    if (rd_kafka_message_headers(m.get(), &found) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(found, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
      headers_.push_back({name, {static_cast<const char*>(value), value == nullptr ? 0 : size}});
  }
  begins.push_back(headers_.size());
  std::size_t room = 0;
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    const auto& m = *taken_[i];
    rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const auto& one =
        delivered_.emplace_back(delivered{topic_,
                                          where.partition,
                                          static_cast<std::uint64_t>(m.offset),
                                          rd_kafka_message_timestamp(&m, &kind),
                                          {static_cast<const char*>(m.key), m.key_len},
                                          {static_cast<const char*>(m.payload), m.len},
                                          std::span(headers_).subspan(begins[i], begins[i + 1] - begins[i])});
    room += room_for(one);
  }
  // Grown once and never shrunk, so that no fetch pays for filling it with zeros.
  if (out.bytes.size() < room) out.bytes.resize(std::max(room, 2 * out.bytes.size()));
  char* at = out.bytes.data();
  for (const auto& one : delivered_)
    out.records.push_back(read_message(one, at, out.records.empty() ? nullptr : &out.records.back()));
  out.next = out.records.back().offset + 1;
  note_end(out.next);
  taken_.clear();
}

error partition_reader::failure_of(const rd_kafka_message_t& message, std::uint64_t from) {
  const std::string place =
      "position " + std::to_string(from) + " of " + topic_ + "/" + std::to_string(where.partition);
  if (message.err != RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
    return {kind_of(message.err), place + ": " + rd_kafka_message_errstr(&message)};
  stopped_ = true;
  place_.reset();
  const auto log = cluster_.range(where);
  if (!log) return log.failure();
  const std::string ends = "the log has offsets " + std::to_string(log->start) + " to " + std::to_string(log->end);
  if (from > log->end)
    return {errc::out_of_range, place + " is beyond the end: " + ends + "; was the topic made anew, or its tail lost?"};
  if (from < log->start) return {errc::out_of_range, place + " is below the start of the log: " + ends};
  // It has moved since: the next fetch may do better.
  return {errc::unavailable, place + ": " + rd_kafka_message_errstr(&message) + "; " + ends};
}

void partition_reader::note_end(std::uint64_t end) const noexcept {
  auto known = end_.load(std::memory_order_relaxed);
  while (known < end && !end_.compare_exchange_weak(known, end)) {
  }
}

std::uint64_t partition_reader::lag(std::uint64_t from) const {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  const auto known_lag = [&] {
    const auto end = end_.load(std::memory_order_relaxed);
    return end > from ? end - from : 0;
  };
  // A fetch that seeks waits for brokers, and nobody who asks for the lag shall.
  if (!lock) return known_lag();
  // Somebody else's partition is somebody else's lag.
  if (client_ == nullptr) return 0;
  std::int64_t start = 0;
  std::int64_t end = 0;
  if (rd_kafka_get_watermark_offsets(client_, topic_.c_str(), static_cast<std::int32_t>(where.partition), &start,
                                     &end) == RD_KAFKA_RESP_ERR_NO_ERROR &&
      end > 0)
    note_end(static_cast<std::uint64_t>(end));
  return known_lag();
}

void partition_reader::committed(std::uint64_t next) noexcept {
  committed_ = next;
  commit_due_ = true;
}

std::optional<std::uint64_t> partition_reader::take_commit() noexcept {
  if (!commit_due_.exchange(false)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (client_ == nullptr) return std::nullopt;
  return committed_.load();
}

}  // namespace gantry::bus::kafka
