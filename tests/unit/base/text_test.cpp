#include "base/text.hpp"

#include <gtest/gtest.h>

namespace gantry {
namespace {

TEST(JsonStringTest, EscapesControlCharacters) {
  std::string out;
  append_json_string(out, std::string_view("a\"\\\n\t\r\x01\x7F\0z", 10));
  EXPECT_EQ(out, R"("a\"\\\n\t\r\u0001\u007f\u0000z")");
}

TEST(JsonStringTest, ReplacesWhatIsNotUtf8) {
  std::string out;
  append_json_string(out, "\xC3\xA9|\xC3|\xED\xA0\x80|\xF4\x90\x80\x80|\xF0\x9F\x98\x80");
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(out, "\"\xC3\xA9|" + bad + "|" + bad + bad + bad + "|" + bad + bad + bad + bad + "|\xF0\x9F\x98\x80\"");
}

TEST(Rfc3339Test, ShowsMicrosecondsInUtc) {
  const auto show = [](std::int64_t us) {
    std::string out;
    append_rfc3339(out, us);
    return out;
  };
  EXPECT_EQ(show(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(show(951'782'399'999'999), "2000-02-28T23:59:59.999999Z");
  EXPECT_EQ(show(951'782'400'000'000), "2000-02-29T00:00:00.000000Z");
  EXPECT_EQ(show(1'769'903'999'000'001), "2026-01-31T23:59:59.000001Z");
  EXPECT_EQ(show(4'107'542'400'000'000), "2100-03-01T00:00:00.000000Z");
}

}  // namespace
}  // namespace gantry
