// The JSON parser at the corners of RFC 8259.
#include <gtest/gtest.h>
#include <gantry/json.hpp>

#include <cmath>
#include <limits>

namespace {

using gantry::json_document;
using gantry::json_error;
using gantry::json_view;

// The error of a text that must not parse.
json_error error_of(std::string_view text, gantry::json_limits limits = {}) {
  json_error error;
  EXPECT_FALSE(json_document::try_parse(text, error, limits)) << text;
  return error;
}

bool parses(std::string_view text) {
  json_error error;
  return json_document::try_parse(text, error).has_value();
}

TEST(JsonParser, ReadsEveryKindOfValue) {
  const std::string text = R"( {"n":null,"t":true,"f":false,"i":-7,"d":2.5,"s":"x","a":[1,2],"o":{}} )";
  const auto document = json_document::parse(text);
  const json_view root = document.root();
  EXPECT_EQ(root.size(), 8U);
  EXPECT_TRUE(root["n"].is_null());
  EXPECT_TRUE(root["t"].boolean());
  EXPECT_FALSE(root["f"].boolean(true));
  EXPECT_EQ(root["i"].integer(), -7);
  EXPECT_EQ(root["i"].number(), -7.0);
  EXPECT_EQ(root["d"].number(), 2.5);
  EXPECT_FALSE(root["d"].is_int());
  EXPECT_EQ(root["s"].text(), "x");
  EXPECT_EQ(root["a"][1].integer(), 2);
  EXPECT_TRUE(root["o"].is_object());
  EXPECT_EQ(root["a"].raw(), "[1,2]");
}

TEST(JsonParser, WhatDoesNotExistHasHarmlessAnswers) {
  const auto document = json_document::parse("[1]");
  const json_view none = document.root()["a"]["b"][3];
  EXPECT_FALSE(none);
  EXPECT_EQ(none.integer(5), 5);
  EXPECT_EQ(none.text_or("x"), "x");
  EXPECT_EQ(none.size(), 0U);
  EXPECT_EQ(none.raw(), "");
  EXPECT_TRUE(none.begin() == none.end());
  EXPECT_FALSE(document.root()[1]);
  EXPECT_FALSE(document.root()[-1]);
  EXPECT_FALSE(json_document().root());
}

TEST(JsonParser, IntegersAreExactUpToTheirLimits) {
  const auto document =
      json_document::parse("[9223372036854775807,-9223372036854775808,9223372036854775808,0,-0,1e0,10.0]");
  const json_view root = document.root();
  EXPECT_EQ(root[0].integer(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(root[1].integer(), std::numeric_limits<std::int64_t>::min());
  EXPECT_FALSE(root[2].is_int());
  EXPECT_EQ(root[2].number(), 9223372036854775808.0);
  EXPECT_TRUE(root[3].is_int());
  EXPECT_TRUE(std::signbit(root[4].number()));
  EXPECT_FALSE(root[5].is_int());
  EXPECT_EQ(root[6].number(), 10.0);
}

TEST(JsonParser, DoublesReachTheirLimits) {
  const auto document =
      json_document::parse("[1.7976931348623157e308,5e-324,1e-400,-1e-400,0.0000e999999999999999999999]");
  EXPECT_EQ(document.root()[0].number(), std::numeric_limits<double>::max());
  EXPECT_EQ(document.root()[1].number(), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(document.root()[2].number(), 0.0);
  EXPECT_TRUE(std::signbit(document.root()[3].number()));
  EXPECT_EQ(document.root()[4].number(1), 0.0);
  EXPECT_EQ(error_of("1e309").found, "a number beyond the range of a double");
  EXPECT_EQ(error_of("-123456789e400").found, "a number beyond the range of a double");
}

TEST(JsonParser, RefusesMalformedNumbers) {
  for (const char* text :
       {"01", "-", "+1", ".5", "1.", "1.e1", "1e", "1e+", "0x1", "--1", "NaN", "Infinity", "1_000", "-a"}) {
    EXPECT_FALSE(parses(text)) << text;
  }
}

TEST(JsonParser, UnescapesStrings) {
  const std::string text = R"(["\"\\\/\b\f\n\r\t","\u0041\u00e9\u20AC\uD83D\uDE00","plain äöü € 😀","\u0000"])";
  const auto document = json_document::parse(text);
  EXPECT_EQ(document.root()[0].text(), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(document.root()[1].text(), "Aé€😀");
  EXPECT_EQ(document.root()[2].text(), "plain äöü € 😀");
  EXPECT_EQ(document.root()[3].text(), std::string_view("\0", 1));
}

TEST(JsonParser, RefusesSurrogatesThatAreNotPairs) {
  for (const char* text : {R"("\ud800")", R"("\udc00")", R"("\ud800x")", R"("\ud800\n")", R"("\ud800\ud800")",
                           R"("\ud800\u0041")", R"("\udc00\ud800")", R"("\ud800\)", R"("\ud800\u)"}) {
    EXPECT_FALSE(parses(text)) << text;
  }
}

TEST(JsonParser, RefusesBadEscapes) {
  for (const char* text : {R"("\x41")", R"("\u12")", R"("\u12g4")", R"("\'")", R"("\)", R"("\u)", "\"\\\n\""}) {
    EXPECT_FALSE(parses(text)) << text;
  }
}

TEST(JsonParser, RefusesInvalidUtf8) {
  for (const std::string text : {"\xFF", "\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80",
                                 "\xED\xBF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                                 "\xF5\x80\x80\x80", "\xE2\x82", "\xF0\x9F\x98", "\xC3", "\xC3(", "\xE2(\xA1"}) {
    EXPECT_FALSE(parses("\"" + text + "\"")) << testing::PrintToString(text);
    EXPECT_FALSE(parses("\"eight ch" + text + " and more\"")) << testing::PrintToString(text);
    EXPECT_FALSE(parses("\"\\n" + text + "\"")) << testing::PrintToString(text);
  }
  for (const std::string text : {"\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                                 "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(parses("\"" + text + "\"")) << testing::PrintToString(text);
  }
}

TEST(JsonParser, RefusesControlCharactersWhereverTheyStand) {
  for (int c = 0; c < 0x20; ++c) {
    for (std::size_t place = 0; place < 20; ++place) {
      std::string text(20, 'a');
      text[place] = static_cast<char>(c);
      EXPECT_FALSE(parses("\"" + text + "\"")) << c << " at " << place;
    }
  }
}

TEST(JsonParser, FindsTheEndOfAStringWhereverItStands) {
  for (std::size_t size = 0; size < 40; ++size) {
    const std::string text = "[\"" + std::string(size, 'x') + "\",\"" + std::string(size, 'y') + "\\\\\"]";
    const auto document = json_document::parse(text);
    EXPECT_EQ(document.root()[0].text(), std::string(size, 'x'));
    EXPECT_EQ(document.root()[1].text(), std::string(size, 'y') + "\\");
  }
}

TEST(JsonParser, RefusesABrokenStructure) {
  for (const char* text : {"",
                           " ",
                           "[",
                           "]",
                           "{",
                           "}",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{1:1}",
                           "{\"a\":1 \"b\":2}",
                           "{,}",
                           "[}",
                           "{]",
                           "nul",
                           "nulll",
                           "True",
                           "\"",
                           "'a'",
                           "1 2",
                           "{} {}",
                           "[]]",
                           "/* */ 1",
                           "1 // x",
                           "\v1",
                           "\xC2\xA0"
                           "1"}) {
    EXPECT_FALSE(parses(text)) << text;
  }
}

TEST(JsonParser, RefusesAByteOrderMarkAndTrailingGarbage) {
  EXPECT_EQ(error_of("\xEF\xBB\xBF{}").found, "a byte order mark");
  const json_error error = error_of("{} x");
  EXPECT_EQ(error.offset, 3U);
  EXPECT_EQ(error.found, "'x'");
  EXPECT_EQ(error.expected, "the end of the text");
  EXPECT_FALSE(parses(std::string_view("1\0", 2)));
}

TEST(JsonParser, RefusesDuplicateNamesUnlessAllowed) {
  EXPECT_EQ(error_of(R"({"a":1,"b":2,"a":3})").offset, 13U);
  EXPECT_FALSE(parses(R"({"a":1,"\u0061":2})"));
  const auto document = json_document::parse(R"({"a":1,"a":2})", {.refuse_duplicate_keys = false});
  EXPECT_EQ(document.root()["a"].integer(), 1);
  EXPECT_TRUE(parses(R"([{"a":1},{"a":{"a":1}}])"));
}

TEST(JsonParser, FindsDuplicateNamesInLargeObjects) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  EXPECT_TRUE(parses(text + "\"last\":1}"));
  EXPECT_EQ(error_of(text + "\"k500\":1}").offset, text.size());
}

TEST(JsonParser, LimitsDepth) {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_TRUE(parses(nested(64)));
  EXPECT_FALSE(parses(nested(65)));
  EXPECT_FALSE(parses(std::string(1'000'000, '[')));
  json_error error;
  EXPECT_TRUE(json_document::try_parse(nested(65), error, {.max_depth = 65}));
  EXPECT_EQ(error_of("{\"a\":[]}", {.max_depth = 1}).offset, 5U);
}

TEST(JsonParser, SaysWhereAndWhat) {
  const json_error error = error_of("{\n  \"a\": 1,\n  \"b\" 2\n}");
  EXPECT_EQ(error.line, 3U);
  EXPECT_EQ(error.column, 7U);
  EXPECT_EQ(error.offset, 18U);
  EXPECT_STREQ(error.what(), "line 3, column 7 (offset 18): found '2', expected ':'");
  EXPECT_EQ(error.status(), GANTRY_INVALID);
}

TEST(JsonParser, WalksArraysAndMembersInOrder) {
  const auto document = json_document::parse(R"({"a":[1,[2,3],{"x":4}],"b":{"c":{}},"d":"e"})");
  std::string names;
  for (const auto [name, value] : document.root().members())
    names += std::string(name) + "=" + std::string(value.raw()) + ";";
  EXPECT_EQ(names, R"(a=[1,[2,3],{"x":4}];b={"c":{}};d="e";)");
  std::string elements;
  for (const json_view element : document.root()["a"]) elements += std::string(element.raw()) + ";";
  EXPECT_EQ(elements, R"(1;[2,3];{"x":4};)");
  for (const json_view element : document.root()) ADD_FAILURE() << element.raw();
}

TEST(JsonParser, ADocumentIsUsedAgainAndMoved) {
  json_document document;
  const std::string first = R"({"a":"\n"})";
  const std::string second = "[true]";
  document.parse_into(first);
  EXPECT_EQ(document.root()["a"].text(), "\n");
  EXPECT_THROW(document.parse_into("[1,"), json_error);
  EXPECT_FALSE(document.root());
  document.parse_into(second);
  const json_document moved = std::move(document);
  EXPECT_TRUE(moved.root()[0].boolean());
}

}  // namespace
