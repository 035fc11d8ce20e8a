#include <gtest/gtest.h>

#include <algorithm>

#include "store/product_cache.hpp"

namespace catalog {
namespace {

using namespace std::chrono_literals;

class Cache : public ::testing::Test {
 protected:
  void put(std::string_view sku, std::string_view text, std::uint64_t since) {
    cache.put(sku, std::make_shared<const product_cache::entry>(product_cache::entry{std::string(text), 1}), since,
              now);
  }
  std::string at(std::string_view sku) {
    const auto found = cache.find({&sku, 1}).front();
    return found ? found->text : "-";
  }
  product_cache cache;
  gantry::instant now{1'000'000};
};

TEST_F(Cache, KeepsWhatWasRead) {
  put("A", "one", cache.epoch());
  EXPECT_EQ(at("A"), "one");
  EXPECT_EQ(at("B"), "-");
}

TEST_F(Cache, AReaderThatBeganBeforeAChangeLeavesNothing) {
  const auto since = cache.epoch();
  cache.changing("A", "e1", now);
  cache.changed("A", "e1");
  put("A", "old", since);
  EXPECT_EQ(at("A"), "-");
  put("A", "new", cache.epoch());
  EXPECT_EQ(at("A"), "new");
}

TEST_F(Cache, NothingIsKeptWhileATransactionIsOnItsWay) {
  put("A", "old", cache.epoch());
  cache.changing("A", "e1", now);
  EXPECT_EQ(at("A"), "-");
  put("A", "old", cache.epoch());
  EXPECT_EQ(at("A"), "-") << "it may commit at any moment";
  cache.changing("A", "e2", now);
  cache.changed("A", "e1");
  put("A", "half", cache.epoch());
  EXPECT_EQ(at("A"), "-") << "the second one is still on its way";
  cache.changed("A", "e2");
  put("A", "new", cache.epoch());
  EXPECT_EQ(at("A"), "new");
}

TEST_F(Cache, AChangeThatWasRolledBackIsForgottenInTime) {
  cache.changing("A", "never seen", now);
  now = now + product_cache::mark_lifetime + 1s;
  put("A", "kept", cache.epoch());
  EXPECT_EQ(at("A"), "kept");
}

TEST_F(Cache, MissedEventsDropEverything) {
  put("A", "one", cache.epoch());
  const auto since = cache.epoch();
  cache.clear();
  EXPECT_EQ(at("A"), "-");
  put("A", "one", since);
  EXPECT_EQ(at("A"), "-");
}

TEST_F(Cache, AnotherGenerationIsToldWhatToRead) {
  put("A", "one", cache.epoch());
  put("B", "two", cache.epoch());
  put("C", "three", cache.epoch());
  product_cache next;
  next.want(cache.names());
  auto some = next.take_wanted(2);
  EXPECT_EQ(some.size(), 2U);
  for (auto& more : next.take_wanted(2)) some.push_back(std::move(more));
  std::sort(some.begin(), some.end());
  EXPECT_EQ(some, (std::vector<std::string>{"A", "B", "C"}));
  EXPECT_TRUE(next.take_wanted(2).empty());
}

}  // namespace
}  // namespace catalog
