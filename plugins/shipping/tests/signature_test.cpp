// Signed reports: who may be believed, and when.
#include <gtest/gtest.h>

#include "webhook/signature.hpp"

namespace shipping {
namespace {

using namespace std::chrono_literals;

TEST(Signature, WhatWasSignedIsValidWithinTheWindow) {
  const std::string header = sign("{}", "secret", 1000s);
  EXPECT_EQ(verify_signature(header, "{}", "secret", 1000s, 300s), signature_verdict::valid);
  EXPECT_EQ(verify_signature(header, "{}", "secret", 1300s, 300s), signature_verdict::valid);
  EXPECT_EQ(verify_signature(header, "{}", "secret", 700s, 300s), signature_verdict::valid);
}

TEST(Signature, AnOldReportSentAgainIsStale) {
  const std::string header = sign("{}", "secret", 1000s);
  EXPECT_EQ(verify_signature(header, "{}", "secret", 1301s, 300s), signature_verdict::stale);
  EXPECT_EQ(verify_signature(header, "{}", "secret", 699s, 300s), signature_verdict::stale);
}

TEST(Signature, AnotherBodySecretOrTimeIsWrong) {
  std::string header = sign("{}", "secret", 1000s);
  EXPECT_EQ(verify_signature(header, "{ }", "secret", 1000s, 300s), signature_verdict::wrong);
  EXPECT_EQ(verify_signature(header, "{}", "Secret", 1000s, 300s), signature_verdict::wrong);
  header[5] = '1';  // t=1001
  EXPECT_EQ(verify_signature(header, "{}", "secret", 1001s, 300s), signature_verdict::wrong);
}

TEST(Signature, AnythingElseIsMalformed) {
  for (const char* header : {"", "t=", "t=1,v1=", "t=x,v1=00", "v1=00", "t=1,v1=0011"}) {
    EXPECT_EQ(verify_signature(header, "{}", "secret", 1s, 300s), signature_verdict::malformed) << header;
  }
}

TEST(Signature, IsHmacSha256OverTimeAndBody) {
  EXPECT_EQ(sign("", "key", 0s), "t=0,v1=85841b4efc3cd7776c3c8f9b7cca9e281c550e5d19889d78e9e669c6337f000d");
}

}  // namespace
}  // namespace shipping
