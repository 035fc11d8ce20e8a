// Reading JSON: a strict RFC 8259 parser into a flat array of nodes, and views into it.
//
// A document keeps offsets into the source text, which must outlive it; strings with escapes are unescaped into a
// buffer of the document. A view is a pointer to its document and an index: cheap to copy, valid as long as document
// and source stay where they are. Thread: one at a time for parsing, any number for reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/failure.hpp"

namespace gantry {

struct json_limits {
  std::size_t max_depth = 64;  // arrays and objects inside each other
  bool refuse_duplicate_keys = true;
};

// Why a text is not JSON. Offset counts bytes from 0, line and column from 1, column in bytes.
class json_error : public failure {
 public:
  json_error() : failure(GANTRY_INVALID, "") {}
  json_error(std::string_view source, std::size_t where, std::string found_text, std::string expected_text);

  std::size_t offset = 0;
  std::size_t line = 1;
  std::size_t column = 1;
  std::string found;
  std::string expected;

 private:
  json_error(std::size_t where, std::size_t on_line, std::size_t at, std::string found_text, std::string expected_text);
};

namespace detail {

enum class json_kind : std::uint8_t { null, boolean, integer, real, text, array, object };

// One value. The nodes of its parts follow it; `end` is the index after the last of them. In an object, names and
// values alternate.
struct json_node {
  json_kind kind = json_kind::null;
  bool unescaped = false;    // the text is in the document's buffer, not in the source
  std::uint32_t end = 0;     // node index
  std::uint32_t begin = 0;   // where the value begins in the source
  std::uint32_t length = 0;  // bytes in the source
  union {
    std::int64_t integer;
    double real;
    bool boolean;
    struct {
      std::uint32_t at;
      std::uint32_t size;
    } text;
    std::uint32_t count;
  } as = {0};
};

class json_parser;

}  // namespace detail

class json_view;

class json_document {
 public:
  json_document() = default;

  // The text must outlive the document. Throws json_error.
  static json_document parse(std::string_view text, json_limits limits = {}) {
    json_document document;
    document.parse_into(text, limits);
    return document;
  }
  static std::optional<json_document> try_parse(std::string_view text, json_error& error, json_limits limits = {});

  // Replaces what this document holds and keeps its memory. Views into the old content are void. After a throw the
  // document is empty.
  void parse_into(std::string_view text, json_limits limits = {});

  // The outermost value; one that does not exist if nothing was parsed.
  json_view root() const noexcept;

 private:
  friend class json_view;
  friend class detail::json_parser;
  std::string_view source_;
  std::vector<detail::json_node> nodes_;
  std::string unescaped_;
};

// One value of a document, or none: every question about a value that does not exist has a harmless answer.
class json_view {
 public:
  json_view() = default;

  bool exists() const noexcept { return document_ != nullptr; }
  explicit operator bool() const noexcept { return exists(); }

  bool is_null() const noexcept { return is(detail::json_kind::null); }
  bool is_bool() const noexcept { return is(detail::json_kind::boolean); }
  // An integer that an int64_t holds exactly.
  bool is_int() const noexcept { return is(detail::json_kind::integer); }
  bool is_number() const noexcept { return is(detail::json_kind::integer) || is(detail::json_kind::real); }
  bool is_string() const noexcept { return is(detail::json_kind::text); }
  bool is_array() const noexcept { return is(detail::json_kind::array); }
  bool is_object() const noexcept { return is(detail::json_kind::object); }

  // The member of this name, or none.
  json_view operator[](std::string_view name) const noexcept;
  json_view operator[](const char* name) const noexcept { return (*this)[std::string_view(name)]; }
  // The element at this position, or none. Takes time in proportion to the position: iterate instead.
  template <std::integral Index>
  json_view operator[](Index index) const noexcept {
    return element(static_cast<std::size_t>(index));
  }

  // Elements of an array or members of an object; else 0.
  std::size_t size() const noexcept { return is_array() || is_object() ? node().as.count : 0; }
  bool empty() const noexcept { return size() == 0; }

  // The string, unescaped; empty for anything else.
  std::string_view text() const noexcept { return text_or({}); }
  std::string_view text_or(std::string_view otherwise) const noexcept;
  std::int64_t integer(std::int64_t otherwise = 0) const noexcept { return is_int() ? node().as.integer : otherwise; }
  double number(double otherwise = 0) const noexcept {
    if (is_int()) return static_cast<double>(node().as.integer);
    return is(detail::json_kind::real) ? node().as.real : otherwise;
  }
  bool boolean(bool otherwise = false) const noexcept { return is_bool() ? node().as.boolean : otherwise; }

  // The source text of the value; empty if there is none.
  std::string_view raw() const noexcept {
    return exists() ? document_->source_.substr(node().begin, node().length) : std::string_view{};
  }

  class iterator;
  struct member;
  class member_iterator;
  struct member_range;

  // The elements of an array; nothing for any other value.
  iterator begin() const noexcept;
  iterator end() const noexcept;
  // The members of an object in the order of the text; nothing for any other value.
  member_range members() const noexcept;

 private:
  friend class json_document;
  json_view(const json_document* document, std::uint32_t index) : document_(document), index_(index) {}

  const detail::json_node& node() const noexcept { return document_->nodes_[index_]; }
  bool is(detail::json_kind kind) const noexcept { return document_ != nullptr && node().kind == kind; }
  std::uint32_t after() const noexcept { return node().end; }
  json_view element(std::size_t index) const noexcept;

  const json_document* document_ = nullptr;
  std::uint32_t index_ = 0;
};

class json_view::iterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = json_view;
  using difference_type = std::ptrdiff_t;
  using pointer = const json_view*;
  using reference = const json_view&;

  iterator() = default;
  reference operator*() const noexcept { return here_; }
  pointer operator->() const noexcept { return &here_; }
  iterator& operator++() noexcept {
    here_.index_ = here_.after();
    return *this;
  }
  iterator operator++(int) noexcept {
    iterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const iterator& other) const noexcept { return here_.index_ == other.here_.index_; }

 private:
  friend class json_view;
  explicit iterator(json_view at) : here_(at) {}
  json_view here_;
};

struct json_view::member {
  std::string_view name;
  json_view value;
};

class json_view::member_iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = member;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = member;

  member_iterator() = default;
  member operator*() const noexcept { return {name_.text(), json_view(name_.document_, name_.index_ + 1)}; }
  member_iterator& operator++() noexcept {
    name_.index_ = json_view(name_.document_, name_.index_ + 1).after();
    return *this;
  }
  member_iterator operator++(int) noexcept {
    member_iterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const member_iterator& other) const noexcept { return name_.index_ == other.name_.index_; }

 private:
  friend class json_view;
  explicit member_iterator(json_view name) : name_(name) {}
  json_view name_;
};

struct json_view::member_range {
  member_iterator first;
  member_iterator last;
  member_iterator begin() const noexcept { return first; }
  member_iterator end() const noexcept { return last; }
};

inline json_view json_document::root() const noexcept { return nodes_.empty() ? json_view{} : json_view{this, 0}; }

inline std::string_view json_view::text_or(std::string_view otherwise) const noexcept {
  if (!is_string()) return otherwise;
  const detail::json_node& n = node();
  const std::string_view from = n.unescaped ? std::string_view(document_->unescaped_) : document_->source_;
  return from.substr(n.as.text.at, n.as.text.size);
}

inline json_view json_view::operator[](std::string_view name) const noexcept {
  for (const auto [member_name, value] : members()) {
    if (member_name == name) return value;
  }
  return {};
}

inline json_view json_view::element(std::size_t index) const noexcept {
  if (!is_array() || index >= size()) return {};
  iterator at = begin();
  while (index-- > 0) ++at;
  return *at;
}

inline json_view::iterator json_view::begin() const noexcept {
  return is_array() ? iterator({document_, index_ + 1}) : iterator();
}

inline json_view::iterator json_view::end() const noexcept {
  return is_array() ? iterator({document_, after()}) : iterator();
}

inline json_view::member_range json_view::members() const noexcept {
  if (!is_object()) return {};
  return {member_iterator({document_, index_ + 1}), member_iterator({document_, after()})};
}

}  // namespace gantry

#include "gantry/detail/json_parser.hpp"
