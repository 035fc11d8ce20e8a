// What the command line makes of a host's answers.
#include "cli/answers.hpp"

#include <gtest/gtest.h>

#include "cli/table.hpp"

namespace gantry::cli {
namespace {

TEST(AnswersTest, AnEventIsReadWithItsMetadata) {
  const auto page = read_events(
      R"({"events":[{"topic":"order-events","partition":2,"offset":7,"key":"k","plugin":"order","headers":{"ce_id":"e","ce_type":"OrderCreated","ce_time":"t","correlation-id":"c"},"body":{}}],"cursor":"x:1","more":true})");
  ASSERT_TRUE(page);
  ASSERT_EQ(page->events.size(), 1U);
  const auto& e = page->events[0];
  EXPECT_EQ(e.topic, "order-events");
  EXPECT_EQ(e.partition, 2U);
  EXPECT_EQ(e.offset, 7U);
  EXPECT_EQ(e.type, "OrderCreated");
  EXPECT_EQ(e.correlation_id, "c");
  EXPECT_EQ(e.json.find('\n'), std::string::npos);
  EXPECT_EQ(page->cursor, "x:1");
  EXPECT_TRUE(page->more);
}

TEST(AnswersTest, AJobHasItsKindAsSubject) {
  const auto page = read_parked(
      R"({"items":[{"plugin":"p","id":"1","what":"event","topic":"t","type":"T","key":"k","error":"e","attempts":4,"parkedAt":"now"},{"plugin":"p","id":"u","what":"job","kind":"send","key":"","error":"e","attempts":20,"dueAt":"then"}],"truncated":false})");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->items[0].subject, "t T");
  EXPECT_EQ(page->items[1].subject, "send");
  EXPECT_EQ(page->items[1].attempts, 20U);
}

TEST(AnswersTest, AnAnswerOfAnotherKindIsAnError) {
  EXPECT_FALSE(read_events("<html>"));
  EXPECT_FALSE(read_events("[]"));
  EXPECT_FALSE(read_trace(R"({"items":[]})"));
}

TEST(AnswersTest, AProblemSpeaksByItsDetail) {
  EXPECT_EQ(problem_text(R"({"title":"Not Found","detail":"no such topic"})"), "no such topic");
  EXPECT_EQ(problem_text(R"({"title":"Not Found"})"), "Not Found");
  EXPECT_EQ(problem_text("plain"), "plain");
}

TEST(AnswersTest, JsonForPeopleIsIndented) {
  EXPECT_EQ(indented(R"({"a":[1,{}],"b":"x"})"), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"x\"\n}");
}

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCellAndNothingIsADash) {
  table out({"a", "b"});
  out.add({"\xC3\xA4\xC3\xB6\xC3\xBC", ""});
  EXPECT_EQ(out.text(), "a    b\n\xC3\xA4\xC3\xB6\xC3\xBC  -\n");
}

TEST(TableTest, NoControlCharacterReachesTheTerminal) {
  EXPECT_EQ(printable("a\x1B[2Jb").find('\x1B'), std::string::npos);
}

}  // namespace
}  // namespace gantry::cli
