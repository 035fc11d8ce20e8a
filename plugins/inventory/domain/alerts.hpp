// When low stock is worth an alert, and when availability is worth telling the catalogue.
// Pure. Thread: any.
#pragma once

#include <cstdint>

namespace inventory {

enum class crossing { none, fell_to_low, rose_above_low };

// Low means: available <= threshold. An alert belongs to the crossing, not to the state, so it comes once.
constexpr crossing crossed(std::int64_t available_before, std::int64_t threshold_before, std::int64_t available_after,
                           std::int64_t threshold_after) {
  const bool low_before = available_before <= threshold_before;
  const bool low_after = available_after <= threshold_after;
  if (low_before == low_after) return crossing::none;
  return low_after ? crossing::fell_to_low : crossing::rose_above_low;
}

// True when a SKU became buyable or stopped being so. Reserving and releasing tell others only then.
constexpr bool crossed_zero(std::int64_t available_before, std::int64_t available_after) {
  return (available_before > 0) != (available_after > 0);
}

}  // namespace inventory
