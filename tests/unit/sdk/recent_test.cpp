#include <gtest/gtest.h>

#include <gantry/recent.hpp>
#include <string>

namespace {

TEST(Recent, FindsWhatWasPutIn) {
  gantry::recent<int> numbers(8);
  EXPECT_EQ(numbers.find("one"), nullptr);
  numbers.put("one", 1) += 10;
  ASSERT_NE(numbers.find("one"), nullptr);
  EXPECT_EQ(*numbers.find("one"), 11);
  numbers.put("one", 2);
  EXPECT_EQ(*numbers.find("one"), 2);
  EXPECT_EQ(numbers.size(), 1U);
}

TEST(Recent, ForgetsOneOrAll) {
  gantry::recent<int> numbers(8);
  for (int n = 0; n < 6; ++n) numbers.put(std::to_string(n), n);
  numbers.forget("0");
  numbers.forget("5");
  numbers.forget("7");
  EXPECT_EQ(numbers.find("0"), nullptr);
  EXPECT_EQ(numbers.find("5"), nullptr);
  EXPECT_EQ(*numbers.find("1"), 1);
  EXPECT_EQ(numbers.size(), 4U);
  numbers.clear();
  EXPECT_EQ(numbers.size(), 0U);
  EXPECT_EQ(numbers.find("1"), nullptr);
}

TEST(Recent, KeepsTheNewestInItsBound) {
  gantry::recent<int> numbers(100);
  for (int n = 0; n < 1000; ++n) {
    numbers.put(std::to_string(n), n);
    ASSERT_LE(numbers.size(), 100U);
    for (int back = 0; back < 50 && back <= n; ++back) {
      const int* found = numbers.find(std::to_string(n - back));
      ASSERT_NE(found, nullptr) << n - back << " after " << n;
      ASSERT_EQ(*found, n - back);
    }
  }
  EXPECT_EQ(numbers.find("0"), nullptr);
}

// One that was put in long ago and again now is there once, with what it is now.
TEST(Recent, WhatIsPutInAgainIsNew) {
  gantry::recent<int> numbers(4);
  for (int n = 0; n < 3; ++n) numbers.put(std::to_string(n), n);
  numbers.put("0", 7);
  numbers.put("4", 4);
  ASSERT_NE(numbers.find("0"), nullptr);
  EXPECT_EQ(*numbers.find("0"), 7);
}

TEST(Recent, EvenTheSmallestKeepsTheLast) {
  gantry::recent<int> numbers(0);
  for (int n = 0; n < 5; ++n) {
    numbers.put(std::to_string(n), n);
    EXPECT_EQ(*numbers.find(std::to_string(n)), n);
    EXPECT_LE(numbers.size(), 2U);
  }
}

}  // namespace
