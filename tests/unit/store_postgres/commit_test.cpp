// What a commit answers when its connection dies, and how many round trips things cost.
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "own_server.hpp"
#include "proxy.hpp"
#include "store/postgres/doubt.hpp"
#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

class CommitTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    door_.emplace(place_.port());
    options_.url = place_.through(door_->port());
    open_with("CREATE TABLE item (id bigint PRIMARY KEY, name text)");
  }
  void TearDown() override {
    StoreFixture::TearDown();
    door_.reset();
  }

  gantry_status insert(int id) { return commit("INSERT INTO item (id) VALUES ($1)", {integer(id)}); }

  std::uint64_t round_trips_of(const std::function<void()>& what) {
    const auto before = door_->round_trips();
    what();
    return door_->round_trips() - before;
  }

  std::optional<proxy> door_;
};

TEST_F(CommitTest, ACommitWhoseAnswerIsLostIsFoundToBeDone) {
  ASSERT_EQ(insert(1), GANTRY_OK);
  door_->hang_up_at("gantry_commit", proxy::when::after);
  EXPECT_EQ(insert(2), GANTRY_OK) << writer_->error_text();
  EXPECT_EQ(door_->hang_ups(), 1U);
  ASSERT_EQ(insert(3), GANTRY_OK) << writer_->error_text();
  EXPECT_EQ(rows("SELECT id FROM item ORDER BY id"), "1;2;3");
}

TEST_F(CommitTest, ACommitThatNeverArrivedIsFoundToBeUndone) {
  ASSERT_EQ(insert(1), GANTRY_OK);
  door_->hang_up_at("gantry_commit", proxy::when::before);
  EXPECT_EQ(insert(2), GANTRY_RETRY);
  expect_has(writer_->error_text(), "not committed");
  EXPECT_EQ(door_->hang_ups(), 1U);
  EXPECT_EQ(rows("SELECT id FROM item"), "1");
  EXPECT_EQ(insert(2), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM item ORDER BY id"), "1;2");
}

TEST_F(CommitTest, ACommitInDoubtWaitsForTheServer) {
  door_->hang_up_at("gantry_commit", proxy::when::after);
  door_->shut();
  auto back = std::async(std::launch::async, [&] {
    while (door_->hang_ups() == 0) std::this_thread::yield();
    door_->open();
  });
  EXPECT_EQ(insert(1), GANTRY_OK) << writer_->error_text();
  back.get();
  EXPECT_EQ(rows("SELECT id FROM item"), "1");
}

TEST_F(CommitTest, ACommitThatStaysInDoubtStopsTheWriter) {
  close();
  options_.doubt_timeout = std::chrono::milliseconds(100);
  open();
  door_->hang_up_at("gantry_commit", proxy::when::after);
  door_->shut();
  EXPECT_EQ(insert(1), GANTRY_FAILED);
  expect_has(writer_->error_text(), "could not be found out");
  EXPECT_EQ(writer_->begin(), GANTRY_FAILED);
  EXPECT_EQ(exec("INSERT INTO item (id) VALUES (2)"), GANTRY_FAILED);
  door_->open();
  EXPECT_EQ(writer_->begin(), GANTRY_FAILED);  // somebody must look
  writer_.reset();
  auto again = store_->open_writer();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.failure().code, errc::io);
  EXPECT_FALSE(store_->migrate({}));
  EXPECT_EQ(rows(*reader(), "SELECT count(*) FROM item"), "1");
}

TEST_F(CommitTest, ATransactionThatStillRunsIsEndedBeforeItIsJudged) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item (id) VALUES (1)"), GANTRY_OK);
  const store::postgres::doubtful_commit open{rows("SELECT pg_current_xact_id()::text"), "somebody",
                                              std::stoi(rows("SELECT pg_backend_pid()"))};
  const auto where = store::postgres::address::read(options_.url);
  ASSERT_TRUE(where);
  std::string why;
  EXPECT_EQ(resolve(options_, *where, open, why), store::postgres::fate::undone) << why;
  EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
}

// A number that a crash has swallowed is given again: that it is committed says nothing of the one in doubt.
TEST_F(CommitTest, ANumberThatSomebodyElseCommittedIsNotTakenForOurs) {
  ASSERT_EQ(insert(1), GANTRY_OK);
  const auto where = store::postgres::address::read(options_.url);
  const auto theirs = rows("SELECT number FROM gantry_commit");
  const auto writer = rows("SELECT writer FROM gantry_commit");
  std::string why;
  using store::postgres::fate;
  EXPECT_EQ(resolve(options_, *where, {theirs, "somebody", 1}, why), fate::undone);
  EXPECT_EQ(resolve(options_, *where, {theirs, writer, 1}, why), fate::committed);
  EXPECT_EQ(resolve(options_, *where, {"99999999999", writer, 1}, why), fate::undone);
}

TEST_F(CommitTest, AThousandRowsAreOneRoundTrip) {
  params values;
  for (int i = 0; i < 1000; ++i) {
    values.push_back(integer(i));
    values.push_back(text("name"));
  }
  const char* const sql = "INSERT INTO item (id, name) VALUES ($1, $2)";
  std::int64_t changes = 0;
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  const params first{integer(-1), text("first"), integer(-2), text("second")};
  ASSERT_EQ(writer_->exec_many(sql, first, 2, 2, &changes), GANTRY_OK);  // prepares it
  EXPECT_EQ(round_trips_of([&] { ASSERT_EQ(writer_->exec_many(sql, values, 2, 1000, &changes), GANTRY_OK); }), 1U);
  EXPECT_EQ(changes, 1000);
  EXPECT_EQ(round_trips_of([&] { ASSERT_EQ(writer_->commit(), GANTRY_OK); }), 1U);
}

// BEGIN, savepoints and deferred statements travel with what is waited for.
TEST_F(CommitTest, ATransactionCostsARoundTripForEachAnswerAndOneForTheCommit) {
  const auto batch = [&](int first) {
    ASSERT_EQ(writer_->begin(), GANTRY_OK);
    for (int i = first; i < first + 10; ++i) {
      ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
      ASSERT_EQ(exec("INSERT INTO item (id) VALUES ($1)", {integer(i)}), GANTRY_OK);
      ASSERT_EQ(writer_->release(), GANTRY_OK);
      ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
      ASSERT_EQ(writer_->defer("UPDATE item SET name = 'x' WHERE id = $1", params{integer(i)}), GANTRY_OK);
      ASSERT_EQ(writer_->release(), GANTRY_OK);
    }
    ASSERT_EQ(writer_->commit(), GANTRY_OK);
  };
  batch(0);
  EXPECT_EQ(round_trips_of([&] { batch(100); }), 11U);
  auto snapshot = reader();
  const char* const count = "SELECT count(*) FROM item";
  EXPECT_EQ(rows(*snapshot, count), "20");  // prepares it
  EXPECT_EQ(round_trips_of([&] {
              ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
              EXPECT_EQ(rows(*snapshot, count), "20");
            }),
            1U);
  snapshot->end_read();  // nobody waits for its answer
}

// The server itself dies with the connection, once after the commit and once before it.
TEST(CommitAcrossACrashTest, IsAnsweredTruthfully) {
  own_server server;
  ASSERT_TRUE(server.good());
  const auto place = server.place();
  proxy door(place.port());
  store::postgres_options options;
  options.url = place.through(door.port());
  options.schema = "shop";
  options.longest_pause = std::chrono::milliseconds(0);
  auto opened = store::open_postgres_store(options);
  ASSERT_TRUE(opened) << opened.failure().text;
  auto writer = std::move((*opened)->open_writer()).value();
  ASSERT_EQ(writer->script("CREATE TABLE item (id bigint PRIMARY KEY)"), GANTRY_OK);
  const auto insert = [&](std::int64_t id) {
    EXPECT_EQ(writer->begin(), GANTRY_OK) << writer->error_text();
    const params with{integer(id)};
    EXPECT_EQ(writer->exec("INSERT INTO item (id) VALUES ($1)", with, nullptr), GANTRY_OK);
    return writer->commit();
  };
  std::uint64_t crashes = 0;
  const auto crash_at_commit = [&](proxy::when then) {
    ++crashes;
    door.hang_up_at("gantry_commit", then);
    door.shut();
    return std::async(std::launch::async, [&] {
      while (door.hang_ups() < crashes) std::this_thread::yield();
      const bool good = server.kill() && server.restart();
      door.open();
      return good;
    });
  };
  auto first = crash_at_commit(proxy::when::after);
  EXPECT_EQ(insert(1), GANTRY_OK) << writer->error_text();
  EXPECT_TRUE(first.get());
  ASSERT_EQ(insert(11), GANTRY_OK) << writer->error_text();  // connected again
  auto second = crash_at_commit(proxy::when::before);
  EXPECT_EQ(insert(2), GANTRY_RETRY);
  EXPECT_TRUE(second.get());
  EXPECT_EQ(insert(3), GANTRY_OK) << writer->error_text();
  store::cursor* found = nullptr;
  ASSERT_EQ(writer->query("SELECT string_agg(id::text, ',' ORDER BY id) FROM item", {}, &found), GANTRY_OK);
  gantry_value ids{};
  ASSERT_EQ(found->next(), GANTRY_OK);
  ASSERT_EQ(found->column(0, ids), GANTRY_OK);
  EXPECT_EQ(shown(ids), "1,3,11");
}

}  // namespace
}  // namespace gantry::testing
