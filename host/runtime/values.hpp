// SQL parameters from the host's own types, and columns back.
// Thread: any.
#pragma once

#include <cstdint>
#include <string_view>

#include "gantry/abi/store.h"
#include "store/store.hpp"

namespace gantry::runtime {

inline gantry_value value(std::int64_t v) noexcept {
  gantry_value out{};
  out.type = GANTRY_INT;
  out.as.i = v;
  return out;
}
inline gantry_value value(std::uint64_t v) noexcept { return value(static_cast<std::int64_t>(v)); }
inline gantry_value value(std::uint32_t v) noexcept { return value(static_cast<std::int64_t>(v)); }
inline gantry_value value(std::string_view v) noexcept {
  gantry_value out{};
  out.type = GANTRY_TEXT;
  out.as.s = {v.data(), v.size()};
  return out;
}
inline gantry_value blob(std::string_view v) noexcept {
  gantry_value out = value(v);
  out.type = GANTRY_BLOB;
  return out;
}

inline std::int64_t integer_at(store::cursor& row, std::size_t index) {
  gantry_value v{};
  return row.column(index, v) == GANTRY_OK && v.type == GANTRY_INT ? v.as.i : 0;
}
inline std::string_view text_at(store::cursor& row, std::size_t index) {
  gantry_value v{};
  if (row.column(index, v) != GANTRY_OK || (v.type != GANTRY_TEXT && v.type != GANTRY_BLOB)) return {};
  return {v.as.s.ptr, v.as.s.len};
}

}  // namespace gantry::runtime
