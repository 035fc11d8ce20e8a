// What a store keeps when power, disk and fsync fail.
#include <future>
#include <string>
#include <thread>

#include "../thread_famine.hpp"
#include "fault_vfs.hpp"
#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

class DurabilityTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    options_.vfs = disk_.name();
  }

  void open_empty() { open_with("CREATE TABLE item (id INTEGER PRIMARY KEY, filler TEXT)"); }

  gantry_status insert(int id, std::size_t size = 10) {
    const std::string filler(size, 'x');
    return commit("INSERT INTO item VALUES ($1, $2)", {integer(id), text(filler)});
  }

  void lose_power(std::size_t surviving = 0) {
    disk_.power_cut(surviving);
    close();
    disk_.power_on();
  }

  fault_vfs disk_;
};

TEST_F(DurabilityTest, APowerCutKeepsEveryAcknowledgedCommit) {
  open_empty();
  for (int i = 1; i <= 20; ++i) ASSERT_EQ(insert(i), GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item (id) VALUES (21)"), GANTRY_OK);
  lose_power();
  open();
  EXPECT_EQ(rows("SELECT count(*), max(id) FROM item"), "20,20");
  EXPECT_EQ(rows("SELECT count(*) FROM item WHERE length(filler) = 10"), "20");
}

TEST_F(DurabilityTest, APowerCutBetweenCheckpointsKeepsEveryAcknowledgedCommit) {
  options_.checkpoint_pages = 20;
  open_empty();
  for (int i = 1; i <= 200; ++i) ASSERT_EQ(insert(i, 2000), GANTRY_OK);
  lose_power();
  open();
  EXPECT_EQ(rows("SELECT count(*), max(id) FROM item"), "200,200");
}

TEST_F(DurabilityTest, ATornTailOfTheLogIsNotTakenForACommit) {
  options_.promise = store::durability::process;
  for (std::size_t surviving = 0; surviving < 60; surviving += 7) {
    options_.file = directory_ / ("torn" + std::to_string(surviving) + ".db");
    open_empty();
    for (int i = 1; i <= 10; ++i) ASSERT_EQ(insert(i, 9000), GANTRY_OK);
    lose_power(surviving);
    open();
    if (rows("SELECT count(*) FROM sqlite_schema") == "1") {
      EXPECT_EQ(rows("SELECT count(*) = coalesce(max(id), 0) AND coalesce(min(length(filler)), 9000) = 9000 FROM item"),
                "1");
    }
    close();
  }
}

TEST_F(DurabilityTest, PromisingTheProcessOnlySavesTheSyncs) {
  options_.promise = store::durability::process;
  open_empty();
  const auto before = disk_.syncs();
  for (int i = 1; i <= 10; ++i) ASSERT_EQ(insert(i), GANTRY_OK);
  EXPECT_EQ(disk_.syncs(), before);
  EXPECT_GT(disk_.unsynced_writes(), 0U);
}

// A limit of threads is no reason to end: the writer does what the threads would have done.
TEST_F(DurabilityTest, WithoutAThreadTheWriterSyncsAndCopiesTheLogItself) {
  options_.checkpoint_pages = 20;
  open_empty();
  std::uint64_t mark = 0;
  const auto commit_one = [&](int id) {
    ASSERT_EQ(writer_->begin(), GANTRY_OK);
    ASSERT_EQ(exec("INSERT INTO item (id, filler) VALUES ($1, $2)", {integer(id), text(std::string(9000, 'x'))}),
              GANTRY_OK);
    ASSERT_EQ(writer_->commit_early(mark), GANTRY_OK);
  };
  std::uint64_t durable = 0;
  {
    const thread_famine none;
    commit_one(0);
    bool done = false;
    writer_->sync_later([&] { done = true; });
    EXPECT_TRUE(done);
    EXPECT_EQ(writer_->durable(durable), GANTRY_OK);
    EXPECT_EQ(durable, mark);
    for (int id = 1; id < 100; ++id) commit_one(id);
    // The log started over.
    EXPECT_LT(std::filesystem::file_size(options_.file.string() + "-wal"), std::uintmax_t{100} * 9000 / 2);
  }
  // Once the system has threads again, they are used.
  commit_one(100);
  std::promise<std::thread::id> by;
  writer_->sync_later([&] { by.set_value(std::this_thread::get_id()); });
  EXPECT_NE(by.get_future().get(), std::this_thread::get_id());
  EXPECT_EQ(writer_->durable(durable), GANTRY_OK);
  EXPECT_EQ(durable, mark);
}

TEST_F(DurabilityTest, AFailedSyncStopsTheWriterForGood) {
  open_empty();
  ASSERT_EQ(insert(1), GANTRY_OK);
  disk_.fail_next_sync();
  EXPECT_EQ(insert(2), GANTRY_FAILED);
  EXPECT_EQ(writer_->begin(), GANTRY_FAILED);
  EXPECT_EQ(writer_->exec("INSERT INTO item (id) VALUES (3)", {}, nullptr), GANTRY_FAILED);
  EXPECT_EQ(writer_->commit(), GANTRY_FAILED);
  EXPECT_NE(writer_->error_text().find("writing has stopped"), std::string_view::npos);
  writer_.reset();
  auto again = store_->open_writer();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.failure().code, errc::io);
  EXPECT_FALSE(store_->migrate({}));
  EXPECT_EQ(rows(*reader(), "SELECT id FROM item WHERE id = 1"), "1");  // of 2 nobody knows
}

TEST_F(DurabilityTest, AStoppedStoreIsNotTidiedUpWhenItCloses) {
  open_empty();
  ASSERT_EQ(insert(1), GANTRY_OK);
  disk_.fail_next_sync();
  ASSERT_EQ(insert(2), GANTRY_FAILED);
  const auto syncs = disk_.syncs();
  close();
  EXPECT_EQ(disk_.syncs(), syncs);
  open();
  EXPECT_EQ(rows("SELECT id FROM item WHERE id = 1"), "1");
}

TEST_F(DurabilityTest, AFailedSyncOfACheckpointStopsTheWriterToo) {
  options_.promise = store::durability::process;
  options_.checkpoint_pages = 5;
  open_empty();
  for (int i = 1; i <= 5; ++i) ASSERT_EQ(insert(i, 5000), GANTRY_OK);
  disk_.fail_next_sync();
  int id = 6;
  gantry_status status = GANTRY_OK;
  while ((status = writer_->begin()) == GANTRY_OK) {
    ASSERT_EQ(exec("INSERT INTO item (id) VALUES ($1)", {integer(id++)}), GANTRY_OK);
    ASSERT_EQ(writer_->commit(), GANTRY_OK);
  }
  EXPECT_EQ(status, GANTRY_FAILED);
}

TEST_F(DurabilityTest, AFullDiskRefusesAndRecovers) {
  open_empty();
  ASSERT_EQ(insert(1), GANTRY_OK);
  disk_.limit_growth(20'000);
  EXPECT_EQ(insert(2, 100'000), GANTRY_UNAVAILABLE);
  EXPECT_EQ(rows("SELECT id FROM item"), "1");
  disk_.lift_limit();
  EXPECT_EQ(insert(2, 100'000), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM item"), "1;2");
}

TEST_F(DurabilityTest, ADiskThatFillsInsideATransactionUndoesAllOfIt) {
  options_.cache_kib = 64;  // so that pages go to the log before the commit
  open_empty();
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  disk_.limit_growth(200'000);
  const std::string filler(50'000, 'x');
  gantry_status status = GANTRY_OK;
  for (int i = 1; i < 100 && status == GANTRY_OK; ++i) {
    status = exec("INSERT INTO item VALUES ($1, $2)", {integer(i), text(filler)});
  }
  EXPECT_EQ(status, GANTRY_UNAVAILABLE);
  writer_->rollback();
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "0");
  disk_.lift_limit();
  EXPECT_EQ(insert(1, 50'000), GANTRY_OK);
}

TEST_F(DurabilityTest, ADiskTooFullToCopyTheLogKeepsAcceptingWhatFits) {
  options_.checkpoint_pages = 10;
  open_empty();
  for (int i = 1; i <= 30; ++i) ASSERT_EQ(insert(i, 3000), GANTRY_OK);
  disk_.limit_growth(0);
  int id = 31;
  gantry_status status = GANTRY_OK;
  while (id < 200 && (status = insert(id, 3000)) == GANTRY_OK) ++id;
  EXPECT_EQ(status, GANTRY_UNAVAILABLE);
  disk_.lift_limit();
  EXPECT_EQ(insert(id, 3000), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*), max(id) FROM item"), std::to_string(id) + "," + std::to_string(id));
}

}  // namespace
}  // namespace gantry::testing
