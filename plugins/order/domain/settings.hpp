// What the operator of the shop chooses for orders. Values only. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shop::order {

// Takes percent_off of the subtotal, or amount_off minor units of `currency` (empty: of any currency).
struct voucher {
  std::string code;
  std::int64_t percent_off = 0;
  std::int64_t amount_off = 0;
  std::string currency;
  std::int64_t valid_until_us = 0;  // since 1970; 0: for ever
};

struct settings {
  std::chrono::microseconds reserve_timeout = std::chrono::seconds(30);
  std::chrono::microseconds pay_timeout = std::chrono::seconds(60);
  std::chrono::microseconds ship_timeout = std::chrono::seconds(60);
  std::chrono::microseconds commit_timeout = std::chrono::seconds(30);
  std::chrono::microseconds compensation_timeout = std::chrono::seconds(30);
  std::uint32_t compensation_attempts = 5;
  std::chrono::microseconds completion_delay{};  // from delivery to Completed
  std::int64_t shipping_fee = 0;                 // minor units of the order's currency
  std::vector<voucher> vouchers;
};

// A duration as the topology writes it: "250ms", "30s", "15m", "2h", "7d". Nothing if the text is not of that form.
std::optional<std::chrono::microseconds> parse_duration(std::string_view text);

}  // namespace shop::order
