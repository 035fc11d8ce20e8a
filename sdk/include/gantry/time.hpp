// A point in time, in microseconds, and its RFC 3339 text. Thread: any.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gantry {

struct instant {
  std::int64_t us = 0;  // since 1970-01-01T00:00:00Z

  // "2026-03-01T09:30:00.000250Z": always UTC, always six digits, so that texts sort as times do.
  std::string rfc3339() const;
  // Takes any offset and up to nine digits of a second (what is below a microsecond is cut). Nothing if the text is not
  // an RFC 3339 time.
  static std::optional<instant> parse(std::string_view text);

  constexpr auto operator<=>(const instant&) const = default;
  friend constexpr instant operator+(instant a, std::chrono::microseconds d) { return {a.us + d.count()}; }
  friend constexpr instant operator-(instant a, std::chrono::microseconds d) { return {a.us - d.count()}; }
  friend constexpr std::chrono::microseconds operator-(instant a, instant b) {
    return std::chrono::microseconds(a.us - b.us);
  }
};

namespace detail {

inline void put_digits(char* to, int width, std::int64_t value) {
  for (int i = width - 1; i >= 0; --i) {
    to[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

// Takes `width` digits off the front; -1 if they are not there.
inline int take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return -1;
  int value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

inline bool take_char(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// The fraction of a second in microseconds; 0 if there is none, -1 if it is malformed.
inline std::int64_t take_fraction(std::string_view& text) {
  if (!take_char(text, ".")) return 0;
  std::int64_t us = 0;
  std::size_t digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
    if (digits++ < 6) us = us * 10 + (text.front() - '0');
  }
  if (digits == 0 || digits > 9) return -1;
  for (; digits < 6; ++digits) us *= 10;
  return us;
}

// The offset from UTC in seconds; nothing if it is malformed.
inline std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (take_char(text, "Zz")) return 0;
  const bool west = text.starts_with('-');
  if (!take_char(text, "+-")) return std::nullopt;
  const int hours = take_digits(text, 2);
  if (!take_char(text, ":")) return std::nullopt;
  const int minutes = take_digits(text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const std::int64_t seconds = hours * 3600 + minutes * 60;
  return west ? -seconds : seconds;
}

}  // namespace detail

inline std::string instant::rfc3339() const {
  using namespace std::chrono;
  const sys_time<microseconds> at{microseconds(us)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const std::int64_t of_day = (at - day).count();
  std::string text = "0000-00-00T00:00:00.000000Z";
  detail::put_digits(text.data(), 4, static_cast<int>(date.year()));
  detail::put_digits(text.data() + 5, 2, static_cast<unsigned>(date.month()));
  detail::put_digits(text.data() + 8, 2, static_cast<unsigned>(date.day()));
  detail::put_digits(text.data() + 11, 2, of_day / 3'600'000'000);
  detail::put_digits(text.data() + 14, 2, of_day / 60'000'000 % 60);
  detail::put_digits(text.data() + 17, 2, of_day / 1'000'000 % 60);
  detail::put_digits(text.data() + 20, 6, of_day % 1'000'000);
  return text;
}

inline std::optional<instant> instant::parse(std::string_view text) {
  using namespace std::chrono;
  const int y = detail::take_digits(text, 4);
  if (y < 0 || !detail::take_char(text, "-")) return std::nullopt;
  const int m = detail::take_digits(text, 2);
  if (m < 0 || !detail::take_char(text, "-")) return std::nullopt;
  const int d = detail::take_digits(text, 2);
  if (d < 0 || !detail::take_char(text, "Tt ")) return std::nullopt;
  const int hour = detail::take_digits(text, 2);
  if (hour < 0 || hour > 23 || !detail::take_char(text, ":")) return std::nullopt;
  const int minute = detail::take_digits(text, 2);
  if (minute < 0 || minute > 59 || !detail::take_char(text, ":")) return std::nullopt;
  const int second = detail::take_digits(text, 2);
  if (second < 0 || second > 60) return std::nullopt;
  const std::int64_t fraction = detail::take_fraction(text);
  const auto offset = detail::take_offset(text);
  const year_month_day date{year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(d))};
  if (fraction < 0 || !offset || !text.empty() || !date.ok()) return std::nullopt;
  const std::int64_t of_day = hour * 3600 + minute * 60 + second;
  const std::int64_t seconds = sys_days(date).time_since_epoch() / std::chrono::seconds(1) + of_day - *offset;
  return instant{seconds * 1'000'000 + fraction};
}

}  // namespace gantry
