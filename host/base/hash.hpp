// Checksums and hashes whose values are part of a format.
// Thread: any.
#pragma once

#include <cstdint>
#include <string_view>

namespace gantry {

// CRC-32C (Castagnoli), as RFC 3720 appendix B.4 defines it. `seed` chains calls: crc32c(b, crc32c(a)).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0) noexcept;

// MurmurHash2 with the seed and the final mask that Kafka's own clients use for keys
// (org.apache.kafka.common.utils.Utils.murmur2 and toPositive).
std::uint32_t murmur2(std::string_view bytes) noexcept;

// Partition of a key, the same on every driver. Precondition: partitions > 0.
inline std::uint32_t partition_of(std::string_view key, std::uint32_t partitions) noexcept {
  return (murmur2(key) & 0x7FFF'FFFFU) % partitions;
}

}  // namespace gantry
