// A value or an error. Expected failures travel as values; exceptions end at the plugin barrier.
// Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace gantry {

// What kind of failure this is, so that callers can act on it. The text is for people: it says what was
// found, what was expected and what to do.
enum class errc {
  invalid,      // input that breaks its contract
  not_found,
  conflict,     // somebody else has it
  unsupported,
  unavailable,  // may work later
  timeout,
  too_large,
  corrupt,      // stored bytes that fail their check
  out_of_range, // a position outside the log
  io,           // the operating system refused; the text carries its reason
  internal,
};

struct error {
  errc code = errc::internal;
  std::string text;
};

// The same, with what it was about put before it.
inline error prefixed(std::string_view what, const error& e) { return {e.code, std::string(what) + ": " + e.text}; }

template <typename T>
class [[nodiscard]] result {
 public:
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}    // NOLINT(google-explicit-constructor)
  result(error e) : state_(std::in_place_index<1>, std::move(e)) {}        // NOLINT(google-explicit-constructor)

  explicit operator bool() const noexcept { return state_.index() == 0; }
  bool ok() const noexcept { return state_.index() == 0; }

  // Precondition: ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Precondition: !ok().
  const error& failure() const& { return std::get<1>(state_); }
  error&& failure() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, error> state_;
};

template <>
class [[nodiscard]] result<void> {
 public:
  result() = default;
  result(error e) : error_(std::move(e)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const noexcept { return !error_; }
  bool ok() const noexcept { return !error_; }
  const error& failure() const& { return *error_; }
  error&& failure() && { return std::move(*error_); }

 private:
  std::optional<error> error_;
};

}  // namespace gantry
