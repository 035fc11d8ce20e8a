#include "store/postgres/statement_shape.hpp"

#include <optional>
#include <utility>

#include "store/postgres/sql_scanner.hpp"

namespace gantry::store::postgres {
namespace {

// May stand before a parenthesis and look at nothing but what is in it.
constexpr std::array<std::string_view, 24> harmless{
    "ABS",   "AND", "CASE", "CAST", "COALESCE", "CONFLICT", "COUNT", "ELSE", "GREATEST", "IN",     "LEAST", "LENGTH",
    "LOWER", "MAX", "MIN",  "NOT",  "NULLIF",   "OR",       "SUM",   "THEN", "UPPER",    "VALUES", "WHEN",  "WHERE"};
// Whatever has one of these may look at more than its table, or at it in a way of its own.
constexpr std::array<std::string_view, 20> beyond{
    "SELECT", "FROM",         "USING",  "JOIN", "WITH",        "UNION",   "INTERSECT", "EXCEPT", "EXISTS",  "TABLE",
    "ONLY",   "GANTRY_ARRAY", "WINDOW", "OVER", "TABLESAMPLE", "LATERAL", "CURRENT",   "MERGE",  "EXPLAIN", "INTO"};
constexpr std::array<std::string_view, 5> after_its_table{"WHERE", "ORDER", "LIMIT", "FOR", "GROUP"};
constexpr std::size_t longest_name = 63;  // the server cuts longer ones off
constexpr std::string_view set_name = "gantry_set";

std::string column_of_set(std::size_t parameter) {
  return std::string(set_name) + ".gantry_" + std::to_string(parameter);
}

}  // namespace

class shape_reader {
 public:
  explicit shape_reader(std::string_view sql) {
    sql_scanner from(sql);
    for (token t{}; from.next(t);)
      if (t.what != token_kind::semicolon) tokens_.push_back(t);
  }

  statement_shape read() {
    if (is("INSERT") && (++at_, is("INTO"))) {
      ++at_;
      read_insert();
    } else if (is("UPDATE")) {
      ++at_;
      if (read_table() && is("SET")) read_change(" FROM ");
    } else if (is("DELETE") && (++at_, is("FROM"))) {
      ++at_;
      if (read_table() && is("WHERE")) read_change(" USING ");
    } else if (is("SELECT")) {
      ++at_;
      read_select();
    }
    return std::move(shape_);
  }

 private:
  bool is(std::string_view word) const { return is(at_, word); }
  bool is(std::size_t at, std::string_view word) const {
    return at < tokens_.size() && tokens_[at].what == token_kind::word && upper(tokens_[at].text) == word;
  }
  bool is_mark(std::size_t at, std::string_view mark) const {
    return at < tokens_.size() && tokens_[at].what == token_kind::other && tokens_[at].text == mark;
  }
  bool is_name(std::size_t at) const { return at < tokens_.size() && tokens_[at].what == token_kind::word; }

  // A name alone: one with its schema is not looked at further.
  bool read_table() {
    if (!is_name(at_) || is_mark(at_ + 1, ".") || tokens_[at_].text.size() > longest_name) return false;
    table_ = lower(tokens_[at_++].text);
    return true;
  }

  // From here to the end nothing looks beyond the table.
  bool stays(std::size_t from, std::size_t to) const {
    for (std::size_t i = from; i < to; ++i) {
      i += length_of_lock(i);
      if (i >= to) return true;
      const token& t = tokens_[i];
      if (t.what == token_kind::quoted) return false;
      if (t.what != token_kind::word) continue;
      const auto word = upper(t.text);
      if (among(beyond, word)) return false;
      if (is_mark(i + 1, "(") && !among(harmless, word)) return false;
    }
    return true;
  }

  // FROM (SELECT pg_advisory_xact_lock(...)) AS name looks at no table. The number of its tokens; 0: it is something
  // else.
  std::size_t length_of_lock(std::size_t at) const {
    if (!is(at, "FROM") || !is_mark(at + 1, "(") || !is(at + 2, "SELECT") || !is(at + 3, "PG_ADVISORY_XACT_LOCK") ||
        !is_mark(at + 4, "("))
      return 0;
    const auto end = behind(at + 4);
    for (std::size_t i = at + 5; end && i + 1 < *end; ++i)
      if (tokens_[i].what != token_kind::number && !is_mark(i, ",")) return 0;
    return end && is_mark(*end, ")") && is(*end + 1, "AS") && is_name(*end + 2) ? *end + 3 - at : 0;
  }

  // The token behind the parenthesis that belongs to the one at `open`.
  std::optional<std::size_t> behind(std::size_t open) const {
    std::size_t depth = 0;
    for (std::size_t i = open; i < tokens_.size(); ++i) {
      if (is_mark(i, "(")) ++depth;
      if (is_mark(i, ")") && --depth == 0) return i + 1;
    }
    return std::nullopt;
  }

  std::optional<std::size_t> find(std::size_t from, std::string_view word) const {
    std::size_t depth = 0;
    for (std::size_t i = from; i < tokens_.size(); ++i) {
      if (is_mark(i, "(")) ++depth;
      if (is_mark(i, ")")) --depth;
      if (depth == 0 && is(i, word)) return i;
    }
    return std::nullopt;
  }

  bool none_of(std::size_t from, std::string_view word) const {
    for (std::size_t i = from; i < tokens_.size(); ++i)
      if (is(i, word)) return false;
    return true;
  }

  void read_insert() {
    if (!read_table() || !is_mark(at_, "(")) return;
    const auto columns = at_;
    const auto after = behind(columns);
    const auto values = after ? find(*after, "VALUES") : std::nullopt;
    if (!values || !is_mark(*values + 1, "(") || !stays(columns, tokens_.size())) return;
    const auto row_end = behind(*values + 1);
    if (!row_end) return;
    shape_.table = table_;
    const bool alone = *row_end == tokens_.size() || is(*row_end, "ON");
    // What is to become of a row that is there already can't name the set.
    if (!alone || find(*row_end, "RETURNING") || has_parameters(*row_end, tokens_.size())) return;
    if (!none_of(*values, "DEFAULT")) return;
    shape_.takes_sets = true;
    shape_.inserts = true;
    shape_.only_adds = none_of(*row_end, "UPDATE");
    const auto overriding = find(*after, "OVERRIDING");
    shape_.numbers_itself = !overriding || !is(*overriding + 1, "SYSTEM");
    shape_.head = renamed(0, *values) + " SELECT " + renamed(*values + 2, *row_end - 1);
    shape_.link = " FROM ";
    shape_.tail = renamed(*row_end, tokens_.size());
  }

  void read_change(std::string_view link) {
    const auto where = find(at_, "WHERE");
    if (!where || !stays(at_, tokens_.size())) return;
    shape_.table = table_;
    if (find(*where, "RETURNING") || !none_of(at_, "FROM")) return;
    shape_.takes_sets = true;
    shape_.keys = keys_in(*where + 1);
    shape_.head = renamed(0, *where);
    shape_.link = link;
    shape_.tail = renamed(*where, tokens_.size());
  }

  void read_select() {
    const auto from = find(at_, "FROM");
    if (!from || !stays(at_, *from)) return;
    at_ = *from + 1;
    if (!read_table()) return;
    const bool ends = at_ == tokens_.size() || (is_name(at_) && among(after_its_table, upper(tokens_[at_].text)));
    if (ends && stays(at_, tokens_.size())) shape_.table = table_;
  }

  // The columns of `column = $n` in conditions that all must hold.
  std::vector<std::string> keys_in(std::size_t from) const {
    std::vector<std::string> found;
    std::size_t depth = 0;
    // In these an AND is none of the whole condition.
    for (std::size_t i = from; i < tokens_.size(); ++i)
      if (is(i, "CASE") || is_mark(i, "[")) return {};
    for (std::size_t i = from, begin = from; i <= tokens_.size(); ++i) {
      if (is_mark(i, "(")) ++depth;
      if (is_mark(i, ")")) --depth;
      if (depth == 0 && (is(i, "OR") || is(i, "BETWEEN"))) return {};
      if (i != tokens_.size() && (depth != 0 || !is(i, "AND"))) continue;
      if (i == begin + 3 && is_name(begin) && is_mark(begin + 1, "=") &&
          tokens_[begin + 2].what == token_kind::parameter && occurs_once(tokens_[begin + 2].text))
        found.push_back(lower(tokens_[begin].text));
      begin = i + 1;
    }
    return found;
  }

  // Elsewhere it could be compared with something else, and be of that type.
  bool occurs_once(std::string_view parameter) const {
    return std::count_if(tokens_.begin(), tokens_.end(), [&](const token& t) { return t.text == parameter; }) == 1;
  }

  bool has_parameters(std::size_t from, std::size_t to) const {
    for (std::size_t i = from; i < to; ++i)
      if (tokens_[i].what == token_kind::parameter) return true;
    return false;
  }

  // As it was written, but for its parameters, which become columns of the set.
  std::string renamed(std::size_t from, std::size_t to) const {
    std::string out;
    for (std::size_t i = from; i < to; ++i) {
      const token& t = tokens_[i];
      std::size_t number = 0;
      if (i != from && t.text.data() != tokens_[i - 1].text.data() + tokens_[i - 1].text.size()) out += ' ';
      if (t.what == token_kind::parameter && parameter_number(t, number)) {
        out += column_of_set(number);
      } else {
        out += t.text;
      }
    }
    return out;
  }

  std::vector<token> tokens_;
  std::size_t at_ = 0;
  std::string table_;
  statement_shape shape_;
};

statement_shape statement_shape::of(std::string_view sql) { return shape_reader(sql).read(); }

std::string statement_shape::for_sets(std::span<const std::string_view> types) const {
  std::string arrays;
  std::string names;
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (i != 0) {
      arrays += ", ";
      names += ", ";
    }
    arrays += "$" + std::to_string(i + 1) + "::" + std::string(types[i]) + "[]";
    names += "gantry_" + std::to_string(i + 1);
  }
  return head + link + "unnest(" + arrays + ") AS " + std::string(set_name) + " (" + names + ") " + tail;
}

}  // namespace gantry::store::postgres
