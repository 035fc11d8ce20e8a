// How a schema comes up to date, and what refuses to.
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <string>
#include <vector>

#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

class MigrationTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
  }

  static store::migration step(std::uint32_t number, std::string sql, std::string driver = "") {
    return {number, "step" + std::to_string(number), std::move(driver), sql, "sha-of-" + sql};
  }

  std::string refusal(const std::vector<store::migration>& steps) {
    auto report = store_->migrate(steps);
    if (report) return "accepted";
    EXPECT_EQ(report.failure().code, errc::invalid) << report.failure().text;
    return report.failure().text;
  }

  const store::migration create_ = step(1, "CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE b (id bigint);");
  const store::migration fill_ = step(2, "-- the first row\nINSERT INTO a VALUES (1);");
};

TEST_F(MigrationTest, RunsWhatIsDueOnce) {
  auto first = store_->migrate(std::vector{create_});
  ASSERT_TRUE(first) << first.failure().text;
  EXPECT_EQ(first->from, 0U);
  EXPECT_EQ(first->to, 1U);
  auto second = store_->migrate(std::vector{create_, fill_});
  ASSERT_TRUE(second) << second.failure().text;
  EXPECT_EQ(second->from, 1U);
  EXPECT_EQ(second->to, 2U);
  ASSERT_TRUE(store_->migrate(std::vector{fill_, create_}));
  EXPECT_EQ(rows("SELECT id FROM a"), "1");
  EXPECT_EQ(rows("SELECT number, name, sha256 = '' , applied_at > '2020' FROM gantry_migrations ORDER BY number"),
            "1,step1,0,1;2,step2,0,1");
}

TEST_F(MigrationTest, PrefersTheVariantOfTheDriver) {
  ASSERT_TRUE(store_->migrate(std::vector{step(1, "CREATE TABLE for_sqlite (id bigint)", "sqlite"),
                                          step(1, "CREATE TABLE any_driver (id bigint)"),
                                          step(1, "CREATE TABLE for_postgres (id bigint)", "postgres")}));
  EXPECT_EQ(rows("SELECT to_regclass('for_postgres') IS NULL, to_regclass('any_driver') IS NULL"), "0,1");
  expect_has(refusal({step(1, "CREATE TABLE p (id bigint)", "sqlite")}), "no variant for postgres");
}

TEST_F(MigrationTest, AStepThatFailsIsUndoneAndNamed) {
  const auto broken = step(2, "INSERT INTO a VALUES (7); INSERT INTO nowhere VALUES (1);");
  const auto why = refusal({create_, broken});
  expect_has(why, "migration 2 (step2)");
  expect_has(why, "relation \"nowhere\" does not exist");
  EXPECT_EQ(rows("SELECT count(*) FROM a"), "0");
  EXPECT_EQ(rows("SELECT number FROM gantry_migrations"), "1");
  EXPECT_TRUE(store_->migrate(std::vector{create_, fill_}));
}

TEST_F(MigrationTest, AChangedStepIsRefusedWithBothDigests) {
  ASSERT_TRUE(store_->migrate(std::vector{create_}));
  auto changed = create_;
  changed.sha256 = "other-digest";
  const auto why = refusal({changed});
  expect_has(why, "migration 1 (step1)");
  expect_has(why, "other-digest");
  expect_has(why, create_.sha256);
}

TEST_F(MigrationTest, ASchemaNewerThanThePluginIsRefusedWithBothNumbers) {
  ASSERT_TRUE(store_->migrate(std::vector{create_, fill_}));
  const auto why = refusal({create_});
  expect_has(why, "at migration 2");
  expect_has(why, "knows 1");
}

TEST_F(MigrationTest, GapsAndDoublesAreRefused) {
  expect_has(refusal({create_, step(3, "SELECT 1")}), "expected 2, found migration 3");
  expect_has(refusal({fill_}), "expected 1, found migration 2");
  expect_has(refusal({create_, create_}), "has the number of");
}

TEST_F(MigrationTest, AStepCannotEndItsOwnTransaction) {
  expect_has(refusal({step(1, "CREATE TABLE a (id bigint); COMMIT;")}), "belong to the runtime");
  EXPECT_EQ(rows("SELECT to_regclass('a') IS NULL"), "1");
}

TEST_F(MigrationTest, NoStepsAreFine) {
  auto report = store_->migrate({});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->to, 0U);
}

TEST_F(MigrationTest, HostsThatStartTogetherMigrateOnce) {
  const std::vector steps{step(1, "CREATE TABLE once (id bigint); INSERT INTO once VALUES (1)"),
                          step(2, "INSERT INTO once VALUES (2)")};
  std::vector<std::future<std::string>> hosts;
  for (int i = 0; i < 4; ++i) {
    hosts.push_back(std::async(std::launch::async, [&]() -> std::string {
      auto own = store::open_postgres_store(options_);
      if (!own) return own.failure().text;
      auto done = (*own)->migrate(steps);
      if (!done) return done.failure().text;
      return done->from == 0 ? "ran" : "found it done";
    }));
  }
  int ran = 0;
  for (auto& each : hosts) {
    const auto end = each.get();
    EXPECT_TRUE(end == "ran" || end == "found it done") << end;
    if (end == "ran") ++ran;
  }
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(rows("SELECT id FROM once ORDER BY id"), "1;2");
}

TEST_F(MigrationTest, EveryPluginsMigrationsRun) {
  int plugins = 0;
  for (const auto& plugin : std::filesystem::directory_iterator(PLUGINS_DIR)) {
    const auto folder = plugin.path() / "store" / "migrations";
    if (!std::filesystem::is_directory(folder)) continue;
    std::vector<store::migration> steps;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      const auto name = file.path().filename().string();
      if (file.path().extension() != ".sql") continue;
      std::stringstream sql;
      sql << std::ifstream(file.path()).rdbuf();
      const bool ours = name.find(".postgres.") != std::string::npos;
      const bool theirs = name.find(".sqlite.") != std::string::npos;
      steps.push_back({static_cast<std::uint32_t>(std::stoul(name)), name,
                       ours     ? "postgres"
                       : theirs ? "sqlite"
                                : "",
                       sql.str(), name});
    }
    ++plugins;
    auto own = options_;
    own.schema = options_.schema + "_" + plugin.path().filename().string();
    auto opened = store::open_postgres_store(own);
    ASSERT_TRUE(opened) << opened.failure().text;
    auto done = (*opened)->migrate(steps);
    EXPECT_TRUE(done) << plugin.path() << ": " << done.failure().text;
    EXPECT_EQ(exec("DROP SCHEMA \"" + own.schema + "\" CASCADE"), GANTRY_OK) << writer_->error_text();
  }
  EXPECT_GE(plugins, 6);
}

}  // namespace
}  // namespace gantry::testing
