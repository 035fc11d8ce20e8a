// What a customer asks for when placing an order, and the rules that it must keep. Pure: texts are borrowed from the
// request. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shop::order {

// A field of the request that breaks a rule: its path, and what was found and expected.
struct defect {
  std::string field;
  std::string detail;
};

struct wanted_line {
  std::string_view sku;
  std::optional<std::int64_t> quantity;  // nothing: not an integer
};

struct postal_address {
  std::string_view name;
  std::string_view line1;
  std::string_view line2;
  std::string_view city;
  std::string_view region;
  std::string_view postal_code;
  std::string_view country;
};

struct wanted_order {
  std::string_view customer_id;
  std::vector<wanted_line> lines;
  postal_address address;
  std::string_view token;
  std::string_view currency;
  std::string_view voucher;
};

inline constexpr std::size_t max_lines = 100;
inline constexpr std::int64_t max_quantity = 1000;

// Every field that breaks a rule; empty if the order may be priced.
std::vector<defect> validate(const wanted_order& wanted);

// Whether a text could be the number of a payment card: 12 to 19 digits, spaces and dashes aside.
bool looks_like_card_number(std::string_view text);

}  // namespace shop::order
