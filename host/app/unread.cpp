#include "app/unread.hpp"

#include <algorithm>
#include <set>

#include "lifecycle/plugin_set.hpp"
#include "runtime/carry.hpp"

namespace gantry::app {
namespace {

// Nobody waits for news here.
class deaf final : public bus::consumer_events {
 public:
  void assigned(bus::partition_id) override {}
  void revoked(bus::partition_id) override {}
  void available(bus::partition_id) override {}
};

struct reader {
  std::map<std::string, bool> topics;  // and whether it would begin at the end
  std::map<runtime::part_of_topic, runtime::read_position> positions;
};
using readers = std::map<std::string, reader>;

std::string counted(std::size_t n) { return std::to_string(n) + (n == 1 ? " event" : " events"); }

result<readers> read_all(const topology::manifest_map& manifests, std::string_view bus_id,
                         const std::map<std::string, store::session*>& stores) {
  readers out;
  for (const auto& [plugin, session] : stores) {
    auto& r = out[plugin];
    for (const auto& c : manifests.at(plugin).consumes) {
      if (c.mode == "observe") continue;
      const auto [at, first] = r.topics.emplace(c.topic, true);
      at->second = at->second && c.start == "latest";
    }
    auto positions = runtime::read_positions(*session, bus_id);
    if (!positions) return error{positions.failure().code, plugin + ": " + positions.failure().text};
    r.positions = std::move(*positions);
  }
  return out;
}

result<void> look_for_lag(const topology::topology& from, bus::bus& events, const readers& all,
                          std::vector<std::string>& out) {
  deaf nobody;
  for (const auto& [topic, settings] : from.topics) {
    const auto id = events.open_topic(lifecycle::spec_of(from, topic));
    if (!id) return error{id.failure().code, "topic " + topic + ": " + id.failure().text};
    const bus::topic_id only[] = {*id};
    auto consumer = events.open_consumer({}, only, nobody);
    if (!consumer) return consumer.failure();
    for (const auto& [plugin, r] : all) {
      const auto wanted = r.topics.find(topic);
      if (wanted == r.topics.end()) continue;
      std::uint64_t lag = 0;
      for (std::uint32_t p = 0; p < events.topic(*id).partitions; ++p) {
        const auto at = r.positions.find({topic, p});
        const bool known = at != r.positions.end();
        if (!known && wanted->second) continue;
        const auto range = (*consumer)->range({*id, p});
        if (!range) return range.failure();
        lag += (*consumer)->lag({*id, p}, known ? std::max(at->second.next, range->start) : range->start);
      }
      if (lag != 0) out.push_back(plugin + " lags by " + counted(lag) + " in " + topic);
    }
  }
  return {};
}

bool has_handled(const reader& r, const runtime::waiting_events& e, std::uint64_t sequence) {
  const auto at = r.positions.find({e.topic, e.partition});
  if (at == r.positions.end()) return false;
  const auto last = at->second.sources.find(e.source);
  return last != at->second.sources.end() && last->second >= sequence;
}

// An event that waits in an outbox goes to the new bus. Whoever has handled it drops it there by its sequence; who has
// not must do so on the old bus, where events that followed it may be as well.
result<void> look_into_outbox(const std::string& plugin, store::session& store, const topology::topology& from,
                              const topology::topology& to, const readers& all, std::vector<std::string>& out) {
  const auto rows = runtime::read_outbox(store);
  if (!rows) return error{rows.failure().code, plugin + ": " + rows.failure().text};
  std::map<std::string, std::size_t> unhandled;
  std::set<std::string> misplaced;
  for (const auto& e : *rows) {
    constexpr std::string_view dead = ".dlq";
    const bool is_dead = e.topic.ends_with(dead) && !from.topics.contains(e.topic);
    const auto name = is_dead ? e.topic.substr(0, e.topic.size() - dead.size()) : e.topic;
    const auto here = from.topics.find(name);
    const auto there = to.topics.find(name);
    if (there == to.topics.end() ||
        (!is_dead && here != from.topics.end() && *there->second.partitions != *here->second.partitions))
      misplaced.insert(e.topic);
    for (const auto& [other, r] : all) {
      if (!r.topics.contains(e.topic)) continue;
      unhandled[other] += static_cast<std::size_t>(
          std::count_if(e.sequences.begin(), e.sequences.end(), [&](auto s) { return !has_handled(r, e, s); }));
    }
  }
  for (const auto& [other, count] : unhandled)
    if (count != 0)
      out.push_back("the outbox of " + plugin + " holds " + counted(count) + " that " + other + " has not handled");
  for (const auto& topic : misplaced)
    out.push_back("the outbox of " + plugin + " holds events for " + topic +
                  ", which the new topology does not have with as many partitions");
  return {};
}

}  // namespace

result<std::vector<std::string>> unread_events(const topology::topology& from, const topology::topology& to,
                                               bus::bus& events, const topology::manifest_map& manifests,
                                               const std::map<std::string, store::session*>& stores) {
  const auto all = read_all(manifests, events.id(), stores);
  if (!all) return all.failure();
  std::vector<std::string> out;
  if (auto done = look_for_lag(from, events, *all, out); !done) return done.failure();
  for (const auto& [plugin, session] : stores)
    if (auto done = look_into_outbox(plugin, *session, from, to, *all, out); !done) return done.failure();
  return out;
}

}  // namespace gantry::app
