// The lines of a reservation: which SKU, how many.
// Pure. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace inventory {

struct line {
  std::string sku;
  std::int64_t quantity = 0;

  bool operator==(const line&) const = default;
};

// A line that stock can't serve.
struct shortage {
  std::string sku;
  std::int64_t requested = 0;
  std::int64_t available = 0;
};

inline constexpr std::int64_t max_quantity = 1'000'000;
inline constexpr std::size_t max_lines = 100;

// Sorts by SKU, the order in which stock is locked everywhere. Returns what is wrong with the lines (none, too many, a
// SKU missing or named twice, a quantity outside 1..max_quantity), or an empty text.
std::string put_in_order(std::vector<line>& lines);

}  // namespace inventory
