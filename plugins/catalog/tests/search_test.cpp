#include "fixture.hpp"

namespace catalog {
namespace {

using strings = std::vector<std::string>;

class Search : public ::testing::Test, protected testing::shop {
 protected:
  void SetUp() override {
    open();
    post("/catalog/categories", R"({"categoryId":"books","name":"Books"})");
    add("L-2", "Blue Floor Lamp", 9'900);
    add("L-3", "Lantern", 800, "light");
    add("B-1", "The Lamp and the Sea", 1'200, "books");
    add("B-2", "Caf\u00e9 Stories", 1'000, "books");
    stock("L-1", 5);
    stock("B-1", 1);
    host.take_emitted();
  }
};

TEST_F(Search, FindsWordsByTheirBeginning) {
  EXPECT_EQ(skus("/catalog/products?query=lam&sort=price"), (strings{"B-1", "L-1", "L-2"}));
  EXPECT_EQ(skus("/catalog/products?query=blue%20lamp"), strings{"L-2"});
  EXPECT_EQ(skus("/catalog/products?query=firmly&sort=price").size(), 5U) << "descriptions count";
  EXPECT_EQ(skus("/catalog/products?query=zebra"), strings{});
  EXPECT_EQ(skus("/catalog/products?query=cafe"), strings{"B-2"});
}

TEST_F(Search, NamesCountMoreThanDescriptions) {
  post("/catalog/products", R"({"sku":"X","name":"Bulb","description":"For a lantern or any other lantern.",)"
                            R"("categoryId":"light","price":{"amount":1,"currency":"EUR"}})");
  EXPECT_EQ(skus("/catalog/products?query=lantern"), (strings{"L-3", "X"}));
}

TEST_F(Search, NoQueryCanBreakTheSyntax) {
  for (const char* query :
       {"%22", "lamp%22%20OR%20%22", "NEAR(a%20b)", "*", "%27%3B--", "name%3Alamp", "-lamp", "AND", "a%20AND", "%5E",
        "%7B%7D", "(((", "%E2%80%94", "%F0%9F%92%A1", "%00", "a%3A*%20%26%20!b"}) {
    EXPECT_EQ(get(std::string("/catalog/products?query=") + query).status, 200) << query;
  }
  EXPECT_EQ(skus("/catalog/products?query=%22*%22"), strings{}) << "no words";
}

TEST_F(Search, FollowsChangesOfNames) {
  put("/catalog/products/L-1", body("L-1", "Candle", 2'500));
  EXPECT_EQ(skus("/catalog/products?query=desk"), strings{});
  EXPECT_EQ(skus("/catalog/products?query=candle"), strings{"L-1"});
  host.request("DELETE", "/catalog/products/L-1");
  EXPECT_EQ(skus("/catalog/products?query=candle"), strings{});
}

TEST_F(Search, FiltersTogether) {
  EXPECT_EQ(skus("/catalog/products?category=light&sort=price"), (strings{"L-3", "L-1", "L-2"}))
      << "with what is below";
  EXPECT_EQ(skus("/catalog/products?category=lamps&sort=-price"), (strings{"L-2", "L-1"}));
  EXPECT_EQ(skus("/catalog/products?category=moon"), strings{});
  EXPECT_EQ(skus("/catalog/products?minPrice=1000&maxPrice=2500&sort=price"), (strings{"B-2", "B-1", "L-1"}));
  EXPECT_EQ(skus("/catalog/products?inStock=true"), (strings{"B-1", "L-1"}));
  EXPECT_EQ(skus("/catalog/products?inStock=false&query=lamp"), strings{"L-2"});
}

TEST_F(Search, SortsAndPages) {
  EXPECT_EQ(skus("/catalog/products?sort=newest"), (strings{"B-2", "B-1", "L-3", "L-2", "L-1"}));
  post("/catalog/products/L-3/reviews", R"({"customerId":"c","rating":4})");
  post("/catalog/products/B-1/reviews", R"({"customerId":"c","rating":5})");
  EXPECT_EQ(skus("/catalog/products?sort=rating&pageSize=2"), (strings{"B-1", "L-3"}));
  EXPECT_EQ(skus("/catalog/products?sort=price&page=2&pageSize=2"), (strings{"B-1", "L-1"}));
  const auto answer = get("/catalog/products?sort=price&page=3&pageSize=2");
  EXPECT_EQ(answer.json()["total"].integer(), 5);
  EXPECT_EQ(answer.json()["items"].size(), 1U);
}

TEST_F(Search, FacetsCountWithoutTheirOwnFilter) {
  const auto answer = get("/catalog/products?category=lamps&maxPrice=5000");
  EXPECT_EQ(answer.json()["facets"]["categories"].raw(),
            R"([{"categoryId":"books","name":"Books","count":2},{"categoryId":"lamps","name":"Lamps","count":1},)"
            R"({"categoryId":"light","name":"Light","count":1}])");
  EXPECT_EQ(answer.json()["facets"]["prices"].raw(),
            R"([{"from":2500,"below":5000,"count":1},{"from":5000,"below":10000,"count":1}])");
}

TEST_F(Search, BadParametersAreNamed) {
  for (const char* each :
       {"page=0", "page=x", "pageSize=101", "minPrice=-1", "maxPrice=1.5", "inStock=maybe", "sort=colour"}) {
    const auto answer = get(std::string("/catalog/products?") + each);
    EXPECT_EQ(answer.status, 400) << each;
    EXPECT_EQ(testing::first_field(answer), std::string(each).substr(0, std::string(each).find('=')));
  }
}

TEST_F(Search, AvailabilityIsTouchedOnlyWhenItFlips) {
  const auto level = [](std::string_view sku, int available) {
    return gantry::testing::fake_host::keyed_data{std::string(sku), {{"sku", sku}, {"available", available}}};
  };
  host.exec("CREATE TABLE touched (sku TEXT)");
  host.exec("CREATE TRIGGER touches AFTER UPDATE ON availability BEGIN INSERT INTO touched VALUES (new.sku); END");
  EXPECT_TRUE(
      host.deliver_batch("inventory-events", "StockLevelChanged",
                         {level("L-1", 4), level("L-2", 7), level("L-1", 0), level("L-1", 3), level("B-1", 0)}));
  EXPECT_EQ(host.query("SELECT sku FROM touched"), (std::vector<strings>{{"B-1"}}));
  EXPECT_EQ(skus("/catalog/products?inStock=true"), (strings{"L-1", "L-2"}));
  EXPECT_TRUE(host.replay("inventory-events"));
  EXPECT_EQ(skus("/catalog/products?inStock=true"), strings{});
}

TEST_F(Search, StockOfAProductThatComesLaterIsKnown) {
  stock("L-9", 3);
  add("L-9", "Late Lamp", 100);
  EXPECT_EQ(skus("/catalog/products?query=late&inStock=true"), strings{"L-9"});
}

TEST_F(Search, AStockEventWithoutSkuIsPoison) {
  EXPECT_EQ(host.deliver("inventory-events", "StockLevelChanged", "x", {{"available", 1}}).status(), GANTRY_REJECT);
}

}  // namespace
}  // namespace catalog
