// The ABI's values as PostgreSQL's wire format has them, and back. Binary wherever the type is known, text elsewhere.
// Thread: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>
#include <vector>

#include "gantry/abi/store.h"
#include "store/postgres/status.hpp"

struct pg_result;

namespace gantry::store::postgres {

// Parameters of one execution, encoded. Used again for each; what it holds is good until the next encode().
class encoder {
 public:
  // `types` are the parameters' types as the server has inferred them. INVALID: a value that no such parameter takes.
  bool encode(std::span<const std::uint32_t> types, std::span<const gantry_value> from, failure_text& failure);

  // Each column of a set as an array: `rows` has the parameters of one execution after those of the other. Only what
  // goes_into_sets().
  void encode_set(std::span<const std::uint32_t> types, std::span<const gantry_value> rows);

  int count() const noexcept { return static_cast<int>(places_.size()); }
  const char* const* places() const noexcept { return places_.data(); }
  const int* lengths() const noexcept { return lengths_.data(); }
  const int* formats() const noexcept { return formats_.data(); }

 private:
  struct encoded {
    const char* at = nullptr;
    std::size_t size = 0;
    bool binary = true;
  };
  encoded one(std::uint32_t type, const gantry_value& from);
  encoded integer(std::uint32_t type, std::int64_t from);
  encoded real(std::uint32_t type, double from);
  encoded array(const gantry_value& from);
  encoded as_text(std::string_view from);
  encoded column(std::uint32_t type, std::span<const gantry_value> rows, std::size_t at, std::size_t step);
  char* room(std::size_t size) { return static_cast<char*>(bytes_.allocate(size == 0 ? 1 : size, 1)); }

  static constexpr std::size_t usual_bytes = 4096;
  std::vector<const char*> places_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::array<std::byte, usual_bytes> first_bytes_;
  std::pmr::monotonic_buffer_resource bytes_{first_bytes_.data(), first_bytes_.size()};
};

// The name of a type whose values can stand in the array of a set; empty: they can't.
std::string_view name_for_sets(std::uint32_t type) noexcept;

// Whether this value can be an element of such an array; what can't is sent alone, and the server says what is wrong.
bool goes_into_sets(std::uint32_t type, const gantry_value& value) noexcept;

// Whether a column of this type can be read in binary.
bool reads_binary(std::uint32_t type) noexcept;

// One column of a result, as store.hpp wants it typed. Text and blobs point into the result, or into `arena` where they
// had to be decoded.
gantry_value decode(const pg_result* from, int row, int column, std::pmr::memory_resource& arena);

}  // namespace gantry::store::postgres
