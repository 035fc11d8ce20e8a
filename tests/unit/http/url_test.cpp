#include "http/url.hpp"

#include <gtest/gtest.h>

namespace gantry::http {
namespace {

TEST(ParsePathTest, DecodesSegments) {
  const auto read = parse_path("/orders/a%20b/history");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->text, "/orders/a b/history");
  EXPECT_EQ(read->segments, (std::vector<std::string>{"orders", "a b", "history"}));
}

TEST(ParsePathTest, TheRootHasNoSegmentAndATrailingSlashAddsAnEmptyOne) {
  EXPECT_TRUE(parse_path("/")->segments.empty());
  EXPECT_EQ(parse_path("/a/")->segments, (std::vector<std::string>{"a", ""}));
}

TEST(ParsePathTest, RefusesPathsThatTwoReadersWouldReadDifferently) {
  for (const auto* text : {"", "a", "/a/../b", "/./a", "/a/%2e%2E/b", "/%2e", "/..", "//a", "/a//b", "/a%2Fb", "/a%5cb",
                           "/a\\b", "/a%0Ab", "/%7f", "/%ff", "/%c0%af", "/%ed%a0%80"}) {
    EXPECT_FALSE(parse_path(text).ok()) << text;
  }
}

TEST(ParsePathTest, TakesUtf8AndDotsInsideNames) {
  EXPECT_EQ(parse_path("/%C3%A9t%C3%A9/v1..2/...")->text, "/\xC3\xA9t\xC3\xA9/v1..2/...");
}

}  // namespace
}  // namespace gantry::http
