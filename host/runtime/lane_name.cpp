// The name under which a lane's events are known, and their numbers: consumers drop what they have seen of a name by
// its number, so a number that was given once must never be given again under the same name.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>

#include "base/uuid.hpp"
#include "observability/log.hpp"
#include "runtime/instance.hpp"
#include "runtime/lane.hpp"
#include "runtime/values.hpp"

namespace gantry::runtime {
namespace {

constexpr std::uint64_t tail_records = 512;  // of a partition
constexpr std::size_t tail_bytes = 4 * 1024 * 1024;
constexpr std::size_t longest_shown = 80;
constexpr std::chrono::seconds longest_look{3};
// Of the numbers in gantry_meta. A ticket is a row's number with number_bits behind it: this leaves as many rows again.
constexpr std::uint64_t most_named = std::uint64_t{1} << (63U - gantry_tx::number_bits);

// Wakes whoever waits for records.
class waker final : public bus::consumer_events {
 public:
  void assigned(bus::partition_id) override { wake(); }
  void revoked(bus::partition_id) override {}
  void available(bus::partition_id) override { wake(); }

  // False: it is late.
  bool wait(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    const bool woken = over_.wait_until(lock, until, [this] { return woken_; });
    woken_ = false;
    return woken;
  }

 private:
  void wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    over_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable over_;
  bool woken_ = false;
};

}  // namespace

result<void> lane::meta(std::string_view name, std::string& out) {
  const gantry_value params[] = {value(name)};
  out.clear();
  store::cursor* rows = nullptr;
  if (session_->query("SELECT content FROM gantry_meta WHERE name = $1", params, &rows) != GANTRY_OK)
    return error{errc::io, "reading what the store is named: " + std::string(session_->error_text())};
  if (rows->next() == GANTRY_OK) out = text_at(*rows, 0);
  rows->close();
  return {};
}

gantry_status lane::set_meta(std::string_view name, std::string_view content) {
  const gantry_value params[] = {value(name), value(content)};
  return session_->exec(
      "INSERT INTO gantry_meta (name, content) VALUES ($1, $2)"
      " ON CONFLICT (name) DO UPDATE SET content = excluded.content",
      params, nullptr);
}

// A number in the row of this name; `otherwise` when there is no row.
result<std::uint64_t> lane::named_number(std::string_view name, std::string_view content,
                                         std::uint64_t otherwise) const {
  if (content.empty()) return otherwise;
  std::uint64_t number = 0;
  const char* end = content.data() + content.size();
  const auto [stop, code] = std::from_chars(content.data(), end, number);
  if (code == std::errc{} && stop == end && number <= most_named) return number;
  return error{errc::invalid, store_.describe() + ": table gantry_meta, row \"" + std::string(name) + "\": found \"" +
                                  std::string(content.substr(0, longest_shown)) +
                                  "\", expected a whole number from 0 to " + std::to_string(most_named) +
                                  "; the store is damaged: put a backup back"};
}

result<void> lane::take_name(const std::string& source_prefix) {
  const std::string own = presence_ ? "." + presence_->host() : "";
  reserved_name_ = "outbox_reserved" + own;
  std::string store_id;
  std::string incarnation;
  std::string reserved;
  std::string life;
  for (const auto& [name, to] : {std::pair<std::string, std::string*>{"store_id", &store_id},
                                 {"incarnation" + own, &incarnation},
                                 {reserved_name_, &reserved},
                                 {"life" + own, &life}})
    if (auto done = meta(name, *to); !done) return done;
  const auto generation = named_number("incarnation" + own, incarnation, 1);
  if (!generation) return generation.failure();
  const auto next_row = named_number(reserved_name_, reserved, 1);
  if (!next_row) return next_row.failure();
  row_ = *next_row;
  const auto now = store_.life();
  std::string why;
  if (!life.empty() && !now.empty() && life != now) why = "it is " + now + ", and was " + life;
  const auto source_of = [&] { return source_prefix + store_id + "." + incarnation + own; };
  if (store_id.empty()) store_id = new_uuid_string();
  if (incarnation.empty()) incarnation = "1";
  if (!reserved.empty() && why.empty()) {
    const auto seen = highest_on_bus(source_of());
    if (!seen) {
      observability::log_warn("Whether the store is older than the bus could not be seen.",
                              {{"plugin", owner_->id()}, {"reason", seen.failure().text}});
    } else if (*seen >> gantry_tx::number_bits >= row_) {
      why = "the bus has number " + std::to_string(*seen) + " of it, the store has reserved numbers below " +
            std::to_string(row_ << gantry_tx::number_bits);
    }
  }
  if (!why.empty()) {
    incarnation = std::to_string(*generation + 1);
    observability::log_warn("The store may have lost commits: its events get a new source.",
                            {{"plugin", owner_->id()}, {"source", source_of()}, {"reason", why}});
  }
  source_ = source_of();
  // By the clock too: then a store that was put back, and reserves what it had reserved before, gives higher numbers
  // all the same.
  row_ = std::max(row_, static_cast<std::uint64_t>(std::max<std::int64_t>(clock_.wall_us(), 0)) / 1000);
  row_bound_ = row_ + row_block;
  if (set_meta("store_id", store_id) != GANTRY_OK || set_meta("incarnation" + own, incarnation) != GANTRY_OK ||
      set_meta("life" + own, now) != GANTRY_OK || set_meta(reserved_name_, std::to_string(row_bound_)) != GANTRY_OK)
    return error{errc::io, "naming the store: " + std::string(session_->error_text())};
  return {};
}

// The greatest number of this source at the ends of the partitions that the plugin emits to.
result<std::uint64_t> lane::highest_on_bus(std::string_view source) {
  std::vector<bus::topic_id> ids;
  const auto note = [&](bus::topic_id id) {
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  };
  for (const auto& e : owner_->declared.emissions) note(e.topic_id);
  for (const auto& s : owner_->declared.subscriptions)
    if (const auto dead = find_topic(s.topic + ".dlq"); dead && s.observe == nullptr) note(*dead);
  if (ids.empty()) return std::uint64_t{0};
  if (auto healthy = bus_.health(); !healthy) return healthy.failure();
  waker events;
  auto opened = bus_.open_consumer({}, ids, events);
  if (!opened) return opened.failure();
  auto& from = **opened;
  const auto until = std::chrono::steady_clock::now() + longest_look;
  std::uint64_t highest = 0;
  bus::fetched some;
  for (const auto id : ids) {
    for (std::uint32_t p = 0; p < bus_.topic(id).partitions; ++p) {
      const bus::partition_id where{id, p};
      const auto range = from.range(where);
      if (!range) return range.failure();
      auto next = range->end - std::min(range->end - range->start, tail_records);
      while (next < range->end) {
        if (auto done = from.fetch(where, next, tail_records, tail_bytes, some); !done) return done.failure();
        for (const auto& r : some.records)
          if (r.source == source) highest = std::max(highest, r.sequence);
        const bool came = some.next > next;
        next = std::max(next, some.next);
        if (!came && !events.wait(until))
          return error{errc::timeout, "reading the end of " + bus_.topic(id).name + "/" + std::to_string(p)};
      }
    }
  }
  return highest;
}

}  // namespace gantry::runtime
