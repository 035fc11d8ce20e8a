// Plugin code that fails in a request: what the operator learns of it, and what the client.
#include <gtest/gtest.h>

#include <stdexcept>

#include "bench.hpp"
#include "kept_log.hpp"
#include "runtime/text.hpp"

namespace gantry::testing {
namespace {

constexpr std::string_view said = "A plugin failed in a request.";

bool has(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

std::string header(const runtime::reply& r, std::string_view name) {
  for (const auto& [n, v] : r.headers)
    if (n == name) return v;
  return {};
}

TEST(request_failure, the_text_goes_to_the_log_and_its_number_to_the_client) {
  script plays;
  plays.read = [](gantry_context*) -> gantry_status { return runtime::fail(GANTRY_FAILED, "no price for card 4111"); };
  bench b(plays);
  kept_log log;
  const auto answer = b.ask("GET", "/newest");
  EXPECT_EQ(answer.status, 500);
  EXPECT_FALSE(has(answer.body, "4111")) << answer.body;
  const auto id = header(answer, "correlation-id");
  EXPECT_FALSE(id.empty());
  EXPECT_TRUE(has(answer.body, "see the log, correlation id " + id)) << answer.body;
  const auto lines = log.take(said);
  ASSERT_EQ(lines.size(), 1u);
  for (const std::string_view words :
       {std::string_view("\"level\":\"error\""), std::string_view("no price for card 4111"), std::string_view(id),
        std::string_view("GET /newest"), std::string_view("\"plugin\":\"tester\"")})
    EXPECT_TRUE(has(lines[0], words)) << words << " in " << lines[0];
  EXPECT_EQ(b.plugin->failures.first(), "no price for card 4111");
}

TEST(request_failure, so_does_what_is_thrown_while_it_writes) {
  script plays;
  plays.post = [](const gantry_request&, gantry_tx*) -> gantry_status { throw std::runtime_error("out of paper"); };
  bench b(plays);
  kept_log log;
  const auto answer = b.ask("POST", "/things", "x", "1");
  EXPECT_EQ(answer.status, 500);
  EXPECT_FALSE(has(answer.body, "paper")) << answer.body;
  const auto lines = log.take(said);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(has(lines[0], "out of paper")) << lines[0];
  EXPECT_TRUE(has(lines[0], "POST /things")) << lines[0];
}

TEST(request_failure, many_make_one_line_a_second_which_counts_the_others) {
  script plays;
  plays.read = [](gantry_context*) -> gantry_status { return runtime::fail(GANTRY_FAILED, "broken"); };
  bench b(plays);
  kept_log log;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(b.ask("GET", "/newest").status, 500);
  EXPECT_EQ(log.take(said).size(), 1u);
  b.time.pass(1'000'000);
  EXPECT_EQ(b.ask("GET", "/newest").status, 500);
  const auto lines = log.take(said);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(has(lines[0], "\"without_a_line_since\":\"4\"")) << lines[0];
}

TEST(request_failure, what_a_plugin_refuses_is_for_the_client) {
  script plays;
  plays.read = [](gantry_context*) -> gantry_status { return runtime::fail(GANTRY_CONFLICT, "sold out"); };
  bench b(plays);
  kept_log log;
  const auto answer = b.ask("GET", "/newest");
  EXPECT_EQ(answer.status, 409);
  EXPECT_TRUE(has(answer.body, "sold out")) << answer.body;
  EXPECT_TRUE(log.take(said).empty());
}

}  // namespace
}  // namespace gantry::testing
