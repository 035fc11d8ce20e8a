#include "app/buses.hpp"

#include <algorithm>
#include <chrono>

#include "app/kafka_metrics.hpp"
#include "bus/kafka/kafka_bus.hpp"
#include "bus/local/local_bus.hpp"
#include "bus/socket/socket_bus.hpp"
#include "lifecycle/plugin_set.hpp"
#include "observability/log.hpp"
#include "topology/isolation.hpp"

namespace gantry::app {
namespace {

constexpr auto between_attempts = std::chrono::milliseconds(1000);

using opened = result<std::unique_ptr<bus::bus>>;

error given_up() { return {errc::unavailable, "the host was asked to end before its bus was there"}; }

std::function<void(int, std::string_view)> to_log(const char* text) {
  return [text](int level, std::string_view what) {
    constexpr int syslog_warning = 4;
    if (level <= syslog_warning) observability::log_warn(text, {{"text", what}});
  };
}

opened open_journal(const topology::topology& model) {
  bus::local_bus_options o;
  o.directory = *model.bus.path;
  o.sync_interval = *model.bus.sync;
  return bus::open_local_bus(o);
}

result<std::unique_ptr<bus::bus_server>> share(const topology::topology& model, bus::bus& events) {
  bus::bus_server_options o;
  o.path = *model.bus.socket;
  o.on_log = to_log("The socket of the bus reports trouble.");
  return bus::serve_bus(events, o);
}

// The owner may start later than we, or be away for a while.
opened connect_to_owner(const topology::topology& model, const std::string& host, const std::string& owner,
                        const bus_waiting& waiting) {
  bus::socket_bus_options o;
  o.path = *model.bus.socket;
  o.member = host;
  o.connect_wait = between_attempts;
  o.on_log = to_log("The connection to the owner of the bus reports trouble.");
  for (;;) {
    auto made = bus::open_socket_bus(o);
    // In conflict: with our own predecessor, whose end the owner has not noticed yet.
    const bool passing = !made && (made.failure().code == errc::unavailable || made.failure().code == errc::conflict);
    if (!passing) return made;
    observability::log_warn("Waiting for the host that owns the bus.",
                            {{"owner", owner}, {"socket", *model.bus.socket}, {"reason", made.failure().text}});
    if (!waiting("waits for host " + owner + ", which owns the bus: " + made.failure().text)) return given_up();
  }
}

bus::kafka_bus_options kafka_options(const topology::topology& model, const std::string& host,
                                     observability::registry& metrics) {
  bus::kafka_bus_options o;
  o.brokers = *model.bus.brokers;
  if (model.bus.replication.given) o.replication = static_cast<int>(*model.bus.replication);
  o.min_insync = static_cast<int>(*model.bus.min_insync);
  for (const auto& [name, text] : model.bus.properties) o.properties.emplace(name, *text);
  // By the name in the topology file: a plugin that moves into a process of its own, or back, keeps its place in its
  // group.
  o.member = *model.name + "." + topology::split_process(host).host;
  o.on_log = [](int level, std::string_view text) {
    constexpr int syslog_error = 3;
    if (level <= syslog_error) observability::log_warn("The Kafka client reports trouble.", {{"text", text}});
  };
  o.statistics_interval = kafka_metrics::interval;
  // Lives as long as somebody may still call it.
  o.on_statistics = [shown = std::make_shared<kafka_metrics>(metrics, system_clock())](
                        const bus::kafka_statistics& said) { shown->note(said); };
  return o;
}

bool runs_something(const topology::topology& model, const std::string& host) {
  return std::ranges::any_of(model.plugins, [&](const auto& entry) {
    return std::ranges::any_of(entry.second.hosts, [&](const auto& h) { return *h == host; });
  });
}

}  // namespace

result<opened_bus> open_bus(const topology::topology& model, const std::string& host, observability::registry& metrics,
                            const bus_waiting& waiting) {
  opened_bus out;
  const auto kafka = *model.bus.driver == topology::bus_driver::kafka;
  const auto& owner = *model.bus.owner;
  const bool ours = owner.empty() || owner == host;
  auto made = kafka  ? bus::open_kafka_bus(kafka_options(model, host, metrics))
              : ours ? open_journal(model)
                     : connect_to_owner(model, host, owner, waiting);
  if (!made) return made.failure();
  out.events = std::move(*made);
  // With an owner, a plugin may move to a host that runs nothing yet.
  const bool others = std::ranges::any_of(model.hosts, [&](const auto& entry) {
    return entry.first != host && (!owner.empty() || runs_something(model, entry.first));
  });
  if (kafka || !ours || !others) return out;
  auto serving = share(model, *out.events);
  if (!serving) return error{serving.failure().code, "bus.socket: " + serving.failure().text};
  out.shared = std::move(*serving);
  return out;
}

}  // namespace gantry::app
