#include "observability/metrics.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace gantry::observability {
namespace {

TEST(MetricsTest, ExposesFamiliesAndSeriesInOrder) {
  registry all;
  (*all.get_counter("requests_total", "Requests\nserved \\ all", {{"plugin", "b"}}))->add(3);
  (*all.get_counter("requests_total", "ignored", {{"plugin", "a\"\\\n"}}))->add(1);
  (*all.get_gauge("queue_depth", "Waiting"))->set(2.5);
  EXPECT_EQ(all.exposition(),
            "# HELP queue_depth Waiting\n"
            "# TYPE queue_depth gauge\n"
            "queue_depth 2.5\n"
            "# HELP requests_total Requests\\nserved \\\\ all\n"
            "# TYPE requests_total counter\n"
            "requests_total{plugin=\"a\\\"\\\\\\n\"} 1\n"
            "requests_total{plugin=\"b\"} 3\n");
}

TEST(MetricsTest, ExposesHistogramsAsCumulativeBuckets) {
  registry all;
  auto* const took = *all.get_histogram("took_seconds", "Time", {{"p", "x"}});
  took->observe_ns(100'000);         // on the bound: inside the first
  took->observe_ns(100'001);         // just beyond
  took->observe_ns(20'000'000'000);  // beyond all
  took->observe_seconds(0.03);
  const auto text = all.exposition();
  for (const auto* line :
       {"# TYPE took_seconds histogram\n", "took_seconds_bucket{p=\"x\",le=\"1e-04\"} 1\n",
        "took_seconds_bucket{p=\"x\",le=\"0.00025\"} 2\n", "took_seconds_bucket{p=\"x\",le=\"0.05\"} 3\n",
        "took_seconds_bucket{p=\"x\",le=\"10\"} 3\n", "took_seconds_bucket{p=\"x\",le=\"+Inf\"} 4\n",
        "took_seconds_sum{p=\"x\"} 20.030200001\n", "took_seconds_count{p=\"x\"} 4\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(MetricsTest, GivesTheSameSeriesForTheSameLabelsInAnyOrder) {
  registry all;
  EXPECT_EQ(*all.get_counter("c", "", {{"a", "1"}, {"b", "2"}}), *all.get_counter("c", "", {{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(*all.get_counter("c", "", {{"a", "1"}}), *all.get_counter("c", "", {{"a", "2"}}));
}

TEST(MetricsTest, RefusesBadNamesAndOtherTypes) {
  registry all;
  EXPECT_EQ(all.get_counter("1st", "").failure().code, errc::invalid);
  EXPECT_EQ(all.get_counter("a-b", "").failure().code, errc::invalid);
  EXPECT_EQ(all.get_counter("c", "", {{"a:b", "1"}}).failure().code, errc::invalid);
  EXPECT_EQ(all.get_counter("c", "", {{"__a", "1"}}).failure().code, errc::invalid);
  EXPECT_EQ(all.get_counter("c", "", {{"a", "1"}, {"a", "2"}}).failure().code, errc::invalid);
  EXPECT_EQ(all.get_histogram("h", "", {{"le", "1"}}).failure().code, errc::invalid);
  ASSERT_TRUE(all.get_counter("c", "").ok());
  EXPECT_EQ(all.get_gauge("c", "").failure().code, errc::conflict);
  EXPECT_EQ(all.watch(metric_type::counter, "c", "", {}, [] { return 1.0; }).failure().code, errc::conflict);
}

TEST(MetricsTest, AsksWatchedSeriesWhenScraped) {
  registry all;
  double lag = 7;
  ASSERT_TRUE(all.watch(metric_type::gauge, "lag", "Lag", {{"topic", "t"}}, [&] { return lag; }).ok());
  EXPECT_NE(all.exposition().find("lag{topic=\"t\"} 7\n"), std::string::npos);
  lag = std::numeric_limits<double>::infinity();
  EXPECT_NE(all.exposition().find("lag{topic=\"t\"} +Inf\n"), std::string::npos);
}

TEST(MetricsTest, ASeriesGoesWithItsLastOwner) {
  registry all;
  const auto old_generation = all.new_owner();
  const auto new_generation = all.new_owner();
  auto* const events = *all.get_counter("events_total", "", {}, old_generation);
  events->add(5);
  EXPECT_EQ(*all.get_counter("events_total", "", {}, new_generation), events);
  ASSERT_TRUE(all.watch(
                     metric_type::gauge, "lag", "", {}, [] { return 1.0; }, old_generation)
                  .ok());
  ASSERT_TRUE(all.watch(
                     metric_type::gauge, "lag", "", {}, [] { return 2.0; }, new_generation)
                  .ok());
  all.remove_owner(old_generation);
  EXPECT_NE(all.exposition().find("events_total 5\n"), std::string::npos);
  EXPECT_NE(all.exposition().find("lag 2\n"), std::string::npos);
  all.remove_owner(new_generation);
  EXPECT_EQ(all.exposition(), "");
}

TEST(MetricsTest, CountsFromManyThreadsWhileScraped) {
  registry all;
  auto* const plain = *all.get_counter("plain_total", "");
  auto* const sharded = *all.get_sharded_counter("sharded_total", "");
  auto* const took = *all.get_histogram("took_seconds", "");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10'000; ++i) {
        plain->add();
        sharded->add(2);
        took->observe_ns(i * 1000);
      }
      EXPECT_TRUE(all.get_counter("late_total", "", {{"t", std::to_string(t)}}).ok());
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(all.exposition().empty());
  for (auto& t : threads) t.join();
  EXPECT_EQ(plain->value(), 40'000U);
  EXPECT_EQ(sharded->value(), 80'000U);
  EXPECT_EQ(took->counts().count, 40'000U);
  EXPECT_EQ(all.snapshot().size(), 7U);
}

TEST(HistogramTest, EstimatesQuantilesInsideTheirBucket) {
  histogram took;
  EXPECT_EQ(took.counts().quantile_ns(0.5), 0);
  for (int i = 0; i < 90; ++i) took.observe_ns(800'000);     // 500 us .. 1 ms
  for (int i = 0; i < 10; ++i) took.observe_ns(30'000'000);  // 25 .. 50 ms
  const auto counts = took.counts();
  EXPECT_EQ(counts.quantile_ns(0.45), 750'000);
  EXPECT_EQ(counts.quantile_ns(0.95), 37'500'000);
  took.observe_ns(std::numeric_limits<std::int64_t>::max() / 4);
  EXPECT_EQ(took.counts().quantile_ns(1.0), 10'000'000'000);
}

TEST(HistogramTest, GivesTheCountsOfAWindow) {
  histogram took;
  took.observe_ns(1'000);
  const auto before = took.counts();
  took.observe_ns(2'000'000);
  const auto window = took.counts().minus(before);
  EXPECT_EQ(window.count, 1U);
  EXPECT_EQ(window.sum_ns, 2'000'000);
}

TEST(HistogramTest, TakesOddValues) {
  histogram took;
  took.observe_ns(-5);
  took.observe_seconds(std::numeric_limits<double>::quiet_NaN());
  took.observe_seconds(-1);
  EXPECT_EQ(took.counts().buckets[0], 3U);
  EXPECT_EQ(took.counts().sum_ns, 0);
}

}  // namespace
}  // namespace gantry::observability
