// Statements, parameters and rows: what tests/unit/store states for SQLite, on PostgreSQL.
#include <cstring>
#include <string>
#include <vector>

#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

class StatementTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open_with("CREATE TABLE item (id bigint PRIMARY KEY, name text UNIQUE, price double precision, picture bytea)");
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

TEST_F(StatementTest, ExtremesComeBackToo) {
  for (const std::int64_t n : {INT64_MIN, INT64_MAX, std::int64_t{0}, std::int64_t{-1}})
    EXPECT_EQ(rows("SELECT CAST($1 AS bigint)", {integer(n)}), std::to_string(n));
  EXPECT_EQ(rows("SELECT CAST($1 AS double precision) = CAST($2 AS double precision)",
                 {real(0.1 + 0.2), real(0.30000000000000004)}),
            "1");
  const std::string utf8 = "Grüße \xF0\x9F\x8D\xB5";
  EXPECT_EQ(rows("SELECT CAST($1 AS text), length(CAST($1 AS text))", {text(utf8)}), utf8 + ",7");
}

// Other types than the four of sql.md come as the nearest of them.
TEST_F(StatementTest, OtherTypesAreReadAsTheNearest) {
  EXPECT_EQ(rows("SELECT true, false, 7::smallint, 8::integer, 1.5::real"), "1,0,7,8,1.500000");
  EXPECT_EQ(rows("SELECT sum(x) FROM (VALUES (1::bigint), (9223372036854775806)) AS t(x)"), "9223372036854775807");
  EXPECT_EQ(rows("SELECT avg(x) FROM (VALUES (1::bigint), (2)) AS t(x)"), "1.500000");
  EXPECT_EQ(
      rows("SELECT 0::numeric, -12345678::numeric, 0.0001234::numeric(20,7), -10000.5::numeric, 20000000::numeric"),
      "0,-12345678,0.000123,-10000.500000,20000000");
  EXPECT_EQ(rows("SELECT 1.0e30::numeric"), std::to_string(1.0e30));
  // A type without a binary reading makes the row come as text; the rest is typed all the same.
  EXPECT_EQ(
      rows("SELECT DATE '2026-01-02', 5::bigint, true, 2.5::float8, '\\x6100ff'::bytea, NULL::bigint, 3::numeric"),
      "2026-01-02,5,1,2.500000,x'" + std::string("a\0\xff", 3) + "',NULL,3");
}

TEST_F(StatementTest, ParametersAreFoundByNumberInAnyOrderAndMoreThanOnce) {
  EXPECT_EQ(rows("SELECT $2, $1, $2, CAST($3 AS bigint)", {text("one"), text("two"), integer(3)}), "two,one,two,3");
  std::string many = "SELECT CAST($12 AS bigint)";
  for (int i = 11; i > 0; --i) many += ", CAST($" + std::to_string(i) + " AS bigint)";
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
  expect_invalid("DELETE FORM item", {}, "syntax error at or near \"FORM\": DELETE FORM item");
  expect_invalid("DELETE FROM nowhere", {}, "relation \"nowhere\" does not exist");
  expect_invalid("", {}, "no statement");
  expect_invalid(" -- only words\n", {}, "no statement");
  expect_invalid("DELETE FROM item; DELETE FROM item", {}, "one statement at a time");
  expect_invalid("DELETE FROM item WHERE name = \"tea\"", {}, "does not exist");
  EXPECT_EQ(exec("DELETE FROM item; -- done\n"), GANTRY_OK);
}

TEST_F(StatementTest, AValueThatDoesNotFitItsColumnIsInvalid) {
  EXPECT_EQ(exec("INSERT INTO item (id) VALUES ($1)", {text("seven")}), GANTRY_INVALID);
  expect_has(writer_->error_text(), "invalid input syntax for type bigint");
  EXPECT_EQ(exec("INSERT INTO item (id, name) VALUES (1, $1)", {text({"a\0b", 3})}), GANTRY_INVALID);
  EXPECT_EQ(exec("INSERT INTO item (id, price) VALUES ($1, $2)", {text("9"), integer(3)}), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id, price FROM item"), "9,3.000000");
}

TEST_F(StatementTest, ExecRefusesRowsAndQueryRefusesTheirAbsence) {
  expect_invalid("SELECT 1", {}, "use query");
  expect_invalid("INSERT INTO item (id) VALUES (1) RETURNING id", {}, "use query");
  EXPECT_NE(rows("DELETE FROM item").find("use exec"), std::string::npos);
}

TEST_F(StatementTest, TransactionsAndSettingsBelongToTheRuntime) {
  for (const char* sql : {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT mine", "SET synchronous_commit = off",
                          "LOCK TABLE item", "COPY item FROM STDIN", "-- so\ncommit"}) {
    EXPECT_EQ(exec(sql), GANTRY_REFUSED) << sql;
    EXPECT_EQ(writer_->script(sql), GANTRY_REFUSED) << sql;
  }
}

TEST_F(StatementTest, ChangesAreCountedPerStatement) {
  std::int64_t changes = -1;
  ASSERT_EQ(writer_->exec("INSERT INTO item (id) VALUES (1), (2), (3)", {}, &changes), GANTRY_OK);
  EXPECT_EQ(changes, 3);
  ASSERT_EQ(writer_->exec("CREATE TABLE other (id bigint)", {}, &changes), GANTRY_OK);
  EXPECT_EQ(changes, 0);
  ASSERT_EQ(writer_->exec("DELETE FROM item WHERE id > 7", {}, &changes), GANTRY_OK);
  EXPECT_EQ(changes, 0);
}

TEST_F(StatementTest, ReturningTakesFullEffectWhenOnlyTheFirstRowIsRead) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  store::cursor* cursor = nullptr;
  const params names{text("a"), text("b"), text("c")};
  ASSERT_EQ(
      writer_->query("INSERT INTO item (id, name) VALUES (1, $1), (2, $2), (3, $3) RETURNING id, name", names, &cursor),
      GANTRY_OK);
  ASSERT_EQ(cursor->next(), GANTRY_OK);
  cursor->close();
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "3");
  EXPECT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("DELETE FROM item WHERE id = 9 RETURNING id"), "");
}

TEST_F(StatementTest, RowsOutliveTheParametersTheyWereAskedWith) {
  ASSERT_EQ(exec("INSERT INTO item (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')"), GANTRY_OK);
  store::cursor* cursor = nullptr;
  {
    std::string low(2000, 'A');
    const std::vector<std::int64_t> ids{1, 2, 3};
    const params with{text(low), array(ids)};
    ASSERT_EQ(writer_->query("SELECT name FROM item WHERE name COLLATE \"C\" > $1 AND id IN"
                             " (SELECT value FROM gantry_array($2))",
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
  // The same text with another kind of array.
  EXPECT_EQ(rows("SELECT value FROM gantry_array($1)", {array(names)}), "tea;;salt");
  EXPECT_EQ(rows("SELECT value FROM gantry_array($1)", {array(ids)}), "3;1;2");
  EXPECT_EQ(rows("SELECT count(*) FROM gantry_array($1)", {array(none)}), "0");
  ASSERT_EQ(exec("INSERT INTO item (id, name) SELECT length(value), value FROM gantry_array($1) AS t WHERE true"
                 " ON CONFLICT (name) DO NOTHING",
                 {array(names)}),
            GANTRY_OK);
  EXPECT_EQ(
      rows("SELECT i.id, i.name FROM gantry_array($1) a JOIN item i ON i.id = a.value ORDER BY i.id", {array(ids)}),
      "3,tea");
  EXPECT_EQ(rows("SELECT a.value, b.value FROM gantry_array($1) a JOIN gantry_array($1) b ON a.value < b.value "
                 "ORDER BY 1, 2",
                 {array(ids)}),
            "1,2;1,3;2,3");
  EXPECT_EQ(
      rows("UPDATE item SET price = 1 WHERE id IN (SELECT value FROM gantry_array($1)) RETURNING id", {array(ids)}),
      "3");
}

TEST_F(StatementTest, AnArrayTableWantsAnArray) {
  const std::vector<std::int64_t> ids{3};
  expect_has(rows("SELECT value FROM gantry_array($1)", {integer(1)}), "not an array");
  expect_has(rows("SELECT value FROM gantry_array"), "takes one array");
  expect_has(rows("SELECT 1 FROM item WHERE id = $1", {array(ids)}), "only in gantry_array");
}

TEST_F(StatementTest, ManyRowsAreAllOrNothing) {
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  std::int64_t changes = 0;
  const params good{integer(1), text("a"), integer(2), text("b")};
  ASSERT_EQ(writer_->exec_many("INSERT INTO item (id, name) VALUES ($1, $2)", good, 2, 2, &changes), GANTRY_OK);
  EXPECT_EQ(changes, 2);
  const params bad{integer(3), text("c"), integer(4), text("a")};
  EXPECT_EQ(writer_->exec_many("INSERT INTO item (id, name) VALUES ($1, $2)", bad, 2, 2, &changes), GANTRY_CONFLICT);
  expect_has(writer_->error_text(), "item_name_key");
  EXPECT_EQ(changes, 0);
  EXPECT_EQ(writer_->exec_many("INSERT INTO item (id, name) VALUES ($1, $2)", good, 2, 3, nullptr), GANTRY_INVALID);
  gantry_value strange{};
  strange.type = 99;
  const params unknown{integer(5), text("e"), integer(6), strange};
  EXPECT_EQ(writer_->exec_many("INSERT INTO item (id, name) VALUES ($1, $2)", unknown, 2, 2, nullptr), GANTRY_INVALID);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM item ORDER BY id"), "1;2");
}

// More than any socket holds, in both directions.
TEST_F(StatementTest, ManyRowsMayBeVeryMany) {
  const std::string name(1000, 'n');
  params values;
  for (std::int64_t i = 0; i < 30'000; ++i) {
    values.push_back(integer(i));
    values.push_back(text(name));
  }
  ASSERT_EQ(writer_->script("CREATE TABLE big (id bigint PRIMARY KEY, name text)"), GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(writer_->defer("INSERT INTO big VALUES (-1, 'x')", {}), GANTRY_OK);
  std::int64_t changes = 0;
  ASSERT_EQ(writer_->exec_many("INSERT INTO big (id, name) VALUES ($1, $2)", values, 2, 30'000, &changes), GANTRY_OK);
  EXPECT_EQ(changes, 30'000);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*), sum(length(name)) FROM big"), "30001,30000001");
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
  expect_has(writer_->error_text(), "16 cursors are open");
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
  for (int i = 0; i < 600; ++i) {
    sql = "SELECT " + std::to_string(1000 + i);  // same address and length, other text
    ASSERT_EQ(rows(sql), std::to_string(1000 + i));
  }
  // Nor does the server keep them.
  EXPECT_EQ(rows("SELECT count(*) < 280 FROM pg_prepared_statements"), "1");
}

TEST_F(StatementTest, StatementsFollowAChangeOfTheSchema) {
  EXPECT_EQ(rows("SELECT * FROM item"), "");
  ASSERT_EQ(writer_->script("ALTER TABLE item ADD COLUMN stock bigint DEFAULT 5"), GANTRY_OK);
  ASSERT_EQ(commit("INSERT INTO item (id) VALUES (1)"), GANTRY_OK);
  EXPECT_EQ(rows("SELECT * FROM item"), "1,NULL,NULL,NULL,5");
}

TEST_F(StatementTest, AScriptRunsManyStatements) {
  ASSERT_EQ(
      writer_->script("CREATE TABLE a (x text DEFAULT 'one;two'); -- done;\n/* ; */ INSERT INTO a VALUES ($q$;$q$);;"),
      GANTRY_OK)
      << writer_->error_text();
  EXPECT_EQ(rows("SELECT x FROM a"), ";");
  EXPECT_EQ(writer_->script("INSERT INTO a VALUES ('2'); INSERT INTO nowhere VALUES (1)"), GANTRY_INVALID);
  expect_has(writer_->error_text(), "INSERT INTO nowhere");
  EXPECT_EQ(writer_->script("INSERT INTO a VALUES ($1)"), GANTRY_INVALID);
}

}  // namespace
}  // namespace gantry::testing
