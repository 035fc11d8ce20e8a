#include "runtime/observers.hpp"

#include <algorithm>

#include "observability/log.hpp"
#include "runtime/instance.hpp"
#include "runtime/values.hpp"
#include "runtime/watch.hpp"

namespace gantry::runtime {
namespace {
constexpr std::size_t records_at_once = 256;
constexpr std::size_t bytes_at_once = 256 * 1024;
}  // namespace

observers::observers(instance& owner, bus::bus& bus, worker_pool& workers)
    : owner_(owner), bus_(bus), workers_(workers) {}

observers::~observers() { close(); }

result<void> observers::open() {
  auto done = join();
  if (done) begin();
  return done;
}

result<void> observers::join() {
  std::vector<std::string> names;
  for (const auto& s : owner_.declared.subscriptions)
    if (s.observe != nullptr && std::find(names.begin(), names.end(), s.topic) == names.end()) names.push_back(s.topic);
  if (names.empty()) return {};
  std::vector<bus::topic_id> ids;
  for (const auto& name : names) {
    const auto at = owner_.around.topics->find(name);
    if (at == owner_.around.topics->end()) return error{errc::not_found, "topic " + name + " is not in this topology"};
    ids.push_back(at->second);
  }
  auto joined = bus_.open_consumer({}, ids, *this);
  if (!joined) return joined.failure();
  consumer_ = std::move(*joined);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (std::uint32_t p = 0; p < bus_.topic(ids[i]).partitions; ++p) {
      auto at = std::make_unique<place>();
      at->where = {ids[i], p};
      at->topic = names[i];
      const auto range = consumer_->range(at->where);
      if (!range) return range.failure();
      at->next = range->end;
      places_.push_back(std::move(at));
    }
  }
  return {};
}

void observers::begin() {
  if (!consumer_) return;
  on_ = true;
  // What came since the ends were read was not announced here.
  for (auto& p : places_) p->available = true;
  workers_.schedule(*this);
}

void observers::close() {
  const bool ran = on_.exchange(false);
  if (ran) workers_.quiesce(*this);
  consumer_.reset();
  if (!ran) return;
  // A call that had begun before may have scheduled it once more.
  workers_.quiesce(*this);
}

void observers::available(bus::partition_id where) {
  if (!on_.load(std::memory_order_acquire)) return;
  for (auto& p : places_)
    if (p->where == where) p->available = true;
  workers_.schedule(*this);
}

void observers::tick() {
  if (on_.load(std::memory_order_acquire) && again_.exchange(false)) workers_.schedule(*this);
}

void observers::run() {
  if (!on_) return;
  bool more = false;
  for (auto& p : places_) {
    if (!p->available.exchange(false)) continue;
    fetched_.records.clear();
    const auto done = consumer_->fetch(p->where, p->next, records_at_once, bytes_at_once, fetched_);
    if (!done && (done.failure().code == errc::unavailable || done.failure().code == errc::timeout)) {
      // The bus can't be reached now: nothing is lost, it is asked again.
      p->available = true;
      again_ = true;
      continue;
    }
    if (!done) {
      tell_gap(*p);
      if (const auto range = consumer_->range(p->where)) p->next = range->end;
      continue;
    }
    for (const auto& r : fetched_.records)
      if (is_new(*p, r)) show(*p, r);
    p->next = std::max(p->next, fetched_.next);
    if (fetched_.more) {
      p->available = true;
      more = true;
    }
  }
  if (more) workers_.schedule(*this);
}

bool observers::is_new(place& p, const bus::record& r) {
  if (r.sequence == 0) return true;
  auto of = p.last.find(r.source);
  if (of == p.last.end()) of = p.last.emplace(std::string(r.source), 0).first;
  if (r.sequence <= of->second) return false;
  of->second = r.sequence;
  return true;
}

void observers::tell_gap(const place& p) {
  for (const auto& s : owner_.declared.subscriptions)
    if (s.observe != nullptr && s.topic == p.topic)
      owner_.guarded(
          [&] {
            s.observe(s.user, nullptr);
            return GANTRY_OK;
          },
          "observer");
}

void observers::show(const place& p, const bus::record& r) {
  for (const auto& s : owner_.declared.subscriptions) {
    if (s.observe == nullptr || s.type != r.type || s.topic != p.topic || r.version < s.min_version ||
        r.version > s.max_version)
      continue;
    const auto e = event_of(r, p.topic, p.where.partition, false);
    const observability::work_scope scope({owner_.id(), owner_.generation(), r.correlation_id, "observe"});
    const watched_work watched(owner_, {.kind = work_kind::event,
                                        .what = s.topic_note,
                                        .type = s.type_note,
                                        .partition = p.where.partition,
                                        .offset = r.offset,
                                        .id = r.id});
    owner_.guarded(
        [&] {
          s.observe(s.user, &e);
          return GANTRY_OK;
        },
        "observer");
  }
}

}  // namespace gantry::runtime
