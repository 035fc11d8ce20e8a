// Points in time and their texts.
#include <gtest/gtest.h>
#include <gantry/time.hpp>

namespace {

using gantry::instant;

TEST(Instant, WritesUtcWithMicroseconds) {
  EXPECT_EQ((instant{0}).rfc3339(), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ((instant{1'709'209'845'000'250}).rfc3339(), "2024-02-29T12:30:45.000250Z");
  EXPECT_EQ((instant{-1}).rfc3339(), "1969-12-31T23:59:59.999999Z");
}

TEST(Instant, ReadsOffsetsAndFractions) {
  EXPECT_EQ(instant::parse("2024-02-29T12:30:45.00025Z"), (instant{1'709'209'845'000'250}));
  EXPECT_EQ(instant::parse("2024-02-29T14:00:45+01:30"), (instant{1'709'209'845'000'000}));
  EXPECT_EQ(instant::parse("2024-02-29t07:30:45.123456789-05:00"), (instant{1'709'209'845'123'456}));
}

TEST(Instant, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z", "2024-1-01T00:00:00Z", "2024-01-01T00:00:00Zx",
        "2024-01-01T00:00:00+25:00", "2024-13-01T00:00:00Z", "2024-01-01"}) {
    EXPECT_FALSE(instant::parse(text)) << text;
  }
}

TEST(Instant, CountsAndCompares) {
  using namespace std::chrono_literals;
  const instant noon = *instant::parse("2026-01-01T12:00:00Z");
  EXPECT_EQ((noon + 90s).rfc3339(), "2026-01-01T12:01:30.000000Z");
  EXPECT_EQ(noon + 1h - noon, 3600s);
  EXPECT_LT(noon - 1us, noon);
}

}  // namespace
