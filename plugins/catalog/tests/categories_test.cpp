#include "fixture.hpp"

namespace catalog {
namespace {

class Categories : public ::testing::Test, protected testing::shop {
 protected:
  void SetUp() override { open(); }
};

TEST_F(Categories, AreShownAsATree) {
  post("/catalog/categories", R"({"categoryId":"art","name":"Art"})");
  EXPECT_EQ(get("/catalog/categories").body,
            R"({"items":[{"categoryId":"art","name":"Art","parentId":null,"version":1,"children":[]},)"
            R"({"categoryId":"light","name":"Light","parentId":null,"version":1,"children":[)"
            R"({"categoryId":"lamps","name":"Lamps","parentId":"light","version":1,"children":[]}]}]})");
  const auto one = get("/catalog/categories/lamps");
  EXPECT_EQ(one.header("etag"), "\"1\"");
  EXPECT_EQ(get("/catalog/categories/moon").status, 404);
}

TEST_F(Categories, AreCheckedWhenMade) {
  EXPECT_EQ(testing::first_field(post("/catalog/categories", R"({"name":"x"})")), "categoryId");
  EXPECT_EQ(testing::first_field(post("/catalog/categories", R"({"categoryId":"A B","name":"x"})")), "categoryId");
  EXPECT_EQ(testing::first_field(post("/catalog/categories", R"({"categoryId":"x"})")), "name");
  EXPECT_EQ(post("/catalog/categories", R"({"categoryId":"light","name":"x"})").status, 409);
  EXPECT_EQ(post("/catalog/categories", R"({"categoryId":"x","name":"x","parentId":"moon"})").status, 422);
}

TEST_F(Categories, MoveButNeverBelowThemselves) {
  EXPECT_EQ(put("/catalog/categories/light", R"({"name":"Light","parentId":"lamps"})").status, 422);
  EXPECT_EQ(put("/catalog/categories/lamps", R"({"name":"Lamps"})", {{"if-match", "\"9\""}}).status, 412);
  EXPECT_EQ(put("/catalog/categories/lamps", R"({"name":"Lamps"})", {{"if-match", "\"1\""}}).status, 200);
  EXPECT_EQ(put("/catalog/categories/light", R"({"name":"Light","parentId":"lamps"})").status, 200);
  EXPECT_EQ(put("/catalog/categories/moon", R"({"name":"Moon"})").status, 404);
}

TEST_F(Categories, GoOnlyWhenNothingHangsOnThem) {
  EXPECT_EQ(host.request("DELETE", "/catalog/categories/light").status, 409) << "lamps is below";
  EXPECT_EQ(host.request("DELETE", "/catalog/categories/lamps").status, 409) << "L-1 is in it";
  host.request("DELETE", "/catalog/products/L-1");
  EXPECT_EQ(host.request("DELETE", "/catalog/categories/lamps", {}, {{"if-match", "\"2\""}}).status, 412);
  EXPECT_EQ(host.request("DELETE", "/catalog/categories/lamps").status, 204);
  EXPECT_EQ(host.request("DELETE", "/catalog/categories/lamps").status, 404);
}

}  // namespace
}  // namespace catalog
