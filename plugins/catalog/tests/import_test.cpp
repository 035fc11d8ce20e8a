#include "fixture.hpp"

namespace catalog {
namespace {

using strings = std::vector<std::string>;

class Import : public ::testing::Test, protected testing::shop {
 protected:
  void SetUp() override { open(); }
  gantry::call_reply import(std::string_view text) {
    return host.request("POST", "/catalog/products:import", text, {{"content-type", "application/x-ndjson"}});
  }
};

TEST_F(Import, AddsReplacesAndLeavesAlone) {
  const auto answer =
      import(body("N-1", "New", 100) + "\n\n" + body("L-1", "Red Desk Lamp", 1'900) + "\r\n" + body("N-1", "New", 100));
  EXPECT_EQ(answer.body, R"({"created":1,"updated":1,"unchanged":1,"failed":0,"errors":[]})");
  EXPECT_EQ(types_heard(), (strings{"ProductCreated", "ProductUpdated", "PriceChanged"}));
  EXPECT_EQ(get("/catalog/products/L-1").json()["price"]["amount"].integer(), 1'900);
}

TEST_F(Import, ReportsRowsThatAreWrongAndTakesTheOthers) {
  const auto answer = import("{\"sku\":\n" + body("N-1", "New", 100) + "\n" + R"({"sku":"N-2"})" + "\n" +
                             body("N-3", "Nowhere", 1, "moon") + "\n" + body("N-4", "Free", -1));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json()["created"].integer(), 1);
  EXPECT_EQ(answer.json()["failed"].integer(), 4);
  strings where;
  for (const auto& each : answer.json()["errors"]) {
    where.push_back(std::to_string(each["line"].integer()) + ":" + std::string(each["field"].text()));
  }
  EXPECT_EQ(where, (strings{"1:", "3:name", "3:categoryId", "3:price", "4:categoryId", "5:price.amount"}));
}

TEST_F(Import, KeepsRatings) {
  post("/catalog/products/L-1/reviews", R"({"customerId":"c","rating":4})");
  import(body("L-1", "Renamed", 1));
  EXPECT_EQ(get("/catalog/products/L-1").json()["rating"]["count"].integer(), 1);
}

TEST_F(Import, OfNothingIsRefused) {
  EXPECT_EQ(import("").status, 400);
  EXPECT_EQ(import("\n \n").status, 400);
}

}  // namespace
}  // namespace catalog
