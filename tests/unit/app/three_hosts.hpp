// A topology of three hosts, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "topology/topology.hpp"

namespace gantry::app {

// stock runs on two of them.
inline topology::topology three_hosts(const std::string& tls = {}) {
  const std::string text = "version: 1\nname: shop\nhosts:\n  edge: { http: 127.0.0.1:8080" + tls +
                           " }\n  left: { http: 127.0.0.1:8081, advertise: left.shop:8081" + tls +
                           " }\n  right: { http: 127.0.0.1:8082" + tls +
                           " }\nplugins:\n  order: { hosts: [edge] }\n  stock: { hosts: [left, right] }\n"
                           "  mail: { hosts: [right, edge] }\n";
  auto parsed = topology::parse_topology(text, "three.yaml", [](const std::string&) { return std::nullopt; });
  EXPECT_TRUE(parsed.problems.empty()) << to_text(parsed.problems.front());
  return std::move(parsed.model);
}

}  // namespace gantry::app
