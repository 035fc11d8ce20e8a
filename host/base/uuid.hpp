// UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then a counter, then random bits, so that ids
// made by one generator grow and index well.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>

namespace gantry {

using uuid_text = std::array<char, 36>;

// Makes ids. Not thread-safe: keep one per thread.
class uuid_generator {
 public:
  explicit uuid_generator(std::uint64_t seed) : random_(seed) {}

  // The next id for this moment (microseconds since the epoch). Later calls give greater ids, also when
  // the clock stands still or goes back.
  uuid_text next(std::int64_t wall_us) noexcept;

 private:
  std::mt19937_64 random_;
  std::uint64_t last_ms_ = 0;
  std::uint32_t counter_ = 0;
};

// From a generator of this thread that the machine's entropy seeded. Thread: any.
uuid_text new_uuid(std::int64_t wall_us) noexcept;
std::string new_uuid_string();

}  // namespace gantry
