// Transactions, savepoints, snapshots, the pool; two hosts on one database.
#include <atomic>
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
    open_with("CREATE TABLE item (id bigint PRIMARY KEY, name text UNIQUE)");
  }

  // Another host's store on the same schema.
  std::unique_ptr<store::store> other_store() {
    auto opened = store::open_postgres_store(options_);
    EXPECT_TRUE(opened) << opened.failure().text;
    return std::move(opened).value();
  }
};

TEST_F(TransactionTest, AConflictLeavesTheTransactionUsable) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES ($1, $2)", {integer(1), text("tea")}), GANTRY_OK);
  EXPECT_EQ(exec("INSERT INTO item VALUES ($1, $2)", {integer(2), text("tea")}), GANTRY_CONFLICT);
  EXPECT_EQ(writer_->error_text(), "duplicate key value violates unique constraint \"item_name_key\"");
  ASSERT_EQ(exec("INSERT INTO item VALUES ($1, $2)", {integer(2), text("salt")}), GANTRY_OK);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT name FROM item ORDER BY id"), "tea;salt");
}

TEST_F(TransactionTest, WrongSqlLeavesTheTransactionUsableToo) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES (1, 'tea')"), GANTRY_OK);
  EXPECT_EQ(exec("DELETE FORM item"), GANTRY_INVALID);
  expect_has(rows("SELECT nothing FROM item"), "does not exist");
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT name FROM item"), "tea");
}

TEST_F(TransactionTest, AReadThatFailsEndsTheTransactionUpToItsSavepoint) {
  const char* const divide = "SELECT 1 / CAST($1 AS bigint)";
  ASSERT_EQ(rows(divide, {integer(1)}), "1");
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES (1, 'tea')"), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES (2, 'salt')"), GANTRY_OK);
  store::cursor* cursor = nullptr;
  const params zero{integer(0)};
  EXPECT_EQ(writer_->query(divide, zero, &cursor), GANTRY_INVALID);
  expect_has(writer_->error_text(), "division by zero");
  EXPECT_EQ(exec("INSERT INTO item VALUES (3, 'oil')"), GANTRY_INVALID);
  ASSERT_EQ(writer_->rollback_to(), GANTRY_OK);
  ASSERT_EQ(writer_->release(), GANTRY_OK);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM item"), "1");
  // Without one, all of it.
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  EXPECT_EQ(writer_->query(divide, zero, &cursor), GANTRY_INVALID);
  EXPECT_EQ(exec("INSERT INTO item VALUES (3, 'oil')"), GANTRY_RETRY);
  EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
  EXPECT_EQ(rows("SELECT id FROM item"), "1");
}

// Whoever hides the failure of a statement can't commit what it was part of.
TEST_F(TransactionTest, AnIgnoredFailureIsNotCommitted) {
  ASSERT_EQ(rows("SELECT 1 / CAST($1 AS bigint)", {integer(1)}), "1");
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES (2, 'salt')"), GANTRY_OK);
  expect_has(rows("SELECT 1 / CAST($1 AS bigint)", {integer(0)}), "division by zero");
  EXPECT_EQ(writer_->release(), GANTRY_RETRY);
  EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "0");
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
  for (int request = 1; request <= 4; ++request) {
    ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
    if (request != 4) {
      ASSERT_EQ(exec("INSERT INTO item (id) VALUES ($1)", {integer(request)}), GANTRY_OK);
    }
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

TEST_F(TransactionTest, ConflictsInsideSavepointsTakeBackOnlyThemselves) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES (1, 'tea')"), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  EXPECT_EQ(exec("INSERT INTO item VALUES (2, 'tea')"), GANTRY_CONFLICT);  // the first of its savepoint
  ASSERT_EQ(exec("INSERT INTO item VALUES (3, 'salt')"), GANTRY_OK);
  EXPECT_EQ(exec("INSERT INTO item VALUES (4, 'tea')"), GANTRY_CONFLICT);
  ASSERT_EQ(exec("INSERT INTO item VALUES (5, 'oil')"), GANTRY_OK);
  EXPECT_EQ(exec("INSERT INTO item VALUES (6, 'tea')"), GANTRY_CONFLICT);
  ASSERT_EQ(writer_->release(), GANTRY_OK);
  EXPECT_EQ(exec("INSERT INTO item VALUES (7, 'tea')"), GANTRY_CONFLICT);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM item ORDER BY id"), "1;3;5");
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
  ASSERT_EQ(writer_->script("CREATE TABLE part (item bigint REFERENCES item(id) DEFERRABLE INITIALLY DEFERRED)"),
            GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO part VALUES (9)"), GANTRY_OK);
  EXPECT_EQ(writer_->commit(), GANTRY_CONFLICT);
  EXPECT_EQ(commit("INSERT INTO item (id) VALUES (1)"), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*) FROM part"), "0");
}

TEST_F(TransactionTest, DeferredStatementsArePartOfTheCommit) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  for (int i = 1; i <= 2500; ++i) {
    ASSERT_EQ(writer_->defer("INSERT INTO item (id) VALUES ($1)", params{integer(i)}), GANTRY_OK);
  }
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "2500");  // whoever reads sees them
  ASSERT_EQ(writer_->defer("DELETE FROM item WHERE id > $1", params{integer(10)}), GANTRY_OK);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "10");
}

TEST_F(TransactionTest, ADeferredFailureIsToldAtTheNextStatementAndUndoneWithItsSavepoint) {
  ASSERT_EQ(commit("INSERT INTO item VALUES (1, 'tea')"), GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES (2, 'salt')"), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  ASSERT_EQ(writer_->defer("INSERT INTO item VALUES (3, 'tea')", {}), GANTRY_OK);
  EXPECT_EQ(exec("INSERT INTO item VALUES (4, 'oil')"), GANTRY_CONFLICT);
  expect_has(writer_->error_text(), "item_name_key");
  EXPECT_EQ(exec("INSERT INTO item VALUES (4, 'oil')"), GANTRY_CONFLICT);
  ASSERT_EQ(writer_->rollback_to(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES (5, 'rice')"), GANTRY_OK);
  ASSERT_EQ(writer_->release(), GANTRY_OK);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM item ORDER BY id"), "1;2;5");
}

// A statement that never left, since one of its values is none, protects nothing that follows it.
TEST_F(TransactionTest, ADeferredFailureBehindAStatementThatWasNotSentIsNotLost) {
  ASSERT_EQ(commit("INSERT INTO item VALUES ($1, $2)", {integer(1), text("tea")}), GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES ($1, $2)", {integer(2), text("salt")}), GANTRY_OK);
  gantry_value none{};
  none.type = 99;
  EXPECT_EQ(exec("INSERT INTO item VALUES ($1, $2)", {integer(3), none}), GANTRY_INVALID);
  expect_has(writer_->error_text(), "unknown type 99");
  ASSERT_EQ(writer_->defer("INSERT INTO item VALUES ($1, $2)", params{integer(4), text("tea")}), GANTRY_OK);
  EXPECT_NE(exec("INSERT INTO item VALUES ($1, $2)", {integer(5), text("oil")}), GANTRY_OK);
  EXPECT_NE(writer_->commit(), GANTRY_OK) << "the deferred row is not there";
  EXPECT_EQ(rows("SELECT id FROM item ORDER BY id"), "1");
}

TEST_F(TransactionTest, ADeferredFailureThatIsTakenBackHarmsNobody) {
  ASSERT_EQ(commit("INSERT INTO item VALUES (1, 'tea')"), GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  ASSERT_EQ(writer_->defer("INSERT INTO item VALUES (3, 'tea')", {}), GANTRY_OK);
  ASSERT_EQ(writer_->rollback_to(), GANTRY_OK);
  ASSERT_EQ(writer_->defer("INSERT INTO item VALUES (4, 'oil')", {}), GANTRY_OK);
  ASSERT_EQ(writer_->release(), GANTRY_OK);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM item ORDER BY id"), "1;4");
}

TEST_F(TransactionTest, ADeferredFailureBeyondItsSavepointEndsTheTransaction) {
  ASSERT_EQ(commit("INSERT INTO item VALUES (1, 'tea')"), GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  ASSERT_EQ(writer_->defer("INSERT INTO item VALUES (3, 'tea')", {}), GANTRY_OK);
  ASSERT_EQ(writer_->release(), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  EXPECT_EQ(exec("INSERT INTO item VALUES (4, 'oil')"), GANTRY_RETRY);
  EXPECT_EQ(writer_->rollback_to(), GANTRY_RETRY);
  EXPECT_EQ(writer_->savepoint(), GANTRY_RETRY);
  EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
  expect_has(writer_->error_text(), "item_name_key");
  // Alone, the commit says what it is.
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT 1"), "1");
  ASSERT_EQ(writer_->defer("INSERT INTO item VALUES (3, 'tea')", {}), GANTRY_OK);
  EXPECT_EQ(writer_->commit(), GANTRY_CONFLICT);
  EXPECT_EQ(rows("SELECT id FROM item"), "1");
  EXPECT_EQ(commit("INSERT INTO item VALUES (2, 'oil')"), GANTRY_OK);
}

TEST_F(TransactionTest, ASnapshotStaysAsItWasWhileTheWriterCommits) {
  ASSERT_EQ(commit("INSERT INTO item (id) VALUES (1)"), GANTRY_OK);
  auto snapshot = reader();
  ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
  EXPECT_EQ(rows(*snapshot, "SELECT count(*) FROM item"), "1");
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
  snapshot->end_read();
  // Also what only the server understands as a change.
  ASSERT_EQ(
      writer_->script("CREATE FUNCTION wipe() RETURNS bigint LANGUAGE sql AS 'DELETE FROM item RETURNING 1::bigint'"),
      GANTRY_OK);
  ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
  EXPECT_EQ(snapshot->query("SELECT wipe()", {}, &cursor), GANTRY_REFUSED);
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
  ASSERT_EQ(writer_->script("CREATE TABLE account (id bigint PRIMARY KEY, balance bigint);"
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
        if (const auto sum = rows(**snapshot, "SELECT CAST(sum(balance) AS bigint) FROM account"); sum != "1000")
          return sum;
      } while (!done);
      return "only whole ones";
    }));
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(writer_->begin(), GANTRY_OK) << writer_->error_text();
    EXPECT_EQ(exec("UPDATE account SET balance = balance - 1 WHERE id = 1"), GANTRY_OK);
    EXPECT_EQ(exec("UPDATE account SET balance = balance + 1 WHERE id = 2"), GANTRY_OK);
    EXPECT_EQ(writer_->commit(), GANTRY_OK) << writer_->error_text();
  }
  done = true;
  for (auto& each : readers) EXPECT_EQ(each.get(), "only whole ones");
}

TEST_F(TransactionTest, AStoreHasOneWriter) {
  auto second = store_->open_writer();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.failure().code, errc::conflict);
  writer_.reset();
  EXPECT_TRUE(store_->open_writer());
}

// Each reads what the other writes: no order of the two explains both, so one must run again.
TEST_F(TransactionTest, OfTwoHostsThatCannotBothBeRightOneRunsAgain) {
  ASSERT_EQ(commit("INSERT INTO item VALUES (1, 'on call'), (2, 'on call too')"), GANTRY_OK);
  auto there = other_store();
  auto other = std::move(there->open_writer()).value();
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(other->begin(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "2");
  EXPECT_EQ(rows(*other, "SELECT count(*) FROM item"), "2");
  ASSERT_EQ(exec("DELETE FROM item WHERE id = 1"), GANTRY_OK);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  auto late = other->exec("DELETE FROM item WHERE id = 2", {}, nullptr);
  if (late == GANTRY_OK) late = other->commit();
  EXPECT_EQ(late, GANTRY_RETRY);
  other->rollback();
  // The rerun sees what the first one did.
  ASSERT_EQ(other->begin(), GANTRY_OK);
  EXPECT_EQ(rows(*other, "SELECT count(*) FROM item"), "1");
  EXPECT_EQ(other->commit(), GANTRY_OK);
}

// A failed serialization inside a savepoint can't be cured there: the transaction says so until it is rolled back.
TEST_F(TransactionTest, AFailedSerializationIsNoAffairOfTheSavepoint) {
  ASSERT_EQ(commit("INSERT INTO item VALUES (1, 'a')"), GANTRY_OK);
  auto there = other_store();
  auto other = std::move(there->open_writer()).value();
  ASSERT_EQ(other->begin(), GANTRY_OK);
  EXPECT_EQ(rows(*other, "SELECT name FROM item"), "a");
  ASSERT_EQ(commit("UPDATE item SET name = 'b' WHERE id = 1"), GANTRY_OK);
  ASSERT_EQ(other->savepoint(), GANTRY_OK);
  EXPECT_EQ(other->exec("UPDATE item SET name = 'c' WHERE id = 1", {}, nullptr), GANTRY_RETRY);
  EXPECT_EQ(other->rollback_to(), GANTRY_RETRY);
  EXPECT_EQ(other->release(), GANTRY_RETRY);
  EXPECT_EQ(other->commit(), GANTRY_RETRY);
  expect_has(other->error_text(), "could not serialize access");
  EXPECT_EQ(rows("SELECT name FROM item"), "b");
}

TEST_F(TransactionTest, OfTwoHostsThatWaitForEachOtherOneRunsAgain) {
  ASSERT_EQ(commit("INSERT INTO item VALUES (1, 'a'), (2, 'b')"), GANTRY_OK);
  options_.isolation = store::postgres_options::isolation_level::read_committed;
  auto here = other_store();
  auto first = std::move(here->open_writer()).value();
  auto there = other_store();
  auto second = std::move(there->open_writer()).value();
  ASSERT_EQ(first->begin(), GANTRY_OK);
  ASSERT_EQ(second->begin(), GANTRY_OK);
  ASSERT_EQ(first->exec("UPDATE item SET name = 'x' WHERE id = 1", {}, nullptr), GANTRY_OK);
  ASSERT_EQ(second->exec("UPDATE item SET name = 'y' WHERE id = 2", {}, nullptr), GANTRY_OK);
  const auto finish = [](store::session& s, const char* sql) {
    const auto status = s.exec(sql, {}, nullptr);
    return status == GANTRY_OK ? s.commit() : (s.rollback(), status);
  };
  auto waits =
      std::async(std::launch::async, [&] { return finish(*first, "UPDATE item SET name = 'x2' WHERE id = 2"); });
  const auto one = finish(*second, "UPDATE item SET name = 'y1' WHERE id = 1");
  const auto two = waits.get();
  EXPECT_TRUE((one == GANTRY_RETRY && two == GANTRY_OK) || (one == GANTRY_OK && two == GANTRY_RETRY)) << one << two;
}

TEST_F(TransactionTest, TwoHostsThatWriteLoseNothing) {
  ASSERT_EQ(writer_->script("CREATE TABLE counter (id bigint PRIMARY KEY, n bigint NOT NULL);"
                            "INSERT INTO counter VALUES (1, 0)"),
            GANTRY_OK);
  constexpr int rounds = 100;
  const auto count = [](store::session& s) {
    int reruns = 0;
    for (int done = 0; done < rounds;) {
      if (s.begin() != GANTRY_OK) return -1;
      auto status = s.exec("UPDATE counter SET n = n + 1 WHERE id = 1", {}, nullptr);
      if (status == GANTRY_OK) status = s.commit();
      if (status != GANTRY_OK) s.rollback();
      if (status == GANTRY_OK)
        ++done;
      else if (status == GANTRY_RETRY)
        ++reruns;
      else
        return -1;
    }
    return reruns;
  };
  auto there = other_store();
  auto other = std::move(there->open_writer()).value();
  auto beside = std::async(std::launch::async, [&] { return count(*other); });
  EXPECT_GE(count(*writer_), 0);
  EXPECT_GE(beside.get(), 0);
  EXPECT_EQ(rows("SELECT n FROM counter"), std::to_string(2 * rounds));
}

// What has always gone the same way is not waited for; what comes of it is checked before the commit.
class TrustTest : public TransactionTest {
 protected:
  static constexpr const char* mark = "UPDATE item SET name = $2 WHERE id = $1";
  static constexpr const char* add = "INSERT INTO item VALUES ($1, $2)";

  void SetUp() override {
    TransactionTest::SetUp();
    for (int i = 1; i <= 40; ++i) {
      ASSERT_EQ(writer_->begin(), GANTRY_OK);
      ASSERT_EQ(exec(add, {integer(i), text("item " + std::to_string(i))}), GANTRY_OK);
      ASSERT_EQ(marked(i), 1);
      ASSERT_EQ(writer_->commit(), GANTRY_OK);
    }
  }
  // How many rows the session says were changed; negative: the status.
  std::int64_t marked(std::int64_t id) {
    name_ = "marked " + std::to_string(id);
    const params with{integer(id), text(name_)};
    std::int64_t changes = -100;
    const auto status = writer_->exec(mark, with, &changes);
    return status == GANTRY_OK ? changes : -status;
  }
  std::string name_;
};

TEST_F(TrustTest, AWrongGuessIsNeverCommitted) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  EXPECT_EQ(marked(1000), 1) << "it was waited for";
  ASSERT_EQ(exec("INSERT INTO item VALUES (100, 'x')"), GANTRY_RETRY);
  EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
  expect_has(writer_->error_text(), "changed another number of rows");
  // Run again, the truth is told.
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  EXPECT_EQ(marked(1000), 0);
  ASSERT_EQ(exec("INSERT INTO item VALUES (100, 'x')"), GANTRY_OK);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "41");
}

TEST_F(TrustTest, TheCommitItselfFindsAWrongGuess) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec(add, {integer(200), text("y")}), GANTRY_OK);
  EXPECT_EQ(marked(1000), 1);
  EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
  EXPECT_EQ(rows("SELECT count(*) FROM item WHERE id = 200"), "0");
}

TEST_F(TrustTest, WhoIsToBlameIsAskedFirst) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  EXPECT_EQ(marked(1000), 1);
  EXPECT_EQ(writer_->confirm(), GANTRY_RETRY);
  writer_->rollback();
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  EXPECT_EQ(marked(7), 1);
  EXPECT_EQ(writer_->confirm(), GANTRY_OK);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
}

TEST_F(TrustTest, AConflictOfATrustedStatementIsToldToItWhenItRunsAgain) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  ASSERT_EQ(exec(add, {integer(300), text("z")}), GANTRY_OK);
  ASSERT_EQ(exec(add, {integer(300), text("again")}), GANTRY_OK) << "it was waited for";
  EXPECT_EQ(writer_->rollback_to(), GANTRY_RETRY);
  EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec(add, {integer(300), text("z")}), GANTRY_OK);
  EXPECT_EQ(exec(add, {integer(300), text("again")}), GANTRY_CONFLICT);
  ASSERT_EQ(exec(add, {integer(301), text("after")}), GANTRY_OK);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT name FROM item WHERE id >= 300 ORDER BY id"), "z;after");
}

TEST_F(TrustTest, AFailureBehindAWrongGuessIsTheGuessesAffair) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  EXPECT_EQ(marked(1000), 1);
  // Who was told the truth would not have sent it.
  EXPECT_EQ(exec("INSERT INTO item VALUES (7, 'twice')"), GANTRY_RETRY);
  expect_has(writer_->error_text(), "changed another number of rows");
  EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  EXPECT_EQ(marked(1000), 0);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
}

TEST_F(TrustTest, LeasesAndClaimsAreAlwaysWaitedFor) {
  ASSERT_EQ(writer_->begin_relaxed(), GANTRY_OK);
  EXPECT_EQ(marked(1000), 0);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
}

}  // namespace
}  // namespace gantry::testing
