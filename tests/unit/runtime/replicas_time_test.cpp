// The time that hosts of one store keep to, whatever their machines' clocks say.
#include <cstdlib>

#include "gantry/abi/http.h"
#include "runtime/values.hpp"
#include "shared_store.hpp"

namespace gantry::testing {
namespace {

constexpr std::int64_t hour = 3'600'000'000;

class replicas_time_test : public shared_store {
 protected:
  script projection() {
    script s;
    s.event = [](const gantry_event& e, gantry_tx* tx) -> gantry_status {
      return text(e.data) == "\"bad\"" ? gantry_status{GANTRY_REJECT} : insert(tx, text(e.key), text(e.data));
    };
    s.timer = [](std::string, gantry_tx*) -> gantry_status { return GANTRY_OK; };
    s.job = [](const gantry_job&, gantry_context*) -> gantry_status { return GANTRY_OK; };
    return s;
  }
  // Inserts what is posted, and answers with it.
  static void make_posting(script& s) {
    s.post = [&s](const gantry_request& q, gantry_tx* tx) -> gantry_status {
      if (const auto status = insert(tx, "posted", text(q.body)); status != GANTRY_OK) return status;
      return static_cast<const gantry_http_1*>(s.host->capability(s.host, GANTRY_HTTP_1))
          ->respond_in(tx, 201, nullptr, 0, q.body);
    };
  }
  // The test's server runs on this machine: by how much a time is ahead of its clock, in half hours.
  static std::int64_t half_hours_ahead(std::int64_t us) { return (us - system_clock().wall_us()) / (hour / 2); }
  static std::int64_t now_of(replica& host) {
    std::int64_t out = 0;
    EXPECT_EQ(host.write([&](gantry_tx& tx) {
      out = tx.now_us;
      return gantry_status{GANTRY_OK};
    }),
              GANTRY_OK);
    return out;
  }

  crooked_clock time_;
};

// The store has stood for days with one host that had nothing to keep. Another one starts.
TEST_F(replicas_time_test, a_reply_is_stamped_by_the_clock_of_all_hosts) {
  auto first = projection();
  auto second = projection();
  make_posting(first);
  make_posting(second);
  auto a = start("a", first);
  EXPECT_EQ(a->ask("1", "x").get().status, 201);
  ASSERT_EQ(a->write([](gantry_tx& tx) {
    return tx.db.session->exec("UPDATE gantry_idempotency_key SET hour = hour - 72", {}, nullptr);
  }),
            GANTRY_OK);
  auto b = start("b", second);
  EXPECT_EQ(b->ask("2", "y").get().status, 201);
  // As the host that has run on tidies up.
  ASSERT_EQ(
      a->write([&](gantry_tx& tx) { return a->lane().replies().expire(*tx.db.session, system_clock().wall_us()); }),
      GANTRY_OK);
  EXPECT_EQ(b->ask("2", "y").get().status, 201);
  EXPECT_EQ(rows("SELECT body FROM log WHERE key = 'posted' ORDER BY n"), "x;y");
}

TEST_F(replicas_time_test, setting_the_machines_clock_changes_no_time) {
  place_.time = &time_;
  auto plays = projection();
  auto a = start("a", plays);
  for (const auto ahead : {hour, -hour, 48 * hour, std::int64_t{0}}) {
    time_.set_ahead(ahead);
    EXPECT_EQ(half_hours_ahead(a->plugin->now_us()), 0) << ahead;
    EXPECT_EQ(half_hours_ahead(now_of(*a)), 0) << ahead;
  }
}

TEST_F(replicas_time_test, a_generation_has_the_time_of_all_hosts_from_its_start) {
  place_.time = &time_;
  time_.set_ahead(hour);
  auto plays = projection();
  auto next_plays = projection();
  auto a = start("a", plays);
  ASSERT_EQ(half_hours_ahead(a->plugin->now_us()), 0);
  auto next = next_generation(*a->plugin, next_plays, a->events);
  EXPECT_NE(half_hours_ahead(next->now_us()), 0) << "it has not started";
  ASSERT_TRUE(next->start());
  EXPECT_EQ(half_hours_ahead(next->now_us()), 0);
  next->state(runtime::phase::running);
  std::int64_t paused_us = 0;
  ASSERT_TRUE(a->lane().hand_over(
      *next, "testers", [] { return result<void>(); }, paused_us));
  EXPECT_EQ(half_hours_ahead(next->now_us()), 0);
  EXPECT_EQ(half_hours_ahead(now_of(*a)), 0);
  ASSERT_TRUE(a->lane().hand_over(
      *a->plugin, "testers", [] { return result<void>(); }, paused_us));
  end_plugin(next);
}

TEST_F(replicas_time_test, an_event_is_parked_with_the_time_of_all_hosts) {
  place_.time = &time_;
  time_.set_ahead(hour);
  auto plays = projection();
  auto a = start("a", plays);
  a->give(0);
  publish(key_in(0), "\"bad\"");
  until([&] { return a->lane().count().parked == 1; }, "it is parked");
  EXPECT_EQ(half_hours_ahead(std::atoll(rows("SELECT parked_at FROM gantry_parked").c_str())), 0);
}

}  // namespace
}  // namespace gantry::testing
