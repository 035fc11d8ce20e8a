// Kills, power cuts and damage: what was acknowledged stays, no offset is given twice.
#include <gtest/gtest.h>

#include <unistd.h>

#include "bus_fixture.hpp"

namespace gantry::bus::local::testing {
namespace {

using texts = std::vector<std::string>;

class LocalBusRecoveryTest : public ::testing::Test, public bus_fixture {};

TEST_F(LocalBusRecoveryTest, KeepsWhatWasAcknowledgedWhenThePowerGoes) {
  open_with_topic();
  ASSERT_TRUE(append({"a", "b"}));
  sync();
  ASSERT_TRUE(append({"lost"}));
  power_cut();
  open_with_topic();
  EXPECT_EQ(bodies(), (texts{"a", "b"}));
}

TEST_F(LocalBusRecoveryTest, GivesNoOffsetTwiceAndAConsumerAheadSeesACleanJump) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  sync();
  ASSERT_TRUE(append({"lost", "lost too"}));
  EXPECT_EQ(read().back().offset, 2U);
  power_cut();
  open_with_topic();
  EXPECT_EQ(reader().lag({topic, 0}, 3), 0U);
  ASSERT_TRUE(append({"new"}));
  const auto ahead = read(3);
  ASSERT_EQ(ahead.size(), 1U);
  EXPECT_EQ(ahead[0].body, "new");
  EXPECT_GE(ahead[0].offset, 3U);
  EXPECT_EQ(bodies(), (texts{"a", "new"}));
  EXPECT_EQ(reader().lag({topic, 0}, 0), 2U);
  EXPECT_EQ(reader().lag({topic, 0}, 1), 1U);
  EXPECT_EQ(reader().lag({topic, 0}, 3), 1U);
  EXPECT_EQ(reader().lag({topic, 0}, ahead[0].offset + 1), 0U);
}

TEST_F(LocalBusRecoveryTest, GivesTheNextOffsetAfterACleanClose) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  for (int i = 0; i < 3; ++i) reopen();
  ASSERT_TRUE(append({"b"}));
  EXPECT_EQ(read().back(), (read_back{1, "b"}));
}

TEST_F(LocalBusRecoveryTest, CutsATornTailWhereverItIsTorn) {
  for (std::size_t kept = 0; kept < 400; kept += 7) {
    SCOPED_TRACE(kept);
    bus_fixture shop;
    shop.open_with_topic();
    ASSERT_TRUE(shop.append({"a"}));
    shop.sync();
    ASSERT_TRUE(shop.append({"b"}));
    ASSERT_TRUE(shop.append({"c"}));
    shop.power_cut(kept);
    shop.open_with_topic();
    const auto found = shop.bodies();
    const texts whole{"a", "b", "c"};
    ASSERT_GE(found.size(), 1U);
    EXPECT_EQ(found, texts(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(found.size())));
    ASSERT_TRUE(shop.append({"d"}));
    shop.reopen();
    EXPECT_EQ(shop.bodies().back(), "d");
  }
}

TEST_F(LocalBusRecoveryTest, RefusesDamageBelowTheSyncedPositionAndSaysWhere) {
  open_with_topic();
  ASSERT_TRUE(append({std::string(1000, 'a')}));
  sync();
  ASSERT_TRUE(append({"b"}));  // tells how far the journal was synced
  sync();
  const auto log = files.names(".log").back();
  power_cut();
  files.damage(log, 700);
  const auto refused = try_open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.failure().code, errc::corrupt);
  EXPECT_NE(refused.failure().text.find(log), std::string::npos) << refused.failure().text;
  EXPECT_NE(refused.failure().text.find("position"), std::string::npos);
}

TEST_F(LocalBusRecoveryTest, RefusesDamageOfAJournalThatWasClosed) {
  open_with_topic();
  ASSERT_TRUE(append({std::string(1000, 'a')}));
  close();
  files.damage(files.names(".log").back(), 700);
  EXPECT_EQ(try_open().failure().code, errc::corrupt);
}

TEST_F(LocalBusRecoveryTest, RefusesAMissingSegment) {
  options.segment_bytes = 4096;
  open_with_topic();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(append({std::string(1000, 'a')}));
  close();
  ASSERT_TRUE(files.unlink(files.names(".log")[2]));
  const auto refused = try_open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.failure().code, errc::corrupt);
}

TEST_F(LocalBusRecoveryTest, SaysWhichBytesAreDamagedWhenTheyAreRead) {
  options.memory_bytes = 0;
  open_with_topic();
  ASSERT_TRUE(append({std::string(9000, 'a')}));
  for (int i = 0; i < 2; ++i) {
    sync();
    ASSERT_TRUE(append({std::string(70'000, 'b')}));  // takes the memory
  }
  const auto log = files.names(".log").back();
  files.damage(log, 900);
  fetched got;
  const auto read = reader().fetch({topic, 0}, 0, 10, 1000, got);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.failure().code, errc::corrupt);
  EXPECT_NE(read.failure().text.find(log), std::string::npos) << read.failure().text;
}

TEST_F(LocalBusRecoveryTest, MakesLostAndDamagedIndexFilesAgain) {
  options.segment_bytes = 4096;
  open_with_topic();
  texts all;
  for (int i = 0; i < 100; ++i) {
    all.push_back(std::to_string(i) + std::string(100, '.'));
    ASSERT_TRUE(append({all.back()}));
  }
  close();
  const auto indexes = files.names(".idx");
  ASSERT_GT(indexes.size(), 2U);
  files.damage(indexes[0], 60);
  ASSERT_TRUE(files.unlink(indexes[1]));
  ASSERT_TRUE(files.unlink(indexes.back()));
  open_with_topic();
  EXPECT_EQ(bodies(), all);
  close();
  EXPECT_GT(files.names(".idx").size(), indexes.size());
}

TEST_F(LocalBusRecoveryTest, SurvivesAPowerCutAcrossSegments) {
  options.segment_bytes = 4096;
  open_with_topic();
  texts synced;
  for (int i = 0; i < 60; ++i) {
    synced.push_back(std::to_string(i) + std::string(200, '.'));
    ASSERT_TRUE(append({synced.back()}));
    if (i % 7 == 0) sync();
  }
  sync();
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(append({std::string(200, 'l')}));
  power_cut(1000);
  open_with_topic();
  auto found = bodies();
  ASSERT_GE(found.size(), synced.size());
  found.resize(synced.size());
  EXPECT_EQ(found, synced);
}

TEST_F(LocalBusRecoveryTest, CutsTheZerosThatFillTheLastBlock) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  sync();
  const auto log = files.names(".log").back();
  EXPECT_EQ(files.size(log) % block_bytes, 0U);
  power_cut();
  open_with_topic();
  EXPECT_EQ(bodies(), texts{"a"});
  EXPECT_NE(files.size(log) % block_bytes, 0U);
}

TEST_F(LocalBusRecoveryTest, TakesSealedSegmentsWhoseZerosCameBack) {
  options.segment_bytes = 4096;
  open_with_topic();
  texts all;
  for (int i = 0; i < 100; ++i) {
    all.push_back(std::to_string(i) + std::string(100, '.'));
    ASSERT_TRUE(append({all.back()}));
  }
  close();
  const auto logs = files.names(".log");
  ASSERT_GT(logs.size(), 3U);
  for (const auto& log : logs) files.pad(log);
  ASSERT_TRUE(files.unlink(files.names(".idx")[1]));
  open_with_topic();
  EXPECT_EQ(bodies(), all);
  ASSERT_TRUE(append({"next"}));
  EXPECT_EQ(read().back(), (read_back{100, "next"}));
}

TEST_F(LocalBusRecoveryTest, NeverTakesOldBytesOfACutTailForNewOnes) {
  // The tail that was cut survives in the blocks behind it, as a disk that reorders its writes may leave it.
  for (std::size_t kept = 0; kept < 9000; kept += 511) {
    SCOPED_TRACE(kept);
    bus_fixture shop;
    shop.open_with_topic();
    ASSERT_TRUE(shop.append({"a"}));
    shop.sync();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(shop.append({"lost " + std::string(400, 'l')}));
    shop.power_cut(kept);
    shop.open_with_topic();
    auto before = shop.bodies();
    ASSERT_TRUE(shop.append({"b"}));
    shop.sync();
    before.push_back("b");
    shop.power_cut();
    shop.open_with_topic();
    EXPECT_EQ(shop.bodies(), before);
  }
}

TEST_F(LocalBusRecoveryTest, StartsAnewWhenThePowerWentBeforeTheFirstSync) {
  files.fail_syncs(true);
  EXPECT_FALSE(try_open());
  files.fail_syncs(false);
  power_cut(10);
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  EXPECT_EQ(bodies(), texts{"a"});
}

TEST(LocalBusLockTest, RefusesASecondProcessAndNamesTheFirst) {
  const auto directory = std::filesystem::temp_directory_path() / ("gantry-lock-" + std::to_string(::getpid()));
  std::filesystem::remove_all(directory);
  local_bus_options options;
  options.directory = directory;
  {
    const auto first = open_local_bus(options);
    ASSERT_TRUE(first);
    const auto second = open_local_bus(options);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.failure().code, errc::conflict);
    EXPECT_NE(second.failure().text.find(std::to_string(::getpid())), std::string::npos) << second.failure().text;
  }
  EXPECT_TRUE(open_local_bus(options));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace gantry::bus::local::testing
