#include "admin/event_log.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

namespace gantry::admin {
namespace {

constexpr std::size_t records_at_once = 256;
constexpr std::size_t bytes_at_once = 256 * 1024;
constexpr auto longest_arrival = std::chrono::seconds(2);

// What was fetched of one place and not shown yet.
struct chunk {
  bus::fetched fetched;
  std::size_t at = 0;
  bool exhausted = false;
  std::optional<std::uint64_t> end;  // of the log, when nothing more was at hand for the first time

  const bus::record* head() const { return at < fetched.records.size() ? &fetched.records[at] : nullptr; }
};

result<void> fetch(bus::consumer& from, event_log::place& place, bus::fetched& into) {
  auto done = from.fetch(place.where, place.next, records_at_once, bytes_at_once, into);
  if (done || done.failure().code != errc::out_of_range) return done;
  const auto range = from.range(place.where);
  if (!range) return range.failure();
  place.next = std::max(place.next, range->start);
  return from.fetch(place.where, place.next, records_at_once, bytes_at_once, into);
}

result<void> refill(bus::consumer& from, event_log::place& place, chunk& into) {
  if (into.exhausted || into.head() != nullptr) return {};
  into.at = 0;
  do {
    if (auto done = fetch(from, place, into.fetched); !done) return done;
    if (!into.fetched.records.empty()) return {};
    place.next = std::max(place.next, into.fetched.next);
  } while (into.fetched.more);
  // A bus that reads from another process has nothing at hand at first: only the end of the log is the end.
  if (!into.end) {
    const auto range = from.range(place.where);
    if (!range) return range.failure();
    into.end = range->end;
  }
  into.exhausted = place.next >= *into.end;
  return {};
}

}  // namespace

event_log::event_log(bus::bus& bus, std::function<const runtime::topic_directory&()> topics,
                     const std::atomic<bool>& stop)
    : bus_(bus), topics_(std::move(topics)), stop_(stop) {}

result<void> event_log::open() {
  const auto& topics = topics_();
  if (consumer_ && opened_ == topics.size()) return {};
  if (topics.empty()) return error{errc::unavailable, "this host has no topics open; it is starting or has none"};
  std::vector<bus::topic_id> ids;
  for (const auto& [name, id] : topics) ids.push_back(id);
  auto opened = bus_.open_consumer({}, ids, *this);
  if (!opened) return opened.failure();
  consumer_ = std::move(*opened);
  opened_ = topics.size();
  return {};
}

result<std::vector<event_log::place>> event_log::places(std::string_view topic) {
  if (auto done = open(); !done) return done.failure();
  std::vector<place> out;
  for (const auto& [name, id] : topics_()) {
    if (!topic.empty() && name != topic) continue;
    for (std::uint32_t p = 0; p < bus_.topic(id).partitions; ++p) out.push_back({name, {id, p}, 0});
  }
  if (out.empty()) return error{errc::not_found, "topic " + std::string(topic) + " is not in this topology"};
  return out;
}

result<bus::log_range> event_log::range(const place& where) { return consumer_->range(where.where); }

result<std::uint64_t> event_log::offset_at(const place& where, std::int64_t time_us) {
  return consumer_->offset_at(where.where, time_us);
}

void event_log::available(bus::partition_id) {
  const std::lock_guard lock(arrival_mutex_);
  arrived_ = true;
  arrival_.notify_all();
}

bool event_log::wait_for_arrival() {
  std::unique_lock lock(arrival_mutex_);
  const bool came = arrival_.wait_for(lock, longest_arrival, [this] { return arrived_; });
  arrived_ = false;
  return came;
}

result<event_log::end> event_log::scan(std::vector<place>& places, const reader& see) {
  std::vector<chunk> chunks(places.size());
  while (!stop_) {
    std::size_t oldest = places.size();
    bool unread = false;
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (auto done = refill(*consumer_, places[i], chunks[i]); !done) return done.failure();
      const auto* head = chunks[i].head();
      unread = unread || (head == nullptr && !chunks[i].exhausted);
      if (head != nullptr && (oldest == places.size() || head->time_us < chunks[oldest].head()->time_us)) oldest = i;
    }
    // The oldest of all is known only when each place has shown its own.
    if (unread) {
      if (!wait_for_arrival())
        // What lies before the end and does not come was never written for readers.
        for (auto& one : chunks) one.exhausted = one.exhausted || one.head() == nullptr;
      continue;
    }
    if (oldest == places.size()) return end::all;
    const auto& record = *chunks[oldest].head();
    ++chunks[oldest].at;
    places[oldest].next = record.offset + 1;
    if (!see(places[oldest], record)) return end::stopped;
  }
  return error{errc::unavailable, "the host is stopping"};
}

}  // namespace gantry::admin
