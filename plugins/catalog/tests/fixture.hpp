// What catalog's tests share: a loaded plugin with two categories and a product.
#pragma once

#include <gtest/gtest.h>

#include <gantry/testing/fake_host.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "catalog.hpp"

namespace catalog::testing {

class shop {
 public:
  explicit shop(std::string_view config = "{}") { host.load<catalog_plugin>("catalog", config); }

  void open() {
    ASSERT_EQ(post("/catalog/categories", R"({"categoryId":"light","name":"Light"})").status, 201);
    ASSERT_EQ(post("/catalog/categories", R"({"categoryId":"lamps","name":"Lamps","parentId":"light"})").status, 201);
    ASSERT_EQ(add("L-1", "Red Desk Lamp", 2'500), 201);
    host.take_emitted();
  }

  static std::string body(std::string_view sku, std::string_view name, std::int64_t price,
                          std::string_view category = "lamps") {
    return gantry::json{{"sku", sku},
                        {"name", name},
                        {"description", "Stands firmly."},
                        {"categoryId", category},
                        {"price", {{"amount", price}, {"currency", "EUR"}}}}
        .text();
  }
  int add(std::string_view sku, std::string_view name, std::int64_t price, std::string_view category = "lamps") {
    return post("/catalog/products", body(sku, name, price, category)).status;
  }

  gantry::call_reply get(std::string_view target) { return host.request("GET", target); }
  gantry::call_reply post(std::string_view target, std::string_view text) { return host.request("POST", target, text); }
  gantry::call_reply put(std::string_view target, std::string_view text, gantry::header_list headers = {}) {
    return host.request("PUT", target, text, std::move(headers));
  }

  void stock(std::string_view sku, std::int64_t available) {
    const auto answer = host.deliver("inventory-events", "StockLevelChanged", sku,
                                     {{"sku", sku}, {"onHand", 9}, {"reserved", 0}, {"available", available}});
    ASSERT_TRUE(answer) << answer.text();
  }

  // The SKUs of a list, in its order.
  std::vector<std::string> skus(std::string_view target) {
    std::vector<std::string> out;
    const auto answer = get(target);
    EXPECT_EQ(answer.status, 200) << answer.body;
    for (const auto& each : answer.json()["items"]) out.emplace_back(each["sku"].text());
    return out;
  }

  std::vector<std::string> types_heard() {
    std::vector<std::string> out;
    for (const auto& each : host.take_emitted()) out.push_back(each.type);
    return out;
  }

  gantry::testing::fake_host host;
};

// The first bad field that a problem document names.
inline std::string first_field(const gantry::call_reply& answer) {
  return std::string(answer.json()["errors"][0]["field"].text());
}

}  // namespace catalog::testing
