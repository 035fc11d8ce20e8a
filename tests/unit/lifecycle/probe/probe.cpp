// A plugin that asks the test at each step of its life how that went. It has one route and state in memory to hand
// over.
#include <cstdlib>
#include <cstddef>
#include <cstring>

#include "gantry/abi/entry.h"
#include "gantry/abi/handover.h"
#include "gantry/abi/http.h"
#include "hooks.hpp"

namespace {

using gantry::testing::probe_hooks;

struct probe {
  gantry_instance table{};
  const gantry_host* host = nullptr;
  const gantry_http_1* http = nullptr;
};

constexpr int version = GANTRY_PLUGIN_VERSION[0] - '0';

gantry_str str(const char* text) { return {text, std::strlen(text)}; }

gantry_status ask(bool (*probe_hooks::*what)(void*, int)) {
  const char* const at = std::getenv(probe_hooks::variable);
  if (at == nullptr) return GANTRY_OK;
  const auto& hooks = *reinterpret_cast<const probe_hooks*>(std::strtoull(at, nullptr, 10));
  const auto hook = hooks.*what;
  return hook == nullptr || hook(hooks.user, version) ? GANTRY_OK : GANTRY_FAILED;
}

gantry_status answer(void* user, const gantry_request*, gantry_context* context) {
  return static_cast<probe*>(user)->http->respond(context, 200, nullptr, 0, str(GANTRY_PLUGIN_VERSION));
}

gantry_status setup(void* user) {
  auto* const self = static_cast<probe*>(user);
  gantry_route route{};
  route.struct_size = sizeof route;
  route.method = str("GET");
  route.pattern = str("/probe");
  route.handler = answer;
  route.user = user;
  if (const auto done = self->http->route(self->host, &route); done != GANTRY_OK) return done;
  return ask(&probe_hooks::setup);
}

gantry_status start(void*) { return ask(&probe_hooks::start); }
void stop(void*) {}
gantry_status health(void*) { return ask(&probe_hooks::health); }

void destroy(void* user) {
  delete static_cast<probe*>(user);
  const char* const at = std::getenv(probe_hooks::variable);
  if (at == nullptr) return;
  const auto& hooks = *reinterpret_cast<const probe_hooks*>(std::strtoull(at, nullptr, 10));
  if (hooks.destroyed != nullptr) hooks.destroyed(hooks.user, version);
}

gantry_status give(void*, uint32_t, gantry_handover_sink write, void* sink) {
  if (const auto done = ask(&probe_hooks::give_state); done != GANTRY_OK) return done;
  return write(sink, str("state"));
}
gantry_status take(void*, uint32_t, gantry_str) { return GANTRY_OK; }

// As plugins of ABI 1.0 have it.
constexpr gantry_handover_1 handover = {offsetof(gantry_handover_1, state_size), 1, give, take, nullptr};

const void* capability(void*, const char* id) { return std::strcmp(id, GANTRY_HANDOVER_1) == 0 ? &handover : nullptr; }

gantry_status create(const gantry_host* host, const gantry_instance** out) {
  auto* const self = new probe;
  self->host = host;
  self->http = static_cast<const gantry_http_1*>(host->capability(host, GANTRY_HTTP_1));
  self->table = {sizeof self->table, self, setup, start, stop, destroy, health, capability};
  *out = &self->table;
  return GANTRY_OK;
}

}  // namespace

extern "C" GANTRY_EXPORT const gantry_entry gantry_plugin;
const gantry_entry gantry_plugin = {
    sizeof(gantry_entry),  GANTRY_ABI_MAJOR,   GANTRY_ABI_MINOR, GANTRY_PLUGIN_ID,
    GANTRY_PLUGIN_VERSION, "gantry-cpp 0.1.0", create,
};
