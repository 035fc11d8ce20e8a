// What inventory's tests share: a loaded plugin, and stock to begin with.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <gantry/testing/fake_host.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "domain/times.hpp"
#include "inventory.hpp"

namespace inventory::testing {

class warehouse_floor {
 public:
  explicit warehouse_floor(std::string_view config = "{}") { host.load<inventory_plugin>("inventory", config); }

  // The number-th order id made at the host's present time.
  std::string order(int number) {
    std::string id = uuid7_floor(host.clock().now().us);
    char digits[16];
    std::snprintf(digits, sizeof digits, "%08d", number);
    return id.replace(28, 8, digits);
  }

  int put(std::string_view sku, std::string_view body) {
    return host.request("PUT", "/inventory/" + std::string(sku), body).status;
  }

  static gantry::json lines_of(const std::vector<line>& lines) { return gantry::json::raw(lines_text(lines)); }

  void reserve(const std::string& id, const std::vector<line>& lines) {
    gantry::json_writer out;
    out.object().field("orderId", id).key("lines").raw(lines_text(lines)).end();
    send("ReserveInventory", id, gantry::json(std::move(out)));
  }
  void release(const std::string& id) { send("ReleaseInventory", id, {{"orderId", id}, {"reason", "test"}}); }
  void commit(const std::string& id) { send("CommitInventory", id, {{"orderId", id}}); }

  void send(std::string_view type, const std::string& key, const gantry::json& body) {
    const gantry::outcome answer = host.deliver("inventory-commands", type, key, body);
    ASSERT_TRUE(answer) << answer.text();
  }

  // "Type data" of everything emitted since the last call.
  std::vector<std::string> heard() {
    std::vector<std::string> out;
    for (const auto& each : host.take_emitted()) out.push_back(each.type + " " + each.data);
    return out;
  }
  std::vector<std::string> types_heard() {
    std::vector<std::string> out;
    for (const auto& each : host.take_emitted()) out.push_back(each.type);
    return out;
  }

  // "onHand/reserved" of a SKU.
  std::string stock(std::string_view sku) {
    const auto answer = host.request("GET", "/inventory/" + std::string(sku));
    if (answer.status != 200) return std::to_string(answer.status);
    return std::to_string(answer.json()["onHand"].integer()) + "/" +
           std::to_string(answer.json()["reserved"].integer());
  }

  gantry::testing::fake_host host;
};

}  // namespace inventory::testing
