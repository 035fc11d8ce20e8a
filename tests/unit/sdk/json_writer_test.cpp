// Writing JSON by hand and by braced lists.
#include <gtest/gtest.h>
#include <gantry/json_writer.hpp>

#include <limits>

namespace {

using gantry::json;
using gantry::json_document;
using gantry::json_writer;

TEST(JsonWriter, WritesNestedValuesWithTheirCommas) {
  json_writer out;
  out.object().field("id", "o-1").key("lines").array();
  out.object().field("sku", "A").field("quantity", 2).end();
  out.object().end();
  out.array().end();
  out.end().field("total", 12.5).field("paid", false).key("note").null().end();
  EXPECT_EQ(out.str(),
            R"({"id":"o-1","lines":[{"sku":"A","quantity":2},{},[]],"total":12.5,"paid":false,"note":null})");
}

TEST(JsonWriter, EscapesWhatJsonCannotCarry) {
  json_writer out;
  out.value(std::string_view("\"\\/\b\f\n\r\t\x01\x1f\x7f\0é", 14));
  EXPECT_EQ(out.str(), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000é\"");
}

TEST(JsonWriter, WritesNumbersToTheirLimits) {
  json_writer out;
  out.array()
      .value(std::numeric_limits<std::int64_t>::min())
      .value(std::numeric_limits<std::uint64_t>::max())
      .value(0.1)
      .value(1.0)
      .value(1e300)
      .value(std::numeric_limits<double>::infinity())
      .value(std::numeric_limits<double>::quiet_NaN())
      .value(std::uint8_t{7})
      .end();
  EXPECT_EQ(out.str(), "[-9223372036854775808,18446744073709551615,0.1,1.0,1e+300,null,null,7]");
}

TEST(JsonWriter, TakesValuesOfDocuments) {
  const auto document = json_document::parse(R"({"a": [1, 2], "s": "\u00e9"})");
  json_writer out;
  out.object().field("a", document.root()["a"]).field("s", document.root()["s"]).field("none", document.root()["x"]);
  out.field("j", json{{"k", 1}}).field("o", std::optional<int>()).field("p", std::optional(4)).end();
  EXPECT_EQ(out.str(), R"({"a":[1, 2],"s":"\u00e9","none":null,"j":{"k":1},"o":null,"p":4})");
}

TEST(JsonWriter, IsEmptyAfterTake) {
  json_writer out;
  out.object().key("half");
  EXPECT_EQ(out.take(), R"({"half":)");
  out.array().value(1).end();
  EXPECT_EQ(out.take(), "[1]");
}

TEST(JsonWriter, RefusesUnbalancedUse) {
  json_writer out;
  EXPECT_THROW(out.end(), std::logic_error);
  for (int i = 0; i < 64; ++i) out.array();
  EXPECT_THROW(out.array(), std::logic_error);
}

TEST(Json, BracedListsAreObjects) {
  const std::string name = "ada";
  const auto document = json_document::parse("[7]");
  const json body{{"a", 1}, {"b", {{"c", name}, {"d", {}}}}, {"e", document.root()[0]}, {"f", nullptr}, {"g", true}};
  EXPECT_EQ(body.text(), R"({"a":1,"b":{"c":"ada","d":{}},"e":7,"f":null,"g":true})");
  EXPECT_EQ(json({{"x", "y"}}).text(), R"({"x":"y"})");
  EXPECT_EQ((json{{"x", "y"}}).text(), R"({"x":"y"})");
  EXPECT_EQ(json::object().text(), "{}");
}

TEST(Json, ScalarsAndArrays) {
  EXPECT_EQ(json(5).text(), "5");
  EXPECT_EQ(json("x").text(), "\"x\"");
  EXPECT_EQ(json(true).text(), "true");
  EXPECT_EQ(json(nullptr).text(), "null");
  EXPECT_EQ(json::array({1, "two", 3.5, json{{"four", 4}}, json::array()}).text(), R"([1,"two",3.5,{"four":4},[]])");
  EXPECT_EQ(json::raw("{ }").text(), "{ }");
}

TEST(Json, CopiesAreTheSameText) {
  const json first{{"a", 1}};
  const json second = first;
  const json third{first};
  EXPECT_EQ(second.text(), first.text());
  EXPECT_EQ(third.text(), first.text());
}

// At every place of texts of every length around the words that are looked at together.
TEST(Json, FirstSpecialCharacterIsFoundWhereverItStands) {
  for (std::size_t size = 0; size <= 70; ++size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += "a \x7f\x80\xff!#[]/"[i % 10];
    ASSERT_EQ(gantry::detail::plain_length(text), size);
    for (std::size_t first = 0; first < size; ++first) {
      for (const char special : {'"', '\\', '\0', '\x01', '\x1f', '\n'}) {
        std::string with = text;
        with[first] = special;
        if (first + 3 < size) with[first + 3] = '"';
        with.back() = first + 1 == size ? special : '\\';
        ASSERT_EQ(gantry::detail::plain_length(with), first) << size;
      }
    }
  }
}

TEST(Json, TextsOfEveryLengthAreQuotedAlike) {
  for (std::size_t size = 0; size <= 140; ++size) {
    const std::string text(size, 'x');
    const std::string quoted = '"' + text + '"';
    json_writer out;
    out.object().field(text, text).key("b").array().value(text).value(text + "\n").end().end();
    EXPECT_EQ(out.str(), "{" + quoted + ":" + quoted + ",\"b\":[" + quoted + ",\"" + text + "\\n\"]}");
  }
}

}  // namespace
