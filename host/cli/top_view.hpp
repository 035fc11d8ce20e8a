// What `gantry top` shows, from what hosts say of themselves: figures of two moments become rates and a table that fits
// a terminal. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/answers.hpp"

namespace gantry::cli {

// What of one plugin on one host waits now.
struct plugin_backlog {
  double lag = 0;    // records
  double queue = 0;  // writes
  double outbox_bytes = 0;
  double parked = 0;  // events
};

// Of one plugin on one host, as /metrics has them.
struct plugin_counts : plugin_backlog {
  double requests = 0;
  double events = 0;
  double errors = 0;                        // requests with 5xx, failed attempts at events and jobs
  std::map<double, double> requests_below;  // by seconds
};

// What one host said at one moment.
struct host_sample {
  std::string host;
  std::string address;
  bool answers = false;
  std::string why;  // it does not
  double at_s = 0;  // any clock that goes on
  double cpu_s = 0;
  double resident_bytes = 0;
  std::map<std::string, plugin_counts> counts;  // by plugin
  std::vector<plugin_state> plugins;
};

// Reads an exposition in Prometheus' text format into the sample's figures; what it doesn't know it passes over.
void read_exposition(std::string_view text, host_sample& into);

struct top_row : plugin_backlog {
  std::string host;
  std::string plugin;
  std::string state;  // failed, quarantined, swapping, blocked, isolated, or as the host says: ready, ...
  std::string version;
  std::uint64_t generation = 0;
  double requests_s = 0;
  double events_s = 0;
  double errors_s = 0;
  double p99_ms = -1;  // of the requests in between; negative: there were none
};
struct top_host {
  std::string host;
  std::string address;
  bool answers = false;
  std::string why;
  double cpu_percent = 0;  // of one processor
  double resident_bytes = 0;
};
struct top_view {
  std::vector<top_host> hosts;
  std::vector<top_row> rows;
};

// Rates are of the time between the two; a host or plugin that is new since has none. What was counted anew in between,
// by a process that was started again, counts from 0.
top_view view_of(const std::vector<host_sample>& before, const std::vector<host_sample>& now);

// Lines no wider than `width`: what doesn't fit is left out, the least needed columns first. 0: as wide as it takes.
std::string to_text(const top_view& view, std::size_t width);
std::string to_json(const top_view& view);

}  // namespace gantry::cli
