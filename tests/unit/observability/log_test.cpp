#include "observability/log.hpp"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "observability/log_line.hpp"

namespace gantry::observability {
namespace {

class LogTest : public testing::Test {
 protected:
  void open(level threshold = level::info, std::size_t queue = 100) {
    open_log({.threshold = threshold,
              .format = log_format::json,
              .queue_lines = queue,
              .sink = [this](std::string_view line) { write(line); },
              .wall_us = [] { return std::int64_t{1'700'000'000'123'456}; }});
  }
  ~LogTest() override {
    close_log();
    set_threshold(level::info);
  }

  virtual void write(std::string_view line) { lines.emplace_back(line); }

  std::vector<std::string> lines;
};

TEST_F(LogTest, WritesASentenceAndItsFieldsAsJson) {
  open();
  log_info("relay caught up", {{"topic", "order-events"}, {"lag", "0"}});
  flush_log();
  EXPECT_EQ(lines, (std::vector<std::string>{R"({"time":"2023-11-14T22:13:20.123456Z","level":"info",)"
                                             R"("text":"relay caught up","fields":{"topic":"order-events","lag":"0"}})"
                                             "\n"}));
}

TEST_F(LogTest, AddsTheWorkInProgress) {
  open();
  {
    const work_scope outer({"order", 2, "c-1", "order/order-events/0"});
    {
      const work_scope inner({"stock", 1, "c-2", {}});
      log_warn("slow");
    }
    log_warn("slow");
  }
  log_warn("slow");
  flush_log();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_NE(lines[0].find(R"("plugin":"stock","generation":1,"correlation_id":"c-2"})"), std::string::npos);
  EXPECT_NE(lines[1].find(R"("plugin":"order","generation":2,"correlation_id":"c-1","lane":"order/order-events/0")"),
            std::string::npos);
  EXPECT_EQ(lines[2].find("plugin"), std::string::npos);
}

TEST_F(LogTest, WritesWhatIsEnabled) {
  open(level::warn);
  EXPECT_FALSE(enabled(level::info));
  log_info("no");
  log_error("yes");
  set_threshold(level::debug);
  log_debug("also");
  flush_log();
  EXPECT_EQ(lines.size(), 2U);
}

TEST_F(LogTest, EscapesWhatCouldForgeALine) {
  open();
  log_info("a\nb\"\\\x1b[31m\xff", {{"k\r", std::string_view("\0", 1)}});
  flush_log();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("a\\nb\\\"\\\\\\u001b[31m\xEF\xBF\xBD"), std::string::npos);
  EXPECT_NE(lines[0].find(R"("k\r":"\u0000")"), std::string::npos);
  EXPECT_EQ(lines[0].find('\n'), lines[0].size() - 1);
}

TEST_F(LogTest, KnowsItsLevelsByName) {
  EXPECT_EQ(parse_level("warn").value(), level::warn);
  EXPECT_EQ(parse_level("loud").failure().code, errc::invalid);
}

// A sink that stops at its first line until it is let go.
class FullQueueTest : public LogTest {
 protected:
  void write(std::string_view line) override {
    LogTest::write(line);
    if (lines.size() == 1) {
      entered.set_value();
      released.get_future().wait();
    }
  }
  std::promise<void> entered;
  std::promise<void> released;
};

TEST_F(FullQueueTest, DropsTheOldestAndSaysSo) {
  open(level::info, 2);
  log_info("held");
  entered.get_future().wait();
  for (const auto* text : {"one", "two", "three", "four"}) log_info(text);
  EXPECT_EQ(dropped_lines(), 2U);
  released.set_value();
  flush_log();
  close_log();
  ASSERT_EQ(lines.size(), 4U);
  // The first line's batch ends with the note: two lines had been lost by then.
  EXPECT_NE(lines[1].find(R"("fields":{"lines":"2"})"), std::string::npos);
  EXPECT_NE(lines[2].find("three"), std::string::npos);
  EXPECT_NE(lines[3].find("four"), std::string::npos);
}

TEST_F(LogTest, TakesLinesFromManyThreads) {
  open(level::info, 10'000);
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([] {
      const work_scope scope({"order", 1, "c", {}});
      for (int i = 0; i < 500; ++i) log_info("line", {{"i", "x"}});
    });
  }
  for (auto& w : writers) w.join();
  close_log();
  EXPECT_EQ(lines.size(), 2000U);
}

TEST(LogTextTest, IsReadableInATerminal) {
  log_line line;
  line.wall_us = 1'700'000'000'123'456;
  line.severity = level::error;
  line.text = "store is full";
  line.plugin = "order";
  line.generation = 3;
  line.correlation_id = "c-9";
  line.fields = {{"path", "a b"}, {"free", "0"}};
  std::string out;
  append_text(out, line, false);
  EXPECT_EQ(out, "22:13:20.123 ERROR order#3 store is full  path=\"a b\"  free=0 [c-9]\n");
  out.clear();
  append_text(out, line, true);
  EXPECT_NE(out.find("\x1b[31mERROR \x1b[0m"), std::string::npos);
}

}  // namespace
}  // namespace gantry::observability
