// Statements, parameters and rows.
#include <string>
#include <vector>

#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

class StatementTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open_with("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, price REAL, picture BLOB)");
  }

  void expect_invalid(std::string_view sql, const params& with, std::string_view reason) {
    EXPECT_EQ(exec(sql, with), GANTRY_INVALID) << sql;
    EXPECT_NE(writer_->error_text().find(reason), std::string_view::npos) << writer_->error_text();
  }
};

TEST_F(StatementTest, EveryKindOfValueComesBackAsItWent) {
  ASSERT_EQ(exec("INSERT INTO item VALUES ($1, $2, $3, $4)", {integer(-7), text("tea"), real(1.5), blob({"a\0b", 3})}),
            GANTRY_OK);
  ASSERT_EQ(exec("INSERT INTO item VALUES ($1, $2, $3, $4)", {integer(8), text({}), null(), blob({})}), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id, name, price, picture FROM item ORDER BY id"),
            "-7,tea,1.500000," + std::string("x'a\0b'", 6) + ";8,,NULL,x''");
  EXPECT_EQ(rows("SELECT name IS NULL, picture IS NULL FROM item WHERE id = 8"), "0,0");
}

TEST_F(StatementTest, ParametersAreFoundByNumberInAnyOrderAndMoreThanOnce) {
  EXPECT_EQ(rows("SELECT $2, $1, $2, $3", {text("one"), text("two"), integer(3)}), "two,one,two,3");
  std::string many = "SELECT $12";
  for (int i = 11; i > 0; --i) many += ", $" + std::to_string(i);
  params numbers;
  for (int i = 1; i <= 12; ++i) numbers.push_back(integer(i));
  EXPECT_EQ(rows(many, numbers), "12,11,10,9,8,7,6,5,4,3,2,1");
}

TEST_F(StatementTest, OtherParametersAndGapsAreRefused) {
  expect_invalid("DELETE FROM item WHERE id = ?", {integer(1)}, "found ?");
  expect_invalid("DELETE FROM item WHERE id = ?1", {integer(1)}, "found ?1");
  expect_invalid("DELETE FROM item WHERE id = :id", {integer(1)}, "found :id");
  expect_invalid("DELETE FROM item WHERE id = $id", {integer(1)}, "found $id");
  expect_invalid("DELETE FROM item WHERE id = $01", {integer(1)}, "found $01");
  expect_invalid("DELETE FROM item WHERE id = $0", {integer(1)}, "found $0");
  expect_invalid("DELETE FROM item WHERE id = $1 OR id = $3", {integer(1), integer(2)}, "without gaps");
}

TEST_F(StatementTest, AWrongNumberOfParametersNamesBothNumbersAndTheStatement) {
  expect_invalid("DELETE FROM item WHERE id = $1", {},
                 "has 1 parameters, 0 were given: DELETE FROM item WHERE id = $1");
  expect_invalid("DELETE FROM item", {integer(1)}, "has 0 parameters, 1 were given");
}

TEST_F(StatementTest, WrongSqlIsNamed) {
  expect_invalid("DELETE FORM item", {}, "syntax error: DELETE FORM item");
  expect_invalid("DELETE FROM nowhere", {}, "no such table: nowhere");
  expect_invalid("", {}, "no statement");
  expect_invalid(" -- only words\n", {}, "no statement");
  expect_invalid("DELETE FROM item; DELETE FROM item", {}, "one statement at a time");
  expect_invalid("DELETE FROM item WHERE name = \"tea\"", {}, "no such column");
  EXPECT_EQ(exec("DELETE FROM item; -- done\n"), GANTRY_OK);
}

TEST_F(StatementTest, ExecRefusesRowsAndQueryRefusesTheirAbsence) {
  expect_invalid("SELECT 1", {}, "use query");
  expect_invalid("INSERT INTO item (id) VALUES (1) RETURNING id", {}, "use query");
  EXPECT_NE(rows("DELETE FROM item").find("use exec"), std::string::npos);
}

TEST_F(StatementTest, TransactionsAndSettingsBelongToTheRuntime) {
  for (const char* sql : {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT mine", "PRAGMA synchronous=OFF",
                          "ATTACH DATABASE 'other.db' AS other"}) {
    EXPECT_EQ(exec(sql), GANTRY_REFUSED) << sql;
    EXPECT_EQ(writer_->script(sql), GANTRY_REFUSED) << sql;
  }
}

TEST_F(StatementTest, ChangesAreCountedPerStatement) {
  std::int64_t changes = -1;
  ASSERT_EQ(writer_->exec("INSERT INTO item (id) VALUES (1), (2), (3)", {}, &changes), GANTRY_OK);
  EXPECT_EQ(changes, 3);
  ASSERT_EQ(writer_->exec("CREATE TABLE other (id INTEGER)", {}, &changes), GANTRY_OK);
  EXPECT_EQ(changes, 0);
  ASSERT_EQ(writer_->exec("DELETE FROM item WHERE id > 7", {}, &changes), GANTRY_OK);
  EXPECT_EQ(changes, 0);
}

TEST_F(StatementTest, ReturningTakesFullEffectWhenOnlyTheFirstRowIsRead) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  store::cursor* cursor = nullptr;
  const params names{text("a"), text("b"), text("c")};
  ASSERT_EQ(writer_->query("INSERT INTO item (name) VALUES ($1), ($2), ($3) RETURNING id, name", names, &cursor),
            GANTRY_OK);
  ASSERT_EQ(cursor->next(), GANTRY_OK);
  gantry_value name{};
  ASSERT_EQ(cursor->column(1, name), GANTRY_OK);
  EXPECT_EQ(shown(name), "a");
  cursor->close();
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "3");
  EXPECT_EQ(rows("UPDATE item SET price = 2 WHERE id > 1 RETURNING id"), "2;3");
  EXPECT_EQ(rows("DELETE FROM item WHERE id = 9 RETURNING id"), "");
}

TEST_F(StatementTest, ReturningReportsAViolationBeforeAnyRowIsRead) {
  ASSERT_EQ(writer_->script("CREATE TABLE part (item INTEGER REFERENCES item(id))"), GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  store::cursor* cursor = nullptr;
  const params missing{integer(99)};
  EXPECT_EQ(writer_->query("INSERT INTO part VALUES ($1) RETURNING item", missing, &cursor), GANTRY_CONFLICT);
  EXPECT_EQ(cursor, nullptr);
  EXPECT_EQ(rows("SELECT count(*) FROM part"), "0");
  EXPECT_EQ(writer_->commit(), GANTRY_OK);
}

TEST_F(StatementTest, RowsOutliveTheParametersTheyWereAskedWith) {
  ASSERT_EQ(exec("INSERT INTO item (name) VALUES ('a'), ('b'), ('c')"), GANTRY_OK);
  store::cursor* cursor = nullptr;
  {
    std::string low(2000, 'A');
    const std::vector<std::int64_t> ids{1, 2, 3};
    const params with{text(low), array(ids)};
    ASSERT_EQ(writer_->query("SELECT name FROM item WHERE name > $1 AND id IN (SELECT value FROM gantry_array($2))",
                             with, &cursor),
              GANTRY_OK);
    low.assign(2000, 'z');
  }
  int count = 0;
  while (cursor->next() == GANTRY_OK) ++count;
  EXPECT_EQ(count, 3);
  EXPECT_EQ(cursor->next(), GANTRY_DONE);
  cursor->close();
}

TEST_F(StatementTest, ArraysAreTables) {
  const std::vector<std::int64_t> ids{3, 1, 2};
  const std::vector<gantry_str> names{{"tea", 3}, {nullptr, 0}, {"salt", 4}};
  const std::vector<std::int64_t> none;
  EXPECT_EQ(rows("SELECT value FROM gantry_array($1)", {array(ids)}), "3;1;2");
  EXPECT_EQ(rows("SELECT value FROM gantry_array($1) ORDER BY value", {array(names)}), ";salt;tea");
  EXPECT_EQ(rows("SELECT count(*) FROM gantry_array($1)", {array(none)}), "0");
  ASSERT_EQ(exec("INSERT INTO item (name) SELECT value FROM gantry_array($1) WHERE true ON CONFLICT (name) DO NOTHING",
                 {array(names)}),
            GANTRY_OK);
  EXPECT_EQ(
      rows("SELECT i.id, i.name FROM gantry_array($1) a JOIN item i ON i.id = a.value ORDER BY i.id", {array(ids)}),
      "1,tea;2,;3,salt");
  EXPECT_EQ(rows("SELECT a.value, b.value FROM gantry_array($1) a JOIN gantry_array($1) b ON a.value < b.value "
                 "ORDER BY 1, 2",
                 {array(ids)}),
            "1,2;1,3;2,3");
  EXPECT_EQ(rows("UPDATE item SET price = 1 WHERE id IN (SELECT value FROM gantry_array($1)) RETURNING id",
                 {array({std::vector<std::int64_t>{2}})}),
            "2");
}

TEST_F(StatementTest, AnArrayTableWantsAnArray) {
  EXPECT_NE(rows("SELECT value FROM gantry_array($1)", {integer(1)}).find("not an array"), std::string::npos);
  EXPECT_NE(rows("SELECT value FROM gantry_array").find("takes one array"), std::string::npos);
}

TEST_F(StatementTest, ManyRowsAreAllOrNothing) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  std::int64_t changes = 0;
  const params good{integer(1), text("a"), integer(2), text("b")};
  ASSERT_EQ(writer_->exec_many("INSERT INTO item (id, name) VALUES ($1, $2)", good, 2, 2, &changes), GANTRY_OK);
  EXPECT_EQ(changes, 2);
  const params bad{integer(3), text("c"), integer(4), text("a")};
  EXPECT_EQ(writer_->exec_many("INSERT INTO item (id, name) VALUES ($1, $2)", bad, 2, 2, &changes), GANTRY_CONFLICT);
  EXPECT_EQ(writer_->error_text(), "UNIQUE constraint failed: item.name");
  EXPECT_EQ(changes, 0);
  EXPECT_EQ(writer_->exec_many("INSERT INTO item (id, name) VALUES ($1, $2)", good, 2, 3, nullptr), GANTRY_INVALID);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM item ORDER BY id"), "1;2");
}

TEST_F(StatementTest, SixteenCursorsMayBeOpenAlsoOfOneStatement) {
  ASSERT_EQ(exec("INSERT INTO item (id) VALUES (1), (2)"), GANTRY_OK);
  std::vector<store::cursor*> open(16);
  for (auto& each : open) {
    ASSERT_EQ(writer_->query("SELECT id FROM item ORDER BY id", {}, &each), GANTRY_OK);
    ASSERT_EQ(each->next(), GANTRY_OK);
  }
  store::cursor* extra = nullptr;
  EXPECT_EQ(writer_->query("SELECT 1", {}, &extra), GANTRY_INVALID);
  EXPECT_NE(writer_->error_text().find("16 cursors are open"), std::string_view::npos);
  for (auto* each : open) {
    gantry_value id{};
    ASSERT_EQ(each->next(), GANTRY_OK);
    ASSERT_EQ(each->column(0, id), GANTRY_OK);
    EXPECT_EQ(id.as.i, 2);
    each->close();
  }
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "2");
}

TEST_F(StatementTest, AColumnThatIsNotThereIsRefused) {
  store::cursor* cursor = nullptr;
  gantry_value value{};
  ASSERT_EQ(writer_->query("SELECT 1, 2", {}, &cursor), GANTRY_OK);
  EXPECT_EQ(cursor->columns(), 2U);
  EXPECT_EQ(cursor->column(0, value), GANTRY_INVALID);
  ASSERT_EQ(cursor->next(), GANTRY_OK);
  EXPECT_EQ(cursor->column(2, value), GANTRY_INVALID);
  EXPECT_EQ(cursor->next(), GANTRY_DONE);
  EXPECT_EQ(cursor->column(0, value), GANTRY_INVALID);
  cursor->close();
  EXPECT_EQ(cursor->next(), GANTRY_INVALID);
}

TEST_F(StatementTest, TextMadeAtRunTimeIsToldApartAndForgotten) {
  std::string sql;
  for (int i = 0; i < 1000; ++i) {
    sql = "SELECT " + std::to_string(1000 + i);  // same address and length, other text
    ASSERT_EQ(rows(sql), std::to_string(1000 + i));
  }
}

TEST_F(StatementTest, StatementsFollowAChangeOfTheSchema) {
  EXPECT_EQ(rows("SELECT * FROM item"), "");
  ASSERT_EQ(writer_->script("ALTER TABLE item ADD COLUMN stock INTEGER DEFAULT 5"), GANTRY_OK);
  ASSERT_EQ(commit("INSERT INTO item (id) VALUES (1)"), GANTRY_OK);
  EXPECT_EQ(rows("SELECT * FROM item"), "1,NULL,NULL,NULL,5");
}

}  // namespace
}  // namespace gantry::testing
