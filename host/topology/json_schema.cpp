#include "topology/json_schema.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <limits>
#include <optional>
#include <regex>

#include "topology/json_text.hpp"
#include "topology/names.hpp"

namespace gantry::topology {
namespace {

namespace json = boost::json;

constexpr std::size_t longest_matched = 8'192;  // std::regex recurses once a character
constexpr std::size_t longest_shown = 80;

constexpr std::array<std::string_view, 16> enforced{
    "type",  "properties",           "required", "enum",      "const",     "minimum",  "maximum",  "exclusiveMinimum",
    "items", "additionalProperties", "pattern",  "minLength", "maxLength", "minItems", "maxItems", "exclusiveMaximum"};
constexpr std::array<std::string_view, 11> annotations{"title",      "description", "format",   "default",
                                                       "examples",   "$schema",     "$id",      "$comment",
                                                       "deprecated", "readOnly",    "writeOnly"};

struct bad_schema {
  std::string text;
};

std::string clipped(std::string text) {
  if (text.size() > longest_shown) text = text.substr(0, longest_shown) + "...";
  return text;
}

std::string described(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::object:
      return "an object";
    case json::kind::array:
      return "a list";
    case json::kind::bool_:
      return value.get_bool() ? "true" : "false";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "number " + json::serialize(value);
    case json::kind::string:
      return clipped(json_quoted(value.get_string()));
  }
  return "nothing";
}

bool is_whole(const json::value& value) {
  if (value.is_int64() || value.is_uint64()) return true;
  return value.is_double() && std::isfinite(value.get_double()) && std::floor(value.get_double()) == value.get_double();
}

long double numeric(const json::value& value) {
  if (value.is_int64()) return static_cast<long double>(value.get_int64());
  if (value.is_uint64()) return static_cast<long double>(value.get_uint64());
  return value.get_double();
}

bool equal(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return numeric(a) == numeric(b);
  return a == b;
}

bool has_type(const json::value& value, std::string_view type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  if (type == "integer") return is_whole(value);
  throw bad_schema{"type \"" + std::string(type) +
                   "\", expected object, array, string, boolean, null, number or integer"};
}

std::string_view words_of(std::string_view type) {
  if (type == "object") return "a mapping";
  if (type == "array") return "a list";
  if (type == "string") return "text";
  if (type == "boolean") return "true or false";
  if (type == "null") return "null";
  if (type == "number") return "a number";
  return "a whole number";
}

// Characters, not bytes: what JSON Schema counts.
std::size_t length_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

class checker {
 public:
  std::vector<schema_error> errors;

  void check(const json::value& schema, json::value& value, const std::string& pointer) {
    if (schema.is_bool()) {
      if (!schema.get_bool()) fail(pointer, described(value), "nothing");
      return;
    }
    if (!schema.is_object()) throw bad_schema{described(schema) + ", expected an object, true or false"};
    const json::object& rules = schema.get_object();
    if (!check_type(rules, value, pointer)) return;
    check_values(rules, value, pointer);
    if (value.is_number()) check_number(rules, value, pointer);
    if (value.is_string()) check_text(rules, value.get_string(), pointer);
    if (value.is_array()) check_list(rules, value.get_array(), pointer);
    if (value.is_object()) check_object(rules, value.get_object(), pointer);
  }

 private:
  void fail(const std::string& pointer, std::string found, std::string expected, std::string suggestion = {}) {
    errors.push_back({pointer, std::move(found), std::move(expected), std::move(suggestion), false});
  }

  void fail_key(const std::string& pointer, std::string found, std::string expected, std::string suggestion = {}) {
    errors.push_back({pointer, std::move(found), std::move(expected), std::move(suggestion), true});
  }

  bool check_type(const json::object& rules, const json::value& value, const std::string& pointer) {
    const json::value* type = rules.if_contains("type");
    if (type == nullptr) return true;
    std::vector<std::string> names;
    bool fits = false;
    const auto add = [&](const json::value& each) {
      if (!each.is_string()) throw bad_schema{"type " + described(each) + ", expected a name"};
      fits = has_type(value, each.get_string()) || fits;
      names.emplace_back(words_of(each.get_string()));
    };
    if (type->is_array()) {
      for (const json::value& each : type->get_array()) add(each);
    } else {
      add(*type);
    }
    if (fits) return true;
    const bool wants_text = std::ranges::find(names, "text") != names.end();
    fail(pointer, described(value), listed(names),
         wants_text && (value.is_number() || value.is_bool()) ? "put quotes around it" : "");
    return false;
  }

  void check_values(const json::object& rules, const json::value& value, const std::string& pointer) {
    if (const json::value* only = rules.if_contains("const"); only != nullptr && !equal(*only, value)) {
      fail(pointer, described(value), described(*only));
    }
    const json::value* allowed = rules.if_contains("enum");
    if (allowed == nullptr) return;
    if (!allowed->is_array()) throw bad_schema{"enum " + described(*allowed) + ", expected a list"};
    std::vector<std::string> names;
    std::vector<std::string> words;
    for (const json::value& each : allowed->get_array()) {
      if (equal(each, value)) return;
      names.push_back(described(each));
      if (each.is_string()) words.emplace_back(each.get_string());
    }
    fail(pointer, described(value), listed(names),
         value.is_string() ? did_you_mean(value.get_string(), words) : std::string{});
  }

  static std::optional<long double> bound(const json::object& rules, std::string_view keyword) {
    const json::value* value = rules.if_contains(keyword);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) throw bad_schema{std::string(keyword) + ' ' + described(*value) + ", expected a number"};
    return numeric(*value);
  }

  void check_number(const json::object& rules, const json::value& value, const std::string& pointer) {
    const long double number = numeric(value);
    const auto refuse = [&](std::string_view keyword, std::string_view words) {
      fail(pointer, described(value), std::string(words) + json::serialize(rules.at(keyword)));
    };
    if (const auto least = bound(rules, "minimum"); least && number < *least) refuse("minimum", "at least ");
    if (const auto most = bound(rules, "maximum"); most && number > *most) refuse("maximum", "at most ");
    if (const auto b = bound(rules, "exclusiveMinimum"); b && number <= *b) refuse("exclusiveMinimum", "more than ");
    if (const auto b = bound(rules, "exclusiveMaximum"); b && number >= *b) refuse("exclusiveMaximum", "less than ");
  }

  void check_count(const json::object& rules, std::string_view least_key, std::string_view most_key, std::size_t count,
                   std::string_view noun, const std::string& pointer) {
    const std::string found = std::to_string(count) + ' ' + std::string(noun);
    const auto size = static_cast<long double>(count);
    if (const auto least = bound(rules, least_key); least && size < *least) {
      fail(pointer, found, "at least " + json::serialize(rules.at(least_key)));
    }
    if (const auto most = bound(rules, most_key); most && size > *most) {
      fail(pointer, found, "at most " + json::serialize(rules.at(most_key)));
    }
  }

  void check_text(const json::object& rules, const json::string& text, const std::string& pointer) {
    check_count(rules, "minLength", "maxLength", length_of(text), "characters", pointer);
    const json::value* pattern = rules.if_contains("pattern");
    if (pattern == nullptr) return;
    if (!pattern->is_string()) throw bad_schema{"pattern " + described(*pattern) + ", expected text"};
    const std::string expected = "text that matches " + std::string(pattern->get_string());
    if (text.size() > longest_matched) {
      fail(pointer, "text of " + std::to_string(text.size()) + " bytes", expected);
      return;
    }
    try {
      const std::regex expression(pattern->get_string().c_str(), std::regex::ECMAScript);
      if (!std::regex_search(text.begin(), text.end(), expression)) {
        fail(pointer, clipped(json_quoted(text)), expected);
      }
    } catch (const std::regex_error& wrong) {
      throw bad_schema{"pattern " + json_quoted(pattern->get_string()) +
                       ", expected a regular expression: " + wrong.what()};
    }
  }

  void check_list(const json::object& rules, json::array& list, const std::string& pointer) {
    check_count(rules, "minItems", "maxItems", list.size(), "elements", pointer);
    const json::value* items = rules.if_contains("items");
    if (items == nullptr) return;
    for (std::size_t i = 0; i < list.size(); ++i) check(*items, list[i], json_pointer(pointer, std::to_string(i)));
  }

  void check_object(const json::object& rules, json::object& object, const std::string& pointer) {
    static const json::object none;
    const json::value* listed_properties = rules.if_contains("properties");
    if (listed_properties != nullptr && !listed_properties->is_object()) {
      throw bad_schema{"properties " + described(*listed_properties) + ", expected an object"};
    }
    const json::object& properties = listed_properties != nullptr ? listed_properties->get_object() : none;
    fill_defaults(properties, object);
    check_required(rules, object, pointer);
    for (auto& member : object) {
      const std::string below = json_pointer(pointer, member.key());
      if (const json::value* rule = properties.if_contains(member.key()); rule != nullptr) {
        check(*rule, member.value(), below);
      } else if (const json::value* others = rules.if_contains("additionalProperties"); others != nullptr) {
        check_additional(*others, properties, member, below);
      }
    }
  }

  static void fill_defaults(const json::object& properties, json::object& object) {
    for (const auto& property : properties) {
      if (!property.value().is_object() || object.contains(property.key())) continue;
      const json::value* otherwise = property.value().get_object().if_contains("default");
      if (otherwise != nullptr) object.emplace(property.key(), *otherwise);
    }
  }

  void check_required(const json::object& rules, const json::object& object, const std::string& pointer) {
    const json::value* required = rules.if_contains("required");
    if (required == nullptr) return;
    if (!required->is_array()) throw bad_schema{"required " + described(*required) + ", expected a list"};
    for (const json::value& name : required->get_array()) {
      if (!name.is_string()) throw bad_schema{"required " + described(name) + ", expected a name"};
      if (!object.contains(name.get_string())) {
        fail_key(pointer, "no key \"" + std::string(name.get_string()) + '"', "it to be there");
      }
    }
  }

  void check_additional(const json::value& rule, const json::object& properties, json::key_value_pair& member,
                        const std::string& pointer) {
    if (!rule.is_bool() || rule.get_bool()) {
      check(rule, member.value(), pointer);
      return;
    }
    std::vector<std::string> names;
    for (const auto& property : properties) names.emplace_back(property.key());
    fail_key(pointer, "unknown key \"" + std::string(member.key()) + '"', listed(names),
             did_you_mean(member.key(), names));
  }
};

result<json::value> parsed(std::string_view text, std::string_view what) {
  json::error_code code;
  json::value value = json::parse(text, code);
  if (code) return error{errc::invalid, std::string(what) + " is not JSON: " + code.message()};
  return value;
}

bool is_known(std::string_view keyword) {
  return std::ranges::find(enforced, keyword) != enforced.end() ||
         std::ranges::find(annotations, keyword) != annotations.end();
}

void collect_unknown(const json::value& schema, const std::string& pointer, std::vector<std::string>& out) {
  if (!schema.is_object()) return;
  for (const auto& member : schema.get_object()) {
    const std::string below = json_pointer(pointer, member.key());
    if (!is_known(member.key())) {
      out.push_back(below);
    } else if (member.key() == "properties" && member.value().is_object()) {
      for (const auto& property : member.value().get_object()) {
        collect_unknown(property.value(), json_pointer(below, property.key()), out);
      }
    } else if (member.key() == "items" || member.key() == "additionalProperties") {
      collect_unknown(member.value(), below, out);
    }
  }
}

}  // namespace

result<schema_check> check_json(std::string_view schema, std::string_view json) {
  auto rules = parsed(schema, "the schema");
  if (!rules) return rules.failure();
  auto value = parsed(json, "the value");
  if (!value) return value.failure();
  checker run;
  try {
    run.check(*rules, *value, "");
  } catch (const bad_schema& wrong) {
    return error{errc::invalid, "the schema has " + wrong.text};
  }
  return schema_check{json::serialize(*value), std::move(run.errors)};
}

result<std::vector<std::string>> unknown_keywords(std::string_view schema) {
  auto rules = parsed(schema, "the schema");
  if (!rules) return rules.failure();
  std::vector<std::string> out;
  collect_unknown(*rules, "", out);
  return out;
}

}  // namespace gantry::topology
