#include "base/uri.hpp"

#include <gtest/gtest.h>

namespace gantry {
namespace {

using pairs = query_pairs;

TEST(PercentDecodeTest, DecodesOnceAndNotTwice) { EXPECT_EQ(percent_decode("a%20b%2520c").value(), "a b%20c"); }

TEST(PercentDecodeTest, RefusesWhatIsNotTwoHexDigits) {
  for (const auto* text : {"%", "%4", "%4g", "%g4", "a%", "%%41", "%00"}) {
    EXPECT_FALSE(percent_decode(text).ok()) << text;
  }
}

TEST(PercentDecodeTest, UndoesItsEncoding) {
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all)).value(), all);
}

TEST(ParseQueryTest, KeepsOrderAndRepeatedNames) {
  EXPECT_EQ(parse_query("b=1&a=2&b=3").value(), (pairs{{"b", "1"}, {"a", "2"}, {"b", "3"}}));
}

TEST(ParseQueryTest, ReadsPlusAsSpaceAndPartsWithoutValue) {
  EXPECT_EQ(parse_query("q=red+shoes&flag&&x=%2B=").value(), (pairs{{"q", "red shoes"}, {"flag", ""}, {"x", "+="}}));
}

TEST(ParseQueryTest, RefusesBadEncodingInNamesAndValues) {
  EXPECT_FALSE(parse_query("%zz=1").ok());
  EXPECT_FALSE(parse_query("a=%").ok());
}

}  // namespace
}  // namespace gantry
