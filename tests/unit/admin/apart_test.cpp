// What plugins in processes of their own add to the answers of their host.
#include "admin/apart.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "admin/dead_letters.hpp"
#include "admin/sagas.hpp"

#include "observability/log.hpp"

namespace gantry::admin {
namespace {

constexpr const char* own =
    "# HELP gantry_requests_total Requests.\n# TYPE gantry_requests_total counter\n"
    "gantry_requests_total{plugin=\"order\"} 7\n"
    "# HELP gantry_tls_handshakes_total Handshakes.\n# TYPE gantry_tls_handshakes_total counter\n"
    "gantry_tls_handshakes_total 3\n";

TEST(ApartTest, SeriesOfAPluginGoIntoTheirFamilies) {
  const auto merged = merged_exposition(own, "payment",
                                        "# HELP gantry_requests_total Requests.\n# TYPE gantry_requests_total counter\n"
                                        "gantry_requests_total{plugin=\"payment\"} 5\n");
  EXPECT_EQ(merged,
            "# HELP gantry_requests_total Requests.\n# TYPE gantry_requests_total counter\n"
            "gantry_requests_total{plugin=\"order\"} 7\n"
            "gantry_requests_total{plugin=\"payment\"} 5\n"
            "# HELP gantry_tls_handshakes_total Handshakes.\n# TYPE gantry_tls_handshakes_total counter\n"
            "gantry_tls_handshakes_total 3\n");
}

TEST(ApartTest, FamiliesThatTheHostLacksComeBehindAndKeepTheirHeads) {
  const auto merged =
      merged_exposition(own, "payment",
                        "# HELP shop_payments_seconds Payments.\n# TYPE shop_payments_seconds histogram\n"
                        "shop_payments_seconds_bucket{kind=\"card\",plugin=\"payment\",le=\"+Inf\"} 2\n"
                        "shop_payments_seconds_count{kind=\"card\",plugin=\"payment\"} 2\n");
  EXPECT_TRUE(merged.starts_with(own));
  EXPECT_TRUE(
      merged.ends_with("# HELP shop_payments_seconds Payments.\n# TYPE shop_payments_seconds histogram\n"
                       "shop_payments_seconds_bucket{kind=\"card\",plugin=\"payment\",le=\"+Inf\"} 2\n"
                       "shop_payments_seconds_count{kind=\"card\",plugin=\"payment\"} 2\n"));
}

TEST(ApartTest, WhatIsTheProcesssOwnIsLeftOut) {
  EXPECT_EQ(
      merged_exposition(
          own, "payment",
          "# HELP gantry_tls_handshakes_total Handshakes.\n# TYPE gantry_tls_handshakes_total counter\n"
          "gantry_tls_handshakes_total 0\n"
          "# HELP other Other.\n# TYPE other gauge\nother{of_plugin=\"payment\"} 1\nother{plugin=\"paymen\"} 1\n"),
      own);
}

TEST(ApartTest, AnEmptyAnswerAddsNothing) { EXPECT_EQ(merged_exposition(own, "payment", ""), own); }

// Answers as it was told; a plugin that is named in `after` once that one has been asked.
class told final : public apart {
 public:
  std::vector<std::string> plugins() const override {
    std::vector<std::string> out;
    for (const auto& [plugin, reply] : replies) out.push_back(plugin);
    return out;
  }
  result<http::reply> ask(std::string_view plugin, std::string_view, std::string_view, std::chrono::milliseconds,
                          std::string_view) override {
    std::unique_lock lock(mutex_);
    asked_.emplace(plugin);
    asked_one_.notify_all();
    if (const auto waits = after.find(std::string(plugin)); waits != after.end())
      asked_one_.wait(lock, [&] { return asked_.contains(waits->second); });
    const auto& [status, body] = replies.at(std::string(plugin));
    if (status == 0) return error{errc::unavailable, body};
    return http::reply{status, {}, body};
  }
  std::map<std::string, std::pair<int, std::string>> replies;
  std::map<std::string, std::string> after;

 private:
  std::mutex mutex_;
  std::condition_variable asked_one_;
  std::set<std::string> asked_;
};

// A host that has no plugin in its own process.
class HostOfProcessesTest : public ::testing::Test {
 protected:
  HostOfProcessesTest() {
    parts_.router = &router_;
    parts_.checks = &checks_;
    parts_.metrics = &metrics_;
    own_ = std::make_unique<lifecycle::plugin_set>(parts_);
  }
  ~HostOfProcessesTest() override {
    own_.reset();
    workers_.stop();
  }

  told all;
  observability::registry metrics_;
  observability::health checks_;
  runtime::request_pool workers_{1, 4, "work"};
  runtime::dispatcher router_{workers_, workers_, system_clock()};
  lifecycle::host_parts parts_;
  std::unique_ptr<lifecycle::plugin_set> own_;
};

TEST(ApartTest, AllAreAskedSideBySide) {
  told all;
  all.replies = {{"mail", {200, "a"}}, {"order", {0, "Connection refused"}}, {"payment", {503, "busy"}}};
  all.after = {{"mail", "payment"}};  // one after the other, this would wait for ever
  const auto answers = ask_all(all, "/admin/dlq", std::chrono::seconds(1));
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_TRUE(answers[0].good());
  EXPECT_EQ(answers[0].reply->body, "a");
  EXPECT_EQ(answers[1].why(), "its process does not answer: Connection refused");
  EXPECT_EQ(answers[2].why(), "its process answers 503");
}

TEST_F(HostOfProcessesTest, DeadLettersOfOneThatIsAwayAreNamedAsMissing) {
  all.replies = {{"mail", {200, R"({"items":[],"truncated":false})"}},
                 {"order", {200, R"({"items":[{"plugin":"order","id":"1"}],"truncated":true})"}},
                 {"payment", {0, "Connection refused"}}};
  const auto reply = dead_letters(*own_, {}, &all);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"items":[{"plugin":"order","id":"1"}],"truncated":true,"unanswered":[{"plugin":"payment",)"
                        R"("why":"its process does not answer: Connection refused"}]})");
}

TEST_F(HostOfProcessesTest, DeadLettersThatAreNoListAreMissingToo) {
  all.replies = {
      {"order", {200, "something else"}},
      {"payment", {200, R"({"items":[],"truncated":false,"unanswered":[{"plugin":"payment","why":"full"}]})"}}};
  EXPECT_EQ(
      dead_letters(*own_, {}, &all).body,
      R"({"items":[],"truncated":false,"unanswered":[{"plugin":"order","why":"its process answers what is no list"},)"
      R"({"plugin":"payment","why":"its process can't read its store"}]})");
}

TEST_F(HostOfProcessesTest, WhenAllAnswerNothingIsMissing) {
  all.replies = {{"order", {200, R"({"items":[{"id":"1"}],"truncated":false})"}},
                 {"payment", {200, R"({"items":[{"id":"2"}],"truncated":false})"}}};
  EXPECT_EQ(dead_letters(*own_, {}, &all).body, R"({"items":[{"id":"1"},{"id":"2"}],"truncated":false})");
}

TEST_F(HostOfProcessesTest, ASagaIsFoundWhoeverIsAway) {
  question what;
  what.names = {"order-1"};
  all.replies = {{"mail", {0, "Connection refused"}}, {"order", {200, R"({"state":"paid"})"}}};
  EXPECT_EQ(saga(*own_, what, &all).body, R"({"state":"paid"})");
  all.replies["order"] = {404, "none"};
  const auto reply = saga(*own_, what, &all);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            R"({"unanswered":[{"plugin":"mail","why":"its process does not answer: Connection refused"}]})");
  all.replies["mail"] = {404, "none"};
  EXPECT_EQ(saga(*own_, what, &all).status, 404);
}

TEST(ApartTest, AScrapeSaysWhoseSeriesAreMissing) {
  std::vector<std::string> lines;
  observability::log_options log;
  log.sink = [&](std::string_view line) { lines.emplace_back(line); };
  observability::open_log(log);
  told all;
  all.replies = {{"mail", {0, "it is late"}},
                 {"payment",
                  {200,
                   "# HELP gantry_requests_total Requests.\n# TYPE gantry_requests_total counter\n"
                   "gantry_requests_total{plugin=\"payment\"} 5\n"}}};
  apart_series series(all);
  for (int scrape = 0; scrape < 2; ++scrape) {
    std::string text = own;
    series.complete(text, std::chrono::seconds(1));
    EXPECT_NE(text.find("gantry_requests_total{plugin=\"payment\"} 5\n"), std::string::npos) << text;
    EXPECT_TRUE(
        text.ends_with("gantry_scrape_incomplete{plugin=\"mail\"} 1\n"
                       "gantry_scrape_incomplete{plugin=\"payment\"} 0\n"))
        << text;
  }
  observability::close_log();
  ASSERT_EQ(lines.size(), 1U) << "once";
  EXPECT_NE(lines[0].find("it is late"), std::string::npos);
}

}  // namespace
}  // namespace gantry::admin
