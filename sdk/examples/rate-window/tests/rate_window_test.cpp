#include "rate_window.hpp"

#include <gtest/gtest.h>
#include <gantry/testing/fake_host.hpp>

namespace {

std::int64_t counted(gantry::testing::fake_host& host, const std::string& client) {
  return host.request("POST", "/rate/" + client).json()["count"].integer(-1);
}

}  // namespace

TEST(RateWindowTest, RequestsOfAClientAddUp) {
  gantry::testing::fake_host host;
  host.load<rate_window>("rate-window");
  EXPECT_EQ(counted(host, "ada"), 1);
  EXPECT_EQ(counted(host, "ada"), 2);
  EXPECT_EQ(counted(host, "bob"), 1);
  EXPECT_EQ(host.request("GET", "/rates").json()["clients"].integer(-1), 2);
  EXPECT_EQ(host.request("GET", "/rate/eve").status, 404);
}

TEST(RateWindowTest, AnotherGenerationGoesOnWithTheState) {
  gantry::testing::fake_host host;
  auto& before = host.load<rate_window>("rate-window");
  counted(host, "ada");
  counted(host, "ada");
  rate_window next;
  next.import_state(1, before.export_state(1));
  EXPECT_EQ(next.export_state(1), before.export_state(1));
}

TEST(RateWindowTest, AStateThatIsNoneIsRefusedWithItsLine) {
  rate_window next;
  try {
    next.import_state(1, "2 0 ada\nnonsense\n");
    FAIL() << "expected a failure";
  } catch (const gantry::failure& why) {
    EXPECT_NE(std::string(why.what()).find("nonsense"), std::string::npos);
  }
  EXPECT_EQ(next.export_state(1), "");
}
