// Replies and problem documents, and requests as a handler sees them.
#include <gtest/gtest.h>
#include <gantry/plugin.hpp>

namespace {

using gantry::json;
using gantry::reply;

std::string header_of(const reply& r, std::string_view name) {
  for (const auto& [key, value] : r.headers()) {
    if (key == name) return value;
  }
  return {};
}

TEST(Reply, JsonIsAReplyOfStatus200) {
  const reply r = json{{"a", 1}};
  EXPECT_EQ(r.status(), 200);
  EXPECT_EQ(r.body(), R"({"a":1})");
  EXPECT_EQ(gantry::ok({{"b", 2}}).body(), R"({"b":2})");
}

TEST(Reply, ShorthandsSetStatusAndHeaders) {
  const reply r = gantry::created("/orders/1", {{"id", "1"}}).header("etag", "\"1\"");
  EXPECT_EQ(r.status(), 201);
  EXPECT_EQ(header_of(r, "location"), "/orders/1");
  EXPECT_EQ(header_of(r, "etag"), "\"1\"");
  EXPECT_EQ(gantry::no_content().status(), 204);
  EXPECT_TRUE(gantry::no_content().body().empty());
  EXPECT_EQ(gantry::accepted({{"id", "1"}}).status(), 202);
}

TEST(Problem, NamesEveryBadField) {
  const reply r = gantry::bad_request("The order is not valid.", {{"lines[0].quantity", "must be 1..1000, found 0"}});
  EXPECT_EQ(r.status(), 400);
  EXPECT_EQ(header_of(r, "content-type"), "application/problem+json");
  EXPECT_EQ(r.body(),
            R"({"type":"/problems/bad-request","title":"Bad request","status":400,"detail":"The order is not valid.",)"
            R"("errors":[{"field":"lines[0].quantity","detail":"must be 1..1000, found 0"}]})");
}

TEST(Problem, ShorthandsHaveTheirStatus) {
  EXPECT_EQ(gantry::not_found("x").status(), 404);
  EXPECT_EQ(gantry::conflict("sku-taken", "x").status(), 409);
  EXPECT_EQ(gantry::unprocessable("empty-cart", "x").status(), 422);
  EXPECT_EQ(gantry::precondition_failed("x").status(), 412);
  EXPECT_EQ(gantry::problem(402, "card-declined", "Payment required", "").body(),
            R"({"type":"/problems/card-declined","title":"Payment required","status":402})");
}

TEST(Outcome, SaysWhatToDoWithTheEvent) {
  EXPECT_TRUE(gantry::outcome(gantry::ok));
  EXPECT_EQ(gantry::retry("later").status(), GANTRY_RETRY);
  EXPECT_EQ(gantry::reject("poison").text(), "poison");
  EXPECT_FALSE(gantry::reject("poison"));
}

}  // namespace
