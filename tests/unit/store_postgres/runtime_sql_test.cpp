// The runtime's own tables and statements, in texts that mean the same on both drivers.
#include <atomic>
#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "store/dialect.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

enum class driver { sqlite, postgres };

// The words of a schema in which the drivers differ: a key that the runtime numbers, and one that the store numbers.
constexpr const char* schema =
    "CREATE TABLE IF NOT EXISTS gantry_meta (name TEXT PRIMARY KEY, content TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS gantry_outbox (id {key}, source TEXT NOT NULL, bytes BYTEA NOT NULL);"
    "CREATE TABLE IF NOT EXISTS gantry_position (bus TEXT NOT NULL, topic TEXT NOT NULL, part BIGINT NOT NULL,"
    " next BIGINT NOT NULL, epoch BIGINT NOT NULL, replay_end BIGINT NOT NULL, sources TEXT NOT NULL,"
    " PRIMARY KEY (bus, topic, part));"
    "CREATE TABLE IF NOT EXISTS gantry_idempotency (id {key}, hour BIGINT NOT NULL, keys BYTEA NOT NULL,"
    " replies BYTEA NOT NULL);"
    "CREATE TABLE IF NOT EXISTS gantry_parked (id {numbered key}, topic TEXT NOT NULL, part BIGINT NOT NULL,"
    " position BIGINT NOT NULL, key TEXT NOT NULL, type TEXT NOT NULL, event_id TEXT NOT NULL, source TEXT NOT NULL,"
    " record BYTEA NOT NULL, error TEXT NOT NULL, attempts BIGINT NOT NULL, parked_at BIGINT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS gantry_seen (topic TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,"
    " seen BIGINT NOT NULL, PRIMARY KEY (topic, source, id));"
    "CREATE INDEX IF NOT EXISTS gantry_seen_age ON gantry_seen (seen);"
    "CREATE TABLE IF NOT EXISTS gantry_job (id TEXT PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL,"
    " payload TEXT NOT NULL, due BIGINT NOT NULL, attempt BIGINT NOT NULL, state BIGINT NOT NULL,"
    " token TEXT NOT NULL, lease BIGINT NOT NULL, correlation TEXT NOT NULL, error TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS gantry_job_due ON gantry_job (due) WHERE state = 0;"
    "CREATE INDEX IF NOT EXISTS gantry_job_lease ON gantry_job (lease) WHERE state = 1;"
    "CREATE INDEX IF NOT EXISTS gantry_job_key ON gantry_job (kind, key) WHERE key <> '';"
    "CREATE TABLE IF NOT EXISTS gantry_lease (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until BIGINT NOT NULL);";

class RuntimeSqlTest : public StoreFixture, public ::testing::WithParamInterface<driver> {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    if (GetParam() == driver::postgres) {
      open();
    } else {
      std::string pattern = ::testing::TempDir() + "gantry-store-XXXXXX";
      ASSERT_NE(mkdtemp(pattern.data()), nullptr);
      directory_ = pattern;
      store::sqlite_options options;
      options.file = directory_ / "plugin.db";
      store_ = std::move(store::open_sqlite_store(options)).value();
      writer_ = std::move(store_->open_writer()).value();
    }
    for (int again = 0; again < 2; ++again) {
      ASSERT_EQ(writer_->begin(), GANTRY_OK);
      ASSERT_EQ(writer_->script(gantry::store::for_driver(schema, store_->driver())), GANTRY_OK) << writer_->error_text();
      ASSERT_EQ(writer_->commit(), GANTRY_OK);
    }
  }
  void TearDown() override {
    close();
    StoreFixture::TearDown();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  std::int64_t changed(std::string_view sql, const params& with) {
    std::int64_t changes = -1;
    EXPECT_EQ(writer_->begin(), GANTRY_OK);
    EXPECT_EQ(writer_->exec(sql, with, &changes), GANTRY_OK) << writer_->error_text();
    EXPECT_EQ(writer_->commit(), GANTRY_OK);
    return changes;
  }

  std::filesystem::path directory_;
};

TEST_P(RuntimeSqlTest, TheMetaTableAndTheOutbox) {
  const char* const set =
      "INSERT INTO gantry_meta (name, content) VALUES ($1, $2)"
      " ON CONFLICT (name) DO UPDATE SET content = excluded.content";
  EXPECT_EQ(changed(set, {text("store_id"), text("a")}), 1);
  EXPECT_EQ(changed(set, {text("store_id"), text("b")}), 1);
  EXPECT_EQ(rows("SELECT content FROM gantry_meta WHERE name = $1", {text("store_id")}), "b");

  EXPECT_EQ(rows("SELECT min(id), sum(length(bytes)) FROM gantry_outbox"), "NULL,NULL");
  for (const std::int64_t id : {5'000'000'000, 5'000'000'001})
    changed("INSERT INTO gantry_outbox (id, source, bytes) VALUES ($1, $2, $3)",
            {integer(id), text("/shop/order/x.1"), blob({"a\0b", 3})});
  EXPECT_EQ(rows("SELECT min(id), sum(length(bytes)) FROM gantry_outbox"), "5000000000,6");
  EXPECT_EQ(rows("SELECT id, bytes, source FROM gantry_outbox WHERE id > $1 ORDER BY id LIMIT $2",
                 {integer(5'000'000'000), integer(64)}),
            "5000000001,x'" + std::string("a\0b", 3) + "',/shop/order/x.1");
  EXPECT_EQ(changed("DELETE FROM gantry_outbox WHERE id <= $1", {integer(5'000'000'000)}), 1);
}

TEST_P(RuntimeSqlTest, APositionIsMovedOnlyByWhoHasSeenItsEpoch) {
  changed(
      "INSERT INTO gantry_position (bus, topic, part, next, epoch, replay_end, sources)"
      " VALUES ($1, $2, $3, $4, 0, 0, $5)",
      {text("bus"), text("orders"), integer(2), integer(10), text("")});
  const char* const save =
      "UPDATE gantry_position SET next = $1, sources = $2 WHERE bus = $3 AND topic = $4 AND part = $5 AND next = $6"
      " AND epoch = $7";
  const auto at = [](std::int64_t next, std::int64_t seen, std::int64_t epoch) {
    return params{integer(next), text("7 s\n"), text("bus"), text("orders"), integer(2), integer(seen), integer(epoch)};
  };
  EXPECT_EQ(changed(save, at(20, 10, 0)), 1);
  // Somebody else takes the partition over: what the first one still has in hand can't commit.
  EXPECT_EQ(rows("UPDATE gantry_position SET epoch = epoch + 1 WHERE bus = $1 AND topic = $2 AND part = $3"
                 " RETURNING next, epoch, replay_end, sources",
                 {text("bus"), text("orders"), integer(2)}),
            "20,1,0,7 s\n");
  EXPECT_EQ(changed(save, at(30, 20, 0)), 0);
  EXPECT_EQ(changed(save, at(30, 20, 1)), 1);
  EXPECT_EQ(rows("SELECT next, epoch, replay_end, sources, bus FROM gantry_position WHERE topic = $1 AND part = $2"
                 " ORDER BY CASE WHEN bus = $3 THEN 0 ELSE 1 END",
                 {text("orders"), integer(2), text("bus")}),
            "30,1,0,7 s\n,bus");
}

TEST_P(RuntimeSqlTest, ParkedEventsAreNumberedByTheStore) {
  const char* const add =
      "INSERT INTO gantry_parked (topic, part, position, key, type, event_id, source, record, error, attempts, "
      "parked_at)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
  for (int i = 0; i < 2; ++i)
    changed(add, {text("t"), integer(1), integer(7), text("k"), text("T"), text("e"), text("s"), blob("r"), text("why"),
                  integer(4), integer(1'790'000'000'000'000)});
  EXPECT_EQ(rows("SELECT topic, key, count(*) FROM gantry_parked GROUP BY topic, key"), "t,k,2");
  EXPECT_EQ(rows("SELECT p.id, p.topic, p.part, p.position, p.key, p.source, p.record FROM gantry_parked p"
                 " JOIN gantry_parked one ON one.id = $1 AND p.topic = one.topic AND p.key = one.key ORDER BY p.id",
                 {integer(1)}),
            "1,t,1,7,k,s,x'r';2,t,1,7,k,s,x'r'");
  EXPECT_EQ(changed("DELETE FROM gantry_parked WHERE id = $1", {integer(1)}), 1);
}

TEST_P(RuntimeSqlTest, RepliesAndSeenIdsExpire) {
  changed("INSERT INTO gantry_idempotency (id, hour, keys, replies) VALUES ($1, $2, $3, $4)",
          {integer(1), integer(497'000), blob("k"), blob("r")});
  EXPECT_EQ(rows("SELECT keys, replies FROM gantry_idempotency WHERE id = $1", {integer(1)}), "x'k',x'r'");
  EXPECT_EQ(changed("DELETE FROM gantry_idempotency WHERE hour < $1", {integer(497'001)}), 1);
  const char* const note =
      "INSERT INTO gantry_seen (topic, source, id, seen) VALUES ($1, $2, $3, $4)"
      " ON CONFLICT (topic, source, id) DO NOTHING";
  const params event{text("t"), text("s"), text("e"), integer(1'790'000'000'000'000)};
  EXPECT_EQ(changed(note, event), 1);
  EXPECT_EQ(changed(note, event), 0);
  EXPECT_EQ(rows("SELECT 1 FROM gantry_seen LIMIT 1"), "1");
}

// A claim is one statement, and whoever lost it can't take a result any more.
TEST_P(RuntimeSqlTest, JobsAreClaimedByLease) {
  for (const char* id : {"a", "b", "c"})
    changed(
        "INSERT INTO gantry_job (id, kind, key, payload, due, attempt, state, token, lease, correlation, error)"
        " VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, '')",
        {text(id), text("mail"), text(""), text("{}"), integer(100), integer(0), text(""), integer(0), text("c")});
  const std::string claim =
      "UPDATE gantry_job SET state = 1, token = $1, lease = $2 WHERE id IN"
      " (SELECT id FROM gantry_job WHERE state = 0 AND due <= $3 AND kind IN ($4, $5) ORDER BY due, id LIMIT $6" +
      std::string(store_->driver() == "postgres" ? " FOR UPDATE SKIP LOCKED" : "") +
      ") RETURNING id, kind, key, payload, due, attempt, correlation";
  const auto by = [](std::string_view token, std::int64_t limit) {
    return params{text(token), integer(900), integer(200), text("mail"), text("sms"), integer(limit)};
  };
  EXPECT_EQ(rows(claim, by("first", 1)), "a,mail,,{},100,1,c");
  EXPECT_EQ(rows("SELECT count(*) FROM gantry_job WHERE state = 1 AND token = 'first'"), "1");
  EXPECT_NE(rows(claim, by("second", 10)).find("b,mail"), std::string::npos);
  // The first one's lease runs out.
  EXPECT_EQ(changed("UPDATE gantry_job SET state = 0, token = '', attempt = attempt + 1 WHERE state = 1 AND lease < $1"
                    " AND token = 'first'",
                    {integer(1000)}),
            1);
  EXPECT_EQ(rows(claim, by("second", 10)), "a,mail,,{},100,2,c");
  EXPECT_EQ(changed("DELETE FROM gantry_job WHERE id = $1 AND token = $2", {text("a"), text("first")}), 0);
  EXPECT_EQ(changed("DELETE FROM gantry_job WHERE id = $1 AND token = $2", {text("a"), text("second")}), 1);
  EXPECT_EQ(rows("SELECT min(due) FROM gantry_job WHERE state = 0 AND kind IN ($1)", {text("mail")}), "NULL");
}

TEST_P(RuntimeSqlTest, OneRelayLeadsUntilItsLeaseIsOver) {
  changed("INSERT INTO gantry_lease (name, holder, until) VALUES ($1, '', 0) ON CONFLICT (name) DO NOTHING",
          {text("relay")});
  const char* const lead =
      "UPDATE gantry_lease SET holder = $2, until = $3 WHERE name = $1 AND (holder = $2 OR until < $4)";
  EXPECT_EQ(changed(lead, {text("relay"), text("a"), integer(100), integer(10)}), 1);
  EXPECT_EQ(changed(lead, {text("relay"), text("b"), integer(100), integer(50)}), 0);
  EXPECT_EQ(changed(lead, {text("relay"), text("a"), integer(150), integer(60)}), 1);
  EXPECT_EQ(changed(lead, {text("relay"), text("b"), integer(300), integer(151)}), 1);
}

INSTANTIATE_TEST_SUITE_P(OnBoth, RuntimeSqlTest, ::testing::Values(driver::sqlite, driver::postgres),
                         [](const auto& which) { return which.param == driver::sqlite ? "Sqlite" : "Postgres"; });

// Numbers that several hosts give in the order of their commits: the lock is taken by the last statement, the number
// comes from a sequence behind it, and both are let go only when the row can be seen.
class OutboxOrderTest : public StoreFixture {};

TEST_F(OutboxOrderTest, NumbersOfSeveralHostsFollowTheirCommits) {
  open_with(
      "CREATE TABLE gantry_outbox (id bigint PRIMARY KEY, source text NOT NULL, bytes bytea NOT NULL);"
      "CREATE SEQUENCE gantry_outbox_id");
  constexpr int hosts = 3;
  constexpr int rounds = 40;
  const std::string put =
      "INSERT INTO gantry_outbox (id, source, bytes) SELECT nextval('gantry_outbox_id'), $1, $2"
      " FROM (SELECT pg_advisory_xact_lock(hashtextextended('gantry outbox ' || current_schema(), 0))) AS late "
      "RETURNING id";
  std::atomic<int> running = hosts;
  std::vector<std::future<std::string>> all;
  for (int host = 0; host < hosts; ++host) {
    all.push_back(std::async(std::launch::async, [&, host]() -> std::string {
      std::string fault;
      auto own = store::open_postgres_store(options_);
      if (own) {
        auto session = std::move((*own)->open_writer()).value();
        const std::string source = "host " + std::to_string(host);
        for (int done = 0; done < rounds && fault.empty();) {
          if (session->begin() != GANTRY_OK) fault = session->error_text();
          store::cursor* id = nullptr;
          const params with{text(source), blob("e")};
          auto status = session->query(put, with, &id);
          if (status == GANTRY_OK) status = session->commit();
          if (status != GANTRY_OK) session->rollback();
          if (status == GANTRY_OK)
            ++done;
          else if (status != GANTRY_RETRY)
            fault = session->error_text();
        }
      } else {
        fault = own.failure().text;
      }
      --running;
      return fault;
    }));
  }
  // The relay never sees a number below one that it has seen already.
  auto relay = reader();
  std::int64_t highest = 0;
  int seen = 0;
  for (bool last = false; !last;) {
    last = running == 0;
    ASSERT_EQ(relay->begin_read(), GANTRY_OK);
    store::cursor* found = nullptr;
    ASSERT_EQ(relay->query("SELECT id FROM gantry_outbox ORDER BY id", {}, &found), GANTRY_OK);
    int below = 0;
    int count = 0;
    std::int64_t top = highest;
    for (; found->next() == GANTRY_OK; ++count) {
      gantry_value id{};
      found->column(0, id);
      if (id.as.i <= highest) ++below;
      top = id.as.i;
    }
    found->close();
    relay->end_read();
    EXPECT_EQ(below, seen) << "a row came late below " << highest;
    seen = count;
    highest = top;
  }
  for (auto& each : all) EXPECT_EQ(each.get(), "");
  EXPECT_EQ(rows("SELECT count(*) FROM gantry_outbox"), std::to_string(hosts * rounds));
}

}  // namespace
}  // namespace gantry::testing
