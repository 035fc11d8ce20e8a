// Connections and servers that go away.
#include <functional>
#include <string>

#include "own_server.hpp"
#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

class LostTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open_with("CREATE TABLE item (id bigint PRIMARY KEY); CREATE TABLE note (id bigint PRIMARY KEY)");
    auto other = store::open_postgres_store(options_);
    ASSERT_TRUE(other) << other.failure().text;
    killer_store_ = std::move(other).value();
    killer_ = std::move(killer_store_->open_writer()).value();
  }
  void TearDown() override {
    killer_.reset();
    killer_store_.reset();
    StoreFixture::TearDown();
  }

  static std::int64_t backend_of(store::session& s) { return std::stoll(rows(s, "SELECT pg_backend_pid()")); }
  // Returns once the backend is gone.
  void terminate(std::int64_t backend) {
    EXPECT_EQ(rows(*killer_, "SELECT pg_terminate_backend(CAST($1 AS integer), 10000)", {integer(backend)}), "1");
  }

  // A transaction whose connection is gone, with nearly as many commands on their way as there may be, and rows that
  // were gathered and not sent.
  void lose_with_much_on_its_way(const std::function<void()>& gather) {
    constexpr const char* add = "INSERT INTO item (id) VALUES ($1)";
    for (std::int64_t i = -40; i < 0; ++i) {
      ASSERT_EQ(writer_->begin(), GANTRY_OK);
      std::int64_t changes = 0;
      ASSERT_EQ(writer_->exec(add, params{integer(i)}, &changes), GANTRY_OK);
      ASSERT_EQ(writer_->commit(), GANTRY_OK);
    }
    const auto backend = backend_of(*writer_);
    ASSERT_EQ(writer_->begin(), GANTRY_OK);
    for (int i = 0; i < 999; ++i)
      ASSERT_EQ(writer_->defer("DELETE FROM item WHERE id > $1", params{integer(0)}), GANTRY_OK);
    terminate(backend);
    gather();
  }
  void add(std::int64_t id) {
    std::int64_t changes = 0;
    EXPECT_EQ(writer_->exec("INSERT INTO item (id) VALUES ($1)", params{integer(id)}, &changes), GANTRY_OK);
  }
  void expect_rerun_goes_well() {
    EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
    EXPECT_EQ(commit("INSERT INTO item VALUES (4)"), GANTRY_OK);
    EXPECT_EQ(rows("SELECT count(*) FROM item"), "41");
  }

  std::unique_ptr<store::store> killer_store_;
  std::unique_ptr<store::session> killer_;
};

TEST_F(LostTest, AConnectionLostInATransactionMeansARerun) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES (1)"), GANTRY_OK);
  terminate(backend_of(*writer_));
  EXPECT_EQ(exec("INSERT INTO item VALUES (2)"), GANTRY_RETRY);
  expect_has(writer_->error_text(), "nothing is committed");
  EXPECT_EQ(exec("INSERT INTO item VALUES (3)"), GANTRY_RETRY);
  EXPECT_EQ(writer_->savepoint(), GANTRY_RETRY);
  EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
  EXPECT_EQ(commit("INSERT INTO item VALUES (4)"), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM item"), "4");
}

TEST_F(LostTest, OneThatIsFoundLostOnTheWayBackToASavepointMeansARerun) {
  lose_with_much_on_its_way([this] {
    ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
    for (std::int64_t i = 1; i <= 10; ++i) add(i);
  });
  EXPECT_EQ(writer_->rollback_to(), GANTRY_RETRY);
  expect_rerun_goes_well();
}

TEST_F(LostTest, OneThatIsFoundLostOnTheWayIntoASavepointMeansARerun) {
  lose_with_much_on_its_way([this] {
    for (std::int64_t i = 1; i <= 10; ++i) add(i);
    ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  });
  EXPECT_EQ(exec("INSERT INTO note (id) VALUES (1)"), GANTRY_RETRY);
  expect_rerun_goes_well();
}

TEST_F(LostTest, AConnectionLostBeforeTheCommitMeansARerun) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES (1)"), GANTRY_OK);
  terminate(backend_of(*writer_));
  EXPECT_EQ(writer_->commit(), GANTRY_RETRY);
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "0");
}

TEST_F(LostTest, AConnectionLostBetweenTransactionsIsMadeAgain) {
  terminate(backend_of(*writer_));
  EXPECT_EQ(commit("INSERT INTO item VALUES (1)"), GANTRY_OK) << writer_->error_text();
  terminate(backend_of(*writer_));
  EXPECT_EQ(rows("SELECT id FROM item"), "1");
}

TEST_F(LostTest, ASnapshotThatNobodyHasReadYetIsTakenOnAnotherConnection) {
  auto snapshot = reader();
  const auto backend = backend_of(*snapshot);
  ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
  terminate(backend);
  EXPECT_EQ(rows(*snapshot, "SELECT count(*) FROM item"), "0");
}

TEST_F(LostTest, ASnapshotThatIsLostWhileItIsReadCanNotGoOn) {
  auto snapshot = reader();
  ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
  terminate(backend_of(*snapshot));
  store::cursor* cursor = nullptr;
  EXPECT_EQ(snapshot->query("SELECT 1", {}, &cursor), GANTRY_UNAVAILABLE);
  EXPECT_EQ(snapshot->query("SELECT 1", {}, &cursor), GANTRY_UNAVAILABLE);
  snapshot->end_read();
  ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
  EXPECT_EQ(rows(*snapshot, "SELECT 1"), "1");
}

TEST(CrashTest, AServerThatIsKilledKeepsWhatItHadCommitted) {
  own_server server;
  ASSERT_TRUE(server.good());
  store::postgres_options options;
  options.url = server.place().url;
  options.schema = "shop";
  options.longest_pause = std::chrono::milliseconds(0);
  auto opened = store::open_postgres_store(options);
  ASSERT_TRUE(opened) << opened.failure().text;
  auto writer = std::move((*opened)->open_writer()).value();
  ASSERT_EQ(writer->script("CREATE TABLE item (id bigint PRIMARY KEY)"), GANTRY_OK);
  for (std::int64_t i = 1; i <= 50; ++i) {
    const params with{integer(i)};
    ASSERT_EQ(writer->begin(), GANTRY_OK);
    ASSERT_EQ(writer->exec("INSERT INTO item VALUES ($1)", with, nullptr), GANTRY_OK);
    ASSERT_EQ(writer->commit(), GANTRY_OK);
  }
  const auto connection = writer->connection_number();
  ASSERT_EQ(writer->begin(), GANTRY_OK);
  EXPECT_EQ(writer->connection_number(), connection);
  ASSERT_EQ(writer->exec("INSERT INTO item VALUES (51)", {}, nullptr), GANTRY_OK);
  ASSERT_TRUE(server.kill());
  EXPECT_EQ(writer->exec("INSERT INTO item VALUES (52)", {}, nullptr), GANTRY_RETRY);
  writer->rollback();
  EXPECT_EQ(writer->begin(), GANTRY_UNAVAILABLE);
  EXPECT_NE(writer->error_text().find("nobody listens there"), std::string_view::npos) << writer->error_text();
  auto reader = (*opened)->acquire_reader();
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.failure().code, errc::unavailable);
  ASSERT_TRUE(server.restart());
  ASSERT_EQ(writer->begin(), GANTRY_OK) << writer->error_text();
  EXPECT_NE(writer->connection_number(), connection);
  store::cursor* found = nullptr;
  ASSERT_EQ(writer->query("SELECT count(*), max(id) FROM item", {}, &found), GANTRY_OK);
  gantry_value count{};
  gantry_value last{};
  ASSERT_EQ(found->next(), GANTRY_OK);
  found->column(0, count);
  found->column(1, last);
  EXPECT_EQ(shown(count) + "," + shown(last), "50,50");
  EXPECT_EQ(writer->commit(), GANTRY_OK);
}

TEST(CrashTest, AServerThatDoesNotSyncIsWarnedAbout) {
  own_server server;
  ASSERT_TRUE(server.good());
  store::postgres_options options;
  options.url = server.place().url;
  std::string warnings;
  options.warn = [&](std::string_view words) { warnings.append(words).append("\n"); };
  {
    auto opened = store::open_postgres_store(options);
    ASSERT_TRUE(opened) << opened.failure().text;
    EXPECT_EQ(warnings, "");
    auto writer = std::move((*opened)->open_writer()).value();
    ASSERT_EQ(writer->exec("ALTER SYSTEM SET fsync = off", {}, nullptr), GANTRY_OK) << writer->error_text();
  }
  ASSERT_TRUE(server.stop());
  ASSERT_TRUE(server.restart());
  EXPECT_TRUE(store::open_postgres_store(options));
  EXPECT_NE(warnings.find("fsync=off"), std::string::npos) << warnings;
  EXPECT_NE(warnings.find("power can't be kept"), std::string::npos) << warnings;
}

}  // namespace
}  // namespace gantry::testing
