#include "app/callers.hpp"

#include "three_hosts.hpp"

namespace gantry::app {
namespace {

const std::string mutual = ", tls: { cert: c.pem, key: k.pem, ca: ca.pem }";
const std::string one_sided = ", tls: { cert: c.pem, key: k.pem }";

TEST(CallersTest, WithoutCertificatesTheHeaderIsAHintAndProvesNothing) {
  const known_callers callers(three_hosts(), "edge");
  EXPECT_TRUE(callers.of("stock", "").is_call);
  EXPECT_EQ(callers.of("stock", "").caller, "");
}

TEST(CallersTest, ARequestThatNamesNobodyIsNoCall) {
  const known_callers callers(three_hosts(), "edge");
  EXPECT_FALSE(callers.of("", "").is_call);
  EXPECT_FALSE(callers.of("nobody", "").is_call);
}

TEST(CallersTest, APluginThatRunsOnThisHostAloneCallsFromHere) {
  const known_callers callers(three_hosts(), "edge");
  EXPECT_FALSE(callers.of("order", "").is_call);
  EXPECT_TRUE(callers.of("mail", "").is_call);
}

TEST(CallersTest, TheCertificateOfAHostThatRunsThePluginProvesIt) {
  const known_callers callers(three_hosts(mutual), "edge");
  for (const char* peer : {"left", "left.shop", "right"}) {
    const auto origin = callers.of("stock", peer);
    EXPECT_TRUE(origin.is_call) << peer;
    EXPECT_EQ(origin.caller, "stock") << peer;
  }
}

TEST(CallersTest, TheCertificateOfAnotherHostProvesNothing) {
  const known_callers callers(three_hosts(mutual), "edge");
  EXPECT_FALSE(callers.of("mail", "left").is_call);
  EXPECT_FALSE(callers.of("stock", "operator").is_call);
  EXPECT_FALSE(callers.of("stock", "").is_call);
}

TEST(CallersTest, TlsWithoutCertificatesOfClientsProvesNothing) {
  const known_callers callers(three_hosts(one_sided), "edge");
  EXPECT_TRUE(callers.of("stock", "").is_call);
  EXPECT_EQ(callers.of("stock", "left").caller, "");
}

}  // namespace
}  // namespace gantry::app
