// What the test does when the host enters the code of the plugin "probe". The plugin finds it by its address in the
// environment: the test and the plugin are one process. Null: nothing.
#pragma once

namespace gantry::testing {

struct probe_hooks {
  static constexpr const char* variable = "GANTRY_PROBE_HOOKS";

  // False: it fails. `version`: the first number of the plugin's.
  bool (*setup)(void* user, int version) = nullptr;
  bool (*start)(void* user, int version) = nullptr;
  bool (*health)(void* user, int version) = nullptr;
  bool (*give_state)(void* user, int version) = nullptr;
  void (*destroyed)(void* user, int version) = nullptr;
  void* user = nullptr;
};

}  // namespace gantry::testing
