// Transactions, savepoints, snapshots, the reader pool and the file's lock.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

class TransactionTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open_with("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
  }
};

TEST_F(TransactionTest, AConflictLeavesTheTransactionUsable) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES ($1, $2)", {integer(1), text("tea")}), GANTRY_OK);
  EXPECT_EQ(exec("INSERT INTO item VALUES ($1, $2)", {integer(2), text("tea")}), GANTRY_CONFLICT);
  EXPECT_EQ(writer_->error_text(), "UNIQUE constraint failed: item.name");
  ASSERT_EQ(exec("INSERT INTO item VALUES ($1, $2)", {integer(2), text("salt")}), GANTRY_OK);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT name FROM item ORDER BY id"), "tea;salt");
}

TEST_F(TransactionTest, ARolledBackTransactionLeavesNothing) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item (id) VALUES (1)"), GANTRY_OK);
  writer_->rollback();
  writer_->rollback();
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "0");
  EXPECT_EQ(writer_->begin(), GANTRY_OK);
  EXPECT_EQ(writer_->begin(), GANTRY_INVALID);
}

TEST_F(TransactionTest, OneRefusedRequestOfAGroupHarmsNoOther) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  for (int request = 1; request <= 3; ++request) {
    ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
    ASSERT_EQ(exec("INSERT INTO item (id) VALUES ($1)", {integer(request)}), GANTRY_OK);
    if (request == 2) {
      ASSERT_EQ(writer_->rollback_to(), GANTRY_OK);
    }
    ASSERT_EQ(writer_->release(), GANTRY_OK);
  }
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM item ORDER BY id"), "1;3");
}

TEST_F(TransactionTest, SavepointsNest) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item (id) VALUES (1)"), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item (id) VALUES (2)"), GANTRY_OK);
  ASSERT_EQ(writer_->rollback_to(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item (id) VALUES (3)"), GANTRY_OK);
  ASSERT_EQ(writer_->release(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM item ORDER BY id"), "1;3");
  ASSERT_EQ(writer_->rollback_to(), GANTRY_OK);
  ASSERT_EQ(writer_->release(), GANTRY_OK);
  EXPECT_EQ(writer_->release(), GANTRY_INVALID);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "0");
}

TEST_F(TransactionTest, AForgottenCursorEndsWithItsSavepoint) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item (id) VALUES (1), (2)"), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  store::cursor* forgotten = nullptr;
  ASSERT_EQ(writer_->query("SELECT id FROM item", {}, &forgotten), GANTRY_OK);
  ASSERT_EQ(forgotten->next(), GANTRY_OK);
  ASSERT_EQ(writer_->rollback_to(), GANTRY_OK);
  EXPECT_EQ(forgotten->next(), GANTRY_INVALID);
  ASSERT_EQ(writer_->release(), GANTRY_OK);
  EXPECT_EQ(writer_->commit(), GANTRY_OK);
}

TEST_F(TransactionTest, AForeignKeyThatIsStillOpenAtTheCommitIsAConflict) {
  ASSERT_EQ(writer_->script("CREATE TABLE part (item INTEGER REFERENCES item(id) DEFERRABLE INITIALLY DEFERRED)"),
            GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO part VALUES (9)"), GANTRY_OK);
  EXPECT_EQ(writer_->commit(), GANTRY_CONFLICT);
  EXPECT_EQ(commit("INSERT INTO item (id) VALUES (1)"), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*) FROM part"), "0");
}

TEST_F(TransactionTest, ASnapshotStaysAsItWasWhileTheWriterCommits) {
  ASSERT_EQ(commit("INSERT INTO item (id) VALUES (1)"), GANTRY_OK);
  auto snapshot = reader();
  ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
  ASSERT_EQ(commit("INSERT INTO item (id) VALUES (2)"), GANTRY_OK);
  EXPECT_EQ(rows(*snapshot, "SELECT count(*) FROM item"), "1");
  snapshot->end_read();
  ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
  EXPECT_EQ(rows(*snapshot, "SELECT count(*) FROM item"), "2");
}

TEST_F(TransactionTest, ASnapshotIsNotChanged) {
  auto snapshot = reader();
  ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
  EXPECT_EQ(snapshot->exec("INSERT INTO item (id) VALUES (1)", {}, nullptr), GANTRY_REFUSED);
  store::cursor* cursor = nullptr;
  EXPECT_EQ(snapshot->query("INSERT INTO item (id) VALUES (1) RETURNING id", {}, &cursor), GANTRY_REFUSED);
  EXPECT_EQ(snapshot->script("DELETE FROM item"), GANTRY_REFUSED);
  EXPECT_EQ(snapshot->begin(), GANTRY_INVALID);
}

TEST_F(TransactionTest, ReadersAreReusedAndWaitedFor) {
  close();
  options_.readers = 1;
  open();
  auto only = reader();
  std::promise<void> asking;
  auto second = std::async(std::launch::async, [&] {
    asking.set_value();
    return store_->acquire_reader().ok();
  });
  asking.get_future().wait();
  only.reset();
  EXPECT_TRUE(second.get());
}

TEST_F(TransactionTest, ManyReadersSeeOnlyWholeTransactions) {
  ASSERT_EQ(writer_->script("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER);"
                            "INSERT INTO account VALUES (1, 1000), (2, 0)"),
            GANTRY_OK);
  std::atomic<bool> done = false;
  std::vector<std::future<std::string>> readers;
  for (int i = 0; i < 3; ++i) {
    readers.push_back(std::async(std::launch::async, [&]() -> std::string {
      do {
        auto snapshot = store_->acquire_reader();
        if (!snapshot) return snapshot.failure().text;
        if ((*snapshot)->begin_read() != GANTRY_OK) return std::string((*snapshot)->error_text());
        if (const auto sum = rows(**snapshot, "SELECT sum(balance) FROM account"); sum != "1000") return sum;
      } while (!done);
      return "only whole ones";
    }));
  }
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(writer_->begin(), GANTRY_OK) << writer_->error_text();
    EXPECT_EQ(exec("UPDATE account SET balance = balance - 1 WHERE id = 1"), GANTRY_OK);
    EXPECT_EQ(exec("UPDATE account SET balance = balance + 1 WHERE id = 2"), GANTRY_OK);
    EXPECT_EQ(writer_->commit(), GANTRY_OK) << writer_->error_text();
  }
  done = true;
  for (auto& each : readers) EXPECT_EQ(each.get(), "only whole ones");
}

TEST_F(TransactionTest, TheLogStartsOverAlthoughSomebodyAlwaysReads) {
  close();
  options_.checkpoint_pages = 50;
  open();
  auto snapshot = reader();
  ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
  std::atomic<bool> done = false;
  auto relay = std::async(std::launch::async, [&] {
    bool ok = true;
    while (!done && ok) {
      auto later = store_->acquire_reader();
      ok = later && (*later)->begin_read() == GANTRY_OK;
      if (ok) snapshot = std::move(later).value();
    }
    snapshot.reset();
    return ok;
  });
  const std::string row(3000, 'x');
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(commit("INSERT OR REPLACE INTO item (id, name) VALUES (1, $1)", {text(row)}), GANTRY_OK);
  }
  done = true;
  EXPECT_TRUE(relay.get());
  EXPECT_LT(std::filesystem::file_size(options_.file.string() + "-wal"), 1000U * 4120);
}

TEST_F(TransactionTest, AReaderThatNeverEndsHoldsTheLogButNotTheWriter) {
  close();
  options_.checkpoint_pages = 10;
  open();
  ASSERT_EQ(commit("INSERT INTO item (id) VALUES (1)"), GANTRY_OK);
  auto snapshot = reader();
  ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
  for (int i = 2; i <= 100; ++i) ASSERT_EQ(commit("INSERT INTO item (id) VALUES ($1)", {integer(i)}), GANTRY_OK);
  EXPECT_EQ(rows(*snapshot, "SELECT count(*) FROM item"), "1");
  snapshot->end_read();
  const auto grown = std::filesystem::file_size(options_.file.string() + "-wal");
  for (int i = 101; i <= 500; ++i) ASSERT_EQ(commit("INSERT INTO item (id) VALUES ($1)", {integer(i)}), GANTRY_OK);
  EXPECT_LT(std::filesystem::file_size(options_.file.string() + "-wal"), grown);
}

TEST_F(TransactionTest, AStoreAtRestIsOneFile) {
  ASSERT_EQ(commit("INSERT INTO item (id) VALUES (1)"), GANTRY_OK);
  EXPECT_GT(store_->size_bytes(), 0U);
  close();
  EXPECT_FALSE(std::filesystem::exists(options_.file.string() + "-wal"));
  open();
  EXPECT_EQ(rows("SELECT id FROM item"), "1");
}

TEST_F(TransactionTest, ThereIsOneWriter) {
  auto second = store_->open_writer();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.failure().code, errc::conflict);
  writer_.reset();
  EXPECT_TRUE(store_->open_writer());
}

TEST_F(TransactionTest, ASecondProcessIsRefusedAndToldWhoHasTheFile) {
  const std::string owner = "process " + std::to_string(getpid());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto second = store::open_sqlite_store(options_);
    const bool refused =
        !second && second.failure().code == errc::conflict && second.failure().text.find(owner) != std::string::npos;
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(TransactionTest, AFileThatIsNoDatabaseIsRefused) {
  close();
  std::ofstream(options_.file, std::ios::trunc) << std::string(5000, 'n');
  auto opened = store::open_sqlite_store(options_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.failure().code, errc::invalid);
  EXPECT_NE(opened.failure().text.find("order.db"), std::string::npos);
}

TEST_F(TransactionTest, DescribesItself) {
  EXPECT_EQ(store_->driver(), "sqlite");
  EXPECT_EQ(store_->describe(), "sqlite " + options_.file.string());
  EXPECT_EQ(store_->promise(), store::durability::power);
}

}  // namespace
}  // namespace gantry::testing
