// How a schema comes up to date, and what refuses to.
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
    EXPECT_EQ(report.failure().code, errc::invalid);
    return report.failure().text;
  }

  static void expect_has(const std::string& text, std::string_view part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }

  const store::migration create_ = step(1, "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER);");
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
  ASSERT_TRUE(store_->migrate(std::vector{step(1, "CREATE TABLE postgres (id bigint)", "postgres"),
                                          step(1, "CREATE TABLE any_driver (id bigint)"),
                                          step(1, "CREATE TABLE sqlite (id bigint)", "sqlite")}));
  EXPECT_EQ(rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'gantry_migrations'"), "sqlite");
  expect_has(refusal({step(1, "CREATE TABLE p (id bigint)", "postgres")}), "no variant for sqlite");
}

TEST_F(MigrationTest, AStepThatFailsIsUndoneAndNamed) {
  const auto broken = step(2, "INSERT INTO a VALUES (7); INSERT INTO nowhere VALUES (1);");
  const auto text = refusal({create_, broken});
  expect_has(text, "migration 2 (step2)");
  expect_has(text, "no such table: nowhere");
  EXPECT_EQ(rows("SELECT count(*) FROM a"), "0");
  EXPECT_EQ(rows("SELECT number FROM gantry_migrations"), "1");
  EXPECT_TRUE(store_->migrate(std::vector{create_, fill_}));
}

TEST_F(MigrationTest, AChangedStepIsRefusedWithBothDigests) {
  ASSERT_TRUE(store_->migrate(std::vector{create_}));
  auto changed = create_;
  changed.sha256 = "other-digest";
  const auto text = refusal({changed});
  expect_has(text, "migration 1 (step1)");
  expect_has(text, "other-digest");
  expect_has(text, create_.sha256);
}

TEST_F(MigrationTest, ASchemaNewerThanThePluginIsRefusedWithBothNumbers) {
  ASSERT_TRUE(store_->migrate(std::vector{create_, fill_}));
  const auto text = refusal({create_});
  expect_has(text, "at migration 2");
  expect_has(text, "knows 1");
}

TEST_F(MigrationTest, GapsAndDoublesAreRefused) {
  expect_has(refusal({create_, step(3, "SELECT 1")}), "expected 2, found migration 3");
  expect_has(refusal({fill_}), "expected 1, found migration 2");
  expect_has(refusal({create_, create_}), "has the number of");
}

TEST_F(MigrationTest, AStepCannotEndItsOwnTransaction) {
  auto report = store_->migrate(std::vector{step(1, "CREATE TABLE a (id INTEGER); COMMIT;")});
  ASSERT_FALSE(report);
  EXPECT_EQ(rows("SELECT count(*) FROM sqlite_schema WHERE name = 'a'"), "0");
}

TEST_F(MigrationTest, NoStepsAreFine) {
  auto report = store_->migrate({});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->to, 0U);
}

}  // namespace
}  // namespace gantry::testing
