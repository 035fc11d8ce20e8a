#include "plan/differences.hpp"

#include <boost/json.hpp>
#include <cstdio>

#include "topology/units.hpp"

namespace gantry::plan {
namespace {

namespace json = boost::json;

void note(differences& out, std::string_view name, const std::string& now, const std::string& next) {
  out.push_back(std::string(name) + ": " + (now.empty() ? "none" : now) + " -> " + (next.empty() ? "none" : next));
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

std::string text_of(const json::value* value) { return value == nullptr ? "none" : json::serialize(*value); }

const json::value* member_of(const json::value& of, json::string_view name) {
  return of.is_object() ? of.get_object().if_contains(name) : nullptr;
}

// `now` and `next` as they are, the other two as they may be shown.
void compare_members(differences& out, const std::string& at, const json::value* now, const json::value* next,
                     const json::value* shown_now, const json::value* shown_next) {
  if (now != nullptr && next != nullptr && *now == *next) return;
  if (now != nullptr && next != nullptr && now->is_object() && next->is_object()) {
    for (const auto& [name, value] : now->get_object())
      compare_members(out, at + "." + std::string(name), &value, member_of(*next, name),
                      shown_now == nullptr ? nullptr : member_of(*shown_now, name),
                      shown_next == nullptr ? nullptr : member_of(*shown_next, name));
    for (const auto& [name, value] : next->get_object())
      if (member_of(*now, name) == nullptr)
        compare_members(out, at + "." + std::string(name), nullptr, &value, nullptr,
                        shown_next == nullptr ? nullptr : member_of(*shown_next, name));
    return;
  }
  const auto before = text_of(shown_now);
  const auto after = text_of(shown_next);
  if (before == after) {
    out.push_back(at + ": the value of " + after + " is another one");
  } else {
    out.push_back(at + ": " + before + " -> " + after);
  }
}

}  // namespace

void compare(differences& out, std::string_view name, const topology::setting<std::string>& now,
             const topology::setting<std::string>& next) {
  if (*now == *next) return;
  if (shown(now) == shown(next)) {
    out.push_back(std::string(name) + ": the value of " + shown(next) + " is another one");
  } else {
    note(out, name, shown(now), shown(next));
  }
}

void compare(differences& out, std::string_view name, const topology::setting<std::uint64_t>& now,
             const topology::setting<std::uint64_t>& next) {
  if (*now != *next) note(out, name, std::to_string(*now), std::to_string(*next));
}

void compare(differences& out, std::string_view name, const topology::setting<bool>& now,
             const topology::setting<bool>& next) {
  if (*now != *next) note(out, name, *now ? "true" : "false", *next ? "true" : "false");
}

void compare(differences& out, std::string_view name, const topology::setting<double>& now,
             const topology::setting<double>& next) {
  if (*now < *next || *now > *next) note(out, name, number(*now), number(*next));
}

void compare(differences& out, std::string_view name, const topology::setting<std::chrono::microseconds>& now,
             const topology::setting<std::chrono::microseconds>& next) {
  if (*now != *next) note(out, name, topology::duration_text(*now), topology::duration_text(*next));
}

void compare(differences& out, const topology::config_settings& now, const topology::config_settings& next) {
  if (now.json == next.json) return;
  const auto read = [](const std::string& text) {
    json::error_code fault;
    return json::parse(text, fault);
  };
  const auto a = read(now.json), b = read(next.json), shown_a = read(now.shown), shown_b = read(next.shown);
  compare_members(out, "config", &a, &b, &shown_a, &shown_b);
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) out += i + 1 == names.size() ? " and " : ", ";
    out += names[i];
  }
  return out;
}

}  // namespace gantry::plan
