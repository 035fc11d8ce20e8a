// Events of a batch: who handles them, one by one or as a set, and parking what can not be handled.
#include "runtime/lane.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "observability/log.hpp"
#include "runtime/instance.hpp"
#include "runtime/text.hpp"
#include "runtime/values.hpp"
#include "runtime/watch.hpp"

namespace gantry::runtime {
namespace {

constexpr std::size_t longest_error = 4096;

using observability::log_warn;

blackbox::work note_of(const subscription& s, const bus::record& first, std::uint32_t partition, std::uint32_t length) {
  return {.kind = work_kind::event,
          .what = s.topic_note,
          .type = s.type_note,
          .partition = partition,
          .length = length,
          .offset = first.offset,
          .id = first.id};
}

}  // namespace

const subscription* lane::find_handler(const bus::record& r, std::string_view topic) const {
  for (const auto& s : owner_->declared.subscriptions)
    if (s.observe == nullptr && s.type == r.type && s.topic == topic) return &s;
  return nullptr;
}

gantry_status lane::handle(gantry_tx& tx, const bus::record& r, std::string_view topic, std::uint32_t partition,
                           bool replayed) {
  const auto* s = find_handler(r, topic);
  return s == nullptr ? GANTRY_OK : handle_with(*s, tx, r, topic, partition, replayed, clock_.steady_us());
}

gantry_status lane::handle_with(const subscription& s, gantry_tx& tx, const bus::record& r, std::string_view topic,
                                std::uint32_t partition, bool replayed, std::int64_t now_us) {
  if (r.version < s.min_version || r.version > s.max_version)
    return fail(GANTRY_REJECT, "schema version " + std::to_string(r.version) + " of " + std::string(r.type) + ", " +
                                   owner_->id() + " reads " + std::to_string(s.min_version) + " to " +
                                   std::to_string(s.max_version));
  const auto event = event_of(r, topic, partition, replayed);
  tx.owner = &*owner_;
  tx.why = {r.correlation_id, r.id, r.traceparent};
  tx.suppressed = replayed;
  tx.usable = true;
  const observability::work_scope scope({owner_->id(), owner_->generation(), r.correlation_id, topic});
  const transaction_mark mark;
  const watched_work watched(*owner_, note_of(s, r, partition, 1), now_us);
  fail(GANTRY_OK, {});
  std::size_t failed = 0;
  const auto status = owner_->guarded(
      [&] { return s.on_event != nullptr ? s.on_event(s.user, &event, &tx) : s.on_batch(s.user, &event, 1, &tx, &failed); },
      "event handler");
  tx.db.close_cursors();
  tx.usable = false;
  tx.suppressed = false;
  return status;
}

gantry_status lane::run_event(taken& t, bool fresh, failure& what) {
  if (!fresh || t.handler == nullptr) return GANTRY_OK;
  feed& f = *t.from;
  const bool behind = options_.poison == poison_policy::park_key && parking_.has(f.topic, t.event->key);
  const bool poison = is_poison(t);
  if (f.park_head || behind || poison) {
    const auto parked = f.park_head ? park(t, f.last_error, f.attempts)
                        : behind    ? park(t, "parked behind an earlier event of this key", 0)
                                    : park(t, death_text(*deadly(t)), static_cast<std::uint32_t>(deadly(t)->crashes));
    what.store = parked != GANTRY_OK;
    return parked;
  }
  const auto begun = clock_.steady_us();
  const auto status =
      handle_with(*t.handler, tx_, *t.event, f.topic, f.where.partition, f.replaying(*t.event), begun);
  if (t.handler->latency != nullptr) t.handler->latency->observe_ns((clock_.steady_us() - begun) * 1000);
  if (status == GANTRY_OK) return status;
  what.status = status;
  what.text = last_failure().empty() ? status_name(status) : std::string(last_failure());
  if (!is_known(status)) what.text = status_name(status);
  return status;
}

std::size_t lane::run_set(std::size_t from, failure& what) {
  const auto& first = taken_[from];
  std::size_t to = from;
  event_set_.clear();
  const bool replayed = first.from->replaying(*first.event);
  while (to < taken_.size() && taken_[to].from == first.from && taken_[to].handler == first.handler && fresh_[to] &&
         deadly(taken_[to]) == nullptr &&
         first.from->replaying(*taken_[to].event) == replayed &&
         !(options_.poison == poison_policy::park_key && parking_.has(first.from->topic, taken_[to].event->key))) {
    event_set_.push_back(event_of(*taken_[to].event, first.from->topic, first.from->where.partition, replayed));
    if (taken_[to].event->version < first.handler->min_version ||
        taken_[to].event->version > first.handler->max_version) {
      what = {to, GANTRY_REJECT, "schema version " + std::to_string(taken_[to].event->version) + " is not read here",
              false, false};
      return from;
    }
    ++to;
  }
  tx_.owner = &*owner_;
  tx_.why = {first.event->correlation_id, first.event->id, first.event->traceparent};
  tx_.suppressed = replayed;
  tx_.usable = true;
  const observability::work_scope scope({owner_->id(), owner_->generation(), first.event->correlation_id, first.from->topic});
  std::size_t failed = SIZE_MAX;  // stays so when the handler does not know
  gantry_status status = GANTRY_OK;
  {
    const transaction_mark mark;
    const watched_work watched(*owner_, note_of(*first.handler, *first.event, first.from->where.partition,
                                                static_cast<std::uint32_t>(to - from)));
    fail(GANTRY_OK, {});
    status = owner_->guarded(
        [&] { return first.handler->on_batch(first.handler->user, event_set_.data(), event_set_.size(), &tx_, &failed); },
        "batch handler");
  }
  tx_.db.close_cursors();
  tx_.usable = false;
  tx_.suppressed = false;
  if (status == GANTRY_OK) return to;
  const bool known = failed < event_set_.size();
  what = {from + (known ? failed : 0), status,
          last_failure().empty() ? status_name(status) : std::string(last_failure()), false,
          !known && event_set_.size() > 1};
  return from;
}

gantry_status lane::drop_seen_ids() {
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    const auto& t = taken_[i];
    if (t.event->sequence != 0 || t.handler == nullptr || t.event->id.empty()) continue;
    bool is_new = true;
    if (const auto status = id_window_.note(*session_, t.from->topic, *t.event, stamp_us(), is_new);
        status != GANTRY_OK)
      return status;
    fresh_[i] = is_new;
  }
  return GANTRY_OK;
}

gantry_status lane::run_events(failure& what) {
  for (std::size_t i = 0; i < taken_.size();) {
    auto& t = taken_[i];
    what.at = i;
    const bool as_set = t.handler != nullptr && t.handler->on_batch != nullptr && fresh_[i] && !t.from->park_head && deadly(t) == nullptr &&
                        !(options_.poison == poison_policy::park_key && parking_.has(t.from->topic, t.event->key));
    if (as_set) {
      const auto to = run_set(i, what);
      if (to == i) return what.status;
      i = to;
      continue;
    }
    if (const auto status = run_event(t, fresh_[i], what); status != GANTRY_OK) return status;
    ++i;
  }
  return GANTRY_OK;
}

gantry_status lane::park(taken& t, std::string_view text, std::uint32_t attempts) {
  feed& f = *t.from;
  // Bounded, so that the copy fits its topic whatever the handler had to say.
  text = text.substr(0, longest_error);
  const auto status = parking_.add(*session_, f.topic, f.where.partition, *t.event, text, attempts, tx_.now_us);
  if (status != GANTRY_OK) return status;
  if (const auto dead = find_topic(f.topic + ".dlq")) {
    std::string extra;
    const auto add = [&](std::string_view name, std::string_view content) {
      extra.append(name).append("\x1f").append(content).append("\x1e");
    };
    add("gantry-error", text);
    add("gantry-attempts", std::to_string(attempts));
    add("gantry-plugin", owner_->id());
    add("gantry-origin", f.topic + "/" + std::to_string(f.where.partition) + "/" + std::to_string(t.event->offset));
    auto copy = *t.event;
    copy.extra = extra;
    const auto& spec = bus_.topic(*dead);
    tx_.emit_raw({*dead, partition_of(copy.key, spec.partitions)}, spec.name, copy);
  }
  log_warn("An event was parked.", {{"plugin", owner_->id()},
                                    {"topic", f.topic},
                                    {"event_id", t.event->id},
                                    {"type", t.event->type},
                                    {"key", t.event->key},
                                    {"error", text}});
  return GANTRY_OK;
}

}  // namespace gantry::runtime
