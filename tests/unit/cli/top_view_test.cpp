#include "cli/top_view.hpp"

#include <gtest/gtest.h>

namespace gantry::cli {
namespace {

host_sample at(double seconds, const std::string& exposition) {
  host_sample out;
  out.host = "main";
  out.address = "127.0.0.1:8080";
  out.answers = true;
  out.at_s = seconds;
  plugin_state order;
  order.id = "order";
  order.version = "1.0.0";
  order.state = "ready";
  order.generation = 2;
  out.plugins.push_back(order);
  read_exposition(exposition, out);
  return out;
}

constexpr const char* before = R"(# HELP gantry_requests_total Requests.
gantry_requests_total{plugin="order"} 100
gantry_events_handled_total{plugin="order"} 10
gantry_request_errors_total{plugin="order"} 0
gantry_request_seconds_bucket{method="GET",plugin="order",route="/orders/{id}",le="0.001"} 100
gantry_request_seconds_bucket{method="GET",plugin="order",route="/orders/{id}",le="0.01"} 100
gantry_request_seconds_bucket{method="GET",plugin="order",route="/orders/{id}",le="+Inf"} 100
process_cpu_seconds_total 10
process_resident_memory_bytes 52428800
)";
constexpr const char* after = R"(gantry_requests_total{plugin="order"} 300
gantry_events_handled_total{plugin="order"} 20
gantry_request_errors_total{plugin="order"} 4
gantry_request_seconds_bucket{method="GET",plugin="order",route="/orders/{id}",le="0.001"} 100
gantry_request_seconds_bucket{method="GET",plugin="order",route="/orders/{id}",le="0.01"} 300
gantry_request_seconds_bucket{method="GET",plugin="order",route="/orders/{id}",le="+Inf"} 300
gantry_consumer_lag{plugin="order"} 7
gantry_outbox_bytes{plugin="order"} 2048
process_cpu_seconds_total 11
process_resident_memory_bytes 52428800
)";

TEST(TopView, FiguresOfTwoMomentsAreRates) {
  const auto view = view_of({at(1, before)}, {at(3, after)});
  ASSERT_EQ(view.rows.size(), 1U);
  const auto& row = view.rows[0];
  EXPECT_DOUBLE_EQ(row.requests_s, 100);
  EXPECT_DOUBLE_EQ(row.events_s, 5);
  EXPECT_DOUBLE_EQ(row.errors_s, 2);
  EXPECT_DOUBLE_EQ(row.lag, 7);
  // All of those in between took between 1 and 10 ms.
  EXPECT_NEAR(row.p99_ms, 9.91, 0.01);
  EXPECT_DOUBLE_EQ(view.hosts[0].cpu_percent, 50);
}

TEST(TopView, AProcessThatBeganAnewCountsFromZero) {
  EXPECT_DOUBLE_EQ(view_of({at(1, after)}, {at(2, before)}).rows[0].requests_s, 100);
}

TEST(TopView, TheFirstLookHasNoRates) {
  const auto view = view_of({}, {at(1, after)});
  EXPECT_DOUBLE_EQ(view.rows[0].requests_s, 0);
  EXPECT_LT(view.rows[0].p99_ms, 0);
}

TEST(TopView, WhatAilsAPluginIsItsState) {
  auto sample = at(1, after);
  const auto state = [&] { return view_of({}, {sample}).rows[0].state; };
  sample.plugins[0].isolated = true;
  EXPECT_EQ(state(), "isolated");
  sample.plugins[0].blocked = "the outbox is full";
  EXPECT_EQ(state(), "blocked");
  sample.plugins[0].swapping = true;
  EXPECT_EQ(state(), "swapping");
  sample.plugins[0].quarantined = "it ended the process";
  EXPECT_EQ(state(), "quarantined");
  sample.plugins[0].error = "no file";
  EXPECT_EQ(state(), "failed");
}

TEST(TopView, EveryLineFitsTheTerminal) {
  const auto view = view_of({at(1, before)}, {at(3, after)});
  for (const std::size_t width : {200U, 80U, 40U, 20U, 5U}) {
    const auto text = to_text(view, width);
    for (std::size_t i = 0; i < text.size();) {
      const auto end = text.find('\n', i);
      EXPECT_LE(end - i, width) << text;
      i = end + 1;
    }
  }
  EXPECT_NE(to_text(view, 40).find("order"), std::string::npos);
  EXPECT_NE(to_text(view, 0).find("2KiB"), std::string::npos);
}

TEST(TopView, AHostThatIsAwayIsShown) {
  host_sample away;
  away.host = "side";
  away.address = "127.0.0.1:9";
  away.why = "no host answers";
  const auto view = view_of({}, {away});
  EXPECT_NE(to_text(view, 0).find("side  127.0.0.1:9  does not answer: no host answers"), std::string::npos);
  EXPECT_NE(to_json(view).find("\"answers\":false"), std::string::npos);
}

}  // namespace
}  // namespace gantry::cli
