#include "gantry/abi/bus.h"
#include "runtime/instance.hpp"
#include "runtime/tables.hpp"
#include "runtime/text.hpp"

namespace gantry::runtime {
namespace {

gantry_status subscribe(const gantry_host* host, const gantry_subscription* s) {
  auto& self = instance::of(host);
  if (self.state() != phase::setup) return fail(GANTRY_REFUSED, "bus.subscribe is for setup only");
  if (s == nullptr || s->topic.len == 0 || s->type.len == 0)
    return fail(GANTRY_INVALID, "a subscription needs a topic and an event type");
  const std::string what = std::string(view(s->topic)) + "/" + std::string(view(s->type));
  const int handlers = (s->on_event != nullptr) + (s->on_batch != nullptr) + (s->observe != nullptr);
  if (handlers != 1)
    return fail(GANTRY_INVALID, what + ": exactly one of on_event, on_batch and observe is set, found " + std::to_string(handlers));
  if (s->min_version == 0 || s->min_version > s->max_version)
    return fail(GANTRY_INVALID, what + ": schema versions " + std::to_string(s->min_version) + " to " +
                                    std::to_string(s->max_version) + ", expected 1 <= min <= max");
  if (s->observe == nullptr)
    for (const auto& other : self.declared.subscriptions)
      if (other.observe == nullptr && other.topic == view(s->topic) && other.type == view(s->type))
        return fail(GANTRY_INVALID, what + " has a handler already");
  self.declared.subscriptions.push_back({std::string(view(s->topic)), std::string(view(s->type)), s->min_version,
                                         s->max_version, s->start == GANTRY_START_LATEST, s->on_event, s->on_batch,
                                         s->observe, s->user, nullptr});
  return GANTRY_OK;
}

gantry_status emits(const gantry_host* host, const gantry_emission* e) {
  auto& self = instance::of(host);
  if (self.state() != phase::setup) return fail(GANTRY_REFUSED, "bus.emits is for setup only");
  if (e == nullptr || e->topic.len == 0 || e->type.len == 0 || e->version == 0)
    return fail(GANTRY_INVALID, "an emission needs a topic, an event type and a version from 1");
  if (self.find_emission(view(e->topic), view(e->type)) != nullptr)
    return fail(GANTRY_INVALID, std::string(view(e->topic)) + "/" + std::string(view(e->type)) + " is declared twice");
  self.declared.emissions.push_back({std::string(view(e->topic)), std::string(view(e->type)), e->version,
                                     std::string(view(e->schema)), 0, 1, 0});
  return GANTRY_OK;
}

gantry_status on_replay(const gantry_host* host, gantry_str topic, gantry_replay_handler fn, void* user) {
  auto& self = instance::of(host);
  if (self.state() != phase::setup) return fail(GANTRY_REFUSED, "bus.on_replay is for setup only");
  if (fn == nullptr || topic.len == 0) return fail(GANTRY_INVALID, "on_replay needs a topic and a function");
  self.declared.replays.push_back({std::string(view(topic)), fn, user});
  return GANTRY_OK;
}

gantry_status emit(gantry_tx* tx, const gantry_emit* event, char id[36]) {
  if (tx == nullptr || !tx->usable) return fail(GANTRY_REFUSED, "emit: the transaction is not open");
  if (event == nullptr) return fail(GANTRY_INVALID, "emit: no event");
  return tx->emit(view(event->topic), view(event->type), view(event->key), view(event->data), id);
}

}  // namespace

const void* bus_table() noexcept {
  static constexpr gantry_bus_1 table = {sizeof table, subscribe, emits, on_replay, emit};
  return &table;
}

}  // namespace gantry::runtime
