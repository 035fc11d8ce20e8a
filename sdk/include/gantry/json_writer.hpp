// Writing JSON. `json_writer` appends piece by piece to one string; `json` is a finished text, usually written as a
// braced list: json{{"id", id}, {"price", {{"amount", 500}, {"currency", "EUR"}}}}.
// Text given must be UTF-8. Thread: one at a time.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "gantry/detail/plain_text.hpp"
#include "gantry/json.hpp"

namespace gantry {

class json;

namespace detail {
template <typename T>
concept integer_like = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;
template <typename T>
concept text_like = std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>;
}  // namespace detail

class json_writer {
 public:
  json_writer() = default;

  // Opens an object or an array, at most 64 inside each other; end() closes the innermost.
  json_writer& object() { return open('{', 1); }
  json_writer& array() { return open('[', 0); }
  json_writer& end() {
    if (depth_ == 0) throw std::logic_error("json_writer: end() without object() or array()");
    --depth_;
    out_ += (kinds_ & 1U) != 0 ? '}' : ']';
    kinds_ >>= 1U;
    return *this;
  }

  json_writer& key(std::string_view name) {
    quote(name, ':');
    return *this;
  }

  json_writer& null() { return raw("null"); }
  // A value that is JSON already. Not checked.
  json_writer& raw(std::string_view text) {
    separate();
    out_ += text;
    return *this;
  }

  json_writer& value(bool v) { return raw(v ? "true" : "false"); }
  json_writer& value(std::nullptr_t) { return null(); }
  template <detail::integer_like T>
  json_writer& value(T v) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, v).ptr;
    return raw({digits, static_cast<std::size_t>(end - digits)});
  }
  // What JSON can't say (not a number, infinite) is written as null.
  template <std::floating_point T>
  json_writer& value(T v) {
    return real(static_cast<double>(v));
  }
  template <detail::text_like T>
  json_writer& value(const T& text) {
    quote(text);
    return *this;
  }
  // The value as it stands in its source; null if there is none.
  json_writer& value(const json_view& v) { return raw(v.exists() ? v.raw() : std::string_view("null")); }
  json_writer& value(const json& v);
  template <typename T>
  json_writer& value(const std::optional<T>& v) {
    return v ? value(*v) : null();
  }

  template <typename T>
  json_writer& field(std::string_view name, const T& v) {
    key(name);
    return value(v);
  }

  const std::string& str() const noexcept { return out_; }
  // The text; the writer is empty afterwards.
  std::string take() {
    depth_ = 0;
    kinds_ = 0;
    return std::exchange(out_, {});
  }
  void clear() noexcept {
    out_.clear();
    depth_ = 0;
    kinds_ = 0;
  }
  void reserve(std::size_t bytes) { out_.reserve(bytes); }

 private:
  json_writer& open(char bracket, std::uint64_t kind) {
    if (depth_ == 64) throw std::logic_error("json_writer: more than 64 levels");
    separate();
    out_ += bracket;
    kinds_ = (kinds_ << 1U) | kind;
    ++depth_;
    return *this;
  }

  // A value that is complete never ends with one of these.
  bool needs_comma() const noexcept {
    if (out_.empty()) return false;
    const char last = out_.back();
    return last != '{' && last != '[' && last != ':' && last != ',';
  }
  void separate() {
    if (needs_comma()) out_ += ',';
  }

  json_writer& real(double v) {
    if (!std::isfinite(v)) return null();
    char digits[32];
    char* end = std::to_chars(digits, digits + sizeof digits, v).ptr;
    const std::string_view text(digits, static_cast<std::size_t>(end - digits));
    raw(text);
    if (text.find_first_of(".e") == std::string_view::npos) out_ += ".0";
    return *this;
  }

  // A text in quotes, behind a comma where there must be one; then `behind`, if it is not 0.
  void quote(std::string_view text, char behind = 0) {
    std::size_t plain = detail::plain_length(text);
    if (plain == text.size() && plain <= longest_piece) {
      // Most are short and plain, and appended at once.
      char piece[longest_piece + 4];
      char* end = piece;
      if (needs_comma()) *end++ = ',';
      *end++ = '"';
      if (plain != 0) std::memcpy(end, text.data(), plain);
      end += plain;
      *end++ = '"';
      if (behind != 0) *end++ = behind;
      out_.append(piece, static_cast<std::size_t>(end - piece));
      return;
    }
    separate();
    out_ += '"';
    for (; plain < text.size(); plain = detail::plain_length(text)) {
      out_.append(text.substr(0, plain));
      escape(static_cast<unsigned char>(text[plain]));
      text.remove_prefix(plain + 1);
    }
    out_.append(text);
    out_ += '"';
    if (behind != 0) out_ += behind;
  }

  void escape(unsigned char c) {
    constexpr char digits[] = "0123456789abcdef";
    out_ += '\\';
    switch (c) {
      case '"':
        out_ += '"';
        break;
      case '\\':
        out_ += '\\';
        break;
      case '\b':
        out_ += 'b';
        break;
      case '\f':
        out_ += 'f';
        break;
      case '\n':
        out_ += 'n';
        break;
      case '\r':
        out_ += 'r';
        break;
      case '\t':
        out_ += 't';
        break;
      default:
        out_ += "u00";
        out_ += digits[c >> 4];
        out_ += digits[c & 15];
    }
  }

  static constexpr std::size_t longest_piece = 60;

  std::string out_;
  std::uint64_t kinds_ = 0;  // one bit a level: 1 for an object
  unsigned depth_ = 0;
};

struct json_field;

// A value in a braced list. Refers to what it was made from, so it lives no longer than the expression.
class json_item {
 public:
  json_item(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  template <std::same_as<bool> T>
  json_item(T v) : kind_(kind::boolean) {
    as_.boolean = v;
  }  // NOLINT(google-explicit-constructor)
  template <detail::integer_like T>
  json_item(T v) : kind_(kind::integer) {  // NOLINT(google-explicit-constructor)
    if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8) {
      kind_ = kind::natural;
      as_.natural = v;
    } else {
      as_.integer = v;
    }
  }
  template <std::floating_point T>
  json_item(T v) : kind_(kind::real) {
    as_.real = static_cast<double>(v);
  }  // NOLINT(google-explicit-constructor)
  template <detail::text_like T>
  json_item(const T& v) : kind_(kind::text), text_(v) {}  // NOLINT(google-explicit-constructor)
  template <std::same_as<json_view> T>
  json_item(const T& v) : kind_(kind::raw), text_(v.exists() ? v.raw() : "null") {}  // NOLINT
  template <std::same_as<json> T>
  json_item(const T& v) : kind_(kind::raw), text_(v.text()) {}  // NOLINT(google-explicit-constructor)
  template <typename T>
  json_item(const std::optional<T>& v) {  // NOLINT(google-explicit-constructor)
    if (v) *this = json_item(*v);
  }
  json_item(std::initializer_list<json_field> fields);  // NOLINT(google-explicit-constructor)

  void write(json_writer& out) const;

 private:
  enum class kind : std::uint8_t { null, boolean, integer, natural, real, text, raw, fields };
  kind kind_ = kind::null;
  union {
    bool boolean;
    std::int64_t integer;
    std::uint64_t natural;
    double real;
    const json_field* fields;
  } as_ = {false};
  std::string_view text_;
  std::size_t count_ = 0;
};

struct json_field {
  json_field(std::string_view field_name, const json_item& field_value) : name(field_name), value(field_value) {}
  std::string_view name;
  json_item value;
};

// A finished JSON text.
class json {
 public:
  json() : text_("null") {}
  // An object: json{{"a", 1}, {"b", {{"c", "x"}}}}.
  json(std::initializer_list<json_field> fields) {
    json_writer out;
    json_item(fields).write(out);
    text_ = out.take();
  }
  // A scalar, or the value of a json_view.
  template <typename T>
  requires(!std::same_as<T, json> && !std::same_as<T, json_item> && std::constructible_from<json_item, const T&>)
      json(const T& scalar) {  // NOLINT(google-explicit-constructor)
    json_writer out;
    json_item(scalar).write(out);
    text_ = out.take();
  }
  json(json_writer&& out) : text_(out.take()) {}  // NOLINT(google-explicit-constructor)

  static json object(std::initializer_list<json_field> fields = {}) { return json(fields); }
  static json array(std::initializer_list<json_item> items = {}) {
    json_writer out;
    out.array();
    for (const json_item& item : items) item.write(out);
    out.end();
    return json(std::move(out));
  }
  // A text that is JSON already. Not checked.
  static json raw(std::string text) {
    json out;
    out.text_ = std::move(text);
    return out;
  }

  const std::string& text() const noexcept { return text_; }
  std::string take() && { return std::move(text_); }

 private:
  std::string text_;
};

inline json_item::json_item(std::initializer_list<json_field> fields) : kind_(kind::fields), count_(fields.size()) {
  as_.fields = fields.begin();
}

inline void json_item::write(json_writer& out) const {
  switch (kind_) {
    case kind::null:
      out.null();
      break;
    case kind::boolean:
      out.value(as_.boolean);
      break;
    case kind::integer:
      out.value(as_.integer);
      break;
    case kind::natural:
      out.value(as_.natural);
      break;
    case kind::real:
      out.value(as_.real);
      break;
    case kind::text:
      out.value(text_);
      break;
    case kind::raw:
      out.raw(text_);
      break;
    case kind::fields:
      out.object();
      for (std::size_t i = 0; i < count_; ++i) {
        out.key(as_.fields[i].name);
        as_.fields[i].value.write(out);
      }
      out.end();
      break;
  }
}

inline json_writer& json_writer::value(const json& v) { return raw(v.text()); }

}  // namespace gantry
