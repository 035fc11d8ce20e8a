#include "runtime/feed.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "runtime/values.hpp"

namespace gantry::runtime {
namespace {
constexpr std::size_t fetch_bytes = 1024 * 1024;
}

feed::feed(bus::partition_id place, std::string topic_name, bus::consumer& from, std::string bus_id,
           std::size_t batch_max, bool latest)
    : where(place),
      topic(std::move(topic_name)),
      consumer_(from),
      bus_id_(std::move(bus_id)),
      batch_max_(batch_max),
      latest_(latest) {}

std::string feed::encode_sources() const {
  std::string out;
  for (const auto& s : sources_) out.append(std::to_string(s.tentative)).append(" ").append(s.name).append("\n");
  return out;
}

void feed::decode_sources(std::string_view text) {
  sources_.clear();
  last_source_ = 0;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    source s;
    const auto [end, code] = std::from_chars(line.data(), line.data() + line.size(), s.last);
    if (code != std::errc{} || end == line.data() + line.size()) continue;
    s.name.assign(end + 1, line.data() + line.size());
    s.tentative = s.last;
    sources_.push_back(std::move(s));
  }
}

void feed::forget() {
  fetched_.records.clear();
  at_ = 0;
  next_ = 0;
  saved_next_ = fetch_from_ = 0;
  epoch_ = replay_end_ = 0;
  unsaved_ = 0;
  sources_.clear();
  last_source_ = 0;
  attempts = 0;
  blocked_until_us = 0;
  park_head = false;
  halted.clear();
}

result<void> feed::claim(store::session& session, bool shared) {
  let_go();
  const gantry_value key[] = {value(std::string_view(bus_id_)), value(std::string_view(topic)), value(where.partition)};
  store::cursor* rows = nullptr;
  // Where others share the store: without waiting for a host that is in a transaction and may never end it.
  const std::string_view sql =
      shared ? "UPDATE gantry_position SET epoch = epoch + 1 WHERE (bus, topic, part) IN (SELECT bus, topic, part"
               " FROM gantry_position WHERE bus = $1 AND topic = $2 AND part = $3 FOR UPDATE SKIP LOCKED)"
               " RETURNING next, epoch, replay_end, sources"
             : "UPDATE gantry_position SET epoch = epoch + 1 WHERE bus = $1 AND topic = $2 AND part = $3"
               " RETURNING next, epoch, replay_end, sources";
  if (session.query(sql, key, &rows) != GANTRY_OK)
    return error{errc::io, "taking over the position of " + topic + ": " + std::string(session.error_text())};
  const auto found = rows->next();
  if (found == GANTRY_OK) {
    next_ = static_cast<std::uint64_t>(integer_at(*rows, 0));
    epoch_ = static_cast<std::uint64_t>(integer_at(*rows, 1));
    replay_end_ = static_cast<std::uint64_t>(integer_at(*rows, 2));
    decode_sources(text_at(*rows, 3));
  }
  rows->close();
  if (found == GANTRY_DONE) {
    if (auto begun = begin_position(session); !begun) return begun;
  } else if (found != GANTRY_OK) {
    return error{errc::io, "reading the position of " + topic + ": " + std::string(session.error_text())};
  }
  saved_next_ = next_;
  fetch_from_ = next_;
  return {};
}

// The first position on this bus. Of another one only what was seen of each source still counts.
result<void> feed::begin_position(store::session& session) {
  const gantry_value place[] = {value(std::string_view(topic)), value(where.partition)};
  store::cursor* rows = nullptr;
  if (session.query("SELECT sources, bus FROM gantry_position WHERE topic = $1 AND part = $2", place, &rows) != GANTRY_OK)
    return error{errc::io, "reading the position of " + topic + ": " + std::string(session.error_text())};
  bool known = false;
  bool busy = false;
  for (; rows->next() == GANTRY_OK; known = true) {
    busy = busy || text_at(*rows, 1) == bus_id_;
    decode_sources(text_at(*rows, 0));
  }
  rows->close();
  if (busy)
    return error{errc::unavailable, topic + "/" + std::to_string(where.partition) +
                                        ": the host that had it before is in a transaction"};
  const auto range = consumer_.range(where);
  if (!range) return range.failure();
  next_ = latest_ && !known ? range->end : range->start;
  epoch_ = 1;
  const std::string sources = encode_sources();
  const gantry_value row[] = {value(std::string_view(bus_id_)), value(std::string_view(topic)), value(where.partition),
                              value(next_.load()), value(epoch_), value(std::string_view(sources))};
  if (session.exec("INSERT INTO gantry_position (bus, topic, part, next, epoch, replay_end, sources)"
                   " VALUES ($1, $2, $3, $4, $5, 0, $6)",
                   row, nullptr) != GANTRY_OK)
    return error{errc::io, "writing the position of " + topic + ": " + std::string(session.error_text())};
  return {};
}

result<void> feed::begin_at_end(store::session& session) {
  if (!latest_) return {};
  const gantry_value place[] = {value(std::string_view(topic)), value(where.partition)};
  store::cursor* rows = nullptr;
  if (session.query("SELECT 1 FROM gantry_position WHERE topic = $1 AND part = $2 LIMIT 1", place, &rows) != GANTRY_OK)
    return error{errc::io, "reading the position of " + topic + ": " + std::string(session.error_text())};
  const bool known = rows->next() == GANTRY_OK;
  rows->close();
  if (known) return {};
  const auto range = consumer_.range(where);
  if (!range) return range.failure();
  const gantry_value row[] = {value(std::string_view(bus_id_)), value(std::string_view(topic)), value(where.partition),
                              value(range->end)};
  // Another host may have been first.
  if (session.exec("INSERT INTO gantry_position (bus, topic, part, next, epoch, replay_end, sources)"
                   " VALUES ($1, $2, $3, $4, 0, 0, '') ON CONFLICT (bus, topic, part) DO NOTHING",
                   row, nullptr) != GANTRY_OK)
    return error{errc::io, "writing the position of " + topic + ": " + std::string(session.error_text())};
  return {};
}

void feed::claimed() {
  held_.store(true, std::memory_order_release);
  available = true;
}

void feed::let_go() {
  held_.store(false, std::memory_order_release);
  forget();
}

result<bool> feed::fill() {
  if (at_ < fetched_.records.size()) return true;
  if (!available.exchange(false)) return false;
  fetched_.records.clear();
  at_ = 0;
  auto done = consumer_.fetch(where, fetch_from_, batch_max_, fetch_bytes, fetched_);
  if (!done) return done.failure();
  if (fetched_.records.empty()) {
    // A jump of the log (an unsynced tail that was lost) is passed without records.
    if (fetched_.next > fetch_from_) fetch_from_ = fetched_.next;
    if (fetched_.more) available = true;
    return false;
  }
  fetch_from_ = fetched_.next;
  if (fetched_.more) available = true;
  return true;
}

void feed::begin_batch() noexcept {
  for (auto& s : sources_) s.tentative = s.last;
}

bool feed::is_new(const bus::record& r) {
  if (r.sequence == 0) return true;
  if (last_source_ >= sources_.size() || sources_[last_source_].name != r.source) {
    last_source_ = static_cast<std::size_t>(
        std::find_if(sources_.begin(), sources_.end(), [&](const source& s) { return s.name == r.source; }) -
        sources_.begin());
    if (last_source_ == sources_.size()) sources_.push_back({std::string(r.source), 0, 0});
  }
  auto& s = sources_[last_source_];
  if (r.sequence <= s.tentative) return false;
  s.tentative = r.sequence;
  return true;
}

gantry_status feed::save(store::session& session, std::size_t count) {
  const std::uint64_t next = count == 0 ? next_.load() : fetched_.records[at_ + count - 1].offset + 1;
  const std::string sources = encode_sources();
  const gantry_value params[] = {value(next), value(std::string_view(sources)), value(std::string_view(bus_id_)),
                                 value(std::string_view(topic)), value(where.partition), value(saved_next_),
                                 value(epoch_)};
  std::int64_t changes = 0;
  const auto status = session.exec(
      "UPDATE gantry_position SET next = $1, sources = $2 WHERE bus = $3 AND topic = $4 AND part = $5 AND next = $6"
      " AND epoch = $7",
      params, &changes);
  if (status != GANTRY_OK) return status;
  return changes == 1 ? GANTRY_OK : GANTRY_CONFLICT;
}

void feed::taken(std::size_t count, bool saved) {
  if (count != 0) {
    next_ = fetched_.records[at_ + count - 1].offset + 1;
    at_ += count;
  }
  for (auto& s : sources_) s.last = s.tentative;
  if (saved) {
    saved_next_ = next_;
    unsaved_ = 0;
  } else {
    unsaved_ += count;
  }
}

gantry_status feed::rewind(store::session& session, std::uint64_t next, std::uint64_t replay_end, bool forget_sources) {
  forgets_ = forget_sources;
  const std::string sources = forget_sources ? std::string() : encode_sources();
  const gantry_value params[] = {value(next),
                                 value(replay_end),
                                 value(std::string_view(sources)),
                                 value(std::string_view(bus_id_)),
                                 value(std::string_view(topic)),
                                 value(where.partition)};
  return session.exec("UPDATE gantry_position SET next = $1, replay_end = $2, sources = $3, epoch = epoch + 1"
                      " WHERE bus = $4 AND topic = $5 AND part = $6",
                      params, nullptr);
}

void feed::rewound(std::uint64_t next, std::uint64_t replay_end) {
  if (!held()) return;
  next_ = next;
  saved_next_ = fetch_from_ = next;
  replay_end_ = replay_end;
  ++epoch_;
  if (std::exchange(forgets_, false)) {
    sources_.clear();
    last_source_ = 0;
  }
  unsaved_ = 0;
  fetched_.records.clear();
  at_ = 0;
  attempts = 0;
  park_head = false;
  halted.clear();
  available = true;
}

}  // namespace gantry::runtime
