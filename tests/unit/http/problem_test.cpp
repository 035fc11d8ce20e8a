#include "http/problem.hpp"

#include <gtest/gtest.h>

namespace gantry::http {
namespace {

TEST(ProblemTest, CarriesTypeTitleStatusAndDetail) {
  const auto answer = problem(409, "key-in-use", "Key in use", "the key \"k\" is being used");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(find_header(answer.headers, "content-type"), "application/problem+json");
  EXPECT_EQ(answer.body, R"({"type":"urn:gantry:problem:key-in-use","title":"Key in use","status":409,)"
                         R"("detail":"the key \"k\" is being used"})");
}

TEST(ProblemTest, TakesTitleAndTypeFromTheStatus) {
  EXPECT_EQ(problem(404, "no such order").body,
            R"({"type":"urn:gantry:problem:not-found","title":"Not Found","status":404,"detail":"no such order"})");
}

TEST(ProblemTest, IsAboutBlankWithoutASlug) {
  EXPECT_EQ(problem(418, "", "Teapot", "").body, R"({"type":"about:blank","title":"Teapot","status":418})");
}

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

}  // namespace
}  // namespace gantry::http
