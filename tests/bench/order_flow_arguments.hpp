// What order_flow is asked to do, by its command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "order_flow_servers.hpp"

namespace gantry::bench {

struct arguments {
  std::string mode = "in-process";
  double seconds = 10;
  std::size_t window = 1500;
  double rate = 0;
  std::uint64_t orders = 0;  // stop after so many instead of after a time
  std::string data;
  std::string plugins = GANTRY_PLUGIN_DIR;
  std::string durability = "power";
  std::string mail;              // where .eml files go; a directory of `data` unless given
  std::string server_scripts;    // start servers by these
  bench::servers servers;        // or use these, when brokers are named
  std::string kafka_properties;  // of the bus, as YAML pairs
  std::size_t pool = 4;          // connections of a plugin to PostgreSQL
  std::size_t batch = 1024;      // events of one transaction
  bool on_servers() const { return !servers.brokers.empty(); }
};

}  // namespace gantry::bench
