// How SQL is read before the server sees it.
#include "store/postgres/sql_text.hpp"

#include <gtest/gtest.h>

namespace gantry::store::postgres {
namespace {

std::string rewritten(std::string_view sql, bool texts = false) {
  sql_text out;
  failure_text failure;
  if (!sql_text::parse(sql, out, failure)) return failure.text;
  return out.with_types(std::vector<bool>(out.arrays.size(), texts));
}

bool changes(std::string_view sql) {
  sql_text out;
  failure_text failure;
  EXPECT_TRUE(sql_text::parse(sql, out, failure)) << failure.text;
  return out.may_change;
}

TEST(SqlTextTest, AnArrayTableKeepsTheNameThatItWasGiven) {
  EXPECT_EQ(rewritten("SELECT value FROM gantry_array($1)"),
            "SELECT value FROM unnest($1::bigint[]) AS gantry_array_1(value)");
  EXPECT_EQ(rewritten("SELECT w.value FROM gantry_array($1) AS w", true),
            "SELECT w.value FROM unnest($1::text[]) AS w(value)");
  EXPECT_EQ(rewritten("SELECT 1 FROM GANTRY_ARRAY ( $2 ) w JOIN p ON p.id = $1"),
            "SELECT 1 FROM unnest($2::bigint[]) AS w(value) JOIN p ON p.id = $1");
  EXPECT_EQ(rewritten("SELECT (SELECT value FROM gantry_array($1) WHERE value > 1)"),
            "SELECT (SELECT value FROM unnest($1::bigint[]) AS gantry_array_1(value) WHERE value > 1)");
}

TEST(SqlTextTest, QuotesAndCommentsHideWhatIsInThem) {
  EXPECT_EQ(rewritten("SELECT '$5 ? gantry_array(' || \"a;b\" /* $7 /* ; */ ? */ -- $9\n FROM t"),
            "SELECT '$5 ? gantry_array(' || \"a;b\" /* $7 /* ; */ ? */ -- $9\n FROM t");
  EXPECT_EQ(rewritten("SELECT E'it\\'s $3', $tag$ ; $2 $tag$, 'x''y'"),
            "SELECT E'it\\'s $3', $tag$ ; $2 $tag$, 'x''y'");
  EXPECT_EQ(rewritten("SELECT a::bigint FROM t;"), "SELECT a::bigint FROM t");
  // A comment ends with either sign of a line's end, and a text goes on in the next line.
  EXPECT_EQ(rewritten("SELECT 1 -- $5\r FROM t"), "SELECT 1 -- $5\r FROM t");
  EXPECT_EQ(rewritten("SELECT E'a'\n'\\'$5', 'b'"), "SELECT E'a'\n'\\'$5', 'b'");
}

TEST(SqlTextTest, KnowsWhatMayChangeSomething) {
  EXPECT_FALSE(changes("select 1"));
  EXPECT_FALSE(changes("WITH x AS (SELECT 'update') SELECT * FROM x"));
  EXPECT_TRUE(changes("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x"));
  EXPECT_TRUE(changes("DELETE FROM t"));
  EXPECT_TRUE(changes("CREATE TABLE t (a bigint)"));
}

TEST(SqlTextTest, UnendedThingsAreTheServersToRefuse) {
  for (const char* sql :
       {"SELECT 'a", "SELECT \"a", "SELECT /* a", "SELECT $q$ a", "SELECT E'\\", "$", "$1", ":", "@"}) {
    sql_text out;
    failure_text failure;
    sql_text::parse(sql, out, failure);
    std::vector<std::string_view> steps;
    split_script(sql, steps, failure);
  }
}

}  // namespace
}  // namespace gantry::store::postgres
