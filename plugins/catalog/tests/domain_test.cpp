#include <gtest/gtest.h>

#include <functional>

#include "domain/categories.hpp"
#include "domain/demo.hpp"
#include "domain/product.hpp"
#include "domain/search.hpp"
#include "store/demo.hpp"

namespace catalog {
namespace {

product good() {
  product p;
  p.sku = "A-1";
  p.name = "Lamp";
  p.category_id = "light";
  p.price = {100, "EUR"};
  return p;
}

TEST(Product, RulesNameTheField) {
  struct row {
    std::function<void(product&)> spoil;
    std::string field;
  };
  const std::vector<row> table{
      {[](product& p) { p.sku = ""; }, "sku"},
      {[](product& p) { p.sku = "a,b"; }, "sku"},
      {[](product& p) { p.sku = std::string(65, 'x'); }, "sku"},
      {[](product& p) { p.name = ""; }, "name"},
      {[](product& p) { p.description = std::string(10'001, 'x'); }, "description"},
      {[](product& p) { p.category_id = ""; }, "categoryId"},
      {[](product& p) { p.price.amount = -1; }, "price.amount"},
      {[](product& p) { p.price.currency = "Euro"; }, "price.currency"},
      {[](product& p) { p.price.currency = "eur"; }, "price.currency"},
      {[](product& p) {
         p.images = {"https://a.example/1.png", "ftp://x"};
       },
       "images[1]"},
      {[](product& p) { p.images = {"javascript:alert(1)"}; }, "images[0]"},
      {[](product& p) { p.images = {"https://"}; }, "images[0]"},
      {[](product& p) { p.images.assign(21, "https://a.example/1.png"); }, "images"},
  };
  for (const row& each : table) {
    product p = good();
    each.spoil(p);
    std::vector<violation> broken;
    check(p, broken);
    ASSERT_EQ(broken.size(), 1U) << each.field;
    EXPECT_EQ(broken[0].field, each.field);
  }
  std::vector<violation> broken;
  check(good(), broken);
  EXPECT_TRUE(broken.empty());
}

TEST(Stars, AreRoundedToTwoDigits) {
  EXPECT_EQ(stars{}.average(), 0);
  EXPECT_EQ((stars{9, 2}.average()), 4.5);
  EXPECT_EQ((stars{10, 3}.average()), 3.33);
}

TEST(SearchWords, QueriesAreWordsOnly) {
  EXPECT_EQ(words("red  lamp"), (std::vector<std::string>{"red", "lamp"}));
  EXPECT_EQ(words("NEAR(\"a\" OR b*) -c:d'"), (std::vector<std::string>{"NEAR", "a", "OR", "b", "c", "d"}));
  EXPECT_EQ(words("!\"'*()"), std::vector<std::string>{});
  EXPECT_EQ(words("Kaffee für zwei"), (std::vector<std::string>{"Kaffee", "für", "zwei"}));
  EXPECT_EQ(words(std::string(200, 'x'))[0].size(), 64U);
  EXPECT_EQ(words(std::string("a ") + std::string(63, 'x') + "ü")[1], std::string(63, 'x')) << "no half characters";
  EXPECT_EQ(words("a b c d e f g h i j k l m n o p q r s").size(), 16U);
  EXPECT_EQ(fts5_query({"red", "OR"}), R"("red"* "OR"*)");
  EXPECT_EQ(tsquery({"red", "OR"}), "'red':* & 'OR':*");
}

std::vector<category> chain(int length) {
  std::vector<category> tree;
  for (int i = 1; i <= length; ++i) {
    category c{"c" + std::to_string(i), "C", std::nullopt, 1};
    if (i > 1) c.parent = "c" + std::to_string(i - 1);
    tree.push_back(c);
  }
  return tree;
}

TEST(CategoryRules, StayATree) {
  const auto tree = chain(3);
  EXPECT_EQ(refuse_parent(tree, "new", "c3"), "");
  EXPECT_EQ(refuse_parent(tree, "c3", "c1"), "");
  EXPECT_EQ(refuse_parent(tree, "c1", "c3"), "c1 can't lie below itself");
  EXPECT_EQ(refuse_parent(tree, "c1", "c1"), "c1 can't lie below itself");
  EXPECT_EQ(refuse_parent(tree, "c1", "nowhere"), "there is no category nowhere");
}

TEST(CategoryRules, AreAtMostEightDeep) {
  EXPECT_EQ(refuse_parent(chain(7), "new", "c7"), "");
  EXPECT_EQ(refuse_parent(chain(8), "new", "c8"), "the tree would be deeper than 8 levels");
  auto two = chain(6);
  two.push_back({"x1", "X", std::nullopt, 1});
  two.push_back({"x2", "X", "x1", 1});
  EXPECT_EQ(refuse_parent(two, "x1", "c6"), "");
  two.push_back({"x3", "X", "x2", 1});
  EXPECT_EQ(refuse_parent(two, "x1", "c6"), "the tree would be deeper than 8 levels");
}

TEST(Demo, IsTheSameEverywhere) {
  const auto description = parse_demo(embedded_demo);
  const auto products = make_demo(description);
  EXPECT_EQ(products.size(), 1'000U);
  EXPECT_EQ(description.categories.size(), 20U);
  EXPECT_EQ(products.front().sku, "SKU-0001");
  EXPECT_EQ(products.back().sku, "SKU-1000");
  EXPECT_EQ(products, make_demo(description));
  for (const product& each : products) {
    std::vector<violation> broken;
    check(each, broken);
    EXPECT_TRUE(broken.empty()) << each.sku;
    EXPECT_GT(each.price.amount, 0);
  }
}

TEST(Demo, AWrongDescriptionIsRefusedInWords) {
  const auto refused = [](std::string_view text) -> std::string {
    try {
      parse_demo(text);
    } catch (const gantry::failure& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refused("{}"), "demo catalogue: productsPerCategory must be 1..10000");
  EXPECT_EQ(refused(R"({"productsPerCategory":1,"adjectives":["a"],"materials":[],"phrases":["b"]})"),
            "demo catalogue: materials must be a list of texts with at least one");
  EXPECT_EQ(refused(R"({"productsPerCategory":1,"adjectives":["a"],"materials":["m"],"phrases":["b"],"currency":"EUR",)"
                    R"("categories":[{"id":"x","name":"X","things":["t"],"price":{"from":9,"to":5}}]})"),
            "demo catalogue: category x: price.to must not be below price.from");
}

}  // namespace
}  // namespace catalog
