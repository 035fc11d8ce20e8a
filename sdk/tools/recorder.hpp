// A host that only takes notes: it accepts what a plugin declares inside setup and refuses everything else.
// Thread: one.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "gantry/abi/entry.h"
#include "gantry/abi/host.h"
#include "gantry/abi/types.h"

class recorder {
 public:
  recorder();
  recorder(const recorder&) = delete;
  recorder& operator=(const recorder&) = delete;
  ~recorder() = default;

  // Creates an instance, runs its setup, and destroys it. Throws std::runtime_error when either fails.
  void record(const gantry_entry& entry);

  // The canonical manifest of what was recorded.
  std::string manifest(const gantry_entry& entry, std::string_view build_id) const;

 private:
  friend struct recording;

  gantry_status fail(gantry_status status, std::string_view text) {
    error_ = text;
    return status;
  }

  struct facade : gantry_host {
    recorder* owner;
  };
  facade host_{};
  std::string error_;
  bool in_setup_ = false;

  std::set<std::string> needs_;
  std::set<std::string> offers_;
  std::map<std::tuple<std::string, std::string>, bool> routes_;  // (method, pattern) -> idempotent
  std::set<std::tuple<std::string, std::string, std::uint32_t, std::uint32_t, std::string, std::string>> consumes_;
  std::set<std::string> replays_;
  std::map<std::tuple<std::string, std::string, std::uint32_t>, std::string> emits_;  // -> schema
  std::set<std::string> calls_;
  std::set<std::string> jobs_;
  std::set<std::string> timers_;
  std::set<std::string> sagas_;
  std::string config_schema_;
  std::set<std::tuple<std::uint32_t, std::string, std::string, std::string>> migrations_;
};
