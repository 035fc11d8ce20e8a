// Values on their way into SQL and out of it.
#pragma once

#include <array>
#include <concepts>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "gantry/abi/store.h"
#include "gantry/detail/runtime.hpp"
#include "gantry/json_writer.hpp"
#include "gantry/time.hpp"

namespace gantry {

// Bytes that are stored as they are, not as text.
struct blob {
  explicit blob(std::string_view content) : bytes(content) {}
  std::string_view bytes;
};

namespace detail {

template <typename T>
concept text_span = std::convertible_to<const T&, std::span<const std::string_view>>;
template <typename T>
concept int_span = std::convertible_to<const T&, std::span<const std::int64_t>>;

inline void put(gantry_value& out, std::int64_t v) {
  out.type = GANTRY_INT;
  out.as.i = v;
}
inline void put_text(gantry_value& out, std::string_view text, std::int32_t type = GANTRY_TEXT) {
  out.type = type;
  out.as.s = str(text);
}

inline void put_json(gantry_value& out, const json_view& v) {
  if (!v.exists() || v.is_null()) return;
  if (v.is_string()) return put_text(out, v.text());
  if (v.is_int()) return put(out, v.integer());
  if (!v.is_number()) return put_text(out, v.raw());
  out.type = GANTRY_REAL;
  out.as.r = v.number();
}

// Fills a value that is NULL so far.
template <typename T>
void put_any(gantry_value& out, const T& v) {
  if constexpr (std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t>) {
  } else if constexpr (std::same_as<T, bool>) {
    put(out, v ? 1 : 0);
  } else if constexpr (std::integral<T>) {
    if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8) {
      if (v > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        throw failure(GANTRY_INVALID, "SQL parameter " + std::to_string(v) + " is beyond 64 bits with sign");
      }
    }
    put(out, static_cast<std::int64_t>(v));
  } else if constexpr (std::floating_point<T>) {
    out.type = GANTRY_REAL;
    out.as.r = static_cast<double>(v);
  } else if constexpr (std::same_as<T, json_view>) {
    put_json(out, v);
  } else if constexpr (std::same_as<T, json>) {
    put_text(out, v.text());
  } else if constexpr (std::same_as<T, json_writer>) {
    put_text(out, v.str());
  } else if constexpr (std::same_as<T, instant>) {
    put(out, v.us);
  } else if constexpr (std::same_as<T, blob>) {
    put_text(out, v.bytes, GANTRY_BLOB);
  } else if constexpr (std::derived_from<T, gantry_value>) {
    out = v;
  } else if constexpr (text_like<T>) {
    put_text(out, std::string_view(v));
  } else {
    static_assert(
        requires { v.has_value(); }, "this type can't be a parameter of SQL");
    if (v.has_value()) put_any(out, *v);
  }
}

// A parameter list on the stack. It borrows everything, so it lives no longer than the statement.
template <typename... Args>
class parameters {
 public:
  explicit parameters(const Args&... args) {
    std::size_t next = 0;
    (add(values_[next++], args), ...);
  }
  parameters(const parameters&) = delete;
  parameters& operator=(const parameters&) = delete;
  ~parameters() = default;

  const gantry_value* begin() const noexcept { return values_.data(); }
  std::size_t size() const noexcept { return sizeof...(Args); }

 private:
  template <typename T>
  void add(gantry_value& out, const T& v) {
    if constexpr (text_span<T>) {
      auto& list = texts_[used_++];
      for (const std::string_view text : std::span<const std::string_view>(v)) list.push_back(str(text));
      out.type = GANTRY_TEXT_ARRAY;
      out.count = static_cast<std::uint32_t>(list.size());
      out.as.texts = list.data();
    } else if constexpr (int_span<T>) {
      const std::span<const std::int64_t> list(v);
      out.type = GANTRY_INT_ARRAY;
      out.count = static_cast<std::uint32_t>(list.size());
      out.as.ints = list.data();
    } else {
      put_any<std::decay_t<const T>>(out, v);
    }
  }

  std::array<gantry_value, sizeof...(Args)> values_{};
  // string_view and gantry_str order their members differently, so arrays of text are copied as pointers.
  std::array<std::vector<gantry_str>, (0 + ... + (text_span<Args> ? 1 : 0))> texts_;
  std::size_t used_ = 0;
};

template <typename T>
struct is_optional : std::false_type {};
template <typename T>
struct is_optional<std::optional<T>> : std::true_type {
  using of = T;
};

[[noreturn]] inline void wrong_type(std::size_t index, std::int32_t found, const char* expected) {
  constexpr const char* names[] = {"NULL", "an integer", "a real number", "text", "a blob"};
  throw failure(GANTRY_INVALID, "column " + std::to_string(index) + " holds " +
                                    (found >= 0 && found <= 4 ? names[found] : "an unknown type") + ", expected " +
                                    expected);
}

template <typename T>
T from_value(const gantry_value& v, std::size_t index) {
  if constexpr (is_optional<T>::value) {
    if (v.type == GANTRY_NULL) return std::nullopt;
    return from_value<typename is_optional<T>::of>(v, index);
  } else if constexpr (std::same_as<T, bool>) {
    if (v.type != GANTRY_INT) wrong_type(index, v.type, "a boolean (integer)");
    return v.as.i != 0;
  } else if constexpr (std::same_as<T, instant>) {
    if (v.type != GANTRY_INT) wrong_type(index, v.type, "a time (integer)");
    return instant{v.as.i};
  } else if constexpr (std::integral<T>) {
    if (v.type != GANTRY_INT || !std::in_range<T>(v.as.i)) wrong_type(index, v.type, "an integer that fits");
    return static_cast<T>(v.as.i);
  } else if constexpr (std::floating_point<T>) {
    if (v.type == GANTRY_INT) return static_cast<T>(v.as.i);
    if (v.type != GANTRY_REAL) wrong_type(index, v.type, "a number");
    return static_cast<T>(v.as.r);
  } else {
    static_assert(std::same_as<T, std::string> || std::same_as<T, std::string_view>, "no column has this type");
    if (v.type != GANTRY_TEXT && v.type != GANTRY_BLOB) wrong_type(index, v.type, "text");
    return T(view(v.as.s));
  }
}

}  // namespace detail

// One parameter of exec_many; borrows text from what it was made of.
class value : public gantry_value {
 public:
  template <typename T>
  requires(!std::derived_from<T, gantry_value>) value(const T& from)
      : gantry_value{} {  // NOLINT(google-explicit-constructor)
    detail::put_any<std::decay_t<const T>>(*this, from);
  }
};
static_assert(sizeof(value) == sizeof(gantry_value));

}  // namespace gantry
