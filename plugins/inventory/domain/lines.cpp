#include "domain/lines.hpp"

#include <algorithm>

namespace inventory {

std::string put_in_order(std::vector<line>& lines) {
  if (lines.empty()) return "no lines, expected 1 to " + std::to_string(max_lines);
  if (lines.size() > max_lines) {
    return std::to_string(lines.size()) + " lines, expected 1 to " + std::to_string(max_lines);
  }
  for (const line& each : lines) {
    if (each.sku.empty()) return "a line has no sku";
    if (each.quantity < 1 || each.quantity > max_quantity) {
      return "quantity of " + each.sku + " must be 1.." + std::to_string(max_quantity) + ", found " +
             std::to_string(each.quantity);
    }
  }
  const auto by_sku = [](const line& a, const line& b) { return a.sku < b.sku; };
  if (!std::is_sorted(lines.begin(), lines.end(), by_sku)) std::sort(lines.begin(), lines.end(), by_sku);
  const auto twice =
      std::adjacent_find(lines.begin(), lines.end(), [](const line& a, const line& b) { return a.sku == b.sku; });
  if (twice != lines.end()) return twice->sku + " is named twice";
  return {};
}

}  // namespace inventory
