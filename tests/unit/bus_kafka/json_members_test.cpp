// Members of a JSON object, found without parsing what is inside.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "bus/kafka/json_members.hpp"

namespace gantry::bus::kafka {
namespace {

using found = std::map<std::string, std::string>;

found members(std::string_view text, bool& sound) {
  member_reader reader(text);
  found out;
  std::string_view name;
  std::string_view value;
  while (reader.next(name, value)) out[std::string(name)] = value;
  sound = reader.sound();
  return out;
}

TEST(JsonMembersTest, FindsValuesOfEveryKind) {
  bool sound = false;
  const auto all = members(R"( { "a" : 1 , "b":"x,}\"","c":[1,{"d":"]"}],"e":{"f":{}}, "g":null,"h":-1.5e3 } )", sound);
  EXPECT_TRUE(sound);
  EXPECT_EQ(all, (found{{"a", "1"},
                        {"b", R"("x,}\"")"},
                        {"c", R"([1,{"d":"]"}])"},
                        {"e", R"({"f":{}})"},
                        {"g", "null"},
                        {"h", "-1.5e3"}}));
}

TEST(JsonMembersTest, SaysWhenATextIsNoWholeObject) {
  for (const auto* text : {"", "7", "[1]", "\"a\"", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":}", "{\"a\":1,}x",
                           "{\"a\":[1}", "{\"a\":\"\\", "{} {}", "{a:1}", "\xff\xfe"}) {
    bool sound = true;
    members(text, sound);
    EXPECT_FALSE(sound) << text;
  }
}

TEST(JsonMembersTest, EndsAtEveryCutOfADocument) {
  const std::string whole = R"({"a":{"b":[1,2,{"c":"\u0041\\"}]},"data":{"x":1}})";
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    bool sound = true;
    members(std::string_view(whole).substr(0, cut), sound);
    EXPECT_FALSE(sound) << cut;
  }
}

TEST(JsonMembersTest, TakesTheInsideOfStringsOnly) {
  EXPECT_EQ(string_inside("\"abc\""), "abc");
  EXPECT_EQ(string_inside("12"), "");
  EXPECT_EQ(string_inside("\""), "");
}

}  // namespace
}  // namespace gantry::bus::kafka
