#include "store/postgres/values.hpp"

#include <libpq-fe.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace gantry::store::postgres {
namespace {

// Object ids of PostgreSQL's built-in types; they are part of its protocol and never change.
enum : std::uint32_t {
  type_bool = 16,
  type_bytea = 17,
  type_char = 18,
  type_name = 19,
  type_int8 = 20,
  type_int2 = 21,
  type_int4 = 23,
  type_text = 25,
  type_oid = 26,
  type_json = 114,
  type_float4 = 700,
  type_float8 = 701,
  type_unknown = 705,
  type_bpchar = 1042,
  type_varchar = 1043,
  type_void = 2278,
  type_numeric = 1700,
};

template <typename T>
void put(T value, char* to) {
  for (std::size_t i = sizeof value; i-- > 0;) {
    to[i] = static_cast<char>(value & 0xFF);
    value = static_cast<T>(value >> 8);
  }
}

template <typename T>
T take(const char* from) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i)
    value = static_cast<T>((value << 8) | static_cast<unsigned char>(from[i]));
  return value;
}

constexpr std::size_t empty_array_header = 12;
constexpr std::size_t array_header = 20;
constexpr std::size_t longest_element = 1 << 20;

// One dimension, counted from 1; none if there are no elements.
void put_array_header(char* to, bool nulls, std::uint32_t type, std::uint32_t count) {
  put(std::uint32_t{count == 0 ? 0U : 1U}, to);
  put(std::uint32_t{nulls ? 1U : 0U}, to + 4);
  put(type, to + 8);
  if (count == 0) return;
  put(count, to + 12);
  put(std::uint32_t{1}, to + 16);
}

gantry_value of_int(std::int64_t number) {
  gantry_value value{};
  value.type = GANTRY_INT;
  value.as.i = number;
  return value;
}
gantry_value of_real(double number) {
  gantry_value value{};
  value.type = GANTRY_REAL;
  value.as.r = number;
  return value;
}
gantry_value of_bytes(int type, const char* at, std::size_t size) {
  gantry_value value{};
  value.type = type;
  value.as.s = {at, size};
  return value;
}

// A whole number is an INT, as the sum of integers is on SQLite; any other is a REAL.
gantry_value number_of(std::string_view text) {
  std::int64_t whole = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (code == std::errc{} && end == text.data() + text.size()) return of_int(whole);
  return of_real(std::strtod(std::string(text).c_str(), nullptr));
}

// Digits to the base 10000, the first worth 10000^weight.
std::string numeric_text(const char* from) {
  const auto count = take<std::uint16_t>(from);
  const int weight = static_cast<std::int16_t>(take<std::uint16_t>(from + 2));
  const auto sign = take<std::uint16_t>(from + 4);
  const auto scale = take<std::uint16_t>(from + 6);
  if (sign == 0xC000) return "nan";
  if (sign == 0xD000) return "inf";
  if (sign == 0xF000) return "-inf";
  const auto group = [&](int i) -> unsigned {
    return i < 0 || i >= static_cast<int>(count) ? 0U : take<std::uint16_t>(from + 8 + i * 2);
  };
  std::string text = sign == 0x4000 ? "-" : "";
  text += weight < 0 ? "0" : std::to_string(group(0));
  const auto four = [&](int i) {
    const auto digits = std::to_string(10000 + group(i));
    text.append(digits, 1);
  };
  for (int i = 1; i <= weight; ++i) four(i);
  if (scale == 0) return text;
  text += '.';
  const std::size_t wanted = text.size() + scale;
  for (int i = weight + 1; text.size() < wanted; ++i) four(i);
  text.resize(wanted);
  return text;
}

gantry_value decode_binary(std::uint32_t type, const char* at, std::size_t size) {
  switch (type) {
    case type_bool:
      return of_int(at[0] != 0 ? 1 : 0);
    case type_int2:
      return of_int(static_cast<std::int16_t>(take<std::uint16_t>(at)));
    case type_int4:
      return of_int(static_cast<std::int32_t>(take<std::uint32_t>(at)));
    case type_oid:
      return of_int(take<std::uint32_t>(at));
    case type_int8:
      return of_int(static_cast<std::int64_t>(take<std::uint64_t>(at)));
    case type_float4:
      return of_real(static_cast<double>(std::bit_cast<float>(take<std::uint32_t>(at))));
    case type_float8:
      return of_real(std::bit_cast<double>(take<std::uint64_t>(at)));
    case type_numeric:
      return number_of(numeric_text(at));
    case type_bytea:
      return of_bytes(GANTRY_BLOB, at, size);
    default:
      return of_bytes(GANTRY_TEXT, at, size);
  }
}

unsigned nibble(char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) & 0xFU; }

gantry_value decode_text(std::uint32_t type, const char* at, std::size_t size, std::pmr::memory_resource& arena) {
  switch (type) {
    case type_bool:
      return of_int(at[0] == 't' ? 1 : 0);
    case type_int2:
    case type_int4:
    case type_int8:
    case type_oid:
    case type_numeric:
      return number_of({at, size});
    case type_float4:
    case type_float8:
      return of_real(std::strtod(at, nullptr));
    case type_bytea: {  // \x and two digits a byte
      const std::size_t count = size < 2 ? 0 : (size - 2) / 2;
      auto* const bytes = static_cast<char*>(arena.allocate(count == 0 ? 1 : count, 1));
      for (std::size_t i = 0; i < count; ++i)
        bytes[i] = static_cast<char>(nibble(at[2 + 2 * i]) << 4 | nibble(at[3 + 2 * i]));
      return of_bytes(GANTRY_BLOB, bytes, count);
    }
    default:
      return of_bytes(GANTRY_TEXT, at, size);
  }
}

std::string shown(double from) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), from).ptr;
  return {digits.data(), end};
}

}  // namespace

bool encoder::encode(std::span<const std::uint32_t> types, std::span<const gantry_value> from, failure_text& failure) {
  bytes_.release();
  places_.assign(from.size(), nullptr);
  lengths_.assign(from.size(), 0);
  formats_.assign(from.size(), 1);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i].type == GANTRY_NULL) continue;
    const encoded made = one(types[i], from[i]);
    if (!made.at) {
      failure = {GANTRY_INVALID, "parameter $" + std::to_string(i + 1) + " has a value of unknown type " +
                                     std::to_string(from[i].type)};
      return false;
    }
    if (made.size > 0x3FFFFFFF) {
      failure = {GANTRY_TOO_LARGE, "parameter $" + std::to_string(i + 1) + " has " + std::to_string(made.size) +
                                       " bytes, PostgreSQL takes 1 GiB"};
      return false;
    }
    places_[i] = made.at;
    lengths_[i] = static_cast<int>(made.size);
    formats_[i] = made.binary ? 1 : 0;
  }
  return true;
}

encoder::encoded encoder::one(std::uint32_t type, const gantry_value& from) {
  switch (from.type) {
    case GANTRY_INT:
      return integer(type, from.as.i);
    case GANTRY_REAL:
      return real(type, from.as.r);
    case GANTRY_TEXT:
    case GANTRY_BLOB: {
      const char* const at = from.as.s.ptr ? from.as.s.ptr : "";
      const bool same = from.type == GANTRY_BLOB ? type == type_bytea
                                                 : type == type_text || type == type_varchar || type == type_bpchar ||
                                                       type == type_unknown || type == type_json || type == type_bytea;
      // Where the column has another type the server reads the text as its own, or says what is wrong with it.
      return same ? encoded{at, from.as.s.len, true} : as_text({at, from.as.s.len});
    }
    case GANTRY_INT_ARRAY:
    case GANTRY_TEXT_ARRAY:
      return array(from);
    default:
      return {};
  }
}

encoder::encoded encoder::as_text(std::string_view from) {
  char* const at = room(from.size() + 1);
  std::memcpy(at, from.data(), from.size());
  at[from.size()] = '\0';
  return {at, from.size(), false};
}

encoder::encoded encoder::integer(std::uint32_t type, std::int64_t from) {
  if (type == type_float8) return real(type, static_cast<double>(from));
  if (type == type_int8) {
    char* const at = room(8);
    put(static_cast<std::uint64_t>(from), at);
    return {at, 8, true};
  }
  // Smaller integers and everything else from digits: out of range is then the server's to say.
  if (type == type_bool) return as_text(from != 0 ? "t" : "f");
  return as_text(std::to_string(from));
}

encoder::encoded encoder::real(std::uint32_t type, double from) {
  if (type != type_float8) return as_text(shown(from));
  char* const at = room(8);
  put(std::bit_cast<std::uint64_t>(from), at);
  return {at, 8, true};
}

void encoder::encode_set(std::span<const std::uint32_t> types, std::span<const gantry_value> rows) {
  bytes_.release();
  places_.clear();
  lengths_.clear();
  formats_.assign(types.size(), 1);
  for (std::size_t i = 0; i < types.size(); ++i) {
    const encoded made = column(types[i], rows, i, types.size());
    places_.push_back(made.at);
    lengths_.push_back(static_cast<int>(made.size));
  }
}

encoder::encoded encoder::column(std::uint32_t type, std::span<const gantry_value> rows, std::size_t first,
                                 std::size_t step) {
  const std::size_t count = rows.size() / step;
  const auto size_of = [&](const gantry_value& value) -> std::size_t {
    if (value.type == GANTRY_NULL) return 0;
    if (value.type == GANTRY_TEXT || value.type == GANTRY_BLOB) return value.as.s.len;
    return type == type_bool ? 1 : type == type_int2 ? 2 : type == type_int4 ? 4 : 8;
  };
  std::size_t size = array_header;
  bool nulls = false;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& value = rows[first + i * step];
    nulls = nulls || value.type == GANTRY_NULL;
    size += 4 + size_of(value);
  }
  char* const start = room(size);
  put_array_header(start, nulls, type, static_cast<std::uint32_t>(count));
  char* at = start + array_header;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& value = rows[first + i * step];
    const std::size_t length = size_of(value);
    put(value.type == GANTRY_NULL ? ~std::uint32_t{0} : static_cast<std::uint32_t>(length), at);
    at += 4;
    if (value.type == GANTRY_TEXT || value.type == GANTRY_BLOB) {
      if (length != 0) std::memcpy(at, value.as.s.ptr, length);
    } else if (value.type != GANTRY_NULL && type == type_float8) {
      put(std::bit_cast<std::uint64_t>(value.type == GANTRY_REAL ? value.as.r : static_cast<double>(value.as.i)), at);
    } else if (length == 1) {
      *at = value.as.i != 0 ? 1 : 0;
    } else if (length == 2) {
      put(static_cast<std::uint16_t>(value.as.i), at);
    } else if (length == 4) {
      put(static_cast<std::uint32_t>(value.as.i), at);
    } else if (length == 8) {
      put(static_cast<std::uint64_t>(value.as.i), at);
    }
    at += length;
  }
  return {start, size, true};
}

// One dimension, no nulls, counted from 1; then each element with its length.
encoder::encoded encoder::array(const gantry_value& from) {
  const bool texts = from.type == GANTRY_TEXT_ARRAY;
  std::size_t size = from.count == 0 ? empty_array_header : array_header;
  for (std::uint32_t i = 0; i < from.count; ++i) size += 4 + (texts ? from.as.texts[i].len : 8);
  char* const start = room(size);
  put_array_header(start, false, texts ? type_text : type_int8, from.count);
  if (from.count == 0) return {start, size, true};
  char* at = start + array_header;
  for (std::uint32_t i = 0; i < from.count; ++i) {
    const std::size_t length = texts ? from.as.texts[i].len : 8;
    put(static_cast<std::uint32_t>(length), at);
    if (!texts) put(static_cast<std::uint64_t>(from.as.ints[i]), at + 4);
    if (texts && length != 0) std::memcpy(at + 4, from.as.texts[i].ptr, length);
    at += 4 + length;
  }
  return {start, size, true};
}

std::string_view name_for_sets(std::uint32_t type) noexcept {
  switch (type) {
    case type_bool:
      return "boolean";
    case type_int2:
      return "smallint";
    case type_int4:
      return "integer";
    case type_int8:
      return "bigint";
    case type_float8:
      return "double precision";
    case type_text:
      return "text";
    case type_varchar:
      return "character varying";
    case type_bytea:
      return "bytea";
    default:
      return {};
  }
}

bool goes_into_sets(std::uint32_t type, const gantry_value& value) noexcept {
  const auto within = [&](auto limit) {
    using narrow = decltype(limit);
    return value.type == GANTRY_INT && value.as.i >= std::numeric_limits<narrow>::min() &&
           value.as.i <= std::numeric_limits<narrow>::max();
  };
  if (value.type == GANTRY_NULL) return true;
  switch (type) {
    case type_bool:
    case type_int8:
      return value.type == GANTRY_INT;
    case type_int2:
      return within(std::int16_t{});
    case type_int4:
      return within(std::int32_t{});
    case type_float8:
      return value.type == GANTRY_INT || value.type == GANTRY_REAL;
    case type_text:
    case type_varchar:
      return value.type == GANTRY_TEXT && value.as.s.len <= longest_element;
    case type_bytea:
      return (value.type == GANTRY_TEXT || value.type == GANTRY_BLOB) && value.as.s.len <= longest_element;
    default:
      return false;
  }
}

bool reads_binary(std::uint32_t type) noexcept {
  switch (type) {
    case type_bool:
    case type_bytea:
    case type_char:
    case type_name:
    case type_int8:
    case type_int2:
    case type_int4:
    case type_text:
    case type_oid:
    case type_json:
    case type_float4:
    case type_float8:
    case type_unknown:
    case type_bpchar:
    case type_varchar:
    case type_void:
    case type_numeric:
      return true;
    default:
      return false;
  }
}

gantry_value decode(const pg_result* from, int row, int column, std::pmr::memory_resource& arena) {
  if (PQgetisnull(from, row, column) != 0) return {};
  const auto type = static_cast<std::uint32_t>(PQftype(from, column));
  const char* const at = PQgetvalue(from, row, column);
  const auto size = static_cast<std::size_t>(PQgetlength(from, row, column));
  return PQfformat(from, column) == 1 ? decode_binary(type, at, size) : decode_text(type, at, size, arena);
}

}  // namespace gantry::store::postgres
