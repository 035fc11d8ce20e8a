// What a lane promises when all goes well, and over crashes and redelivery.
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <span>
#include <thread>

#include "bench.hpp"
#include "gantry/abi/http.h"
#include "gantry/abi/store.h"
#include "observability/log.hpp"
#include "runtime/context.hpp"
#include "runtime/text.hpp"

namespace gantry::testing {
namespace {

// Writes each event down and passes it on.
script projection() {
  script s;
  s.event = [](const gantry_event& e, gantry_tx* tx) -> gantry_status {
    if (const auto status = insert(tx, text(e.key), text(e.data)); status != GANTRY_OK) return status;
    return emit(tx, text(e.key), text(e.data));
  };
  return s;
}

std::vector<row> sorted(std::vector<row> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

TEST(lane, handles_events_in_the_order_of_their_key_and_emits_with_the_commit) {
  auto plays = projection();
  bench b(plays);
  for (int i = 0; i < 50; ++i) b.publish(i % 2 == 0 ? "even" : "odd", std::to_string(i / 2));
  b.settle();
  std::string expected;
  for (int i = 0; i < 25; ++i) expected += (i == 0 ? "" : " ") + std::to_string(i);
  EXPECT_EQ(b.of_key("even"), expected);
  EXPECT_EQ(b.of_key("odd"), expected);
  EXPECT_EQ(sorted(b.emitted()), sorted(b.rows()));
  EXPECT_TRUE(b.lane().caught_up());
}

TEST(lane, a_crash_loses_nothing_and_repeats_nothing) {
  auto plays = projection();
  bench b(plays);
  for (int i = 0; i < 10; ++i) b.publish("k" + std::to_string(i % 3), std::to_string(i));
  b.settle();
  b.crash();
  for (int i = 10; i < 20; ++i) b.publish("k" + std::to_string(i % 3), std::to_string(i));
  b.until([&] { return b.rows().size() > 12; });
  b.crash();
  b.settle();
  EXPECT_EQ(b.rows().size(), 20U);
  EXPECT_EQ(b.of_key("k0"), "0 3 6 9 12 15 18");
  EXPECT_EQ(sorted(b.emitted()), sorted(b.rows()));
}

TEST(lane, a_crash_before_the_acknowledgement_sends_the_outbox_again_and_consumers_drop_it) {
  auto plays = projection();
  bench b(plays);
  b.events->lose_acknowledgements();
  b.publish({{"a", "1"}, {"a", "2"}, {"b", "3"}});
  b.until([&] { return b.appended("out") == 3; });
  b.crash();
  b.events->heal();
  b.settle();
  EXPECT_GE(b.appended("out"), 6U);
  EXPECT_EQ(b.emitted().size(), 3U);
  EXPECT_EQ(sorted(b.emitted()), sorted(b.rows()));
}

TEST(lane, lost_acknowledgements_are_sent_again_in_order) {
  auto plays = projection();
  bench b(plays);
  b.publish("a", "0");
  b.settle();
  b.events->lose_acknowledgements();
  for (int i = 1; i < 6; ++i) b.publish("a", std::to_string(i));
  b.until([&] { return b.rows().size() == 6; });
  EXPECT_FALSE(b.lane().idle());
  b.events->heal();
  b.publish("a", "6");
  b.settle();
  EXPECT_GT(b.appended("out"), 7U);
  EXPECT_EQ(b.emitted(), b.rows());
}

TEST(lane, what_the_bus_takes_and_then_refuses_is_tried_ever_less_often_and_told_of) {
  auto plays = projection();
  bench b(plays);
  b.publish("a", "0");
  b.settle();
  b.events->refuse_later();
  EXPECT_EQ(b.write([](gantry_tx& tx) { return emit(&tx, "a", "1"); }), GANTRY_OK);
  const auto from = b.time.steady_us();
  b.passing_until([&] { return b.time.steady_us() - from > 12'000'000; });
  EXPECT_GE(b.events->refused(), 5U);
  EXPECT_LE(b.events->refused(), 10U);
  EXPECT_NE(b.lane().count().blocked.find("not allowed to write"), std::string::npos) << b.lane().count().blocked;
  b.events->heal();
  b.settle();
  EXPECT_EQ(b.emitted().size(), 2U);
  b.pass(2'000'000);
  b.passing_until([&] { return b.lane().count().blocked.empty(); });
}

TEST(lane, an_outage_of_the_bus_keeps_order_and_loses_nothing) {
  auto plays = projection();
  bench b(plays);
  b.publish("a", "0");
  b.settle();
  b.events->cut();
  for (int i = 1; i < 5; ++i)
    EXPECT_EQ(b.write([i](gantry_tx& tx) { return emit(&tx, "a", std::to_string(i)); }), GANTRY_OK);
  EXPECT_FALSE(b.lane().idle());
  b.publish("a", "5");
  b.time.pass(3'000'000);
  b.lane().tick();
  EXPECT_EQ(b.emitted().size(), 1U);
  b.events->heal();
  b.settle();
  std::string all;
  for (const auto& r : b.emitted()) all += r.body;
  EXPECT_EQ(all, "012345");
}

TEST(lane, more_rows_than_one_reading_are_caught_up_in_order) {
  auto plays = projection();
  bench b(plays);
  b.events->cut();
  for (int i = 0; i < 200; ++i)
    ASSERT_EQ(b.write([i](gantry_tx& tx) { return emit(&tx, "a", std::to_string(i)); }), GANTRY_OK);
  b.events->heal();
  b.settle();
  const auto out = b.emitted();
  ASSERT_EQ(out.size(), 200U);
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i].body, std::to_string(i));
}

TEST(lane, a_full_outbox_refuses_writes_until_the_bus_is_back) {
  auto plays = projection();
  runtime::lane_options options;
  options.outbox_max_bytes = 200;
  bench b(plays, options);
  b.events->cut();
  ASSERT_EQ(b.write([](gantry_tx& tx) { return emit(&tx, "a", "\"" + std::string(300, 'x') + "\""); }), GANTRY_OK);
  struct never final : runtime::write {
    gantry_status run(gantry_tx&) override { return GANTRY_OK; }
    void finished(bool, gantry_status, std::string_view) override {}
  };
  std::unique_ptr<runtime::write> w = std::make_unique<never>();
  std::string why;
  EXPECT_FALSE(b.lane().enqueue(w, why));
  EXPECT_NE(why.find("outbox.max_bytes"), std::string::npos);
  b.events->heal();
  b.settle();
  EXPECT_TRUE(b.lane().enqueue(w, why));
}

TEST(lane, a_replay_gives_the_rows_of_the_first_pass_and_emits_nothing) {
  auto plays = projection();
  bench b(plays);
  for (int i = 0; i < 30; ++i) b.publish("k" + std::to_string(i % 4), std::to_string(i));
  b.settle();
  const auto first = sorted(b.rows());
  const auto sent = b.appended("out");
  b.replay();
  b.settle();
  EXPECT_EQ(sorted(b.rows()), first);
  EXPECT_EQ(b.appended("out"), sent);
  b.publish("k0", "30");
  b.settle();
  EXPECT_EQ(b.appended("out"), sent + 1);
}

TEST(lane, a_set_of_events_does_not_straddle_the_end_of_a_replay) {
  script plays;
  plays.batches = true;
  plays.batch = [](const gantry_event* e, std::size_t n, gantry_tx* tx, std::size_t*) -> gantry_status {
    for (std::size_t i = 0; i < n; ++i) {
      if (const auto s = insert(tx, text(e[i].key), text(e[i].data)); s != GANTRY_OK) return s;
      if (const auto s = emit(tx, text(e[i].key), text(e[i].data)); s != GANTRY_OK) return s;
    }
    return GANTRY_OK;
  };
  bench b(plays);
  b.publish("a", "0");
  b.settle();
  b.lane().stop_events();
  b.publish("a", "1");
  b.replay();
  b.stop();
  b.start();
  b.settle();
  EXPECT_EQ(b.of_key("a"), "0 1");
  EXPECT_EQ(b.emitted(), b.rows());
}

// Foreign producers send again without saying so: the id tells, also after a crash and in a replay.
TEST(lane, a_foreign_event_is_handled_once_however_often_it_comes) {
  auto plays = projection();
  bench b(plays);
  b.publish_foreign("a", "0", "f-0");
  b.publish_foreign("a", "0", "f-0");
  b.publish_foreign("a", "1", "f-1");
  b.settle();
  EXPECT_EQ(b.of_key("a"), "0 1");
  b.crash();
  b.publish_foreign("a", "0", "f-0");
  b.publish_foreign("a", "2", "f-2");
  b.settle();
  EXPECT_EQ(b.of_key("a"), "0 1 2");
  b.replay();
  b.settle();
  EXPECT_EQ(b.of_key("a"), "0 1 2");
  EXPECT_EQ(b.emitted().size(), 3U);
  b.time.pass(8LL * 24 * 3'600'000'000);
  b.lane().tick();
  b.until([&] { return b.rows("SELECT topic, id FROM gantry_seen").empty(); });
}

// Over HTTP's way in: the reply of a request that was answered once.
TEST(lane, an_idempotent_request_has_one_effect_and_one_reply) {
  script plays = projection();
  plays.post = [&plays](const gantry_request& q, gantry_tx* tx) -> gantry_status {
    if (const auto s = insert(tx, "posted", text(q.body)); s != GANTRY_OK) return s;
    const auto& http = *static_cast<const gantry_http_1*>(plays.host->capability(plays.host, GANTRY_HTTP_1));
    return http.respond_in(tx, 201, nullptr, 0, q.body);
  };
  bench b(plays);
  const auto ask = [&](const std::string& key, const std::string& body) { return b.ask("POST", "/things", body, key); };
  EXPECT_EQ(ask("", "x").status, 400);
  EXPECT_EQ(ask("1", "x").status, 201);
  const auto again = ask("1", "x");
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, "x");
  EXPECT_EQ(ask("1", "y").status, 422);
  b.crash();
  EXPECT_EQ(ask("1", "x").status, 201);
  EXPECT_EQ(ask("2", "x").status, 201);
  EXPECT_EQ(b.of_key("posted"), "x x");
}

// Neither a clock that is set while the host runs, nor one that is wrong when it starts, erases what is kept for a day.
TEST(lane, keeps_replies_although_the_machines_clock_jumps) {
  script plays = projection();
  int handled = 0;
  plays.post = [&](const gantry_request& q, gantry_tx* tx) -> gantry_status {
    ++handled;
    const auto& http = *static_cast<const gantry_http_1*>(plays.host->capability(plays.host, GANTRY_HTTP_1));
    return http.respond_in(tx, 201, nullptr, 0, q.body);
  };
  bench b(plays);
  const auto ask = [&](const std::string& key) { return b.ask("POST", "/things", "x", key).status; };
  // A run of the lane tidies up at its end; the next one begins behind that.
  const auto tidy = [&] {
    b.pass(3'000'000);
    for (int i = 0; i < 2; ++i) b.write([](gantry_tx& tx) { return insert(&tx, "nothing", "1"); });
  };
  constexpr std::int64_t hour = 3'600'000'000LL;
  constexpr std::int64_t day = 24 * hour;
  EXPECT_EQ(ask("1"), 201);
  b.time.set_ahead(2 * day);
  tidy();
  EXPECT_EQ(ask("1"), 201);
  EXPECT_EQ(handled, 1);
  b.time.set_ahead(2 * day);
  b.crash();
  tidy();
  EXPECT_EQ(ask("1"), 201);
  EXPECT_EQ(handled, 1);
  b.time.set_ahead(-4 * day);
  EXPECT_EQ(ask("1"), 201);
  EXPECT_EQ(handled, 1);
  b.time.pass(26 * hour);
  tidy();
  EXPECT_EQ(ask("1"), 201);
  EXPECT_EQ(handled, 2);
}

// A plugin that answers each request by the number of those that it has handled.
struct counting : script {
  counting() : script(projection()) {
    post = [this](const gantry_request& q, gantry_tx* tx) -> gantry_status {
      ++handled;
      const auto& http = *static_cast<const gantry_http_1*>(host->capability(host, GANTRY_HTTP_1));
      return http.respond_in(tx, 201, nullptr, 0, q.body);
    };
  }
  int handled = 0;
};

constexpr std::int64_t an_hour = 3'600'000'000LL;

// A run of the lane tidies up at its end; the next one begins behind that.
void tidy_up(bench& b) {
  b.pass(3'000'000);
  for (int i = 0; i < 2; ++i) b.write([](gantry_tx& tx) { return insert(&tx, "nothing", "1"); });
}

TEST(lane, keeps_replies_however_often_it_starts_with_a_wrong_clock) {
  counting plays;
  bench b(plays);
  b.ask("POST", "/things", "x", "first");
  b.time.set_ahead(365 * 24 * an_hour);
  for (int i = 0; i < 30; ++i) {
    b.crash();
    b.ask("POST", "/things", "x", std::to_string(i));
  }
  tidy_up(b);
  EXPECT_EQ(b.ask("POST", "/things", "x", "first").status, 201);
  EXPECT_EQ(plays.handled, 31);
}

TEST(lane, the_age_of_replies_goes_on_however_often_it_starts) {
  counting plays;
  bench b(plays);
  b.ask("POST", "/things", "x", "first");
  for (int i = 0; i < 60; ++i) {
    b.time.pass(an_hour / 2);
    b.ask("POST", "/things", "x", std::to_string(i));
    b.crash();
  }
  tidy_up(b);
  EXPECT_EQ(b.ask("POST", "/things", "x", "first").status, 201);
  EXPECT_EQ(plays.handled, 62) << "30 hours have passed";
}

// Counts who asks it for what, and leaves the rest to the store behind.
class asked_store final : public store::store {
 public:
  explicit asked_store(std::shared_ptr<gantry::store::store> behind) : behind_(std::move(behind)) {}
  std::string_view driver() const override { return behind_->driver(); }
  gantry::store::durability promise() const override { return behind_->promise(); }
  std::string describe() const override { return behind_->describe(); }
  result<std::unique_ptr<gantry::store::session>> open_writer() override { return behind_->open_writer(); }
  result<std::unique_ptr<gantry::store::session>> acquire_reader() override {
    ++newest;
    return behind_->acquire_reader();
  }
  result<std::unique_ptr<gantry::store::session>> acquire_lagging_reader() override {
    ++lagging;
    return behind_->acquire_reader();
  }
  result<gantry::store::migration_report> migrate(std::span<const gantry::store::migration> steps,
                                                  const gantry::store::migration_rules& rules) override {
    return behind_->migrate(steps, rules);
  }
  std::uint64_t size_bytes() const override { return behind_->size_bytes(); }

  std::atomic<int> newest{0};
  std::atomic<int> lagging{0};

 private:
  const std::shared_ptr<gantry::store::store> behind_;
};

TEST(lane, a_request_reads_where_its_route_says) {
  script plays = projection();
  plays.read = [&plays](gantry_context* context) {
    const auto& store = *static_cast<const gantry_store_1*>(plays.host->capability(plays.host, GANTRY_STORE_1));
    gantry_db* snapshot = nullptr;
    return store.snapshot(context, &snapshot);
  };
  bench b(plays);
  const auto asked = std::make_shared<asked_store>(b.plugin->database);
  b.plugin->database = asked;
  EXPECT_EQ(b.ask("GET", "/list").status, 200);
  EXPECT_EQ(asked->lagging, 1);
  EXPECT_EQ(asked->newest, 0);
  EXPECT_EQ(b.ask("GET", "/newest").status, 200);
  EXPECT_EQ(asked->lagging, 1);
  EXPECT_EQ(asked->newest, 1);
}

// What ails the store is said once, and the lane goes on.
TEST(lane, what_can_not_be_tidied_up_is_said_once) {
  std::mutex mutex;
  std::vector<std::string> lines;
  observability::log_options options;
  options.format = observability::log_format::json;
  options.sink = [&](std::string_view line) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(line);
  };
  observability::open_log(options);
  script plays = projection();
  bench b(plays);
  b.publish_foreign("a", "1", "f-1");
  b.settle();
  ASSERT_EQ(b.write([](gantry_tx& tx) { return tx.db.session->script("DROP TABLE gantry_seen"); }), GANTRY_OK);
  b.time.pass(2 * an_hour);
  for (int i = 0; i < 3; ++i) tidy_up(b);
  observability::close_log();
  const auto told = std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find("could not be tidied up") != std::string::npos && line.find("gantry_seen") != std::string::npos;
  });
  EXPECT_EQ(told, 1);
  EXPECT_EQ(b.of_key("a"), "1");
}

// The lane of a callee is busy for longer than its caller has: the caller goes on at its deadline, and the write is taken back.
TEST(lane, a_call_ends_at_its_deadline_and_its_write_is_never_begun) {
  script plays = projection();
  plays.post = [&](const gantry_request& q, gantry_tx* tx) -> gantry_status { return insert(tx, "posted", text(q.body)); };
  bench b(plays);
  b.plugin->declared.calls.push_back(b.plugin->id());
  std::promise<void> entered;
  std::promise<void> go_on;
  b.post(
      [&](gantry_tx& tx) {
        entered.set_value();
        go_on.get_future().wait();
        return insert(&tx, "busy", "1");
      },
      [](bool, gantry_status) {});
  entered.get_future().wait();
  std::thread clock_hand([&] {
    while (b.lane().count().queue == 0) std::this_thread::yield();
    b.time.pass(2'000);
  });
  runtime::instance& self = *b.plugin;
  gantry_context context(self);
  context.deadline_us = b.time.steady_us() + 1'000'000;
  gantry_call request{};
  request.struct_size = sizeof request;
  request.plugin = runtime::str(self.id());
  request.method = runtime::str("POST");
  request.target = runtime::str("/things");
  request.body = runtime::str("late");
  const gantry_field key = {runtime::str("idempotency-key"), runtime::str("late")};
  request.headers = &key;
  request.header_count = 1;
  request.timeout_us = 1'000;
  gantry_call_reply answer{};
  answer.struct_size = sizeof answer;
  EXPECT_EQ(b.router->call(context, request, answer), GANTRY_TIMEOUT);
  clock_hand.join();
  go_on.set_value();
  b.settle();
  EXPECT_EQ(b.of_key("busy"), "1");
  EXPECT_EQ(b.of_key("posted"), "");
}

}  // namespace
}  // namespace gantry::testing
