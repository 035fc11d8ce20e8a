// What order_flow reports.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/host_process.hpp"
#include "order_flow_arguments.hpp"
#include "order_flow_load.hpp"
#include "order_flow_servers.hpp"

namespace gantry::bench {

// What a lane has done so far.
struct lane_work {
  std::uint64_t transactions = 0;
  std::uint64_t reruns = 0;
  std::uint64_t events = 0;
};

// Everything that is compared over the measured time.
struct moment {
  steady::time_point at;
  std::uint64_t done = 0;
  std::map<std::string, double> cpu_ours;
  std::map<std::string, double> cpu_servers;
  std::map<std::string, lane_work> lanes;
  bench::database_work database;
};

moment look(const arguments& a, app::host_process& host, const ledger& orders);

// `,"name":value`
std::string member(std::string_view name, double value, int digits);

// Microseconds of one write and fdatasync of 4 KiB in that directory.
double fsync_us(const std::string& directory);

// Of this process.
double rss_mb();

// Prints all between two moments as one JSON object; `machine`: members that are told with it.
void report(const arguments& a, const moment& from, const moment& to, ledger& orders, std::vector<double>& latencies,
            const std::string& machine);

}  // namespace gantry::bench
