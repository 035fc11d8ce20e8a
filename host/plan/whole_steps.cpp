// What differs for the whole host: its bus, topics, address, limits.
#include "plan/diff.hpp"

namespace gantry::plan {
namespace {

using topology::bus_driver;

const topology::setting<std::string> none{};

class whole_steps : diff {
 public:
  whole_steps(const host_view& view, findings& out) : diff(view, out) {}

  void find() {
    whole();
    bus();
    topics();
    own_host();
  }

 private:
  void whole() {
    differences name;
    compare(name, "name", now_.name, next_.name);
    if (!name.empty())
      impossible("another name for the topology", name.front(),
                 "groups and sources of events carry the name: under another one it is another shop; start it anew");
    differences state;
    compare(state, "state", now_.state, next_.state);
    if (!state.empty())
      impossible("another state directory", state.front(),
                 "stop the hosts, move the directory, and start them with the new topology");
    differences limits;
    compare(limits, "limits.body", now_.limits.body, next_.limits.body);
    compare(limits, "limits.headers", now_.limits.headers, next_.limits.headers);
    compare(limits, "limits.requests", now_.limits.requests, next_.limits.requests);
    compare(limits, "limits.parked", now_.limits.parked, next_.limits.parked);
    compare(limits, "limits.deadline", now_.limits.deadline, next_.limits.deadline);
    compare(limits, "outbox.max_bytes", now_.outbox_max_bytes, next_.outbox_max_bytes);
    restart_for(limits);
    differences trust;
    compare(trust, "trust.required", now_.trust.required, next_.trust.required);
    const auto texts = [](const auto& keys) {
      std::vector<std::string> out;
      for (const auto& k : keys) out.push_back(*k);
      return out;
    };
    if (texts(now_.trust.keys) != texts(next_.trust.keys)) trust.push_back("trust.keys: other keys");
    if (!trust.empty()) {
      auto& one = add(step_kind::note, {}, "other rules of trust");
      one.why = trust;
      one.effects.push_back("none: they are for files that are loaded from then on");
    }
  }

  void bus() {
    differences other;
    compare(other, "bus.driver", now_.bus.driver, next_.bus.driver);
    const bool local = *next_.bus.driver == bus_driver::local;
    if (other.empty() && local) compare(other, "bus.path", now_.bus.path, next_.bus.path);
    if (other.empty() && !local) compare(other, "bus.brokers", now_.bus.brokers, next_.bus.brokers);
    if (!other.empty()) {
      impossible(
          "another bus", listed(other),
          "events that are on the present bus stay there: stop what brings requests in, wait until `gantry top` shows "
          "no lag and no bytes in any outbox, stop all hosts, the owner of the bus last, and start them with the new "
          "topology, the owner first; consumers read the new bus from its start");
      return;
    }
    differences shared;
    differences tuned;
    if (local) {
      compare(shared, "bus.owner", now_.bus.owner, next_.bus.owner);
      compare(shared, "bus.socket", now_.bus.socket, next_.bus.socket);
      const bool owns = next_.bus.owner->empty() || *next_.bus.owner == view_.host;
      if (owns) compare(tuned, "bus.sync", now_.bus.sync, next_.bus.sync);
    } else {
      compare(tuned, "bus.replication", now_.bus.replication, next_.bus.replication);
      compare(tuned, "bus.min_insync", now_.bus.min_insync, next_.bus.min_insync);
      for (const auto& [key, value] : next_.bus.properties) {
        const auto before = now_.bus.properties.find(key);
        compare(tuned, "bus.properties." + key, before == now_.bus.properties.end() ? none : before->second, value);
      }
      for (const auto& [key, value] : now_.bus.properties)
        if (!next_.bus.properties.contains(key)) compare(tuned, "bus.properties." + key, value, none);
    }
    // A first owner for a host that was alone changes nothing for it.
    const bool alone = now_.bus.owner->empty() && *next_.bus.owner == view_.host && now_.hosts.size() == 1;
    if (alone) {
      restart_for(shared);
    } else if (!shared.empty()) {
      impossible("the bus is owned or reached otherwise", listed(shared),
                 "stop all hosts, the owner of the bus last, and start them with the new topology, the owner first");
    }
    restart_for(tuned);
  }

  void topics() {
    for (const auto& [name, next] : next_.topics) {
      const auto found = now_.topics.find(name);
      if (found == now_.topics.end()) {
        auto& one = add(step_kind::open_topic, name,
                        "make topic " + name + " with " + std::to_string(*next.partitions) + " partitions");
        one.effects.emplace_back("none");
        continue;
      }
      known_topic(name, found->second, next);
    }
    for (const auto& [name, settings] : now_.topics) {
      if (next_.topics.contains(name)) continue;
      auto& one = add(step_kind::note, name, "topic " + name + " is not in the new topology");
      one.effects.emplace_back("none: it stays on the bus with its events, and nobody reads it");
    }
  }

  void known_topic(const std::string& name, const topology::topic_settings& now, const topology::topic_settings& next) {
    if (*now.partitions != *next.partitions)
      impossible("topic " + name + " with another number of partitions",
                 "partitions: " + std::to_string(*now.partitions) + " -> " + std::to_string(*next.partitions),
                 "keys would change their places and lose their order: keep the number, or move to a new topic");
    differences kept;
    compare(kept, "retention", now.retention, next.retention);
    compare(kept, "max_bytes", now.max_bytes, next.max_bytes);
    if (!kept.empty()) {
      const bool local = *next_.bus.driver == bus_driver::local;
      auto& one =
          add(local ? step_kind::open_topic : step_kind::note, name, "keep events of topic " + name + " otherwise");
      one.why = kept;
      one.last = local && keeps_less(now, next);
      if (!local) {
        one.effects.emplace_back("none: a topic that Kafka has keeps its settings; alter them with Kafka's own tools");
      } else if (one.last) {
        one.effects.emplace_back("older events go once every plugin that reads the topic has handled them");
      } else {
        one.effects.emplace_back("none");
      }
    }
    differences bound;
    compare(bound, "topics." + name + ".max_message", now.max_message, next.max_message);
    restart_for(bound);
  }

  static bool keeps_less(const topology::topic_settings& now, const topology::topic_settings& next) {
    const bool fewer = *next.max_bytes != 0 && (*now.max_bytes == 0 || *next.max_bytes < *now.max_bytes);
    return fewer || *next.retention < *now.retention;
  }

  void own_host() {
    const auto next = next_.hosts.find(view_.host);
    if (next == next_.hosts.end()) {
      auto& one = add(step_kind::note, {}, "host " + view_.host + " is not in the new topology");
      one.effects.emplace_back("its plugins leave it; end its process then");
      return;
    }
    const auto& a = now_.hosts.at(view_.host);
    const auto& b = next->second;
    const auto at = "hosts." + view_.host;
    differences own;
    compare(own, at + ".http", a.http, b.http);
    compare(own, at + ".tls.cert", a.tls.cert, b.tls.cert);
    compare(own, at + ".tls.key", a.tls.key, b.tls.key);
    compare(own, at + ".tls.ca", a.tls.ca, b.tls.ca);
    compare(own, at + ".admin.address", a.admin.address, b.admin.address);
    if (*a.admin.token != *b.admin.token) own.push_back(at + ".admin.token: another one");
    restart_for(own);
    differences supervised;
    compare(supervised, at + ".machine", a.machine, b.machine);
    compare(supervised, at + ".restart.max_restarts", a.restart.max_restarts, b.restart.max_restarts);
    compare(supervised, at + ".restart.window", a.restart.window, b.restart.window);
    if (supervised.empty()) return;
    auto& one = add(step_kind::note, {}, "`gantry run` treats host " + view_.host + " otherwise");
    one.why = supervised;
    one.effects.emplace_back("none: it counts once `gantry run` itself is started anew");
  }
};

}  // namespace

void find_steps_of_whole(const host_view& view, findings& out) { whole_steps(view, out).find(); }

}  // namespace gantry::plan
