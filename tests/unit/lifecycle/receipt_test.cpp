// What a swap leaves behind for people.
#include "lifecycle/receipt.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace gantry::lifecycle {
namespace {

constexpr std::int64_t begun = 1'800'000'000'000'000;

class ReceiptTest : public ::testing::Test {
 protected:
  ReceiptTest() {
    std::string name = std::filesystem::temp_directory_path() / "gantry-receipt-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~ReceiptTest() override { std::filesystem::remove_all(folder_); }

  static swap_receipt of(const std::string& plugin, swap_outcome outcome, std::int64_t at) {
    swap_receipt out;
    out.plugin = plugin;
    out.host = "main";
    out.outcome = outcome;
    out.begun_us = at;
    return out;
  }
  std::string text(const std::string& file) const {
    std::ifstream in(folder_ / "receipts" / file);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  std::size_t count() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_ / "receipts"), {}));
  }

  std::filesystem::path folder_;
};

TEST_F(ReceiptTest, ASwapThatTheProcessDidNotOutliveSaysSoAfterTheStart) {
  ASSERT_TRUE(keep_receipt(folder_, of("order", swap_outcome::begun, begun)));
  settle_receipt(folder_, "order", "main");
  const auto last = last_receipt(folder_, "order", "main");
  ASSERT_TRUE(last);
  EXPECT_NE(last->find(R"("outcome":"interrupted","reasons":["the process ended before the swap did)"),
            std::string::npos)
      << *last;
  EXPECT_EQ(text("order.main-" + std::to_string(begun) + ".json"), *last);
}

TEST_F(ReceiptTest, WhatHasEndedStaysWhatItWas) {
  ASSERT_TRUE(keep_receipt(folder_, of("order", swap_outcome::begun, begun)));
  ASSERT_TRUE(keep_receipt(folder_, of("order", swap_outcome::swapped, begun)));
  settle_receipt(folder_, "order", "main");
  settle_receipt(folder_, "payment", "main");
  EXPECT_NE(last_receipt(folder_, "order", "main")->find(R"("outcome":"swapped")"), std::string::npos);
  EXPECT_EQ(count(), 2U) << "the last one, and itself under its time";
}

TEST_F(ReceiptTest, OneOfASwapThatMustNotHideAnotherIsKeptUnderItsTimeAlone) {
  ASSERT_TRUE(keep_receipt(folder_, of("order", swap_outcome::begun, begun)));
  ASSERT_TRUE(keep_receipt(folder_, of("order", swap_outcome::refused, begun + 1), false));
  EXPECT_NE(last_receipt(folder_, "order", "main")->find(R"("outcome":"begun")"), std::string::npos);
  EXPECT_EQ(count(), 3U);
}

TEST_F(ReceiptTest, TheNewestHundredStay) {
  ASSERT_TRUE(keep_receipt(folder_, of("order-history", swap_outcome::swapped, begun)));
  for (int i = 0; i < 103; ++i) ASSERT_TRUE(keep_receipt(folder_, of("order", swap_outcome::swapped, begun + i)));
  EXPECT_EQ(count(), 2U + 101U);
  EXPECT_EQ(text("order.main-" + std::to_string(begun + 2) + ".json"), "");
  EXPECT_NE(text("order.main-" + std::to_string(begun + 3) + ".json"), "");
  EXPECT_NE(text("order-history.main-" + std::to_string(begun) + ".json"), "") << "of another plugin";
}

}  // namespace
}  // namespace gantry::lifecycle
