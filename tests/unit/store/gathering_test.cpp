// A store whose log reaches the kernel in few writes, and whose checkpoints run beside the writer.
#include <algorithm>
#include <atomic>
#include <future>
#include <string>

#include "crash_image.hpp"
#include "fault_vfs.hpp"
#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

class GatheringTest : public StoreFixture, public ::testing::WithParamInterface<store::durability> {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    options_.vfs = disk_.name();
    options_.promise = GetParam();
  }

  void open_empty() { open_with("CREATE TABLE item (id INTEGER PRIMARY KEY, version INTEGER, filler TEXT)"); }

  gantry_status insert(int from, int to, int version = 1) {
    const std::string filler(3000, 'x');
    for (int id = from; id <= to; ++id) {
      const auto done =
          exec("INSERT OR REPLACE INTO item VALUES ($1, $2, $3)", {integer(id), integer(version), text(filler)});
      if (done != GANTRY_OK) return done;
    }
    return GANTRY_OK;
  }

  gantry_status commit_rows(int from, int to, int version = 1) {
    EXPECT_EQ(writer_->begin(), GANTRY_OK) << writer_->error_text();
    if (const auto done = insert(from, to, version); done != GANTRY_OK) {
      writer_->rollback();
      return done;
    }
    return writer_->commit();
  }

  // What a process that comes after this one's death would find.
  std::string after_a_crash(const char* sql) const { return crash_image(options_.file).first(sql); }

  std::uintmax_t log_size() const { return std::filesystem::file_size(options_.file.string() + "-wal"); }

  fault_vfs disk_;
};

INSTANTIATE_TEST_SUITE_P(Promises, GatheringTest,
                         ::testing::Values(store::durability::power, store::durability::process),
                         [](const auto& each) { return each.param == store::durability::power ? "power" : "process"; });

TEST_P(GatheringTest, ACommitOfManyPagesIsFewWritesOfTheLog) {
  open_empty();
  ASSERT_EQ(commit_rows(1, 1), GANTRY_OK);
  auto before = disk_.log_writes();
  ASSERT_EQ(commit_rows(2, 20), GANTRY_OK);
  EXPECT_EQ(disk_.log_writes(), before + 1);
  before = disk_.log_writes();
  ASSERT_EQ(commit_rows(21, 100), GANTRY_OK);
  EXPECT_LE(disk_.log_writes(), before + 4);  // about 85 frames
  EXPECT_EQ(after_a_crash("SELECT count(*) FROM item"), "100");
}

TEST_P(GatheringTest, EveryCommitIsInTheFilesWhenItReturns) {
  options_.checkpoint_pages = 20;
  options_.cache_kib = 64;
  open_empty();
  for (int i = 1; i <= 40; ++i) {
    ASSERT_EQ(commit_rows(i * 10, i * 10 + i), GANTRY_OK);
    const std::string last = std::to_string(i * 10 + i);
    ASSERT_EQ(first_of(options_.file, "SELECT max(id) FROM item"), last);  // another connection, without the layer
  }
}

TEST_P(GatheringTest, ATransactionReadsWhatItSpilled) {
  options_.cache_kib = 64;
  open_empty();
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(insert(1, 600), GANTRY_OK);  // more than the buffer holds
  EXPECT_EQ(rows("SELECT count(*), sum(length(filler)) FROM item"), "600,1800000");
  ASSERT_EQ(exec("UPDATE item SET version = 2"), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*) FROM item WHERE version = 2"), "600");
  EXPECT_EQ(rows(*reader(), "SELECT count(*) FROM item"), "0");
  EXPECT_EQ(after_a_crash("SELECT count(*) FROM item"), "0");
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows(*reader(), "SELECT count(*) FROM item WHERE version = 2"), "600");
  EXPECT_EQ(after_a_crash("SELECT count(*) FROM item WHERE version = 2"), "600");
}

TEST_P(GatheringTest, ASavepointUndoneAfterASpillLeavesNoTrace) {
  options_.cache_kib = 64;
  open_empty();
  for (const int rest : {1, 5, 60}) {
    ASSERT_EQ(writer_->begin(), GANTRY_OK);
    ASSERT_EQ(insert(1, 40, rest), GANTRY_OK);
    ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
    ASSERT_EQ(insert(1000, 1080, rest), GANTRY_OK);
    ASSERT_EQ(writer_->rollback_to(), GANTRY_OK);
    ASSERT_EQ(writer_->release(), GANTRY_OK);
    ASSERT_EQ(insert(100, 100 + rest, rest), GANTRY_OK);
    ASSERT_EQ(writer_->commit(), GANTRY_OK);
    const std::string expected = std::to_string(41 + rest);
    EXPECT_EQ(rows("SELECT count(*) FROM item WHERE version = " + std::to_string(rest)), expected);
    EXPECT_EQ(after_a_crash("SELECT count(*) FROM item"), expected);
  }
}

TEST_P(GatheringTest, ARolledBackSpillIsNotWrittenOverAnothersCommit) {
  options_.cache_kib = 64;
  open_empty();
  ASSERT_EQ(commit_rows(1, 1), GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(insert(2, 100), GANTRY_OK);
  writer_->rollback();
  const store::migration step{1, "other", "", "CREATE TABLE other AS SELECT * FROM item", "sum"};
  ASSERT_TRUE(store_->migrate({&step, 1}));
  EXPECT_EQ(after_a_crash("SELECT count(*) FROM other"), "1");
  ASSERT_EQ(commit_rows(2, 3), GANTRY_OK);
  EXPECT_EQ(after_a_crash("SELECT (SELECT count(*) FROM other) + (SELECT count(*) FROM item)"), "4");
}

TEST_P(GatheringTest, ATornCommitStopsTheWriterAndHarmsNoOther) {
  open_empty();
  ASSERT_EQ(commit_rows(1, 10), GANTRY_OK);
  disk_.tear_next_log_write();
  EXPECT_EQ(commit_rows(11, 60), GANTRY_FAILED);
  EXPECT_EQ(rows(*reader(), "SELECT count(*) FROM item"), "10");
  EXPECT_EQ(after_a_crash("SELECT count(*) FROM item"), "10");
  close();
  open();
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "10");
}

TEST_P(GatheringTest, ADiskFullAtTheFlushLosesTheWholeTransaction) {
  open_empty();
  ASSERT_EQ(commit_rows(1, 10), GANTRY_OK);
  disk_.limit_growth(50'000);
  EXPECT_EQ(commit_rows(11, 60), GANTRY_UNAVAILABLE);
  EXPECT_EQ(rows(*reader(), "SELECT count(*) FROM item"), "10");
  EXPECT_EQ(after_a_crash("SELECT count(*) FROM item"), "10");
  EXPECT_EQ(commit_rows(11, 11), GANTRY_OK);
  disk_.lift_limit();
  EXPECT_EQ(commit_rows(12, 60), GANTRY_OK);
  EXPECT_EQ(after_a_crash("SELECT count(*) FROM item"), "60");
}

TEST_P(GatheringTest, AWriteOfASpillThatFailsUndoesTheTransaction) {
  options_.cache_kib = 64;
  open_empty();
  ASSERT_EQ(commit_rows(1, 10), GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(insert(11, 50), GANTRY_OK);
  disk_.tear_next_log_write();
  gantry_status status = GANTRY_OK;
  for (int id = 51; status == GANTRY_OK; ++id) status = insert(id, id);
  EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "10");
  EXPECT_EQ(commit_rows(11, 20), GANTRY_OK);
  EXPECT_EQ(after_a_crash("SELECT count(*) FROM item"), "20");
}

TEST_P(GatheringTest, ReadersSeeEveryAcknowledgedCommitWhole) {
  options_.cache_kib = 64;
  options_.checkpoint_pages = 200;
  open_empty();
  ASSERT_EQ(commit_rows(1, 60, 0), GANTRY_OK);
  std::atomic<int> acknowledged = 0;
  std::atomic<bool> done = false;
  const auto look = [&]() -> std::string {
    while (!done) {
      auto snapshot = store_->acquire_reader();
      if (!snapshot) return snapshot.failure().text;
      const int least = acknowledged;
      if ((*snapshot)->begin_read() != GANTRY_OK) return std::string((*snapshot)->error_text());
      const auto found = rows(**snapshot,
                              "SELECT min(version) = max(version) AND count(*) = 60 AND min(version) >= $1 AND"
                              " min(length(filler)) = 3000 FROM item",
                              {integer(least)});
      if (found != "1") return found;
    }
    return "whole";
  };
  auto first = std::async(std::launch::async, look);
  auto second = std::async(std::launch::async, look);
  for (int version = 1; version <= 150; ++version) {
    EXPECT_EQ(commit_rows(1, 60, version), GANTRY_OK) << writer_->error_text();
    acknowledged = version;
  }
  done = true;
  EXPECT_EQ(first.get(), "whole");
  EXPECT_EQ(second.get(), "whole");
  EXPECT_EQ(after_a_crash("SELECT min(version) FROM item"), "150");
}

TEST_P(GatheringTest, TheLogStaysBoundedUnderSteadyLoad) {
  options_.checkpoint_pages = 50;
  open_empty();
  std::uintmax_t largest = 0;
  std::uintmax_t written = 0;
  for (int i = 1; i <= 800; ++i) {
    ASSERT_EQ(commit_rows(i * 3, i * 3 + 2), GANTRY_OK);
    largest = std::max(largest, log_size());
    written += 3 * 4120;
  }
  EXPECT_LT(largest, 250U * 4120);  // asked for at 50 pages, waited for after 150 more
  EXPECT_GT(written, 2'000U * 4120);
  EXPECT_EQ(after_a_crash("SELECT count(*) FROM item"), "2400");
}

TEST_P(GatheringTest, TheCheckpointIsInTheDatabaseWhenTheStoreCloses) {
  options_.checkpoint_pages = 20;
  open_empty();
  for (int i = 1; i <= 100; ++i) ASSERT_EQ(commit_rows(i, i), GANTRY_OK);
  close();
  EXPECT_FALSE(std::filesystem::exists(options_.file.string() + "-wal"));
  EXPECT_EQ(first_of(options_.file, "SELECT count(*) FROM item"), "100");
  EXPECT_EQ(first_of(options_.file, "PRAGMA integrity_check"), "ok");
}

}  // namespace
}  // namespace gantry::testing
