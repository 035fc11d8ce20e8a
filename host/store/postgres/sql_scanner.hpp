// Cuts SQL into words as PostgreSQL's own scanner would; quotes, comments and dollar quotes hide what is inside.
// Thread: any.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace gantry::store::postgres {

enum class token_kind { word, quoted, text, parameter, number, semicolon, other, bad_parameter };

// A part of the SQL that it was cut from.
struct token {
  token_kind what;
  std::string_view text;
};

class sql_scanner {
 public:
  explicit sql_scanner(std::string_view sql) : sql_(sql) {}

  // False: there is no more.
  bool next(token& out);

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0'; }
  void skip_blanks();
  void skip_comment();
  void skip_quoted(char quote, bool escapes);
  bool goes_on_in_next_line();
  token_kind take();
  token_kind take_dollar();

  std::string_view sql_;
  std::size_t at_ = 0;
};

// Of ASCII letters only.
std::string upper(std::string_view from);
std::string lower(std::string_view from);

template <std::size_t N>
bool among(const std::array<std::string_view, N>& all, std::string_view word) {
  return std::find(all.begin(), all.end(), word) != all.end();
}

// The number of a parameter token, from 1. False: there is no such parameter.
bool parameter_number(const token& t, std::size_t& out);

}  // namespace gantry::store::postgres
