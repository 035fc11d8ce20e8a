#include "fixture.hpp"

namespace inventory {
namespace {

class Routes : public ::testing::Test, protected testing::warehouse_floor {
 protected:
  void SetUp() override {
    host.request("POST", "/inventory/warehouses", R"({"warehouseId":"east","name":"East"})");
    ASSERT_EQ(put("A", R"({"onHand":100})"), 201);
    host.take_emitted();
  }
  gantry::call_reply post(std::string_view target, std::string_view body) {
    return host.request("POST", target, body, {{"idempotency-key", "k" + std::to_string(++keys_)}});
  }

 private:
  int keys_ = 0;
};

TEST_F(Routes, BadBodiesNameTheirFields) {
  struct row {
    const char* method;
    const char* target;
    const char* body;
    const char* field;
  };
  const std::vector<row> table{
      {"PUT", "/inventory/A", R"({})", "onHand"},
      {"PUT", "/inventory/A", R"({"onHand":-1})", "onHand"},
      {"PUT", "/inventory/A", R"({"onHand":1.5})", "onHand"},
      {"PUT", "/inventory/A", R"({"onHand":1,"warehouses":[]})", "onHand"},
      {"PUT", "/inventory/A", R"({"warehouses":[]})", "warehouses"},
      {"PUT", "/inventory/A", R"({"warehouses":[{"onHand":1}]})", "warehouses[0].warehouseId"},
      {"PUT", "/inventory/A", R"({"warehouses":[{"warehouseId":"main","onHand":1},{"warehouseId":"main","onHand":1}]})",
       "warehouses[1].warehouseId"},
      {"PUT", "/inventory/A", R"({"onHand":1,"lowStockThreshold":"x"})", "lowStockThreshold"},
      {"POST", "/inventory/A/adjust", R"({})", "delta"},
      {"POST", "/inventory/A/adjust", R"({"delta":0})", "delta"},
      {"POST", "/inventory/transfers", R"({"sku":"A","from":"main","to":"main","quantity":1})", "to"},
      {"POST", "/inventory/transfers", R"({"sku":"A","from":"main","to":"east","quantity":0})", "quantity"},
      {"POST", "/inventory/warehouses", R"({"warehouseId":"North Pole","name":"x"})", "warehouseId"},
      {"POST", "/inventory/warehouses", R"({"warehouseId":"north"})", "name"},
      {"GET", "/inventory/alerts?page=0", "", "page"},
      {"GET", "/inventory/alerts?pageSize=101", "", "pageSize"},
  };
  for (const row& each : table) {
    const auto answer = host.request(each.method, each.target, each.body, {{"idempotency-key", each.body}});
    EXPECT_EQ(answer.status, 400) << each.body;
    EXPECT_EQ(answer.json()["errors"][0]["field"].text(), each.field) << answer.body;
  }
  EXPECT_TRUE(host.emitted().empty());
}

TEST_F(Routes, AdjustAndTransferNeedAKey) {
  EXPECT_EQ(host.request("POST", "/inventory/A/adjust", R"({"delta":1})").status, 400);
  EXPECT_EQ(
      host.request("POST", "/inventory/transfers", R"({"sku":"A","from":"main","to":"east","quantity":1})").status,
      400);
}

TEST_F(Routes, UnknownThingsAreNotFound) {
  EXPECT_EQ(host.request("GET", "/inventory/NO").status, 404);
  EXPECT_EQ(post("/inventory/NO/adjust", R"({"delta":1})").status, 404);
  EXPECT_EQ(post("/inventory/transfers", R"({"sku":"NO","from":"main","to":"east","quantity":1})").status, 404);
  EXPECT_EQ(post("/inventory/A/adjust", R"({"delta":1,"warehouseId":"moon"})").status, 422);
  EXPECT_EQ(put("A", R"({"warehouses":[{"warehouseId":"moon","onHand":1}]})"), 422);
}

TEST_F(Routes, AdjustTellsTheLevelAndTheCause) {
  EXPECT_EQ(post("/inventory/A/adjust", R"({"delta":-4,"reason":"broken"})").status, 200);
  EXPECT_EQ(heard()[0], R"(StockLevelChanged {"sku":"A","onHand":96,"reserved":0,"available":96,"cause":"broken"})");
  EXPECT_EQ(post("/inventory/A/adjust", R"({"delta":7,"warehouseId":"east"})").status, 200);
  EXPECT_EQ(stock("A"), "103/0");
  EXPECT_EQ(post("/inventory/A/adjust", R"({"delta":-8,"warehouseId":"east"})").status, 409);
  EXPECT_EQ(post("/inventory/A/adjust", R"({"delta":-97})").status, 409) << "the home warehouse holds 96";
  EXPECT_EQ(stock("A"), "103/0");
}

TEST_F(Routes, NothingGoesBelowWhatIsReserved) {
  reserve(order(1), {{"A", 60}});
  EXPECT_EQ(post("/inventory/A/adjust", R"({"delta":-41})").status, 409);
  EXPECT_EQ(put("A", R"({"onHand":59})"), 409);
  EXPECT_EQ(put("A", R"({"onHand":60})"), 200);
  EXPECT_EQ(stock("A"), "60/60");
}

TEST_F(Routes, TransfersKeepTheTotal) {
  EXPECT_EQ(post("/inventory/transfers", R"({"sku":"A","from":"main","to":"east","quantity":30})").status, 200);
  EXPECT_EQ(heard()[0],
            R"(StockLevelChanged {"sku":"A","onHand":100,"reserved":0,"available":100,"cause":"transfer"})");
  EXPECT_EQ(post("/inventory/transfers", R"({"sku":"A","from":"east","to":"main","quantity":31})").status, 409);
  EXPECT_EQ(post("/inventory/transfers", R"({"sku":"A","from":"east","to":"main","quantity":10})").status, 200);
  EXPECT_EQ(host.query("SELECT on_hand, home_on_hand FROM stock")[0], (std::vector<std::string>{"100", "80"}));
  EXPECT_EQ(host.query("SELECT on_hand FROM shelves")[0][0], "20");
}

TEST_F(Routes, ATotalIsSpreadOverTheWarehouses) {
  ASSERT_EQ(put("A", R"({"warehouses":[{"warehouseId":"east","onHand":10},{"warehouseId":"main","onHand":20}]})"), 200);
  ASSERT_EQ(put("A", R"({"onHand":15})"), 200);
  EXPECT_EQ(host.query("SELECT home, on_hand, home_on_hand FROM stock")[0],
            (std::vector<std::string>{"east", "15", "0"}));
  EXPECT_EQ(host.query("SELECT warehouse_id, on_hand FROM shelves")[0], (std::vector<std::string>{"main", "15"}));
  ASSERT_EQ(put("A", R"({"onHand":40})"), 200);
  EXPECT_EQ(host.query("SELECT home_on_hand FROM stock")[0][0], "25");
}

TEST_F(Routes, AStaleIfMatchIsRefused) {
  const auto shown = host.request("GET", "/inventory/A");
  const std::string etag(shown.header("etag").value());
  const auto put_if = [&](std::string_view tag) {
    return host.request("PUT", "/inventory/A", R"({"onHand":90})", {{"if-match", std::string(tag)}}).status;
  };
  reserve(order(1), {{"A", 1}});
  EXPECT_EQ(put_if("\"77\""), 412);
  EXPECT_EQ(put_if(etag), 200) << "a reservation does not make it stale";
  EXPECT_EQ(put_if(etag), 412);
  EXPECT_EQ(put_if("\"77\", \"2\""), 200);
  EXPECT_EQ(host.request("PUT", "/inventory/NEW", R"({"onHand":1})", {{"if-match", "\"1\""}}).status, 412);
}

TEST_F(Routes, AThresholdOfItsOwnRaisesAnAlert) {
  EXPECT_EQ(put("A", R"({"onHand":100,"lowStockThreshold":100})"), 200);
  EXPECT_EQ(heard()[1], R"(LowStockAlert {"sku":"A","available":100,"threshold":100})");
  EXPECT_EQ(put("A", R"({"onHand":100})"), 200);
  EXPECT_EQ(types_heard(), std::vector<std::string>{"StockLevelChanged"});
  EXPECT_EQ(host.request("GET", "/inventory/alerts").json()["total"].integer(), 0);
}

TEST_F(Routes, WarehousesAreListedAndUnique) {
  EXPECT_EQ(host.request("POST", "/inventory/warehouses", R"({"warehouseId":"east","name":"Again"})").status, 409);
  const auto answer = host.request("GET", "/inventory/warehouses");
  EXPECT_EQ(answer.json()["total"].integer(), 2);
  EXPECT_EQ(answer.json()["items"][0]["warehouseId"].text(), "main");
  EXPECT_EQ(answer.json()["items"][1]["name"].text(), "East");
}

}  // namespace
}  // namespace inventory
