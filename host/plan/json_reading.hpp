// Members of JSON objects, as the texts of this room have them. What is missing or of another type reads as empty.
// Private to plan. Thread: any.
#pragma once

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::plan {

namespace json = boost::json;

inline json::string text_of(std::string_view text) { return json::string(text.data(), text.size()); }

inline std::string text(const json::object& in, std::string_view name) {
  const auto* v = in.if_contains(json::string_view(name.data(), name.size()));
  return v != nullptr && v->is_string() ? std::string(v->get_string().data(), v->get_string().size()) : std::string();
}

inline std::vector<std::string> texts(const json::object& in, std::string_view name) {
  std::vector<std::string> out;
  if (const auto* v = in.if_contains(json::string_view(name.data(), name.size())); v != nullptr && v->is_array())
    for (const auto& one : v->get_array())
      if (one.is_string()) out.emplace_back(one.get_string().data(), one.get_string().size());
  return out;
}

inline int number(const json::object& in, std::string_view name) {
  const auto* v = in.if_contains(json::string_view(name.data(), name.size()));
  return v != nullptr && v->is_int64() ? static_cast<int>(v->get_int64()) : 0;
}

inline const json::array* list(const json::object& in, std::string_view name) {
  const auto* v = in.if_contains(json::string_view(name.data(), name.size()));
  return v != nullptr ? v->if_array() : nullptr;
}

inline bool flag(const json::object& in, std::string_view name) {
  const auto* v = in.if_contains(json::string_view(name.data(), name.size()));
  return v != nullptr && v->is_bool() && v->get_bool();
}

// What parses as an object. Nothing: it is none.
inline std::optional<json::object> object_in(std::string_view body) {
  json::error_code fault;
  auto whole = json::parse(json::string_view(body.data(), body.size()), fault);
  if (fault || !whole.is_object()) return std::nullopt;
  return std::move(whole.get_object());
}

}  // namespace gantry::plan
