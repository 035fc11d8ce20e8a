#include "bus/local/journal_bus.hpp"

#include <algorithm>
#include <atomic>
#include <limits>

#include "base/hash.hpp"

namespace gantry::bus::local {
namespace {

// A larger batch is laid out as several frames, so that a reader of few records doesn't read it whole.
constexpr std::size_t frame_bytes = 256U << 10;

class journal_producer final : public producer {
 public:
  journal_producer(journal& to, producer_events& events) : journal_(to), state_(std::make_shared<producer_state>()) {
    state_->events = &events;
    journal_.add(state_);
  }
  ~journal_producer() override { journal_.remove(state_); }

  result<void> append(std::uint64_t ticket, std::span<const batch> batches) override {
    group_.bytes.clear();
    group_.parts.clear();
    for (const auto& one : batches) {
      if (auto laid_out = lay_out(one); !laid_out) {
        laid_out_wrong_ = laid_out.failure();
        break;
      }
    }
    if (laid_out_wrong_) return *laid_out_wrong_;
    return journal_.append(*state_, ticket, group_);
  }

 private:
  result<void> lay_out(const batch& one) {
    auto* partition = journal_.find(one.where);
    if (partition == nullptr)
      return error{errc::invalid, "a batch for partition " + std::to_string(one.where.partition) + " of topic " +
                                      std::to_string(one.where.topic) + ", which this bus does not have"};
    if (one.source.size() > std::numeric_limits<std::uint16_t>::max())
      return error{errc::too_large, "a source of " + std::to_string(one.source.size()) + " bytes, 65535 are allowed"};
    const std::uint64_t max_message = journal_.topic(one.where.topic).max_message;
    std::string_view left = one.records;
    std::uint32_t count = 0;
    while (!left.empty()) {
      append_group::part part;
      part.partition = partition;
      part.source = static_cast<std::uint16_t>(one.source.size());
      part.newest_us = std::numeric_limits<std::int64_t>::min();
      const std::string_view from = left;
      while (!left.empty() && from.size() - left.size() < frame_bytes) {
        const std::size_t before = left.size();
        auto record = decode(left);
        if (!record) return std::move(record).failure();
        if (before - left.size() > max_message)
          return error{errc::too_large, "a record of " + std::to_string(before - left.size()) + " bytes for " +
                                            partition->name() + ", whose max_message is " +
                                            std::to_string(max_message)};
        part.newest_us = std::max(part.newest_us, record->time_us);
        ++part.count;
      }
      count += part.count;
      add_frame(part, one.source, from.substr(0, from.size() - left.size()));
    }
    if (count != one.count)
      return error{errc::invalid, "a batch for " + partition->name() + " says it has " + std::to_string(one.count) +
                                      " records, its bytes hold " + std::to_string(count)};
    return {};
  }

  void add_frame(append_group::part& part, std::string_view source, std::string_view records) {
    auto& bytes = group_.bytes;
    part.at = bytes.size();
    part.length = static_cast<std::uint32_t>(sizeof(frame_header) + source.size() + records.size());
    bytes.append(sizeof(frame_header), '\0');
    bytes.append(source);
    bytes.append(records);
    part.payload_crc = crc32c(std::string_view(bytes).substr(part.at + sizeof(frame_header)));
    bytes.append(padded(bytes.size()) - bytes.size(), '\0');
    group_.parts.push_back(std::move(part));
  }

  journal& journal_;
  std::shared_ptr<producer_state> state_;
  append_group group_;
  std::optional<error> laid_out_wrong_;
};

class journal_consumer final : public consumer, private group_member {
 public:
  journal_consumer(journal& of, group_table& groups, std::string_view group,
                   const std::map<partition_id, partition_index*>& partitions, consumer_events& events)
      : journal_(of), groups_(groups), group_(group), events_(events), listener_(std::make_shared<listener>()) {
    for (const auto& [where, partition] : partitions) places_[where].partition = partition;
    listener_->events = &events;
  }

  // Takes its part of the partitions, or all of them when it is in no group.
  void join(std::vector<group_table::topic_share> topics) {
    if (!group_.empty())
      groups_.join(group_, *this, std::move(topics));
    else
      for (const auto& [where, place] : places_) take(where);
    joining_ = false;
  }

  ~journal_consumer() override {
    if (!group_.empty()) groups_.leave(group_, *this);
    for (const auto& [where, place] : places_)
      if (place.ours) place.partition->unsubscribe(listener_);
    if (!group_.empty()) journal_.leave(group_, topics());
    const std::scoped_lock waits_for_a_call(listener_->mutex);
    listener_->events = nullptr;
  }

  result<void> fetch(partition_id where, std::uint64_t from, std::size_t max_records, std::size_t max_bytes,
                     fetched& out) override {
    out.records.clear();
    out.next = from;
    out.more = false;
    auto partition = find(where);
    if (!partition) return std::move(partition).failure();
    if (!places_.at(where).ours) return {};
    auto plan = (*partition)->plan(from, max_records, max_bytes);
    if (!plan) return std::move(plan).failure();
    if (plan->frames.empty()) return {};
    if (auto read =
            read_frames(*plan, **partition, journal_.newest(), from, std::max<std::size_t>(max_records, 1), out);
        !read) {
      // Retention may have taken the file between the plan and the read.
      if (auto again = (*partition)->plan(from, max_records, max_bytes); !again) return std::move(again).failure();
      return read;
    }
    out.more = out.next < (*partition)->state().end;
    return {};
  }

  void committed(partition_id where, std::uint64_t next) override {
    const auto place = places_.find(where);
    if (!group_.empty() && place != places_.end() && place->second.ours) journal_.commit(group_, where, next);
  }

  result<log_range> range(partition_id where) const override {
    auto partition = find(where);
    if (!partition) return std::move(partition).failure();
    const auto state = (*partition)->state();
    return log_range{state.start, std::max(state.start, state.end)};
  }

  std::uint64_t lag(partition_id where, std::uint64_t from) const override {
    const auto partition = find(where);
    if (!partition) return 0;
    const auto records = (*partition)->lag(from);
    if (records) return *records;
    const auto end = (*partition)->state().end;
    return end > from ? end - from : 0;
  }

  result<std::uint64_t> offset_at(partition_id where, std::int64_t time_us) const override {
    auto partition = find(where);
    if (!partition) return std::move(partition).failure();
    auto plan = (*partition)->first_since(time_us);
    if (!plan) return std::move(plan).failure();
    if (plan->frames.empty()) return (*partition)->state().end;
    fetched frame;
    if (auto read =
            read_frames(*plan, **partition, journal_.newest(), 0, std::numeric_limits<std::size_t>::max(), frame);
        !read)
      return std::move(read).failure();
    const auto found =
        std::find_if(frame.records.begin(), frame.records.end(), [&](const auto& r) { return r.time_us >= time_us; });
    return found == frame.records.end() ? frame.next : found->offset;
  }

 private:
  struct membership {
    partition_index* partition = nullptr;
    std::atomic<bool> ours{false};
  };

  void take(partition_id where) override {
    auto& place = places_.at(where);
    place.partition->subscribe(listener_);
    place.ours = true;
    events_.assigned(where);
    // Whoever opens a consumer fetches afterwards; later it has to be told.
    if (!joining_) events_.available(where);
  }

  void give_up(partition_id where) override {
    auto& place = places_.at(where);
    place.ours = false;
    place.partition->unsubscribe(listener_);
    events_.revoked(where);
  }

  result<partition_index*> find(partition_id where) const {
    if (const auto found = places_.find(where); found != places_.end()) return found->second.partition;
    return error{errc::invalid, "partition " + std::to_string(where.partition) + " of topic " +
                                    std::to_string(where.topic) + " is not one that this consumer was opened for"};
  }

  std::vector<topic_id> topics() const {
    std::vector<topic_id> out;
    for (const auto& [where, place] : places_)
      if (where.partition == 0) out.push_back(where.topic);
    return out;
  }

  journal& journal_;
  group_table& groups_;
  const std::string group_;
  consumer_events& events_;                    // of assignments; the listener's are for new records
  std::map<partition_id, membership> places_;  // doesn't change but for `ours`
  std::atomic<bool> joining_ = true;  // another member that leaves may read it
  std::shared_ptr<listener> listener_;
};

}  // namespace

result<std::unique_ptr<journal_bus>> journal_bus::open(const local_bus_options& options) {
  auto opened = journal::open(options);
  if (!opened) return std::move(opened).failure();
  return std::unique_ptr<journal_bus>(new journal_bus(std::move(*opened)));
}

result<std::unique_ptr<producer>> journal_bus::open_producer(producer_events& events) {
  if (auto healthy = journal_->health(); !healthy && healthy.failure().code != errc::unavailable)
    return std::move(healthy).failure();
  return std::unique_ptr<producer>(std::make_unique<journal_producer>(*journal_, events));
}

result<std::unique_ptr<consumer>> journal_bus::open_consumer(std::string_view group, std::span<const topic_id> topics,
                                                             consumer_events& events) {
  std::map<partition_id, partition_index*> partitions;
  std::vector<group_table::topic_share> shares;
  for (const auto id : topics) {
    std::uint32_t count = 0;
    for (partition_index* found = nullptr; (found = journal_->find({id, count})) != nullptr; ++count)
      partitions[{id, count}] = found;
    if (count == 0) return error{errc::invalid, "topic " + std::to_string(id) + " was not opened on this bus"};
    shares.push_back({id, count});
  }
  auto opened = std::make_unique<journal_consumer>(*journal_, groups_, group, partitions, events);
  if (!group.empty()) journal_->join(group, topics);
  opened->join(std::move(shares));
  return std::unique_ptr<consumer>(std::move(opened));
}

}  // namespace gantry::bus::local

namespace gantry::bus {

result<std::unique_ptr<bus>> open_local_bus(const local_bus_options& options) {
  auto opened = local::journal_bus::open(options);
  if (!opened) return std::move(opened).failure();
  return std::unique_ptr<bus>(std::move(*opened));
}

}  // namespace gantry::bus
