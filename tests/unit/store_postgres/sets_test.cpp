// Statements that are gathered and sent as one: nobody can tell it from what they find afterwards.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <random>

#include "store/postgres/statement_shape.hpp"
#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

using store::postgres::statement_shape;

std::string for_sets(std::string_view sql) {
  const auto shape = statement_shape::of(sql);
  constexpr std::array<std::string_view, 2> types{"bigint", "text"};
  return shape.takes_sets ? shape.for_sets(types) : "alone on " + shape.table;
}

TEST(StatementShapeTest, TakesAStatementByKeyToOneForASet) {
  EXPECT_EQ(for_sets("INSERT INTO t (a, b) VALUES ($1, lower($2)) ON CONFLICT (a) DO NOTHING"),
            "INSERT INTO t (a, b) SELECT gantry_set.gantry_1, lower(gantry_set.gantry_2) FROM unnest($1::bigint[], "
            "$2::text[]) AS gantry_set (gantry_1, gantry_2) ON CONFLICT (a) DO NOTHING");
  EXPECT_EQ(for_sets("UPDATE t SET b = b || $2 WHERE a = $1 AND b <> 'x $1'"),
            "UPDATE t SET b = b || gantry_set.gantry_2 FROM unnest($1::bigint[], $2::text[]) AS gantry_set (gantry_1, "
            "gantry_2) WHERE a = gantry_set.gantry_1 AND b <> 'x $1'");
  EXPECT_EQ(for_sets("delete from t where a = $1 and b = $2;"),
            "delete from t USING unnest($1::bigint[], $2::text[]) AS gantry_set (gantry_1, gantry_2) where a = "
            "gantry_set.gantry_1 and b = gantry_set.gantry_2");
}

TEST(StatementShapeTest, LeavesAloneWhatLooksFurther) {
  for (const char* sql :
       {"INSERT INTO t (a) VALUES (nextval('n'))", "INSERT INTO t (a) VALUES ((SELECT max(a) FROM t))",
        "INSERT INTO t (a) SELECT a FROM u WHERE b = $1", "UPDATE t SET a = $1 FROM u WHERE t.a = u.a",
        "UPDATE t SET b = $1", "UPDATE t SET b = $1 FROM (SELECT pg_advisory_xact_lock(f(1))) AS x WHERE a = $2",
        "UPDATE t SET b = $1 FROM (SELECT pg_advisory_xact_lock(7) FROM u) AS x WHERE a = $2",
        "UPDATE t AS x SET b = $1 WHERE a = $2", "DELETE FROM t", "DELETE FROM ONLY t WHERE a = $1",
        "UPDATE s.t SET b = $1 WHERE a = $2", "UPDATE \"t\" SET b = $1 WHERE a = $2",
        "WITH w AS (SELECT 1) DELETE FROM t WHERE a = $1",
        "DELETE FROM t WHERE a IN (SELECT value FROM gantry_array($1))", "CREATE TABLE t (a int)",
        "INSERT INTO t VALUES ($1)"})
    EXPECT_EQ(for_sets(sql), "alone on ") << sql;
  // These stay on their table, and yet run alone.
  for (const char* sql : {"UPDATE t SET b = $1 WHERE a = $2 RETURNING b", "SELECT count(*) FROM t WHERE a = $1",
                          "SELECT a FROM t ORDER BY b LIMIT 3",
                          "UPDATE t SET b = $1 FROM (SELECT pg_advisory_xact_lock(7, 1)) AS x WHERE a = $2 RETURNING b",
                          "UPDATE t SET b = $1 FROM (SELECT pg_advisory_xact_lock(7)) AS x WHERE a = $2",
                          "INSERT INTO t (a) VALUES ($1) RETURNING a", "INSERT INTO t (a) VALUES ($1), ($2)",
                          "INSERT INTO t (a, b) VALUES ($1, DEFAULT)",
                          "INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = $2"})
    EXPECT_EQ(for_sets(sql), "alone on t") << sql;
  for (const char* sql : {"SELECT a FROM t, u", "SELECT a FROM t JOIN u ON true", "SELECT f(a) FROM t", "SELECT 1",
                          "SELECT a FROM t WHERE a = (SELECT 1)"})
    EXPECT_EQ(for_sets(sql), "alone on ") << sql;
}

TEST(StatementShapeTest, KnowsTheColumnsThatMustEqualAParameter) {
  const auto keys = [](std::string_view sql) { return statement_shape::of(sql).keys; };
  using names = std::vector<std::string>;
  EXPECT_EQ(keys("DELETE FROM t WHERE a = $1 AND b = $2 AND c > $3"), (names{"a", "b"}));
  EXPECT_EQ(keys("DELETE FROM t WHERE (a = $1 OR b = $2) AND c = $3"), (names{"c"}));
  EXPECT_EQ(keys("DELETE FROM t WHERE a = $1 OR b = $2"), names{});
  EXPECT_EQ(keys("DELETE FROM t WHERE a = $1 + 1 AND NOT b = $2"), names{});
  EXPECT_EQ(keys("DELETE FROM t WHERE c BETWEEN $1 AND $2 AND a = $3"), names{});
  EXPECT_EQ(keys("DELETE FROM t WHERE b = $2 AND CASE WHEN c AND a = $1 AND c THEN false ELSE true END"), names{});
  EXPECT_EQ(keys("DELETE FROM t WHERE b = $2 AND (ARRAY[c, a = $1 AND a = $1, c])[1]"), names{});
  EXPECT_EQ(keys("DELETE FROM t WHERE f = $1 AND a = $1 AND b = $2"), (names{"b"})) << "$1 is of the type of f";
  EXPECT_TRUE(statement_shape::of("DELETE FROM " + std::string(64, 't') + " WHERE a = $1").table.empty());
}

class SetsTest : public StoreFixture {
 protected:
  static constexpr const char* add = "INSERT INTO item (id, name, n) VALUES ($1, $2, 0)";
  static constexpr const char* rename = "UPDATE item SET name = $2 WHERE id = $1";
  static constexpr const char* count_up = "UPDATE item SET n = n + $2 WHERE id = $1";
  static constexpr const char* remove = "DELETE FROM item WHERE id = $1";
  static constexpr const char* note = "INSERT INTO note (id) VALUES ($1)";

  void SetUp() override {
    StoreFixture::SetUp();
    open_with(
        "CREATE TABLE item (id bigint PRIMARY KEY, name text NOT NULL, n bigint NOT NULL);"
        "CREATE TABLE note (id bigint PRIMARY KEY)");
  }

  // Until each of these has gone well so often that it is not waited for.
  void learn(store::session& on) {
    for (std::int64_t i = -40; i < 0; ++i) {
      ASSERT_EQ(on.begin(), GANTRY_OK);
      for (const char* each : {add, rename}) ASSERT_EQ(run(on, each, {integer(i), text("learnt")}), 1);
      ASSERT_EQ(run(on, count_up, {integer(i), integer(1)}), 1);
      ASSERT_EQ(run(on, remove, {integer(i)}), 1);
      ASSERT_EQ(run(on, note, {integer(i)}), 1);
      ASSERT_EQ(on.commit(), GANTRY_OK);
    }
  }

  // Rows changed, or the status below zero.
  static std::int64_t run(store::session& on, std::string_view sql, const params& with) {
    std::int64_t changes = -100;
    const auto status = on.exec(sql, with, &changes);
    return status == GANTRY_OK ? changes : -status;
  }
  std::int64_t run(std::string_view sql, const params& with) { return run(*writer_, sql, with); }

  // How many statements of this session take sets.
  std::string statements_for_sets() {
    return rows(
        "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%gantry_set%' AND statement NOT LIKE "
        "'%pg_prep%'");
  }

  // A transaction as the runtime does it: again when it is told so.
  template <typename F>
  void transaction(store::session& on, const F& body) {
    for (int tries = 0; tries < 10; ++tries) {
      ASSERT_EQ(on.begin(), GANTRY_OK);
      body();
      if (on.confirm() == GANTRY_OK && on.commit() == GANTRY_OK) return;
      on.rollback();
    }
    FAIL() << "still not committed: " << on.error_text();
  }
};

TEST_F(SetsTest, StatementsOfOneTextGoAsOne) {
  learn(*writer_);
  transaction(*writer_, [&] {
    for (std::int64_t i = 1; i <= 1500; ++i) {
      ASSERT_EQ(run(add, {integer(i), text("item " + std::to_string(i))}), 1);
      ASSERT_EQ(run(note, {integer(i)}), 1);
    }
    for (std::int64_t i = 1; i <= 1500; i += 2) ASSERT_EQ(run(rename, {integer(i), text("")}), 1);
    for (std::int64_t i = 1; i <= 1500; i += 3) ASSERT_EQ(run(remove, {integer(i)}), 1);
  });
  EXPECT_EQ(rows("SELECT count(*), count(*) FILTER (WHERE name = ''), sum(id) FROM item"), "1000,500,751000");
  EXPECT_EQ(rows("SELECT count(*) FROM note WHERE id > 0"), "1500");
  EXPECT_EQ(statements_for_sets(), "5");
}

TEST_F(SetsTest, WhatReadsSeesWhatWasWrittenBefore) {
  learn(*writer_);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(run(add, {integer(1), text("a")}), 1);
  ASSERT_EQ(run(add, {integer(2), text("b")}), 1);
  EXPECT_EQ(rows("SELECT count(*) FROM note WHERE id > 0"), "0");
  EXPECT_EQ(rows("SELECT id, name FROM item ORDER BY id"), "1,a;2,b");
  ASSERT_EQ(run(rename, {integer(2), text("c")}), 1);
  EXPECT_EQ(rows("SELECT i.name FROM item i LEFT JOIN note n ON n.id = i.id ORDER BY i.id"), "a;c");
  ASSERT_EQ(run(note, {integer(5)}), 1);
  ASSERT_EQ(writer_->exec_many(note, params{integer(6), integer(7)}, 1, 2, nullptr), GANTRY_OK);
  ASSERT_EQ(writer_->defer(remove, params{integer(1)}), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "1");
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT id FROM note WHERE id > 0 ORDER BY id"), "5;6;7");
}

TEST_F(SetsTest, ARowThatIsChangedTwiceIsNotLost) {
  learn(*writer_);
  transaction(*writer_, [&] { ASSERT_EQ(run(add, {integer(1), text("a")}), 1); });
  int runs = 0;
  transaction(*writer_, [&] {
    ++runs;
    EXPECT_EQ(run(count_up, {integer(1), integer(2)}), 1);
    EXPECT_EQ(run(count_up, {integer(1), integer(3)}), 1);
  });
  EXPECT_EQ(rows("SELECT n FROM item"), "5");
  EXPECT_EQ(runs, 2) << "a set changes a row once";
}

TEST_F(SetsTest, AWrongGuessAmongManyIsFound) {
  learn(*writer_);
  std::int64_t told = -1;
  transaction(*writer_, [&] {
    for (std::int64_t i = 1; i <= 20; ++i) EXPECT_EQ(run(add, {integer(i), text("a")}), 1);
    for (std::int64_t i = 2; i <= 20; ++i) EXPECT_EQ(run(rename, {integer(i), text("b")}), 1);
    told = run(rename, {integer(1000), text("b")});
  });
  EXPECT_EQ(told, 0);
  EXPECT_EQ(rows("SELECT count(*) FROM item WHERE name = 'b'"), "19");
}

TEST_F(SetsTest, AConflictAmongManyIsToldToTheOneThatHasIt) {
  learn(*writer_);
  std::vector<std::int64_t> told;
  transaction(*writer_, [&] {
    told.clear();
    for (const std::int64_t id : {1, 2, 1, 3}) told.push_back(run(add, {integer(id), text("a")}));
  });
  EXPECT_EQ(told, (std::vector<std::int64_t>{1, 1, -GANTRY_CONFLICT, 1}));
  EXPECT_EQ(rows("SELECT id FROM item ORDER BY id"), "1;2;3");
}

TEST_F(SetsTest, WhatIsTakenBackTakesItsRowsWithIt) {
  learn(*writer_);
  for (const bool sent : {false, true}) {
    ASSERT_EQ(exec("DELETE FROM item"), GANTRY_OK);
    transaction(*writer_, [&] {
      ASSERT_EQ(run(add, {integer(1), text("a")}), 1);
      ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
      ASSERT_EQ(run(add, {integer(2), text("b")}), 1);
      ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
      ASSERT_EQ(run(add, {integer(3), text("c")}), 1);
      if (sent) {
        EXPECT_EQ(rows("SELECT count(*) FROM item"), "3");
      }
      ASSERT_EQ(run(add, {integer(4), text("d")}), 1);
      ASSERT_EQ(writer_->rollback_to(), GANTRY_OK);
      ASSERT_EQ(run(add, {integer(5), text("e")}), 1);
      ASSERT_EQ(writer_->release(), GANTRY_OK);
      ASSERT_EQ(run(add, {integer(6), text("f")}), 1);
      ASSERT_EQ(writer_->release(), GANTRY_OK);
      ASSERT_EQ(run(add, {integer(7), text("g")}), 1);
      ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
      if (sent) {
        EXPECT_EQ(rows("SELECT count(*) FROM note WHERE id > 0"), "0");
      }
      ASSERT_EQ(run(rename, {integer(1), text("x")}), 1);
      ASSERT_EQ(writer_->rollback_to(), GANTRY_OK);
      ASSERT_EQ(writer_->release(), GANTRY_OK);
    });
    EXPECT_EQ(rows("SELECT id, name FROM item ORDER BY id"), "1,a;2,b;5,e;6,f;7,g") << sent;
  }
}

TEST_F(SetsTest, ValuesArriveAsTheyAre) {
  ASSERT_EQ(writer_->script("CREATE TABLE kinds (id bigint PRIMARY KEY, b boolean, s smallint, i integer, f double "
                            "precision, v character varying(20), t text, y bytea)"),
            GANTRY_OK);
  constexpr const char* all = "INSERT INTO kinds (id, b, s, i, f, v, t, y) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
  const std::string zeros("\0\1\xff\0", 4);
  std::int64_t id = 0;
  const auto put = [&](std::vector<gantry_value> values) {
    values.insert(values.begin(), integer(++id));
    return run(all, values);
  };
  transaction(*writer_, [&] {
    for (int i = 0; i < 40; ++i) ASSERT_EQ(put({null(), null(), null(), null(), null(), null(), null()}), 1);
  });
  ASSERT_EQ(exec("DELETE FROM kinds"), GANTRY_OK);
  id = 0;
  transaction(*writer_, [&] {
    ASSERT_EQ(put({integer(1), integer(-32768), integer(std::numeric_limits<std::int32_t>::max()), real(-0.5),
                   text("v\xC3\xA4"), text("it's \"{,}\\ NULL"), blob(zeros)}),
              1);
    ASSERT_EQ(put({integer(0), integer(32767), integer(std::numeric_limits<std::int32_t>::min()), integer(7), text(""),
                   text(""), blob("")}),
              1);
    ASSERT_EQ(put({null(), null(), null(), null(), null(), null(), null()}), 1);
  });
  EXPECT_EQ(rows("SELECT b, s, i, f, v, t, y FROM kinds ORDER BY id"),
            "1,-32768,2147483647,-0.500000,v\xC3\xA4,it's \"{,}\\ NULL,x'" + zeros +
                "';0,32767,-2147483648,7.000000,,,x'';NULL,NULL,NULL,NULL,NULL,NULL,NULL");
  EXPECT_EQ(statements_for_sets(), "1");
  // What its column does not take is the server's to say, to the one who sent it.
  std::int64_t told = 0;
  transaction(*writer_, [&] {
    ASSERT_EQ(put({null(), integer(1), null(), null(), null(), null(), null()}), 1);
    told = put({null(), integer(32768), null(), null(), null(), null(), null()});
  });
  EXPECT_LT(told, 0);
  transaction(*writer_, [&] {
    told = put({null(), null(), null(), null(), text(std::string(21, 'v')), null(), null()});
  });
  EXPECT_LT(told, 0);
}

TEST_F(SetsTest, OnlyWhatCannotTellTheDifferenceIsGathered) {
  ASSERT_EQ(writer_->script("CREATE TABLE watched (id bigint PRIMARY KEY, n bigint);"
                            "CREATE TABLE seen (at bigint GENERATED ALWAYS AS IDENTITY, id bigint);"
                            "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS "
                            "'BEGIN INSERT INTO seen (id) VALUES (NEW.id); RETURN NEW; END';"
                            "CREATE TRIGGER seeing AFTER INSERT ON watched FOR EACH ROW EXECUTE FUNCTION see();"
                            "CREATE TABLE parent (id bigint PRIMARY KEY);"
                            "CREATE TABLE child (id bigint REFERENCES parent (id));"
                            "CREATE TABLE many (id bigint, part bigint);"
                            "CREATE UNIQUE INDEX ON many (id) WHERE part > 0;"
                            "CREATE VIEW of_item AS SELECT id, name, n FROM item"),
            GANTRY_OK);
  for (std::int64_t i = 1; i <= 100; ++i)
    transaction(*writer_, [&] {
      ASSERT_EQ(run("INSERT INTO watched (id, n) VALUES ($1, 0)", {integer(i)}), 1);
      ASSERT_EQ(run("INSERT INTO parent (id) VALUES ($1)", {integer(i)}), 1);
      ASSERT_EQ(run("INSERT INTO child (id) VALUES ($1)", {integer(i)}), 1);
      ASSERT_EQ(run("INSERT INTO of_item (id, name, n) VALUES ($1, '', 0)", {integer(i)}), 1);
      ASSERT_EQ(run("UPDATE many SET part = $2 WHERE id = $1", {integer(i), integer(2)}), 0);
    });
  EXPECT_EQ(statements_for_sets(), "0");
  EXPECT_EQ(rows("SELECT count(*) FROM seen"), "100");
  ASSERT_EQ(exec("DELETE FROM many"), GANTRY_OK);
  for (std::int64_t i = 1; i <= 40; ++i) ASSERT_EQ(run("INSERT INTO many (id, part) VALUES ($1, 0)", {integer(i)}), 1);
  for (std::int64_t i = 1; i <= 40; ++i)
    transaction(*writer_, [&] {
      ASSERT_EQ(run("UPDATE many SET part = part + $2 WHERE id = $1", {integer(i), integer(0)}), 1);
    });
  // Of all rows the index speaks of some.
  EXPECT_EQ(statements_for_sets(), "0");
}

TEST_F(SetsTest, DeferredStatementsAreGatheredToo) {
  transaction(*writer_, [&] {
    for (std::int64_t i = 1; i <= 40; ++i) ASSERT_EQ(writer_->defer(note, params{integer(i)}), GANTRY_OK);
  });
  transaction(*writer_, [&] {
    for (std::int64_t i = 101; i <= 140; ++i) ASSERT_EQ(writer_->defer(note, params{integer(i)}), GANTRY_OK);
  });
  EXPECT_EQ(rows("SELECT count(*) FROM note"), "80");
  EXPECT_EQ(statements_for_sets(), "1");
}

TEST_F(SetsTest, RowsThatAreGivenTogetherGoAsOne) {
  params many;
  for (std::int64_t i = 1; i <= 2500; ++i) many.push_back(integer(i));
  std::int64_t changes = 0;
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(writer_->exec_many(note, many, 1, many.size(), &changes), GANTRY_OK) << writer_->error_text();
  EXPECT_EQ(changes, 2500);
  // A conflict takes back the whole, and nothing else.
  const params with_old{integer(3001), integer(3002), integer(7)};
  EXPECT_EQ(writer_->exec_many(note, with_old, 1, 3, &changes), GANTRY_CONFLICT);
  const auto unless_known = std::string(note) + " ON CONFLICT (id) DO NOTHING";
  ASSERT_EQ(writer_->exec_many(unless_known, with_old, 1, 3, &changes), GANTRY_OK);
  EXPECT_EQ(changes, 2);
  // What changes a row may change it twice: these go one by one.
  ASSERT_EQ(exec(add, {integer(1), text("a")}), GANTRY_OK);
  ASSERT_EQ(writer_->exec_many(count_up, params{integer(1), integer(2), integer(1), integer(3)}, 2, 2, &changes),
            GANTRY_OK);
  EXPECT_EQ(changes, 2);
  ASSERT_EQ(writer_->commit(), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*) FROM note"), "2502");
  EXPECT_EQ(rows("SELECT n FROM item"), "5");
  EXPECT_EQ(statements_for_sets(), "2");
}

TEST_F(SetsTest, WhatIsTakenBackBehindADeferredFailureStaysSo) {
  learn(*writer_);
  ASSERT_EQ(exec(add, {integer(1), text("a")}), GANTRY_OK);
  ASSERT_EQ(writer_->begin(), GANTRY_OK);
  ASSERT_EQ(writer_->savepoint(), GANTRY_OK);
  ASSERT_EQ(writer_->defer("INSERT INTO item (id, name, n) VALUES ($1, 'b', 0)", params{integer(1)}), GANTRY_OK);
  ASSERT_EQ(run(note, {integer(5)}), 1);
  rows("SELECT count(*) FROM gantry_migrations");
  EXPECT_EQ(writer_->rollback_to(), GANTRY_OK) << writer_->error_text();
  EXPECT_EQ(writer_->release(), GANTRY_OK);
  EXPECT_EQ(run(note, {integer(6)}), 1);
  EXPECT_EQ(writer_->commit(), GANTRY_OK) << writer_->error_text();
  EXPECT_EQ(rows("SELECT id FROM note WHERE id > 0"), "6");
}

TEST_F(SetsTest, DefaultsAndChecksThatLookFurtherAreRunRowByRow) {
  ASSERT_EQ(writer_->script("CREATE SEQUENCE ps;"
                            "CREATE TABLE parent (id bigint PRIMARY KEY DEFAULT nextval('ps'), n bigint);"
                            "CREATE TABLE child (parent bigint DEFAULT currval('ps'), n bigint);"
                            "CREATE TABLE closed (day bigint PRIMARY KEY);"
                            "CREATE FUNCTION is_open(d bigint) RETURNS boolean LANGUAGE sql STABLE AS "
                            "'SELECT NOT EXISTS (SELECT 1 FROM closed WHERE day = d)';"
                            "CREATE TABLE job (day bigint CHECK (is_open(day)));"
                            "CREATE TABLE numbered (id bigint GENERATED ALWAYS AS IDENTITY, n bigint)"),
            GANTRY_OK);
  for (std::int64_t i = 1; i <= 40; ++i)
    transaction(*writer_, [&] {
      ASSERT_EQ(run("INSERT INTO parent (n) VALUES ($1)", {integer(i)}), 1);
      ASSERT_EQ(run("INSERT INTO child (n) VALUES ($1)", {integer(i)}), 1);
      ASSERT_EQ(run("INSERT INTO job (day) VALUES ($1)", {integer(i)}), 1);
      ASSERT_EQ(run("INSERT INTO closed (day) VALUES ($1)", {integer(1000 + i)}), 1);
      ASSERT_EQ(run("INSERT INTO numbered (n) VALUES ($1)", {integer(i)}), 1);
    });
  std::int64_t told = 1;
  transaction(*writer_, [&] {
    for (std::int64_t i = 1; i <= 3; ++i) {
      run("INSERT INTO parent (n) VALUES ($1)", {integer(100 + i)});
      run("INSERT INTO child (n) VALUES ($1)", {integer(100 + i)});
    }
    run("INSERT INTO closed (day) VALUES ($1)", {integer(500)});
    run("INSERT INTO closed (day) VALUES ($1)", {integer(501)});
    told = run("INSERT INTO job (day) VALUES ($1)", {integer(500)});
    run("INSERT INTO numbered (n) VALUES ($1)", {integer(0)});
  });
  EXPECT_EQ(rows("SELECT count(*) FROM parent p JOIN child c ON c.parent = p.id AND c.n = p.n"), "43");
  EXPECT_EQ(told, -GANTRY_CONFLICT);
  EXPECT_EQ(statements_for_sets(), "1") << "of the days that are closed";
}

// What was known of a table is asked again, whoever has changed it.
TEST_F(SetsTest, AKeyThatIsNoneAnyMoreIsNotTrusted) {
  const auto change = [&](const auto& how) {
    ASSERT_EQ(writer_->script("CREATE TABLE t (id bigint, n bigint); CREATE UNIQUE INDEX tid ON t (id)"), GANTRY_OK);
    constexpr const char* set = "UPDATE t SET n = $2 WHERE id = $1";
    for (std::int64_t i = 1; i <= 40; ++i)
      transaction(*writer_, [&] {
        ASSERT_EQ(run("INSERT INTO t (id, n) VALUES ($1, 0)", {integer(-i)}), 1);
        ASSERT_EQ(run(set, {integer(-i), integer(1)}), 1);
      });
    how("DROP INDEX tid; CREATE INDEX tid ON t (id); INSERT INTO t VALUES (1, 0), (1, 0)");
    std::string told;
    transaction(*writer_, [&] {
      told.clear();
      for (const std::int64_t id : {1, 2}) told += std::to_string(run(set, {integer(id), integer(7)})) + " ";
    });
    EXPECT_EQ(told, "2 0 ");
    ASSERT_EQ(writer_->script("DROP TABLE t"), GANTRY_OK);
  };
  change([&](std::string_view script) { ASSERT_EQ(writer_->script(script), GANTRY_OK); });
  change([&](std::string_view script) {
    auto other = std::move(store::open_postgres_store(options_)).value();
    const auto done = other->migrate(std::vector{store::migration{1, "first", "", std::string(script), "sum"}});
    ASSERT_TRUE(done) << done.failure().text;
  });
}

TEST_F(SetsTest, ManyLargeRowsAreNotOneMessage) {
  ASSERT_EQ(writer_->script("CREATE TABLE big (id bigint PRIMARY KEY, content bytea)"), GANTRY_OK);
  const std::string content(1 << 20, 'x');
  params many;
  for (std::int64_t i = 1; i <= 1100; ++i) {
    many.push_back(integer(i));
    many.push_back(blob(content));
  }
  std::int64_t changes = 0;
  // Serializable and as long as this, it would make the server forget who was concurrent with whom in other tests.
  ASSERT_EQ(writer_->begin_relaxed(), GANTRY_OK);
  EXPECT_EQ(writer_->exec_many("INSERT INTO big (id, content) VALUES ($1, $2)", many, 2, 1100, &changes), GANTRY_OK)
      << writer_->error_text();
  EXPECT_EQ(changes, 1100);
  writer_->rollback();
}

TEST_F(SetsTest, AChangedSchemaIsMet) {
  learn(*writer_);
  ASSERT_EQ(exec("ALTER TABLE note ADD COLUMN more bigint"), GANTRY_OK);
  ASSERT_EQ(exec("ALTER TABLE item ALTER COLUMN n TYPE integer"), GANTRY_OK);
  transaction(*writer_, [&] {
    for (std::int64_t i = 1; i <= 10; ++i) {
      EXPECT_EQ(run(add, {integer(i), text("a")}), 1);
      EXPECT_EQ(run(note, {integer(i)}), 1);
    }
    for (std::int64_t i = 1; i <= 10; ++i) EXPECT_EQ(run(count_up, {integer(i), integer(i)}), 1);
  });
  EXPECT_EQ(rows("SELECT sum(n) FROM item"), "55");
  EXPECT_EQ(rows("SELECT count(*) FROM note WHERE id > 0"), "10");
}

// Any program of statements, reads and savepoints: what its handler is told, and what it leaves, is the same whether
// statements wait for each other or each is waited for.
TEST_F(SetsTest, NobodyCanTellTheDifference) {
  auto plain_options = options_;
  plain_options.schema = "test_" + new_uuid_string();
  plain_options.trusts = false;
  auto plain_store = std::move(store::open_postgres_store(plain_options)).value();
  auto plain = std::move(plain_store->open_writer()).value();
  ASSERT_EQ(plain->script("CREATE TABLE item (id bigint PRIMARY KEY, name text NOT NULL, n bigint NOT NULL);"
                          "CREATE TABLE note (id bigint PRIMARY KEY)"),
            GANTRY_OK);
  std::mt19937 random(20261122);
  const auto upto = [&](std::uint32_t n) { return static_cast<std::int64_t>(random() % n); };
  struct step {
    int what;
    std::int64_t id;
    std::int64_t n;
  };
  const auto play = [&](store::session& on, const std::vector<step>& program) {
    std::string told;
    transaction(on, [&] {
      told.clear();
      int depth = 0;
      for (const auto& each : program) {
        const auto name = std::to_string(each.n);
        if (each.what < 6)
          told += std::to_string(run(on, add, {integer(each.id), text(name)})) + " ";
        else if (each.what < 9)
          told += std::to_string(run(on, rename, {integer(each.id), text(name)})) + " ";
        else if (each.what < 12)
          told += std::to_string(run(on, count_up, {integer(each.id), integer(each.n)})) + " ";
        else if (each.what < 14)
          told += std::to_string(run(on, remove, {integer(each.id)})) + " ";
        else if (each.what < 16)
          told += std::to_string(run(on, note, {integer(each.id)})) + " ";
        else if (each.what == 16)
          told += rows(on, "SELECT id, name, n FROM item WHERE id < 30 ORDER BY id") + " ";
        else if (each.what == 17)
          told += rows(on, "SELECT count(*) FROM note") + " ";
        else if (each.what == 18 && depth < 3)
          depth += on.savepoint() == GANTRY_OK ? 1 : 0;
        else if (each.what == 19 && depth > 0)
          on.rollback_to();
        else if (each.what == 20 && depth > 0)
          depth -= on.release() == GANTRY_OK ? 1 : 0;
      }
    });
    return told;
  };
  learn(*plain);
  int tries = 0;
  for (int round = 0; round < 60; ++round) {
    // A session that has been wrong once waits for a while.
    writer_.reset();
    writer_ = std::move(store_->open_writer()).value();
    ASSERT_EQ(exec("DELETE FROM note WHERE id < 0"), GANTRY_OK);
    learn(*writer_);
    // Mostly other rows, so that sets are long; now and then the same.
    const auto ids = static_cast<std::uint32_t>(round % 3 == 0 ? 8 : 100'000);
    std::vector<step> program;
    for (std::int64_t i = 0, size = 5 + upto(60); i < size; ++i)
      program.push_back({static_cast<int>(upto(21)), upto(ids), upto(1000)});
    // Each knows rows that are there: those of the program's own first steps.
    for (auto& each : program)
      if (each.what >= 6 && each.what < 14 && upto(4) != 0)
        each.id = program[static_cast<std::size_t>(upto(static_cast<std::uint32_t>(program.size())))].id;
    const auto with = play(*writer_, program);
    const auto without = play(*plain, program);
    ASSERT_EQ(with, without) << "round " << round;
    tries += static_cast<int>(program.size());
    ASSERT_NE(statements_for_sets(), "0") << "nothing was gathered";
    ASSERT_EQ(rows(*writer_, "SELECT id, name, n FROM item ORDER BY id"),
              rows(*plain, "SELECT id, name, n FROM item ORDER BY id"));
    ASSERT_EQ(rows(*writer_, "SELECT id FROM note ORDER BY id"), rows(*plain, "SELECT id FROM note ORDER BY id"));
  }
  EXPECT_GT(tries, 1000);
  plain.reset();
  ASSERT_EQ(exec("DROP SCHEMA \"" + plain_options.schema + "\" CASCADE"), GANTRY_OK);
}

}  // namespace
}  // namespace gantry::testing
