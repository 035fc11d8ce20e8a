#include "bus/local/journal.hpp"

#include <algorithm>
#include <cstring>

#include "base/hash.hpp"
#include "base/uuid.hpp"

namespace gantry::bus::local {
namespace {

// Offsets are reserved so far ahead that a sync is long done when they are needed, at millions a second.
constexpr std::uint64_t reserve_block = 1U << 22;
constexpr std::size_t cached_index_bytes = 32U << 20;
constexpr std::uint32_t most_partitions = 10'000;  // of a topic: whoever asks for more has made a mistake

}  // namespace

journal::journal(const local_bus_options& options)
    : options_(options),
      files_(options.files != nullptr ? *options.files : machine_files()),
      cache_(files_, cached_index_bytes),
      tail_(options.memory_bytes) {}

result<std::unique_ptr<journal>> journal::open(const local_bus_options& options) {
  std::unique_ptr<journal> opened(new journal(options));
  if (auto started = opened->start(); !started) return std::move(started).failure();
  return opened;
}

result<void> journal::start() {
  if (auto made = files_.make_directory(options_.directory); !made) return made;
  auto lock = files_.lock(options_.directory / "lock");
  if (!lock) return std::move(lock).failure();
  lock_ = std::move(*lock);
  auto found = recover(files_, options_.directory);
  if (!found) return std::move(found).failure();
  restore(*found);

  // Always a fresh segment: what was recovered is never written to again.
  auto fresh = segment::create(files_, options_.directory, found->end);
  if (!fresh) return std::move(fresh).failure();
  active_.where = std::move(*fresh);
  tail_.begin(active_.where);
  synced_ = found->end;
  names_dirty_ = true;
  append_state(false);
  if (auto synced = sync(); !synced) return synced;
  thread_ = std::thread([this] { run(); });
  writer_ = std::thread([this] { run_writer(); });
  return {};
}

void journal::restore(recovered_journal& found) {
  bus_id_ = found.state.bus_id;
  if (bus_id_.empty()) {
    const auto id = new_uuid(options_.time->wall_us());
    bus_id_.assign(id.data(), id.size());
  }
  groups_ = std::move(found.state.groups);
  for (auto& topic : found.state.topics) {
    auto& entry = topics_.emplace_back();
    for (std::uint32_t p = 0; p < topic.spec.partitions; ++p) {
      const partition_id where{static_cast<topic_id>(topics_.size() - 1), p};
      const auto& state = topic.partitions[p];
      auto& partition = *entry.partitions.emplace_back(
          std::make_unique<partition_index>(where, topic.spec.name + "/" + std::to_string(p), state, cache_));
      partition.next = state.next;
      partition.ordinal = state.ordinal;
    }
    entry.specs.push_back(std::make_unique<const topic_spec>(topic.spec));
  }
  for (auto& part : found.segments) {
    sealed_.push_back({part.where, part.size, part.state_at, true, part.indexed});
    for (auto& section : part.sections) {
      auto* partition = find(section.summary.where);
      // What lies below the start was given up by retention; its file goes at the next check.
      if (partition != nullptr && section.summary.end > partition->state().start)
        partition->restore({part.where, section.summary, std::move(section.frames)});
    }
  }
}

journal::~journal() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  wake_writer_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  writer_.join();
  {
    const std::scoped_lock lock(mutex_);
    if (failed_) return;
    append_state(true);
    tail_.seal();
    sealed_.push_back({active_.where, active_.size, active_.state_at, false, false});
    dirty_ = true;
  }
  if (sync()) write_indexes();
}

result<topic_id> journal::open_topic(const topic_spec& spec) {
  if (spec.name.empty() || spec.name.size() > 255 || spec.partitions == 0 || spec.partitions > most_partitions)
    return error{errc::invalid, "topic '" + spec.name + "' with " + std::to_string(spec.partitions) +
                                    " partitions: a name of 1 to 255 bytes and 1 to " +
                                    std::to_string(most_partitions) + " partitions are expected"};
  std::unique_lock lock(mutex_);
  if (failed_) return *failed_;
  std::unique_lock topics_lock(topics_mutex_);
  const auto found =
      std::find_if(topics_.begin(), topics_.end(), [&](const auto& t) { return t.specs.back()->name == spec.name; });
  const auto id = static_cast<topic_id>(found - topics_.begin());
  if (found == topics_.end()) {
    auto& entry = topics_.emplace_back();
    for (std::uint32_t p = 0; p < spec.partitions; ++p)
      entry.partitions.push_back(std::make_unique<partition_index>(
          partition_id{id, p}, spec.name + "/" + std::to_string(p), partition_state{}, cache_));
    entry.specs.push_back(std::make_unique<const topic_spec>(spec));
  } else {
    const auto& known = *found->specs.back();
    if (known.partitions != spec.partitions)
      return error{errc::conflict, "topic '" + spec.name + "' has " + std::to_string(known.partitions) +
                                       " partitions in the journal, " + std::to_string(spec.partitions) +
                                       " were asked for: the count of a live topic can't change; keep " +
                                       std::to_string(known.partitions) + " or use a new topic"};
    if (known.retention == spec.retention && known.retention_bytes == spec.retention_bytes &&
        known.max_message == spec.max_message)
      return id;
    found->specs.push_back(std::make_unique<const topic_spec>(spec));
  }
  topics_lock.unlock();
  append_state(false);
  lock.unlock();
  // Only then may offsets of the new partitions be given.
  if (auto synced = sync(); !synced) return std::move(synced).failure();
  return id;
}

const topic_spec& journal::topic(topic_id id) const {
  const std::shared_lock lock(topics_mutex_);
  return *topics_[id].specs.back();
}

std::vector<topic_spec> journal::topics() const {
  const std::shared_lock lock(topics_mutex_);
  std::vector<topic_spec> out;
  for (const auto& entry : topics_) out.push_back(*entry.specs.back());
  return out;
}

partition_index* journal::find(partition_id where) const {
  const std::shared_lock lock(topics_mutex_);
  if (where.topic >= topics_.size() || where.partition >= topics_[where.topic].partitions.size()) return nullptr;
  return topics_[where.topic].partitions[where.partition].get();
}

void journal::for_each_partition(const std::function<void(partition_index&)>& visit) const {
  const std::shared_lock lock(topics_mutex_);
  for (const auto& entry : topics_)
    for (const auto& partition : entry.partitions) visit(*partition);
}

void journal::add(std::shared_ptr<producer_state> who) {
  const std::scoped_lock lock(mutex_);
  producers_.push_back(std::move(who));
}

void journal::remove(const std::shared_ptr<producer_state>& who) {
  {
    const std::scoped_lock lock(mutex_);
    std::erase(producers_, who);
  }
  const std::scoped_lock waits_for_a_call(who->mutex);
  who->events = nullptr;
}

result<void> journal::append(producer_state& who, std::uint64_t ticket, append_group& group) {
  const std::int64_t now_us = options_.time->wall_us();
  bool whole_pieces = false;
  {
    std::unique_lock lock(mutex_);
    if (auto may = take_turn(lock, who, group); !may) {
      who.dead = true;
      return may;
    }
    place(group, now_us);
    if (!who.written) who.written = producer_state::span{ticket, ticket};
    who.written->last = ticket;
    mark_dirty();
    whole_pieces = tail_.has_whole_pieces();
  }
  if (whole_pieces) wake_writer_.notify_one();
  for (auto& part : group.parts) {
    if (!part.listeners) continue;
    for (const auto& who_listens : *part.listeners) {
      const std::scoped_lock call(who_listens->mutex);
      if (who_listens->events != nullptr) who_listens->events->available(part.partition->where());
    }
    part.listeners.reset();
  }
  return {};
}

// Waits for room and for offsets, then assigns these and sees to a segment. An error: nothing was assigned.
result<void> journal::take_turn(std::unique_lock<std::mutex>& lock, producer_state& who, append_group& group) {
  if (!failed_ && who.dead) return error{errc::invalid, "this producer failed before; open a fresh one"};
  if (refused_ && !failed_) {
    // Perhaps there is space on the disk again.
    lock.unlock();
    auto stored = write(true);
    lock.lock();
    if (!stored) return stored;
    refused_.reset();
  }
  while (!failed_ && !refused_ && !tail_.has_room(group.bytes.size())) {
    ++appends_waiting_;
    wake_writer_.notify_one();
    written_now_.wait(lock);
    --appends_waiting_;
  }
  while (!failed_ && !refused_ && !assign(group)) {
    // Rare: offsets were used up faster than the disk could reserve more.
    append_state(false);
    synced_now_.wait(lock);
  }
  if (failed_) return *failed_;
  if (refused_) return *refused_;
  if (!active_.has_records || active_.size + group.bytes.size() <= options_.segment_bytes) return {};
  auto rolled = roll();
  if (rolled) return rolled;
  take_back(group, group.parts.size());
  refused_ = rolled.failure();
  return rolled;
}

// Copies the frames into memory, fills in their headers, and makes them visible.
void journal::place(append_group& group, std::int64_t now_us) {
  frame_header header;
  header.appended_us = now_us;
  header.synced = synced_;
  bool reserve = false;
  for (auto& part : group.parts) {
    header.length = part.length;
    header.source = part.source;
    header.topic = part.partition->where().topic;
    header.partition = part.partition->where().partition;
    header.count = part.count;
    header.payload_crc = part.payload_crc;
    header.base_offset = part.base;
    header.ordinal = part.ordinal;
    header.newest_us = part.newest_us;
    header.position = end();
    const frame_entry frame{part.base, part.ordinal, active_.size, part.newest_us, part.count, part.length};
    char* const to = take(padded(part.length));
    put_header(header, to);
    std::memcpy(to + sizeof header, group.bytes.data() + part.at + sizeof header, padded(part.length) - sizeof header);
    part.listeners = part.partition->append(active_.where, frame, now_us);
    reserve = reserve || part.partition->reserved - part.partition->next < reserve_block;
  }
  active_.has_records = true;
  if (reserve) append_state(false);
}

char* journal::take(std::size_t bytes) {
  active_.size += bytes;
  return tail_.take(bytes);
}

bool journal::assign(append_group& group) {
  for (std::size_t i = 0; i < group.parts.size(); ++i) {
    auto& part = group.parts[i];
    auto& partition = *part.partition;
    if (partition.next + part.count > partition.reserved_durably) {
      take_back(group, i);
      return false;
    }
    part.base = partition.next;
    part.ordinal = partition.ordinal;
    partition.next += part.count;
    partition.ordinal += part.count;
  }
  return true;
}

void journal::take_back(append_group& group, std::size_t parts) {
  while (parts-- > 0) {
    auto& part = group.parts[parts];
    part.partition->next = part.base;
    part.partition->ordinal = part.ordinal;
  }
}

journal_state journal::snapshot() const {
  journal_state out;
  out.bus_id = bus_id_;
  {
    const std::shared_lock lock(topics_mutex_);
    for (const auto& entry : topics_) {
      auto& topic = out.topics.emplace_back();
      topic.spec = *entry.specs.back();
      for (const auto& partition : entry.partitions) {
        auto state = partition->state();
        state.next = partition->next;
        state.reserved = partition->next + 2 * reserve_block;
        topic.partitions.push_back(state);
      }
    }
  }
  const std::scoped_lock lock(groups_mutex_);
  out.groups = groups_;
  return out;
}

std::string journal::state_frame(std::uint64_t position, bool clean) {
  auto state = snapshot();
  state.clean = clean;
  std::string out(sizeof(frame_header), '\0');
  encode(state, out);
  frame_header header;
  header.kind = frame_kind::state;
  header.length = static_cast<std::uint32_t>(out.size());
  header.payload_crc = crc32c(std::string_view(out).substr(sizeof header));
  header.appended_us = options_.time->wall_us();
  header.position = position;
  header.synced = synced_;
  put_header(header, out.data());
  out.resize(padded(out.size()));
  return out;
}

void journal::append_state(bool clean) {
  const std::uint64_t at = active_.size;
  const std::string frame = state_frame(end(), clean);
  std::memcpy(take(frame.size()), frame.data(), frame.size());
  active_.state_at = at;
  for_each_partition([](auto& partition) { partition.reserved = partition.next + 2 * reserve_block; });
  reserving_ = true;
  mark_dirty();
}

result<void> journal::roll() {
  auto fresh = segment::create(files_, options_.directory, end());
  if (!fresh) return std::move(fresh).failure();
  tail_.seal();
  sealed_.push_back({active_.where, active_.size, active_.state_at, false, false});
  active_ = {std::move(*fresh), 0, 0, false};
  tail_.begin(active_.where);
  names_dirty_ = true;
  append_state(false);
  return {};
}

void journal::mark_dirty() {
  if (dirty_) return;
  dirty_ = true;
  wake_.notify_one();
}

result<void> journal::health() const {
  const std::scoped_lock lock(mutex_);
  if (failed_) return *failed_;
  if (refused_) return *refused_;
  return {};
}

void journal::join(std::string_view group, std::span<const topic_id> topics) {
  const std::set<topic_id> distinct(topics.begin(), topics.end());
  const std::shared_lock topics_lock(topics_mutex_);
  const std::scoped_lock lock(groups_mutex_);
  auto& joined = joined_.try_emplace(std::string(group)).first->second;
  joined.insert(distinct.begin(), distinct.end());
  group_positions now;
  for (const auto id : joined)
    for (std::uint32_t p = 0; p < topics_[id].partitions.size(); ++p) now[{id, p}] = 0;
  auto& known = groups_.try_emplace(std::string(group)).first->second;
  for (auto& [where, position] : now)
    if (const auto before = known.find(where); before != known.end()) position = before->second;
  positions_dirty_ = positions_dirty_ || now != known;
  known = std::move(now);
}

void journal::leave(std::string_view group, const std::vector<topic_id>& topics) {
  const std::scoped_lock lock(groups_mutex_);
  const auto found = joined_.find(group);
  if (found == joined_.end()) return;
  for (const auto id : topics)
    if (const auto one = found->second.find(id); one != found->second.end()) found->second.erase(one);
  if (found->second.empty()) joined_.erase(found);
}

void journal::commit(std::string_view group, partition_id where, std::uint64_t next) {
  const std::scoped_lock lock(groups_mutex_);
  const auto found = groups_.find(group);
  if (found == groups_.end()) return;
  found->second[where] = next;
  positions_dirty_ = true;
}

}  // namespace gantry::bus::local
