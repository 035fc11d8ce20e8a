// Members of JSON objects, as they are appended to a text that begins with '{' or goes on behind another member.
// Thread: any.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace gantry {

// `"name":`, and a comma before it unless it is the first of its object.
void append_member_name(std::string& out, std::string_view name);

// The same with the member's value. Text: see append_json_string. A number that JSON does not have becomes null.
void append_member(std::string& out, std::string_view name, std::string_view text);
void append_member(std::string& out, std::string_view name, double number);  // 10 significant digits
// Templates, so that neither a pointer becomes a truth nor one number another one.
template <std::unsigned_integral Number>
requires(!std::same_as<Number, bool>) void append_member(std::string& out, std::string_view name, Number number) {
  append_member_name(out, name);
  out += std::to_string(number);
}
template <std::same_as<bool> Truth>
void append_member(std::string& out, std::string_view name, Truth truth) {
  append_member_name(out, name);
  out += truth ? "true" : "false";
}

template <std::signed_integral Number>
void append_member(std::string& out, std::string_view name, Number number) = delete;

}  // namespace gantry
