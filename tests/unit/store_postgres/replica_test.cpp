// Reads from a real streaming replica: which come from it, and what happens when it lags or goes away.
#include <chrono>
#include <string>
#include <vector>

#include "own_server.hpp"
#include "proxy.hpp"
#include "store/postgres/connection.hpp"
#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

class ReplicaTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    ASSERT_TRUE(primary_.good() && replica_.good());
    place_ = primary_.place();
    options_.url = place_.url;
    options_.read_url = replica_.place().url;
    options_.read_max_lag = std::chrono::milliseconds(3000);
    options_.tell = [this](std::string_view text) { told_.emplace_back(text); };
    open_with("CREATE TABLE item (id bigint PRIMARY KEY)");
  }
  // The servers are this suite's own and end with it.
  void TearDown() override {
    close();
    options_.schema.clear();
  }

  std::unique_ptr<store::session> lagging() {
    auto session = store_->acquire_lagging_reader();
    EXPECT_TRUE(session) << session.failure().text;
    if (!session || (*session)->begin_read() != GANTRY_OK) return nullptr;
    return std::move(session).value();
  }
  bool reads_replica() {
    const auto session = lagging();
    return session && rows(*session, "SELECT pg_is_in_recovery()::int") == "1";
  }
  // As a host does that renews its lease: a replica is as far behind as the last commit that it has.
  void commit_something() { EXPECT_EQ(commit("INSERT INTO item VALUES ($1)", {integer(++last_)}), GANTRY_OK); }
  // Reads, and commits beside it, until reads come from where they should.
  ::testing::AssertionResult comes_to_read_replica(bool wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (std::chrono::steady_clock::now() < deadline) {
      commit_something();
      if (reads_replica() == wanted) return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << "not within two minutes; told: "
                                         << (told_.empty() ? "nothing" : told_.back());
  }
  // On the replica, as its superuser.
  void command(const std::string& sql) {
    const auto where = store::postgres::address::read(options_.read_url);
    ASSERT_TRUE(where);
    auto plain = options_;
    plain.schema.clear();
    const auto on = store::postgres::connection::open(plain, *where, store::postgres::role::service);
    ASSERT_TRUE(on) << on.failure().text;
    store::postgres::connection::refusal why;
    ASSERT_TRUE((*on)->ask(sql, {}, why)) << why.text;
  }

  own_server primary_;
  own_server replica_{primary_.directory()};
  std::vector<std::string> told_;
  std::int64_t last_ = 0;
};

TEST_F(ReplicaTest, OnlyReadsThatMayLagComeFromItAndOnlyWhileItKeepsUp) {
  ASSERT_TRUE(comes_to_read_replica(true));
  told_.clear();
  auto fresh = std::move(store_->acquire_reader()).value();
  ASSERT_EQ(fresh->begin_read(), GANTRY_OK);
  EXPECT_EQ(rows(*fresh, "SELECT pg_is_in_recovery()::int"), "0");
  EXPECT_EQ(rows(*fresh, "SELECT max(id) FROM item"), std::to_string(last_));
  // A replica gives a snapshot like any other, and no more than that.
  auto session = lagging();
  const auto seen = rows(*session, "SELECT max(id) FROM item");
  commit_something();
  EXPECT_EQ(rows(*session, "SELECT max(id) FROM item"), seen);
  EXPECT_EQ(session->exec("DELETE FROM item", {}, nullptr), GANTRY_REFUSED);
  EXPECT_TRUE(told_.empty());
  session.reset();

  // It falls behind.
  command("SELECT pg_wal_replay_pause()");
  ASSERT_TRUE(comes_to_read_replica(false));
  EXPECT_EQ(rows(*lagging(), "SELECT max(id) FROM item"), std::to_string(last_));
  ASSERT_EQ(told_.size(), 1U);
  expect_has(told_.front(), "s behind, 3 s are allowed");
  command("SELECT pg_wal_replay_resume()");
  ASSERT_TRUE(comes_to_read_replica(true));
  ASSERT_EQ(told_.size(), 2U);
  expect_has(told_.back(), "again");
}

TEST_F(ReplicaTest, TheFirstServerStandsInWhileItIsAway) {
  ASSERT_TRUE(comes_to_read_replica(true));
  told_.clear();
  {
    const auto lent = std::move(store_->acquire_lagging_reader()).value();
    const auto begun = lagging();
    const auto used = lagging();
    ASSERT_EQ(rows(*used, "SELECT pg_is_in_recovery()::int"), "1");
    ASSERT_TRUE(replica_.kill());
    ASSERT_EQ(lent->begin_read(), GANTRY_OK);
    EXPECT_EQ(rows(*lent, "SELECT pg_is_in_recovery()::int"), "0");
    EXPECT_EQ(rows(*begun, "SELECT pg_is_in_recovery()::int"), "0");
    expect_has(rows(*used, "SELECT 1"), "connection was lost");  // a snapshot that was seen has no other one
  }
  // Not one read fails, and it is said once.
  for (int i = 0; i < 50; ++i) {
    commit_something();
    const auto session = lagging();
    ASSERT_TRUE(session);
    EXPECT_EQ(rows(*session, "SELECT max(id) FROM item"), std::to_string(last_));
  }
  ASSERT_EQ(told_.size(), 1U);
  expect_has(told_.front(), "is not read, snapshots come from the first server");
  ASSERT_TRUE(replica_.restart());
  ASSERT_TRUE(comes_to_read_replica(true));
  EXPECT_EQ(told_.size(), 2U);

  // A start does not need it.
  ASSERT_TRUE(replica_.stop());
  close();
  told_.clear();
  open();
  EXPECT_FALSE(reads_replica());
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(ReplicaTest, ItIsWaitedForForAWhileOnly) {
  close();
  proxy door(replica_.place().port());
  options_.read_url = replica_.place().through(door.port());
  options_.read_patience = std::chrono::milliseconds(1000);
  open();
  ASSERT_TRUE(comes_to_read_replica(true));
  told_.clear();
  // A statement that takes long runs on the first server, which has no such bound.
  EXPECT_EQ(rows(*lagging(), "SELECT pg_is_in_recovery()::int FROM pg_sleep(1.2)"), "0");
  EXPECT_TRUE(told_.empty()) << told_.front();

  // It stands still: the kernel takes connections and data, and nobody answers.
  {
    ASSERT_TRUE(comes_to_read_replica(true));
    const auto begun = lagging();
    const auto used = lagging();
    ASSERT_EQ(rows(*used, "SELECT pg_is_in_recovery()::int"), "1");
    door.stall();
    EXPECT_EQ(rows(*begun, "SELECT pg_is_in_recovery()::int"), "0");
    expect_has(rows(*used, "SELECT 1"), "no answer within 1000 ms");
  }
  for (int i = 0; i < 20; ++i) {
    commit_something();
    const auto session = lagging();
    ASSERT_TRUE(session);
    EXPECT_EQ(rows(*session, "SELECT max(id) FROM item"), std::to_string(last_));
  }
  EXPECT_EQ(told_.size(), 1U);
  door.go_on();
  ASSERT_TRUE(comes_to_read_replica(true));
  EXPECT_EQ(told_.size(), 2U);

  // That all readers are busy says nothing about it.
  close();
  options_.readers = 1;
  open();
  ASSERT_TRUE(comes_to_read_replica(true));
  told_.clear();
  const auto only = lagging();
  ASSERT_EQ(rows(*only, "SELECT pg_is_in_recovery()::int"), "1");
  EXPECT_EQ(rows(*lagging(), "SELECT pg_is_in_recovery()::int"), "0");
  EXPECT_EQ(rows(*only, "SELECT pg_is_in_recovery()::int"), "1");
  EXPECT_TRUE(told_.empty()) << told_.front();
}

}  // namespace
}  // namespace gantry::testing
