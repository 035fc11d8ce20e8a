#include "observability/health.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace gantry::observability {
namespace {

TEST(HealthTest, IsWellWithoutChecks) {
  const auto report = health{}.report(health_kind::ready);
  EXPECT_TRUE(report.ok);
  EXPECT_EQ(report.body, R"({"status":"ok","checks":[]})");
}

TEST(HealthTest, NamesWhatFailsAndWhy) {
  health host;
  host.add(health_kind::ready, "bus", [] { return result<void>(error{errc::unavailable, "broker \"b\" is away"}); });
  host.add(health_kind::ready, "store", [] { return result<void>(); });
  host.add(health_kind::live, "lanes", [] { return result<void>(); });
  const auto ready = host.report(health_kind::ready);
  EXPECT_FALSE(ready.ok);
  EXPECT_EQ(ready.body, R"({"status":"failing","checks":[{"name":"bus","status":"failing",)"
                        R"("reason":"broker \"b\" is away"},{"name":"store","status":"ok"}]})");
  EXPECT_TRUE(host.report(health_kind::live).ok);
}

TEST(HealthTest, ReplacesAndRemovesChecks) {
  health host;
  host.add(health_kind::ready, "bus", [] { return result<void>(error{errc::io, "no"}); });
  host.add(health_kind::ready, "bus", [] { return result<void>(); });
  EXPECT_TRUE(host.report(health_kind::ready).ok);
  host.remove(health_kind::ready, "bus");
  EXPECT_EQ(host.report(health_kind::ready).body, R"({"status":"ok","checks":[]})");
}

TEST(HealthTest, WhatIsNotVitalMakesItDegraded) {
  health host;
  host.add(health_kind::ready, "store", [] { return result<void>(); });
  host.add(health_kind::ready, "quarantine", [] { return result<void>(error{errc::unavailable, "order"}); }, false);
  const auto ready = host.report(health_kind::ready);
  EXPECT_TRUE(ready.ok);
  EXPECT_EQ(ready.body, R"({"status":"degraded","checks":[{"name":"store","status":"ok"},)"
                        R"({"name":"quarantine","status":"degraded","reason":"order"}]})");
  host.add(health_kind::ready, "store", [] { return result<void>(error{errc::io, "no"}); });
  EXPECT_FALSE(host.report(health_kind::ready).ok);
}

TEST(HealthTest, ACheckThatThrowsHasFailed) {
  health host;
  host.add(health_kind::live, "odd", []() -> result<void> { throw std::runtime_error("odd"); });
  EXPECT_FALSE(host.report(health_kind::live).ok);
}

}  // namespace
}  // namespace gantry::observability
