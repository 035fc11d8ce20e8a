#include "base/json_members.hpp"

#include <array>
#include <cmath>
#include <cstdio>

#include "base/text.hpp"

namespace gantry {

void append_member_name(std::string& out, std::string_view name) {
  if (!out.empty() && out.back() != '{') out += ',';
  append_json_string(out, name);
  out += ':';
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  append_member_name(out, name);
  append_json_string(out, text);
}

void append_member(std::string& out, std::string_view name, double number) {
  append_member_name(out, name);
  std::array<char, 32> text{};
  if (std::isfinite(number)) std::snprintf(text.data(), text.size(), "%.10g", number);
  out += std::isfinite(number) ? text.data() : "null";
}

}  // namespace gantry
