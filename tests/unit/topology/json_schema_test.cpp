#include "topology/json_schema.hpp"

#include <gtest/gtest.h>

#include "sample_shop.hpp"

namespace gantry::topology {
namespace {

std::vector<std::string> wrongs(const std::string& schema, const std::string& json) {
  auto checked = check_json(schema, json);
  std::vector<std::string> out;
  if (!checked) return {checked.failure().text};
  for (const auto& each : checked->errors) {
    out.push_back(each.pointer + ": " + each.found + " / " + each.expected +
                  (each.suggestion.empty() ? "" : " / " + each.suggestion));
  }
  return out;
}

TEST(JsonSchema, NamesEachWrongValueByItsPointer) {
  const std::string schema = R"({"type":"object","required":["name"],"additionalProperties":false,"properties":{
    "name":{"type":"string","minLength":2,"maxLength":4,"pattern":"^[a-z]+$"},
    "count":{"type":"integer","minimum":1,"maximum":9},
    "kinds":{"type":"array","minItems":1,"items":{"enum":["red","green"]}},
    "ratio":{"type":["number","null"],"exclusiveMinimum":0},
    "always":{"const":true}}})";
  EXPECT_EQ(wrongs(schema, R"({"name":"ab","count":1,"kinds":["red"],"ratio":null,"always":true})"), (strings{}));
  EXPECT_EQ(wrongs(schema, R"({})"), (strings{R"(: no key "name" / it to be there)"}));
  EXPECT_EQ(wrongs(schema, R"({"nam":"ab","name":"ab"})"),
            (strings{R"(/nam: unknown key "nam" / name, count, kinds, ratio or always / did you mean "name"?)"}));
  EXPECT_EQ(wrongs(schema, R"({"name":5})"), (strings{"/name: number 5 / text / put quotes around it"}));
  EXPECT_EQ(wrongs(schema, R"({"name":"A"})"),
            (strings{"/name: 1 characters / at least 2", R"(/name: "A" / text that matches ^[a-z]+$)"}));
  EXPECT_EQ(wrongs(schema, R"({"name":"ab","count":0})"), (strings{"/count: number 0 / at least 1"}));
  EXPECT_EQ(wrongs(schema, R"({"name":"ab","count":1.5})"), (strings{"/count: number 1.5E0 / a whole number"}));
  EXPECT_EQ(wrongs(schema, R"({"name":"ab","kinds":["gren",1]})"),
            (strings{R"(/kinds/0: "gren" / "red" or "green" / did you mean "green"?)",
                     R"(/kinds/1: number 1 / "red" or "green")"}));
  EXPECT_EQ(wrongs(schema, R"({"name":"ab","ratio":0,"always":false})"),
            (strings{"/ratio: number 0 / more than 0", "/always: false / true"}));
}

TEST(JsonSchema, FillsDefaultsInWhereTheObjectIsThere) {
  const std::string schema = R"({"properties":{"a":{"default":1},"b":{"properties":{"c":{"default":[2]}}}}})";
  EXPECT_EQ(check_json(schema, "{}")->json, R"({"a":1})");
  EXPECT_EQ(check_json(schema, R"({"a":5,"b":{}})")->json, R"({"a":5,"b":{"c":[2]}})");
}

TEST(JsonSchema, ASchemaThatIsNoneIsRefusedInWords) {
  EXPECT_EQ(
      wrongs(R"({"type":"text"})", "1"),
      (strings{"the schema has type \"text\", expected object, array, string, boolean, null, number or integer"}));
  EXPECT_TRUE(mentions(wrongs("{", "1").at(0), "the schema is not JSON"));
  EXPECT_TRUE(mentions(wrongs("{}", "{").at(0), "the value is not JSON"));
  EXPECT_TRUE(mentions(wrongs(R"({"pattern":"("})", "\"x\"").at(0), "expected a regular expression"));
}

TEST(JsonSchema, KeywordsThatWouldNotBeEnforcedAreListed) {
  EXPECT_EQ(*unknown_keywords(R"({"title":"t","oneOf":[],"properties":{"oneOf":{"multipleOf":2}}})"),
            (strings{"/oneOf", "/properties/oneOf/multipleOf"}));
}

}  // namespace
}  // namespace gantry::topology
