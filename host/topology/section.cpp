#include "topology/section.hpp"

#include <charconv>
#include <cmath>

#include "topology/json_text.hpp"
#include "topology/names.hpp"
#include "topology/substitute.hpp"
#include "topology/units.hpp"

namespace gantry::topology {
namespace {

constexpr std::size_t longest_shown = 80;

std::string clipped(std::string_view text) {
  if (text.size() <= longest_shown) return std::string(text);
  return std::string(text.substr(0, longest_shown)) + "...";
}

std::string described_scalar(std::string_view text, bool quoted) {
  if (!quoted) {
    switch (type_of(text)) {
      case scalar_type::null:
        return "nothing";
      case scalar_type::boolean:
        return std::string(text);
      case scalar_type::integer:
      case scalar_type::real:
        return "number " + clipped(text);
      case scalar_type::text:
        break;
    }
  }
  return json_quoted(clipped(text));
}

// What may be said of a scalar that turned out wrong.
std::string shown_scalar(const scalar_value& value) {
  return value.reference.empty() ? described_scalar(value.text, value.quoted) : "the value of " + value.reference;
}

}  // namespace

void parse_state::report(location at, std::string subject, std::string found, std::string expected,
                         std::string suggestion) {
  problems.push_back(make_problem(file, at, severity::error, std::move(subject), std::move(found), std::move(expected),
                                  std::move(suggestion)));
}

void parse_state::warn(location at, std::string subject, std::string found, std::string expected,
                       std::string suggestion) {
  problems.push_back(make_problem(file, at, severity::warning, std::move(subject), std::move(found),
                                  std::move(expected), std::move(suggestion)));
}

std::string described(const yaml_node& node) {
  switch (node.what) {
    case yaml_node::kind::null:
      return "nothing";
    case yaml_node::kind::list:
      return "a list";
    case yaml_node::kind::map:
      return "a mapping";
    case yaml_node::kind::scalar:
      return described_scalar(node.text, node.quoted);
  }
  return "nothing";
}

bool read_scalar(parse_state& state, const yaml_node& node, const std::string& subject, std::string_view expected,
                 scalar_value& out) {
  if (node.what != yaml_node::kind::scalar) {
    state.report(node.at, subject, described(node), std::string(expected));
    return false;
  }
  substituted replaced;
  bad_reference why;
  if (!substitute(node.text, *state.env, replaced, why)) {
    state.report(node.at, subject, why.found, why.expected, why.suggestion);
    return false;
  }
  out = {std::move(replaced.text), std::move(replaced.reference), node.quoted};
  return true;
}

section::section(parse_state& state, const yaml_node& node, std::string path, std::vector<std::string> keys)
    : state_(&state), node_(&node), path_(std::move(path)) {
  const std::string subject = path_.empty() ? "the file" : path_;
  if (node.what == yaml_node::kind::null) return;
  if (node.what != yaml_node::kind::map) {
    state.report(node.at, subject, described(node), "a mapping (key: value)");
    return;
  }
  for (const auto& [key, value] : node.map) {
    if (key.what != yaml_node::kind::scalar) {
      state.report(key.at, subject, described(key) + " as a key", "a name");
      continue;
    }
    const auto same = [&name = key.text](const auto& entry) { return entry.first->text == name; };
    if (const auto first = std::ranges::find_if(entries_, same); first != entries_.end()) {
      state.report(key.at, subject, "key \"" + key.text + "\" again", "each key once",
                   "the first is in line " + std::to_string(first->first->at.line));
      continue;
    }
    if (!keys.empty() && std::ranges::find(keys, key.text) == keys.end()) {
      state.report(key.at, subject, "unknown key \"" + key.text + "\"", listed(keys), did_you_mean(key.text, keys));
      continue;
    }
    entries_.emplace_back(&key, &value);
  }
}

std::string section::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + '.' + std::string(key);
}

const yaml_node* section::find(std::string_view key) const {
  for (const auto& [name, value] : entries_) {
    if (name->text == key) return value;
  }
  return nullptr;
}

std::vector<std::pair<std::string, const yaml_node*>> section::entries() const {
  std::vector<std::pair<std::string, const yaml_node*>> out;
  for (const auto& [name, value] : entries_) out.emplace_back(name->text, value);
  return out;
}

location section::key_place(std::string_view key) const {
  for (const auto& [name, value] : entries_) {
    if (name->text == key) return name->at;
  }
  return node_->at;
}

void section::report(location at, std::string_view key, std::string found, std::string expected,
                     std::string suggestion) const {
  state_->report(at, path_of(key), std::move(found), std::move(expected), std::move(suggestion));
}

bool section::scalar(std::string_view key, std::string_view expected, scalar_value& out, location& at) const {
  const yaml_node* value = find(key);
  if (value == nullptr) return false;
  at = value->at;
  return read_scalar(*state_, *value, path_of(key), expected, out);
}

setting<std::string> section::text(std::string_view key, std::string otherwise) const {
  scalar_value value;
  location at;
  if (!scalar(key, "text", value, at)) return absent(key, std::move(otherwise));
  if (value.text.empty()) {
    report(at, key, value.reference.empty() ? "an empty text" : value.reference + ", which is empty", "text");
    return absent(key, std::move(otherwise));
  }
  return {std::move(value.text), at, true, std::move(value.reference)};
}

setting<std::uint64_t> section::integer(std::string_view key, std::uint64_t otherwise, std::uint64_t least,
                                        std::uint64_t most) const {
  const std::string expected = "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  scalar_value value;
  location at;
  if (!scalar(key, expected, value, at)) return absent(key, otherwise);
  std::uint64_t number = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [stop, code] = std::from_chars(value.text.data(), end, number);
  const bool quoted_text = value.quoted && value.reference.empty();
  if (quoted_text || code != std::errc{} || stop != end || number < least || number > most) {
    report(at, key, shown_scalar(value), expected, quoted_text ? "leave the quotes out" : "");
    return absent(key, otherwise);
  }
  return {number, at, true, std::move(value.reference)};
}

setting<double> section::number(std::string_view key, double otherwise) const {
  scalar_value value;
  location at;
  if (!scalar(key, "a number above 0", value, at)) return absent(key, otherwise);
  double number = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [stop, code] = std::from_chars(value.text.data(), end, number);
  if (code != std::errc{} || stop != end || !std::isfinite(number) || number <= 0) {
    report(at, key, shown_scalar(value), "a number above 0");
    return absent(key, otherwise);
  }
  return {number, at, true, std::move(value.reference)};
}

setting<bool> section::boolean(std::string_view key, bool otherwise) const {
  scalar_value value;
  location at;
  if (!scalar(key, "true or false", value, at)) return absent(key, otherwise);
  if (value.text == "true" || value.text == "false") {
    return {value.text == "true", at, true, std::move(value.reference)};
  }
  std::string suggestion;
  if (value.reference.empty()) {
    std::string word;
    std::ranges::transform(value.text, std::back_inserter(word),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (word == "yes" || word == "on" || word == "true" || word == "1") suggestion = "write true";
    if (word == "no" || word == "off" || word == "false" || word == "0") suggestion = "write false";
    if (suggestion.empty()) suggestion = did_you_mean(word, {"true", "false"});
  }
  report(at, key, shown_scalar(value), "true or false", std::move(suggestion));
  return absent(key, otherwise);
}

setting<std::chrono::microseconds> section::duration(std::string_view key, std::chrono::microseconds otherwise) const {
  scalar_value value;
  location at;
  if (!scalar(key, "a duration such as 5ms", value, at)) return absent(key, otherwise);
  auto parsed = parse_duration(value.text);
  if (!parsed) {
    report(at, key, shown_scalar(value), "a duration such as 5ms",
           value.reference.empty() ? parsed.failure().text : std::string{});
    return absent(key, otherwise);
  }
  return {*parsed, at, true, std::move(value.reference)};
}

setting<std::uint64_t> section::size(std::string_view key, std::uint64_t otherwise) const {
  scalar_value value;
  location at;
  if (!scalar(key, "a size such as 64MiB", value, at)) return absent(key, otherwise);
  auto parsed = parse_size(value.text);
  if (!parsed) {
    report(at, key, shown_scalar(value), "a size such as 64MiB",
           value.reference.empty() ? parsed.failure().text : std::string{});
    return absent(key, otherwise);
  }
  return {*parsed, at, true, std::move(value.reference)};
}

std::vector<setting<std::string>> section::texts(std::string_view key) const {
  const yaml_node* node = find(key);
  std::vector<setting<std::string>> out;
  if (node == nullptr) return out;
  if (node->what != yaml_node::kind::list) {
    std::string suggestion;
    if (node->what == yaml_node::kind::scalar && node->text.find('$') == std::string::npos) {
      suggestion = "write [" + node->text + "]";
    }
    report(node->at, key, described(*node), "a list", std::move(suggestion));
    return out;
  }
  for (std::size_t i = 0; i < node->items.size(); ++i) {
    const std::string subject = path_of(key) + '[' + std::to_string(i) + ']';
    scalar_value value;
    if (!read_scalar(*state_, node->items[i], subject, "text", value)) continue;
    if (value.text.empty()) {
      state_->report(node->items[i].at, subject, "an empty text", "text");
      continue;
    }
    out.push_back({std::move(value.text), node->items[i].at, true, std::move(value.reference)});
  }
  return out;
}

setting<std::size_t> section::choice(std::string_view key, std::size_t otherwise,
                                     const std::vector<std::string>& names) const {
  scalar_value value;
  location at;
  if (!scalar(key, listed(names), value, at)) return absent(key, otherwise);
  const auto found = std::ranges::find(names, value.text);
  if (found == names.end()) {
    report(at, key, shown_scalar(value), listed(names),
           value.reference.empty() ? did_you_mean(value.text, names) : std::string{});
    return absent(key, otherwise);
  }
  return {static_cast<std::size_t>(found - names.begin()), at, true, std::move(value.reference)};
}

}  // namespace gantry::topology
