#include "bus/socket/client_consumer.hpp"

#include <algorithm>
#include <utility>

#include "bus/socket/client_bus.hpp"

namespace gantry::bus::socket {
namespace {

error not_opened_for(partition_id where) {
  return {errc::invalid, "partition " + std::to_string(where.partition) + " of topic " + std::to_string(where.topic) +
                             " is not one that this consumer was opened for"};
}

// Decodes up to `most` records of a run and takes them off it.
result<void> decode_run(record_run& run, std::size_t most, fetched& out) {
  for (; run.count > 0 && most > 0; --most, --run.count, ++run.base) {
    auto decoded = decode(run.records);
    if (!decoded) return std::move(decoded).failure();
    auto& added = out.records.emplace_back(*decoded);
    added.offset = run.base;
    added.source = run.source;
  }
  return {};
}

// Copies the front of a run, so that the rest can stay where it is; the views then point into `to`.
record_run copy_front(record_run& from, std::size_t most, std::string& to) {
  auto rest = from.records;
  std::uint32_t count = 0;
  for (; count < from.count && count < most && !rest.empty(); ++count) {
    frame_reader head(rest);
    rest.remove_prefix(std::min(rest.size(), sizeof(std::uint32_t) + head.u32()));
  }
  const std::size_t length = from.records.size() - rest.size();
  to.assign(from.source).append(from.records.substr(0, length));
  record_run out{from.base, count, std::string_view(to).substr(0, from.source.size()),
                 std::string_view(to).substr(from.source.size())};
  from.base += count;
  from.count -= count;
  from.records = rest;
  return out;
}

}  // namespace

client_consumer_state::client_consumer_state(client_bus& of, std::uint32_t number, std::string_view group_name,
                                             std::vector<topic_id> of_topics, std::span<const partition_id> partitions,
                                             consumer_events& events)
    : id(number), group(group_name), topics(std::move(of_topics)), bus_(of), events_(&events) {
  for (const auto where : partitions) places_.try_emplace(where);
}

result<void> client_consumer_state::fetch(partition_id where, std::uint64_t from, std::size_t max_records,
                                          std::size_t max_bytes, fetched& out) {
  out.records.clear();
  out.next = from;
  out.more = false;
  const auto found = places_.find(where);
  if (found == places_.end()) return not_opened_for(where);
  auto& p = found->second;
  std::unique_lock lock(p.mutex);
  if (!p.ours) return {};
  if (!p.flows || p.next != from) {
    p.flows = true;
    ++p.generation;
    p.next = from;
    p.chunks.clear();
    p.used = 0;
  }
  if (p.chunks.empty()) {
    const auto term = p.term;
    const auto generation = p.generation;
    const auto call = ++p.call;
    p.waiting = true;
    p.answered = false;
    p.failure.reset();
    lock.unlock();
    const auto sent = bus_.link().send(0, [&](std::string& to) {
      frame_writer(to, message::fetch)
          .u32(id)
          .partition(where)
          .u32(call)
          .u32(generation)
          .u64(from)
          .u64(max_records)
          .u64(max_bytes);
    });
    lock.lock();
    if (sent) p.changed.wait(lock, [&] { return !p.chunks.empty() || p.answered || p.term != term; });
    p.waiting = false;
    // Without a connection it is revoked, or will be at once.
    if (!sent || p.term != term) return {};
    if (p.chunks.empty() && p.failure) {
      p.flows = false;
      return *p.failure;
    }
    if (p.chunks.empty()) return {};
  }
  return take(where, p, max_records, out);
}

// Under the place's mutex; there is a chunk.
result<void> client_consumer_state::take(partition_id where, place& from, std::size_t max_records, fetched& out) {
  auto& chunk = from.chunks.front();
  std::size_t left = std::max<std::size_t>(max_records, 1);
  if (chunk.count <= left) {
    out.bytes.swap(chunk.bytes);
    for (; chunk.run < chunk.runs.size(); ++chunk.run)
      if (auto good = decode_run(chunk.runs[chunk.run], chunk.count, out); !good) return good;
    out.next = chunk.next;
    out.more = chunk.more || from.chunks.size() > 1;
    const auto charge = chunk.charge;
    from.chunks.pop_front();
    give_back(where, from, charge);
  } else {
    while (chunk.runs[chunk.run].count == 0) ++chunk.run;
    auto part = copy_front(chunk.runs[chunk.run], left, out.bytes);
    chunk.count -= part.count;
    if (auto good = decode_run(part, part.count, out); !good) return good;
    out.next = out.records.back().offset + 1;
    out.more = true;
  }
  from.next = out.next;
  return {};
}

void client_consumer_state::give_back(partition_id where, place& of, std::size_t bytes) {
  of.used += bytes;
  if (of.used < bus_.options().window_bytes / 4) return;
  const auto used = std::exchange(of.used, 0);
  static_cast<void>(bus_.link().send(0, [&](std::string& to) {
    frame_writer(to, message::taken).u32(id).partition(where).u32(of.generation).u64(used);
  }));
}

void client_consumer_state::committed(partition_id where, std::uint64_t next) {
  const auto found = places_.find(where);
  if (group.empty() || found == places_.end()) return;
  {
    const std::scoped_lock lock(found->second.mutex);
    if (!found->second.ours) return;
    found->second.committed = next;
  }
  static_cast<void>(bus_.link().send(
      0, [&](std::string& to) { frame_writer(to, message::committed).u32(id).partition(where).u64(next); }));
}

std::uint64_t client_consumer_state::last_lag(partition_id where) const {
  const auto& p = places_.at(where);
  const std::scoped_lock lock(p.mutex);
  return p.lag;
}

void client_consumer_state::note_lag(partition_id where, std::uint64_t lag) {
  auto& p = places_.at(where);
  const std::scoped_lock lock(p.mutex);
  p.lag = lag;
}

void client_consumer_state::assigned(partition_id where) {
  const auto found = places_.find(where);
  if (found == places_.end()) return;
  std::optional<std::uint64_t> told;
  {
    const std::scoped_lock lock(found->second.mutex);
    found->second.ours = true;
    told = found->second.committed;
  }
  // The owner may have died before it kept what it was told.
  if (told)
    static_cast<void>(bus_.link().send(
        0, [&](std::string& to) { frame_writer(to, message::committed).u32(id).partition(where).u64(*told); }));
  tell(&consumer_events::assigned, where);
}

void client_consumer_state::revoked(partition_id where) {
  const auto found = places_.find(where);
  if (found == places_.end()) return;
  auto& p = found->second;
  {
    const std::scoped_lock lock(p.mutex);
    if (!p.ours) return;
    p.ours = false;
    p.flows = false;
    ++p.term;
    ++p.generation;
    p.chunks.clear();
  }
  p.changed.notify_all();
  tell(&consumer_events::revoked, where);
}

void client_consumer_state::lost() {
  for (auto& [where, p] : places_) revoked(where);
}

void client_consumer_state::available(partition_id where) { tell(&consumer_events::available, where); }

result<void> client_consumer_state::records(frame_reader& in, std::size_t charge) {
  const auto where = in.partition();
  const auto generation = in.u32();
  record_chunk chunk;
  chunk.next = in.u64();
  chunk.more = in.u8() != 0;
  chunk.count = in.u32();
  chunk.charge = charge;
  const auto found = places_.find(where);
  if (!in.good() || found == places_.end()) return {};
  auto& p = found->second;
  {
    // What was sent before the owner heard of another place is not wanted any more.
    const std::scoped_lock lock(p.mutex);
    if (!p.flows || p.generation != generation) return {};
  }
  chunk.bytes.assign(in.left());
  frame_reader runs(chunk.bytes);
  auto read = read_runs(runs, chunk.count);
  if (!read) return error{errc::invalid, "the owner sent records that don't add up"};
  chunk.runs = std::move(*read);
  bool waited_for = false;
  {
    const std::scoped_lock lock(p.mutex);
    if (!p.flows || p.generation != generation) return {};
    waited_for = p.waiting || !p.chunks.empty();
    p.chunks.push_back(std::move(chunk));
  }
  p.changed.notify_all();
  if (!waited_for) tell(&consumer_events::available, where);
  return {};
}

void client_consumer_state::fetched_all(partition_id where, std::uint32_t call, result<void> outcome) {
  const auto found = places_.find(where);
  if (found == places_.end()) return;
  auto& p = found->second;
  {
    const std::scoped_lock lock(p.mutex);
    if (p.call != call) return;
    p.answered = true;
    if (!outcome) p.failure = std::move(outcome).failure();
  }
  p.changed.notify_all();
}

void client_consumer_state::tell(void (consumer_events::*what)(partition_id), partition_id where) {
  const std::scoped_lock call(call_);
  if (events_ != nullptr) (events_->*what)(where);
}

void client_consumer_state::forget() {
  const std::scoped_lock waits_for_a_call(call_);
  events_ = nullptr;
}

client_consumer::~client_consumer() { bus_.close(*state_); }

result<log_range> client_consumer::range(partition_id where) const {
  if (!state_->knows(where)) return not_opened_for(where);
  auto answer = bus_.ask(message::range, [&](frame_writer& to) { to.u32(state_->id).partition(where); });
  if (!answer) return std::move(answer).failure();
  frame_reader in(*answer);
  const auto start = in.u64();
  return log_range{start, in.u64()};
}

std::uint64_t client_consumer::lag(partition_id where, std::uint64_t from) const {
  if (!state_->knows(where)) return 0;
  const auto answer = bus_.ask(message::lag, [&](frame_writer& to) { to.u32(state_->id).partition(where).u64(from); });
  // Without the owner nobody knows better than it was.
  if (!answer) return state_->last_lag(where);
  const auto lag = frame_reader(*answer).u64();
  state_->note_lag(where, lag);
  return lag;
}

result<std::uint64_t> client_consumer::offset_at(partition_id where, std::int64_t time_us) const {
  if (!state_->knows(where)) return not_opened_for(where);
  auto answer = bus_.ask(message::offset_at, [&](frame_writer& to) {
    to.u32(state_->id).partition(where).u64(static_cast<std::uint64_t>(time_us));
  });
  if (!answer) return std::move(answer).failure();
  return frame_reader(*answer).u64();
}

}  // namespace gantry::bus::socket
