#include "topology/names.hpp"

#include <gtest/gtest.h>

#include "topology/address.hpp"
#include "topology/units.hpp"

namespace gantry::topology {
namespace {

using std::chrono::microseconds;
using namespace std::chrono_literals;

TEST(NearestName, FindsSlipsOfTheKeyboardAndNothingFarFetched) {
  const std::vector<std::string> keys{"partitions", "retention", "max_bytes", "max_message"};
  EXPECT_EQ(nearest_name("partition", keys), "partitions");
  EXPECT_EQ(nearest_name("max-bytes", keys), "max_bytes");
  EXPECT_EQ(nearest_name("Retention", keys), "retention");
  EXPECT_EQ(nearest_name("colour", keys), "");
  EXPECT_EQ(nearest_name("a", {"b"}), "");
  EXPECT_EQ(nearest_name(std::string(100'000, 'x'), keys), "");
}

TEST(Durations, CarryAUnit) {
  EXPECT_EQ(*parse_duration("5ms"), microseconds(5ms));
  EXPECT_EQ(*parse_duration("7d"), microseconds(24h * 7));
  EXPECT_EQ(*parse_duration("0"), microseconds(0));
  EXPECT_EQ(parse_duration("5").failure().text, "add the unit, for example 5ms");
  EXPECT_EQ(parse_duration("5sec").failure().text, "the units are us, ms, s, m, h or d");
  EXPECT_FALSE(parse_duration("-5ms"));
  EXPECT_FALSE(parse_duration("1e3ms"));
  EXPECT_FALSE(parse_duration("99999999999999d"));
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(15min), "15m");
}

TEST(Sizes, TellBinaryFromDecimalUnits) {
  EXPECT_EQ(*parse_size("64MiB"), 64ULL << 20U);
  EXPECT_EQ(*parse_size("64MB"), 64'000'000ULL);
  EXPECT_EQ(parse_size("64Mib").failure().text, "did you mean \"64MiB\"?");
  EXPECT_FALSE(parse_size("9999999TiB"));
  EXPECT_FALSE(parse_size(""));
}

TEST(Addresses, AreHostAndPort) {
  EXPECT_EQ(parse_address("127.0.0.1:8080")->port, 8080);
  EXPECT_EQ(parse_address("[::1]:80")->host, "::1");
  EXPECT_EQ(parse_address(":80")->host, "0.0.0.0");
  EXPECT_FALSE(parse_address("127.0.0.1"));
  EXPECT_FALSE(parse_address("127.0.0.1:70000"));
  EXPECT_FALSE(parse_address("http://x:80"));
}

TEST(Addresses, CollideWhenOneSocketWouldRefuseTheOther) {
  EXPECT_TRUE(collide(*parse_address("localhost:80"), *parse_address("127.0.0.1:80")));
  EXPECT_TRUE(collide(*parse_address("0.0.0.0:80"), *parse_address("10.0.0.1:80")));
  EXPECT_FALSE(collide(*parse_address("127.0.0.1:80"), *parse_address("127.0.0.2:80")));
  EXPECT_FALSE(collide(*parse_address("127.0.0.1:0"), *parse_address("127.0.0.1:0")));
}

}  // namespace
}  // namespace gantry::topology
