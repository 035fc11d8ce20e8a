// What a plugin declared in setup: the typed account of it, as the runtime works with it and as it is compared with the
// manifest.
// Owned by an instance. Written in setup, constant afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bus/bus.hpp"
#include "gantry/abi/bus.h"
#include "gantry/abi/http.h"
#include "gantry/abi/jobs.h"
#include "gantry/abi/saga.h"
#include "observability/metrics.hpp"
#include "store/store.hpp"

namespace gantry::runtime {

struct route {
  std::string method;
  std::string pattern;
  bool idempotent = false;
  gantry_request_handler handler = nullptr;
  void* user = nullptr;
  observability::histogram* latency = nullptr;
  std::uint32_t note = 0;  // its name in the black box
  bool may_lag = false;    // its snapshots may come from a replica
};

struct subscription {
  std::string topic;
  std::string type;
  std::uint32_t min_version = 1;
  std::uint32_t max_version = 1;
  bool latest = false;
  gantry_event_handler on_event = nullptr;
  gantry_batch_handler on_batch = nullptr;
  gantry_observer observe = nullptr;
  void* user = nullptr;
  observability::histogram* latency = nullptr;
  std::uint32_t topic_note = 0;  // names in the black box
  std::uint32_t type_note = 0;
};

struct emission {
  std::string topic;
  std::string type;
  std::uint32_t version = 1;
  std::string schema;
  bus::topic_id topic_id = 0;  // these three are known once the topic is open
  std::uint32_t partitions = 1;
  std::uint64_t max_message = 0;
};

struct job_kind {
  std::string name;
  std::uint32_t max_attempts = 4;
  std::int64_t timeout_us = 30'000'000;
  std::uint32_t concurrency = 8;
  gantry_job_runner run = nullptr;
  gantry_job_done on_done = nullptr;
  gantry_job_failed on_failed = nullptr;
  void* user = nullptr;
  std::uint32_t note = 0;  // its name in the black box
};

struct timer_kind {
  std::string name;
  gantry_timer_fire fire = nullptr;
  gantry_status (*restore)(void* user, gantry_db* snapshot) = nullptr;
  void* user = nullptr;
  std::uint32_t note = 0;  // its name in the black box
};

struct replay_hook {
  std::string topic;
  gantry_replay_handler fn = nullptr;
  void* user = nullptr;
};

struct saga_kind {
  std::string name;
  gantry_status (*describe)(void* user, gantry_db* snapshot, gantry_str key, gantry_saga_sink write,
                            void* sink) = nullptr;
  void* user = nullptr;
};

struct declarations {
  std::vector<route> routes;
  std::vector<subscription> subscriptions;
  std::vector<emission> emissions;
  std::vector<job_kind> jobs;
  std::vector<timer_kind> timers;
  std::vector<replay_hook> replays;
  std::vector<saga_kind> sagas;
  std::vector<std::string> calls;
  std::vector<store::migration> migrations;
  std::string config_schema;
};

}  // namespace gantry::runtime
