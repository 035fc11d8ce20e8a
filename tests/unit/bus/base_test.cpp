// Checksums, hashes and ids whose values are part of a format.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/hash.hpp"
#include "base/uuid.hpp"

namespace gantry {
namespace {

TEST(Crc32cTest, GivesTheValuesOfRfc3720) {
  EXPECT_EQ(crc32c("123456789"), 0xE306'9283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A91'36AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8'AB43U);
}

TEST(Crc32cTest, ChainsAcrossPieces) {
  const std::string whole = "a journal is written in pieces and checked as one";
  for (std::size_t cut = 0; cut <= whole.size(); ++cut)
    EXPECT_EQ(crc32c(whole.substr(cut), crc32c(whole.substr(0, cut))), crc32c(whole)) << "cut at " << cut;
}

TEST(Murmur2Test, GivesTheValuesOfKafkasClients) {
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("21")), -973932308);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("foobar")), -790332482);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-long-string")), -985981536);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-longer-string")), -1486304829);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")), -58897971);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("abc")), 479470107);
}

TEST(Murmur2Test, PutsEveryKeyInsideTheTopic) {
  for (int i = 0; i < 1000; ++i) EXPECT_LT(partition_of("order-" + std::to_string(i), 3), 3U);
}

TEST(UuidTest, GrowsAlsoWhenTheClockStandsOrGoesBack) {
  uuid_generator generator(7);
  std::string last;
  std::set<std::string> all;
  for (int i = 0; i < 600'000; ++i) {
    const auto text = generator.next(i < 300'000 ? 5'000'000 : 4'000'000);
    std::string id(text.data(), text.size());
    ASSERT_LT(last, id);
    last = std::move(id);
  }
}

TEST(UuidTest, CarriesVersionVariantAndTime) {
  uuid_generator generator(7);
  const auto text = generator.next(0x0123'4567'89ABLL * 1000);
  const std::string id(text.data(), text.size());
  EXPECT_EQ(id.substr(0, 13), "01234567-89ab");
  EXPECT_EQ(id[14], '7');
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
}

}  // namespace
}  // namespace gantry
