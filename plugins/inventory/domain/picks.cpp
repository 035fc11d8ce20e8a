#include "domain/picks.hpp"

#include <algorithm>

namespace inventory {

std::vector<pick> plan_picks(const std::vector<shelf>& shelves, std::int64_t quantity) {
  std::vector<shelf> ordered = shelves;
  if (ordered.size() > 2) {
    std::sort(ordered.begin() + 1, ordered.end(), [](const shelf& a, const shelf& b) {
      return a.on_hand != b.on_hand ? a.on_hand > b.on_hand : a.warehouse < b.warehouse;
    });
  }
  std::vector<pick> picks;
  for (const shelf& each : ordered) {
    const std::int64_t taken = std::min(quantity, each.on_hand);
    if (taken <= 0) continue;
    picks.push_back({each.warehouse, taken});
    quantity -= taken;
  }
  return picks;
}

}  // namespace inventory
