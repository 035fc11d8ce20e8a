// From which warehouses a quantity is taken.
// Pure. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace inventory {

struct shelf {
  std::string warehouse;
  std::int64_t on_hand = 0;

  bool operator==(const shelf&) const = default;
};

struct pick {
  std::string warehouse;
  std::int64_t quantity = 0;

  bool operator==(const pick&) const = default;
};

// Takes as much as it can from `shelves[0]`, the home warehouse, then from the fullest of the others, so that few
// warehouses serve an order. Ties go by name. The picks add up to `quantity`, or to all there is.
std::vector<pick> plan_picks(const std::vector<shelf>& shelves, std::int64_t quantity);

}  // namespace inventory
