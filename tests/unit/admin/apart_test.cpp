// What plugins in processes of their own add to the answers of their host.
#include "admin/apart.hpp"

#include <gtest/gtest.h>

#include <map>

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

class told final : public apart {
 public:
  std::vector<std::string> plugins() const override {
    std::vector<std::string> out;
    for (const auto& [plugin, reply] : replies) out.push_back(plugin);
    return out;
  }
  result<http::reply> ask(std::string_view plugin, std::string_view, std::string_view,
                          std::chrono::milliseconds) override {
    const auto& [status, body] = replies.at(std::string(plugin));
    if (status == 0) return error{errc::unavailable, body};
    return http::reply{status, {}, body};
  }
  std::map<std::string, std::pair<int, std::string>> replies;
};

TEST(ApartTest, AllRepliesOrTheReasonWhyOneIsMissing) {
  told all;
  all.replies = {{"mail", {200, "a"}}, {"payment", {200, "b"}}};
  const auto both = replies_of(all, "/admin/dlq");
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(*both, (std::vector<std::string>{"a", "b"}));
  all.replies["payment"] = {0, "Connection refused"};
  EXPECT_EQ(replies_of(all, "/admin/dlq").failure().text, "payment: Connection refused");
  all.replies["payment"] = {503, "busy"};
  EXPECT_EQ(replies_of(all, "/admin/dlq").failure().text, "payment: its process answered 503");
}

}  // namespace
}  // namespace gantry::admin
