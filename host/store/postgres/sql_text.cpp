#include "store/postgres/sql_text.hpp"

#include <algorithm>
#include <array>

#include "store/postgres/sql_scanner.hpp"

namespace gantry::store::postgres {
namespace {

bool fail(failure_text& failure, gantry_status status, std::string text) {
  failure.status = status;
  failure.text = std::move(text);
  return false;
}

constexpr std::array<std::string_view, 27> of_the_runtime{
    "BEGIN", "START",   "COMMIT", "END",     "ROLLBACK", "ABORT",  "SAVEPOINT", "RELEASE", "PREPARE",
    "SET",   "EXECUTE", "RESET",  "LISTEN",  "UNLISTEN", "NOTIFY", "LOCK",      "COPY",    "DEALLOCATE",
    "FETCH", "DISCARD", "MOVE",   "DECLARE", "CLOSE",    "PRAGMA", "ATTACH",    "DETACH",  "CHECKPOINT"};
constexpr std::array<std::string_view, 5> reading{"SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN"};
constexpr std::array<std::string_view, 4> changing{"INSERT", "UPDATE", "DELETE", "MERGE"};
// Words that may follow a table in FROM and are no alias of it.
constexpr std::array<std::string_view, 26> after_a_table{
    "WHERE",  "JOIN",      "ON",    "ORDER",  "GROUP", "LEFT",        "RIGHT", "FULL",      "INNER",
    "CROSS",  "NATURAL",   "LIMIT", "OFFSET", "UNION", "HAVING",      "USING", "INTERSECT", "EXCEPT",
    "WINDOW", "RETURNING", "FOR",   "FETCH",  "SET",   "TABLESAMPLE", "WITH",  "LATERAL"};

bool refused_word(const token& first, std::string_view sql, failure_text& failure) {
  if (first.what != token_kind::word || !among(of_the_runtime, upper(first.text))) return false;
  fail(failure, GANTRY_REFUSED, "transactions, locks and settings belong to the runtime: " + excerpt(sql));
  return true;
}

// All tokens up to the statement's end; refuses a second statement.
bool read_tokens(std::string_view sql, std::vector<token>& out, failure_text& failure) {
  sql_scanner from(sql);
  bool ended = false;
  for (token t{}; from.next(t);) {
    if (t.what == token_kind::semicolon) {
      ended = ended || !out.empty();
      continue;
    }
    if (ended) {
      return fail(failure, GANTRY_INVALID,
                  "one statement at a time, found a second one: " +
                      excerpt(sql.substr(static_cast<std::size_t>(t.text.data() - sql.data()))));
    }
    out.push_back(t);
  }
  if (out.empty()) return fail(failure, GANTRY_INVALID, "no statement in the SQL text '" + excerpt(sql) + "'");
  return !refused_word(out[0], sql, failure);
}

bool read_parameters(std::string_view sql, const std::vector<token>& tokens, std::size_t& count,
                     failure_text& failure) {
  std::vector<bool> seen;
  for (const auto& t : tokens) {
    std::size_t n = 0;
    if (t.what == token_kind::bad_parameter || (t.what == token_kind::parameter && !parameter_number(t, n))) {
      return fail(failure, GANTRY_INVALID,
                  "parameters are written $1, $2, ...; found " + std::string(t.text) + ": " + excerpt(sql));
    }
    if (n == 0) continue;
    if (seen.size() < n) seen.resize(n);
    seen[n - 1] = true;
  }
  count = seen.size();
  const auto distinct = static_cast<std::size_t>(std::count(seen.begin(), seen.end(), true));
  if (distinct == count) return true;
  return fail(failure, GANTRY_INVALID,
              "parameters are numbered without gaps; found " + std::to_string(distinct) + " of them and $" +
                  std::to_string(count) + ": " + excerpt(sql));
}

bool is_alias(const token& t) {
  return t.what == token_kind::quoted || (t.what == token_kind::word && !among(after_a_table, upper(t.text)));
}

// Writes `gantry_array($n) [AS] alias` as `unnest($n::[]) alias(value)`.
class array_rewriter {
 public:
  array_rewriter(std::string_view sql, const std::vector<token>& tokens, sql_text& out)
      : sql_(sql), tokens_(tokens), out_(out) {}

  bool run(failure_text& failure) {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].what != token_kind::word || upper(tokens_[i].text) != "GANTRY_ARRAY") continue;
      std::size_t n = 0;
      if (i + 3 >= tokens_.size() || tokens_[i + 1].text != "(" || tokens_[i + 2].what != token_kind::parameter ||
          tokens_[i + 3].text != ")" || !parameter_number(tokens_[i + 2], n)) {
        return fail(failure, GANTRY_INVALID, "gantry_array takes one array, as gantry_array($1): " + excerpt(sql_));
      }
      copy_before(tokens_[i]);
      out_.text += "unnest(" + std::string(tokens_[i + 2].text) + "::";
      out_.arrays.push_back({out_.text.size(), n - 1});
      out_.text += "[])";
      copied_ = end_of(tokens_[i + 3]);
      i = alias(i + 4);
    }
    const auto& last = tokens_.back();
    out_.text += sql_.substr(copied_, end_of(last) - copied_);
    return true;
  }

 private:
  std::size_t start_of(const token& t) const { return static_cast<std::size_t>(t.text.data() - sql_.data()); }
  std::size_t end_of(const token& t) const { return start_of(t) + t.text.size(); }
  void copy_before(const token& t) {
    out_.text += sql_.substr(copied_, start_of(t) - copied_);
    copied_ = start_of(t);
  }

  // `at` is what follows the closing parenthesis; returns the last token that was used.
  std::size_t alias(std::size_t at) {
    if (at < tokens_.size() && tokens_[at].what == token_kind::word && upper(tokens_[at].text) == "AS") ++at;
    if (at < tokens_.size() && is_alias(tokens_[at])) {
      out_.text += " AS " + std::string(tokens_[at].text) + "(value)";
      copied_ = end_of(tokens_[at]);
      return at;
    }
    out_.text += " AS gantry_array_" + std::to_string(out_.arrays.size()) + "(value)";
    return at - 1;
  }

  std::string_view sql_;
  const std::vector<token>& tokens_;
  sql_text& out_;
  std::size_t copied_ = 0;
};

}  // namespace

bool sql_text::parse(std::string_view sql, sql_text& out, failure_text& failure) {
  std::vector<token> tokens;
  if (!read_tokens(sql, tokens, failure)) return false;
  if (!read_parameters(sql, tokens, out.parameters, failure)) return false;
  const auto first = upper(tokens[0].text);
  out.may_change = !among(reading, first) && tokens[0].text != "(";
  if (first == "WITH") {
    out.may_change = std::any_of(tokens.begin(), tokens.end(), [](const token& t) {
      return t.what == token_kind::word && among(changing, upper(t.text));
    });
  }
  out.changes_schema = out.may_change && first != "WITH" && !among(changing, first);
  return array_rewriter(sql, tokens, out).run(failure);
}

std::string sql_text::with_types(const std::vector<bool>& texts) const {
  std::string all;
  all.reserve(text.size() + arrays.size() * 6);
  std::size_t copied = 0;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    all.append(text, copied, arrays[i].at - copied).append(texts[i] ? "text" : "bigint");
    copied = arrays[i].at;
  }
  return all.append(text, copied);
}

bool split_script(std::string_view sql, std::vector<std::string_view>& out, failure_text& failure) {
  sql_scanner from(sql);
  std::string_view statement;
  for (token t{}; from.next(t);) {
    if (t.what == token_kind::semicolon) {
      if (!statement.empty()) out.push_back(statement);
      statement = {};
      continue;
    }
    if (statement.empty()) {
      if (refused_word(t, t.text.data() ? sql.substr(static_cast<std::size_t>(t.text.data() - sql.data())) : sql,
                       failure)) {
        return false;
      }
      statement = t.text;
    }
    if (t.what == token_kind::parameter || t.what == token_kind::bad_parameter) {
      return fail(failure, GANTRY_INVALID, "a script has no parameters: " + excerpt(statement));
    }
    statement = {statement.data(), static_cast<std::size_t>(t.text.data() + t.text.size() - statement.data())};
  }
  if (!statement.empty()) out.push_back(statement);
  return true;
}

}  // namespace gantry::store::postgres
