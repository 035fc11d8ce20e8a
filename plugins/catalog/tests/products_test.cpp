#include "fixture.hpp"

namespace catalog {
namespace {

using strings = std::vector<std::string>;

class Products : public ::testing::Test, protected testing::shop {
 protected:
  void SetUp() override { open(); }

  std::string text_of(std::string_view sku) { return get("/catalog/products/" + std::string(sku)).body; }
  std::int64_t batch_price(std::string_view sku) {
    const auto answer = get("/catalog/products:batch?skus=" + std::string(sku));
    return answer.json()["items"][0]["price"]["amount"].integer(-1);
  }
};

TEST_F(Products, AreShownAsClientsRelyOn) {
  EXPECT_EQ(text_of("L-1"),
            R"({"sku":"L-1","name":"Red Desk Lamp","description":"Stands firmly.","categoryId":"lamps",)"
            R"("price":{"amount":2500,"currency":"EUR"},"images":[],"rating":{"average":0.0,"count":0},"version":1})");
  const auto answer = get("/catalog/products/L-1");
  EXPECT_EQ(answer.header("etag"), "\"1\"");
  EXPECT_EQ(get("/catalog/products/NO").status, 404);
}

TEST_F(Products, CreatingTellsEverybody) {
  const auto answer = post("/catalog/products", body("L-2", "Lamp", 100));
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.header("location"), "/catalog/products/L-2");
  ASSERT_EQ(host.emitted().size(), 1U);
  EXPECT_EQ(host.emitted()[0].type, "ProductCreated");
  EXPECT_EQ(host.emitted()[0].key, "L-2");
  EXPECT_EQ(host.emitted()[0].data, answer.body);
}

TEST_F(Products, BadBodiesNameTheirFields) {
  struct row {
    std::string body;
    std::string field;
  };
  const std::vector<row> table{
      {"[]", ""},
      {R"({"name":"x","categoryId":"lamps","price":{"amount":1,"currency":"EUR"}})", "sku"},
      {R"({"sku":7,"name":"x","categoryId":"lamps","price":{"amount":1,"currency":"EUR"}})", "sku"},
      {R"({"sku":"X","categoryId":"lamps","price":{"amount":1,"currency":"EUR"}})", "name"},
      {R"({"sku":"X","name":"x","categoryId":"lamps"})", "price"},
      {R"({"sku":"X","name":"x","categoryId":"lamps","price":{"amount":1.5,"currency":"EUR"}})", "price.amount"},
      {R"({"sku":"X","name":"x","categoryId":"lamps","price":{"amount":1,"currency":"E"}})", "price.currency"},
      {R"({"sku":"X","name":"x","categoryId":"lamps","price":{"amount":1,"currency":"EUR"},"images":"u"})", "images"},
      {R"({"sku":"X","name":"x","categoryId":"lamps","price":{"amount":1,"currency":"EUR"},"images":[1]})",
       "images[0]"},
  };
  for (const row& each : table) {
    const auto answer = post("/catalog/products", each.body);
    EXPECT_EQ(answer.status, 400) << each.body;
    EXPECT_EQ(testing::first_field(answer), each.field) << answer.body;
  }
  EXPECT_EQ(post("/catalog/products", "{").status, 400);
  EXPECT_EQ(post("/catalog/products", body("X", "x", 1, "moon")).status, 422);
  EXPECT_EQ(post("/catalog/products", body("L-1", "again", 1)).status, 409);
  EXPECT_TRUE(host.emitted().empty());
}

TEST_F(Products, AStaleIfMatchIsRefused) {
  const auto change = body("L-1", "Blue Desk Lamp", 2'500);
  EXPECT_EQ(put("/catalog/products/L-1", change, {{"if-match", "\"2\""}}).status, 412);
  EXPECT_EQ(put("/catalog/products/L-1", change, {{"if-match", "\"1\""}}).status, 200);
  EXPECT_EQ(put("/catalog/products/L-1", change, {{"if-match", "\"1\""}}).status, 412);
  EXPECT_EQ(put("/catalog/products/L-1/price", R"({"amount":1,"currency":"EUR"})", {{"if-match", "\"1\""}}).status,
            412);
  EXPECT_EQ(host.request("DELETE", "/catalog/products/L-1", {}, {{"if-match", "\"1\""}}).status, 412);
  EXPECT_EQ(host.request("DELETE", "/catalog/products/L-1", {}, {{"if-match", "*"}}).status, 204);
  EXPECT_EQ(types_heard(), (strings{"ProductUpdated", "ProductDeleted"}));
}

TEST_F(Products, ReplacingTheSameChangesNothing) {
  EXPECT_EQ(put("/catalog/products/L-1", body("L-1", "Red Desk Lamp", 2'500)).status, 200);
  EXPECT_TRUE(host.emitted().empty());
  EXPECT_EQ(put("/catalog/products/L-1", body("L-2", "Red Desk Lamp", 2'500)).status, 400) << "another SKU in the body";
  EXPECT_EQ(put("/catalog/products/NO", body("NO", "x", 1)).status, 404);
}

TEST_F(Products, PricesKeepTheirHistory) {
  EXPECT_EQ(put("/catalog/products/L-1/price", R"({"amount":1999,"currency":"EUR"})").status, 200);
  ASSERT_EQ(host.emitted().size(), 1U);
  EXPECT_EQ(host.emitted()[0].data, R"({"sku":"L-1","price":{"amount":1999,"currency":"EUR"},"version":2})");
  EXPECT_EQ(put("/catalog/products/L-1/price", R"({"amount":-1,"currency":"EUR"})").status, 400);
  EXPECT_EQ(put("/catalog/products/L-1/price", R"("cheap")").status, 400);
  const auto history = get("/catalog/products/L-1/prices");
  EXPECT_EQ(history.json()["total"].integer(), 2);
  EXPECT_EQ(history.json()["items"][0]["amount"].integer(), 1'999);
  EXPECT_EQ(history.json()["items"][1]["version"].integer(), 1);
  EXPECT_EQ(get("/catalog/products/NO/prices").status, 404);
}

TEST_F(Products, ADeletedSkuGoesOnWithItsVersions) {
  EXPECT_EQ(host.request("DELETE", "/catalog/products/L-1").status, 204);
  EXPECT_EQ(get("/catalog/products/L-1").status, 404);
  EXPECT_EQ(host.request("DELETE", "/catalog/products/L-1").status, 404);
  EXPECT_EQ(add("L-1", "Anew", 100), 201);
  EXPECT_EQ(get("/catalog/products/L-1").json()["version"].integer(), 3);
}

TEST_F(Products, ImagesAreReplacedOrAdded) {
  EXPECT_EQ(put("/catalog/products/L-1/images", R"({"images":["https://i.example/1.png"]})").status, 200);
  const auto answer = post("/catalog/products/L-1/images", R"({"url":"https://i.example/2.png"})");
  EXPECT_EQ(answer.json()["images"].raw(), R"(["https://i.example/1.png","https://i.example/2.png"])");
  EXPECT_EQ(types_heard(), (strings{"ProductUpdated", "ProductUpdated"}));
  EXPECT_EQ(testing::first_field(put("/catalog/products/L-1/images", R"({})")), "images");
  EXPECT_EQ(testing::first_field(put("/catalog/products/L-1/images", R"({"images":["x"]})")), "images[0]");
  EXPECT_EQ(testing::first_field(post("/catalog/products/L-1/images", R"({"url":"x"})")), "url");
  for (int i = 0; i < 18; ++i) post("/catalog/products/L-1/images", R"({"url":"https://i.example/n.png"})");
  EXPECT_EQ(post("/catalog/products/L-1/images", R"({"url":"https://i.example/n.png"})").status, 409);
}

TEST_F(Products, OneReviewPerCustomerMovesTheRating) {
  const std::string target = "/catalog/products/L-1/reviews";
  EXPECT_EQ(post(target, R"({"customerId":"c-1","rating":5,"title":"Good","text":"Bright."})").status, 201);
  EXPECT_EQ(post(target, R"({"customerId":"c-2","rating":4})").status, 201);
  EXPECT_EQ(post(target, R"({"customerId":"c-1","rating":1})").status, 409);
  EXPECT_EQ(get("/catalog/products/L-1").json()["rating"].raw(), R"({"average":4.5,"count":2})");
  EXPECT_EQ(types_heard(), (strings{"ReviewAdded", "ReviewAdded"}));
  const auto list = get(target + "?pageSize=1");
  EXPECT_EQ(list.json()["total"].integer(), 2);
  EXPECT_EQ(list.json()["items"].size(), 1U);
  struct row {
    const char* body;
    const char* field;
  };
  for (const row& each :
       {row{R"({"rating":5})", "customerId"}, row{R"({"customerId":"","rating":5})", "customerId"},
        row{R"({"customerId":"c-3","rating":0})", "rating"}, row{R"({"customerId":"c-3","rating":6})", "rating"},
        row{R"({"customerId":"c-3","rating":4.5})", "rating"},
        row{R"({"customerId":"c-3","rating":4,"title":1})", "title"}}) {
    const auto answer = post(target, each.body);
    EXPECT_EQ(answer.status, 400) << each.body;
    EXPECT_EQ(testing::first_field(answer), each.field);
  }
  EXPECT_EQ(post("/catalog/products/NO/reviews", R"({"customerId":"c-1","rating":5})").status, 404);
  EXPECT_EQ(get("/catalog/products/NO/reviews").status, 404);
}

TEST_F(Products, ABatchComesInTheOrderAsked) {
  add("L-2", "Second", 200);
  add("L-3", "Third", 300);
  EXPECT_EQ(skus("/catalog/products:batch?skus=L-3,NO,L-1,L-2"), (strings{"L-3", "L-1", "L-2"}));
  EXPECT_EQ(skus("/catalog/products:batch?skus=L-3,NO,L-1,L-2"), (strings{"L-3", "L-1", "L-2"})) << "from the cache";
  EXPECT_EQ(skus("/catalog/products:batch?skus=NO"), strings{});
  EXPECT_EQ(get("/catalog/products:batch").status, 400);
  std::string many;
  for (int i = 0; i < 201; ++i) many += "L-1,";
  EXPECT_EQ(get("/catalog/products:batch?skus=" + many).status, 400);
}

TEST_F(Products, ABatchNeverShowsAnOldPrice) {
  EXPECT_EQ(batch_price("L-1"), 2'500);
  put("/catalog/products/L-1/price", R"({"amount":1999,"currency":"EUR"})");
  EXPECT_EQ(batch_price("L-1"), 1'999) << "before its event came by";
  const auto events = host.take_emitted();
  put("/catalog/products/L-1/price", R"({"amount":1500,"currency":"EUR"})");
  EXPECT_EQ(batch_price("L-1"), 1'500);
  put("/catalog/products/L-1", body("L-1", "Red Desk Lamp", 1'200));
  EXPECT_EQ(batch_price("L-1"), 1'200);
  host.request("DELETE", "/catalog/products/L-1");
  EXPECT_EQ(batch_price("L-1"), -1);
}

TEST_F(Products, ARefusedWriteDoesNotShow) {
  EXPECT_EQ(batch_price("L-1"), 2'500);
  EXPECT_EQ(put("/catalog/products/L-1", body("L-1", "x", 1, "moon")).status, 422);
  EXPECT_EQ(batch_price("L-1"), 2'500);
}

TEST_F(Products, AChangeByAnotherReplicaIsSeenWithItsEvent) {
  EXPECT_EQ(batch_price("L-1"), 2'500);
  host.exec("UPDATE products SET price_amount = 77 WHERE sku = 'L-1'");
  EXPECT_EQ(batch_price("L-1"), 2'500);
  const gantry::outcome seen = host.deliver("catalog-events", "PriceChanged", "L-1", {{"sku", "L-1"}});
  EXPECT_TRUE(seen);
  EXPECT_EQ(batch_price("L-1"), 77);
  host.exec("UPDATE products SET price_amount = 78 WHERE sku = 'L-1'");
  host.break_observation();
  EXPECT_EQ(batch_price("L-1"), 78);
}

TEST(DemoShop, HasAThousandProductsInTwentyCategories) {
  testing::shop shop(R"({"demo":true})");
  EXPECT_EQ(shop.host.emitted().size(), 1'000U);
  EXPECT_EQ(shop.get("/catalog/products?pageSize=1").json()["total"].integer(), 1'000);
  EXPECT_EQ(shop.host.query("SELECT COUNT(*) FROM categories")[0][0], "20");
  EXPECT_EQ(shop.get("/catalog/products/SKU-0001").status, 200);
  EXPECT_EQ(shop.get("/catalog/products/SKU-1000").status, 200);
}

TEST(DemoShop, AFileThatIsMissingStopsTheStart) {
  EXPECT_ANY_THROW(testing::shop(R"({"demo":true,"demo_file":"/nowhere/catalog.json"})"));
}

}  // namespace
}  // namespace catalog
