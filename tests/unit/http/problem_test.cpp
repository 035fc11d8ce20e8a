#include "http/problem.hpp"

#include <gtest/gtest.h>

namespace gantry::http {
namespace {

TEST(ProblemTest, CarriesTypeTitleStatusAndDetail) {
  const auto answer = problem(409, "key-in-use", "Key in use", "the key \"k\" is being used");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(find_header(answer.headers, "content-type"), "application/problem+json");
  EXPECT_EQ(answer.body, R"({"type":"/problems/key-in-use","title":"Key in use","status":409,)"
                         R"("detail":"the key \"k\" is being used"})");
}

TEST(ProblemTest, TakesTitleAndTypeFromTheStatus) {
  EXPECT_EQ(problem(404, "no such order").body,
            R"({"type":"/problems/not-found","title":"Not Found","status":404,"detail":"no such order"})");
}

TEST(ProblemTest, IsAboutBlankWithoutASlug) {
  EXPECT_EQ(problem(418, "", "Teapot", "").body, R"({"type":"about:blank","title":"Teapot","status":418})");
}

}  // namespace
}  // namespace gantry::http
