#include "base/text.hpp"
#include "runtime/text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace gantry::runtime {
namespace {

TEST(json_fault, accepts_what_rfc_8259_allows) {
  for (const char* good : {"{}", "[]", "null", "true", " false ", "0", "-0", "-1.5e+10", "1E-2", "\"\"",
                           R"("\u00e9\n\/")", R"({"a":[1,{"b":null}],"c":""})", "[ 1 , 2 ]\n"})
    EXPECT_EQ(json_fault(good), "") << good;
}

TEST(json_fault, refuses_what_it_does_not) {
  for (const char* bad :
       {"",           " ",       "nul",         "01",       "-",   "1.",    ".5",   "1e",      "+1",
        "\"",         "\"\\x\"", "\"\\u12g4\"", "\"\x01\"", "{",   "[",     "[1,]", "{\"a\"}", "{\"a\":}",
        "{\"a\":1,}", "{a:1}",   "[1 2]",       "{} {}",    "'a'", "nullx", "]"})
    EXPECT_NE(json_fault(bad), "") << bad;
}

TEST(json_fault, finds_what_ends_a_string_at_every_place) {
  for (std::size_t before = 0; before < 40; ++before) {
    for (const char plain : {'a', ' ', '!', '#', '[', ']', '\x7f', '\x80', '\xff'}) {
      const std::string start = "\"" + std::string(before, plain);
      EXPECT_EQ(json_fault(start + "\""), "") << start;
      EXPECT_EQ(json_fault(start + "\\n" + std::string(9, plain) + "\""), "") << start;
      EXPECT_EQ(json_fault(start), "string without end") << start;
      EXPECT_EQ(json_fault(start + '\x1f' + std::string(9, plain) + "\""), "control character in a string") << start;
      EXPECT_EQ(json_fault(start + std::string(1, '\0') + "\""), "control character in a string") << start;
      EXPECT_EQ(json_fault(start + "\" " + std::string(9, 'x')), "text behind the value") << start;
    }
  }
}

TEST(json_fault, takes_64_levels_and_no_more) {
  EXPECT_EQ(json_fault(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_EQ(json_fault(std::string(65, '[') + std::string(65, ']')), "more than 64 levels");
  EXPECT_EQ(json_fault(std::string(1'000'000, '[')), "more than 64 levels");
}

std::string made_json(int depth) {
  switch (*rc::gen::inRange(0, depth > 4 ? 5 : 7)) {
    case 0:
      return "null";
    case 1:
      return "true";
    case 2:
      return std::to_string(*rc::gen::arbitrary<int>());
    case 3:
      return "-0.5E+3";
    case 4: {
      std::string out;
      append_json_string(out, *rc::gen::container<std::string>(rc::gen::inRange<char>(0, 127)));
      return out;
    }
    case 5: {
      std::string out = "[";
      for (int n = *rc::gen::inRange(0, 4); n > 0; --n) out += made_json(depth + 1) + (n > 1 ? " ," : "");
      return out + "]";
    }
    default: {
      std::string out = "{";
      for (int n = *rc::gen::inRange(0, 4); n > 0; --n) out += "\"k\" : " + made_json(depth + 1) + (n > 1 ? "," : "");
      return out + "}";
    }
  }
}

RC_GTEST_PROP(json_fault_property, accepts_what_was_made_and_no_part_of_it, ()) {
  const auto text = made_json(0);
  RC_ASSERT(json_fault(text).empty());
  // A part of a text in brackets has brackets open.
  const std::string wrapped = "[" + text + "]";
  const auto cut = *rc::gen::inRange<std::size_t>(0, wrapped.size());
  RC_ASSERT(!json_fault(std::string_view(wrapped).substr(0, cut)).empty());
}

RC_GTEST_PROP(json_fault_property, survives_any_bytes, (const std::string& bytes)) { json_fault(bytes); }

TEST(failures, are_kept_by_thread_and_named) {
  EXPECT_EQ(fail(GANTRY_RETRY, "why"), GANTRY_RETRY);
  EXPECT_EQ(last_failure(), "why");
  EXPECT_EQ(status_name(GANTRY_TOO_LARGE), "TOO_LARGE");
  EXPECT_EQ(status_name(77), "garbage status 77");
  EXPECT_FALSE(is_known(-1));
}

}  // namespace
}  // namespace gantry::runtime
