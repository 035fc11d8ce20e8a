// What a host's operations API answers, as values for the commands to print. Boost.JSON reads it and shows in no
// header. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace gantry::cli {

struct seen_event {
  std::string time, topic, type, key, id, correlation_id, plugin;
  std::uint64_t partition = 0;
  std::uint64_t offset = 0;
  std::string json;  // the whole of it, on one line
};
struct event_page {
  std::vector<seen_event> events;
  std::string cursor;
  bool more = false;
};
result<event_page> read_events(std::string_view json);

struct traced_event {
  double since_ms = 0;
  std::string at, plugin, type, topic, key, id, causation_id;
};
result<std::vector<traced_event>> read_trace(std::string_view json);

// A plugin as its host sees it.
struct plugin_state {
  std::string id, version, state, error, blocked, quarantined;
  std::uint64_t generation = 0;
  bool isolated = false;
  bool swapping = false;
};
result<std::vector<plugin_state>> read_plugins(std::string_view json);

struct parked_item {
  std::string plugin, id, what, subject, key, error, since;  // subject: topic and type, or the kind of job
  std::uint64_t attempts = 0;
};
struct parked_page {
  std::vector<parked_item> items;
  bool truncated = false;
  std::vector<std::pair<std::string, std::string>> unanswered;  // plugins whose list is missing, and why
};
result<parked_page> read_parked(std::string_view json);
// The answers of several hosts as one of the same form; what is no such answer is left out.
std::string merged_parked(const std::vector<std::string>& answers);

struct quarantined_plugin {
  std::string plugin, why, since;
  std::uint64_t generation = 0;
};
result<std::vector<quarantined_plugin>> read_quarantined(std::string_view json);

struct replayed_partition {
  std::uint64_t partition = 0, next = 0, end = 0;
};
result<std::vector<replayed_partition>> read_replay(std::string_view json);

// How far a swap is, or how one went.
struct swap_answer {
  bool running = false;
  std::vector<std::pair<std::string, std::uint64_t>> steps;  // name, microseconds
  bool ended = false;                                        // what follows is known
  std::string outcome, from_version, to_version;
  std::uint64_t from_generation = 0, to_generation = 0;
  std::uint64_t lane_pause_us = 0, route_pause_us = 0, held_requests = 0, state_bytes = 0;
  std::uint64_t requests = 0, request_errors = 0, events = 0, events_duplicate = 0, event_errors = 0, jobs = 0,
                job_errors = 0;
  std::vector<std::string> reasons, overruled, resident;
  std::string receipt;  // as it came
};
result<swap_answer> read_swap(std::string_view body);

// The member of a JSON object that is a number; 0 when there is none.
std::uint64_t read_count(std::string_view json, std::string_view member);
// Likewise a text, or empty; a truth, or false.
std::string read_text(std::string_view json, std::string_view member);
bool read_flag(std::string_view json, std::string_view member);

// Indented, for people. Text that is not JSON comes back as it is.
std::string indented(std::string_view json);

// Detail or title of a problem document; what else it may be comes back shortened.
std::string problem_text(std::string_view body);

}  // namespace gantry::cli
