// Handlers and writes that fail, and what that must not do to others.
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <set>

#include "bench.hpp"
#include "bus/record.hpp"
#include "runtime/text.hpp"
#include "runtime/values.hpp"

namespace gantry::testing {
namespace {

using runtime::value;

std::string parked_rows(bench& b) {
  std::string out;
  for (const auto& r : b.rows("SELECT key, CAST(record AS TEXT) FROM gantry_parked ORDER BY id")) {
    std::string_view bytes = r.body;
    out += r.key + "=" + std::string(bus::decode(bytes).value().data) + " ";
  }
  return out;
}

// Fails for events whose data is in `bad`.
struct picky : script {
  picky() {
    event = [this](const gantry_event& e, gantry_tx* tx) -> gantry_status {
      const auto data = text(e.data);
      {
        const std::lock_guard lock(mutex);
        ++tries[data];
        if (bad.contains(data)) return runtime::fail(bad[data], "can't stand " + data);
      }
      if (const auto s = insert(tx, text(e.key), data); s != GANTRY_OK) return s;
      return emit(tx, text(e.key), data);
    };
  }
  void heal() {
    const std::lock_guard lock(mutex);
    bad.clear();
  }
  int tried(const std::string& data) {
    const std::lock_guard lock(mutex);
    return tries[data];
  }
  std::mutex mutex;
  std::map<std::string, gantry_status> bad;  // guarded by mutex
  std::map<std::string, int> tries;          // guarded by mutex
};

// Two keys of different partitions and one beside the first.
const std::vector<row> story = {{"a", "1"}, {"a", "2"}, {"b", "3"}, {"a", "4"}, {"c", "5"}, {"b", "6"}};

TEST(lane_failure, an_event_that_recovers_is_handled_in_its_place) {
  picky plays;
  plays.bad["2"] = GANTRY_RETRY;
  bench b(plays);
  b.publish(story);
  b.passing_until([&] {
    const std::lock_guard lock(plays.mutex);
    return plays.tries["2"] >= 3;
  });
  EXPECT_EQ(b.of_key("a"), "1");
  EXPECT_EQ(b.of_key("b"), "3 6");
  plays.heal();
  b.settle();
  EXPECT_EQ(b.of_key("a"), "1 2 4");
  EXPECT_EQ(parked_rows(b), "");
  EXPECT_EQ(b.emitted().size(), 6U);
}

TEST(lane_failure, after_its_attempts_an_event_parks_with_those_of_its_key_and_others_pass) {
  picky plays;
  plays.bad["2"] = GANTRY_RETRY;
  bench b(plays);
  b.publish(story);
  b.settle();
  EXPECT_EQ(parked_rows(b), "a=2 a=4 ");
  EXPECT_EQ(b.of_key("a"), "1");
  EXPECT_EQ(b.of_key("b"), "3 6");
  EXPECT_EQ(b.of_key("c"), "5");
  EXPECT_EQ(b.emitted("in.dlq").size(), 2U);
  EXPECT_EQ(b.lane().count().parked, 2U);
  b.crash();
  b.publish("a", "7");
  b.settle();
  EXPECT_EQ(parked_rows(b), "a=2 a=4 a=7 ");
}

TEST(lane_failure, a_rejected_event_parks_without_further_attempts) {
  picky plays;
  plays.bad["1"] = GANTRY_REJECT;
  bench b(plays);
  b.publish("a", "1");
  b.settle();
  EXPECT_EQ(parked_rows(b), "a=1 ");
  EXPECT_EQ(plays.tried("1"), 1);
}

TEST(lane_failure, parked_events_are_replayed_in_order_and_once) {
  picky plays;
  plays.bad["2"] = GANTRY_REJECT;
  bench b(plays);
  b.publish(story);
  b.settle();
  plays.heal();
  const auto replay = [&](gantry_tx& tx) -> gantry_status {
    struct parked_row {
      std::int64_t id;
      std::string bytes;
    };
    std::vector<parked_row> all;
    store::cursor* at = nullptr;
    if (const auto s =
            tx.db.session->query("SELECT id, record FROM gantry_parked WHERE key = 'a' ORDER BY id", {}, &at);
        s != GANTRY_OK)
      return s;
    while (at->next() == GANTRY_OK) all.push_back({runtime::integer_at(*at, 0), std::string(runtime::text_at(*at, 1))});
    at->close();
    for (const auto& p : all) {
      std::string_view bytes = p.bytes;
      auto r = bus::decode(bytes);
      if (!r) return GANTRY_FAILED;
      if (const auto s = b.lane().handle(tx, *r, "in", 0, false); s != GANTRY_OK) return s;
      if (const auto s = b.lane().parked().remove(*tx.db.session, p.id, "in", "a"); s != GANTRY_OK) return s;
    }
    return GANTRY_OK;
  };
  // Taken back half way, it changes nothing.
  EXPECT_EQ(b.write([&](gantry_tx& tx) -> gantry_status {
    const auto s = replay(tx);
    return s == GANTRY_OK ? GANTRY_CONFLICT : s;
  }),
            GANTRY_CONFLICT);
  EXPECT_EQ(b.lane().count().parked, 2U);
  EXPECT_EQ(b.write(replay), GANTRY_OK);
  EXPECT_EQ(b.lane().count().parked, 0U);
  b.publish("a", "7");
  b.settle();
  EXPECT_EQ(b.of_key("a"), "1 2 4 7");
  EXPECT_EQ(b.emitted().size(), 7U);
}

TEST(lane_failure, skip_lets_the_key_pass_and_halt_stops_the_partition) {
  picky plays;
  plays.bad["2"] = GANTRY_REJECT;
  {
    runtime::lane_options options;
    options.poison = runtime::poison_policy::skip;
    bench b(plays, options);
    b.publish(story);
    b.settle();
    EXPECT_EQ(b.of_key("a"), "1 4");
    EXPECT_EQ(parked_rows(b), "a=2 ");
  }
  runtime::lane_options options;
  options.poison = runtime::poison_policy::halt;
  bench b(plays, options);
  b.publish(story);
  b.passing_until([&] { return !b.lane().count().blocked.empty(); });
  EXPECT_EQ(b.of_key("a"), "1");
  plays.heal();
  b.write([&](gantry_tx&) {
    b.lane().resume();
    return GANTRY_OK;
  });
  b.settle();
  EXPECT_EQ(b.of_key("a"), "1 2 4");
}

// Notes where each event was, as the black box does.
struct fatal : picky {
  fatal() {
    auto handle = event;
    event = [this, handle](const gantry_event& e, gantry_tx* tx) -> gantry_status {
      {
        const std::lock_guard lock(mutex);
        seen[text(e.data)] = {"tester", false, text(e.topic), e.partition, e.offset, 1, text(e.id), 3, true, "it died"};
      }
      return handle(e, tx);
    };
  }
  runtime::deadly_work where(const std::string& data) {
    const std::lock_guard lock(mutex);
    return seen.at(data);
  }
  std::map<std::string, runtime::deadly_work> seen;  // guarded by mutex
};

// What the process died of once the event was tried; the next one knows it.
void die_of(const std::string& data, fatal& plays, bench& b) {
  b.passing_until([&] { return plays.tried(data) >= 1; });
  b.deadly = {plays.where(data)};
  b.crash();
}

// An event that was not synced yet when its process died is published once more, at another offset.
TEST(lane_failure, an_event_that_the_process_died_of_is_known_wherever_it_stands) {
  fatal plays;
  plays.bad["2"] = GANTRY_RETRY;
  bench b(plays);
  b.publish(story);
  b.passing_until([&] { return plays.tried("2") >= 1; });
  auto known = plays.where("2");
  known.offset += 1'000;
  b.deadly = {known};
  b.crash();
  b.settle();
  EXPECT_EQ(parked_rows(b), "a=2 a=4 ");
}

TEST(lane_failure, an_event_that_the_process_died_of_too_often_parks_without_being_run) {
  for (const bool batches : {false, true}) {
    fatal plays;
    plays.batches = batches;
    plays.batch = [&](const gantry_event* e, std::size_t n, gantry_tx* tx, std::size_t* failed) -> gantry_status {
      for (*failed = 0; *failed < n; ++*failed)
        if (const auto s = plays.event(e[*failed], tx); s != GANTRY_OK) return s;
      return GANTRY_OK;
    };
    plays.bad["2"] = GANTRY_RETRY;
    bench b(plays);
    b.publish(story);
    b.passing_until([&] { return plays.tried("2") >= 1; });
    const auto known = plays.where("2");
    auto another = known;
    another.id = "another";
    another.offset += 1'000;
    b.deadly = {another, known};
    b.crash();
    const auto tries = plays.tried("2");  // until then it may have been tried again
    b.settle();
    EXPECT_EQ(parked_rows(b), "a=2 a=4 ");
    EXPECT_EQ(plays.tried("2"), tries);
    EXPECT_EQ(b.of_key("b"), "3 6");
    const auto why = b.rows("SELECT key, error FROM gantry_parked ORDER BY id").at(0).body;
    EXPECT_EQ(why, "the process died 3 times in this event, the last time in it died");
    EXPECT_EQ(b.emitted("in.dlq").size(), 2U);
  }
}

TEST(lane_failure, an_event_of_several_that_were_given_at_once_is_given_alone) {
  fatal plays;
  plays.batches = true;
  std::vector<std::size_t> sizes;
  plays.batch = [&](const gantry_event* e, std::size_t n, gantry_tx* tx, std::size_t*) -> gantry_status {
    for (std::size_t i = 0; i < n; ++i) plays.event(e[i], tx);
    const std::lock_guard lock(plays.mutex);
    sizes.push_back(n);
    return plays.bad.empty() ? GANTRY_OK : GANTRY_RETRY;
  };
  plays.bad["none"] = GANTRY_OK;
  bench b(plays);
  b.publish({{"a", "1"}, {"a", "2"}, {"a", "3"}});
  b.passing_until([&] {
    const std::lock_guard lock(plays.mutex);
    return plays.seen.contains("1");
  });
  auto range = plays.where("1");
  range.length = 3;
  range.poison = false;
  b.deadly = {range};
  b.crash([&] { sizes.clear(); });
  plays.heal();
  b.settle();
  const std::lock_guard lock(plays.mutex);
  EXPECT_EQ(std::set<std::size_t>(sizes.begin(), sizes.end()), std::set<std::size_t>{1});
  EXPECT_EQ(b.of_key("a"), "1 2 3");
  EXPECT_EQ(parked_rows(b), "");
}

TEST(lane_failure, under_halt_the_partition_stands_before_an_event_that_the_process_died_of) {
  fatal plays;
  plays.bad["2"] = GANTRY_RETRY;
  runtime::lane_options options;
  options.poison = runtime::poison_policy::halt;
  bench b(plays, options);
  b.publish(story);
  die_of("2", plays, b);
  plays.heal();
  b.passing_until([&] { return !b.lane().count().blocked.empty(); });
  EXPECT_EQ(b.of_key("a"), "1");
  EXPECT_EQ(parked_rows(b), "");
}

// The file that died of it has gone, and what is known of it with it.
TEST(lane_failure, a_generation_from_another_file_handles_what_the_one_before_has_died_of) {
  fatal plays;
  plays.bad["2"] = GANTRY_RETRY;
  runtime::lane_options options;
  options.poison = runtime::poison_policy::halt;
  bench b(plays, options);
  b.publish(story);
  die_of("2", plays, b);
  b.passing_until([&] { return !b.lane().count().blocked.empty(); });
  // The same file again, with another configuration, knows as much.
  fatal same;
  b.swap(same, &b.deadly);
  const auto resume = [&](gantry_tx&) {
    b.lane().resume();
    return gantry_status{GANTRY_OK};
  };
  b.write(resume);
  b.passing_until([&] { return !b.lane().count().blocked.empty(); });
  EXPECT_EQ(b.of_key("a"), "1");
  fatal mended;
  b.swap(mended, nullptr);
  b.write(resume);
  b.settle();
  EXPECT_EQ(b.of_key("a"), "1 2 4");
  EXPECT_EQ(b.lane().count().blocked, "");
}

TEST(lane_failure, at_the_bound_of_parked_events_all_stands_still) {
  picky plays;
  plays.bad["1"] = GANTRY_REJECT;
  runtime::lane_options options;
  options.parked_max = 1;
  bench b(plays, options);
  b.publish("a", "1");
  b.passing_until([&] { return !b.lane().count().blocked.empty(); });
  EXPECT_NE(b.lane().count().blocked.find("parked"), std::string::npos);
}

TEST(lane_failure, an_enormous_reason_does_not_stop_the_relay) {
  picky plays;
  plays.event = [](const gantry_event&, gantry_tx*) {
    return runtime::fail(GANTRY_REJECT, std::string(4'000'000, 'x'));
  };
  bench b(plays);
  b.publish("a", "1");
  b.settle();
  EXPECT_EQ(b.appended("in.dlq"), 1U);
}

struct set_of_events : picky {
  set_of_events() {
    batches = true;
    batch = [this](const gantry_event* e, std::size_t n, gantry_tx* tx, std::size_t* failed) -> gantry_status {
      for (std::size_t i = 0; i < n; ++i) {
        const auto s = event(e[i], tx);
        if (s == GANTRY_OK) continue;
        if (tells) *failed = i;
        return s;
      }
      return GANTRY_OK;
    };
  }
  bool tells = true;
};

TEST(lane_failure, of_a_set_only_the_one_to_blame_is_parked) {
  set_of_events plays;
  plays.bad["4"] = GANTRY_REJECT;
  bench b(plays);
  b.publish({{"a", "1"}, {"a", "2"}, {"a", "3"}, {"a", "4"}});
  b.settle();
  EXPECT_EQ(b.of_key("a"), "1 2 3");
  EXPECT_EQ(parked_rows(b), "a=4 ");
}

TEST(lane_failure, of_a_set_that_does_not_say_who_is_to_blame_no_innocent_one_is_parked) {
  set_of_events plays;
  plays.tells = false;
  plays.bad["3"] = GANTRY_REJECT;
  bench b(plays);
  // Published while nothing is read, so that they come as one set.
  b.lane().stop_events();
  b.publish({{"a", "1"}, {"a", "2"}, {"a", "3"}, {"a", "4"}});
  b.stop();
  b.start();
  b.settle();
  EXPECT_EQ(b.of_key("a"), "1 2");
  EXPECT_EQ(parked_rows(b), "a=3 a=4 ");
}

// Several writes that share a commit: the first one blocks the lane until all are queued.
TEST(lane_failure, a_write_that_fails_takes_back_only_itself) {
  picky plays;
  bench b(plays);
  std::vector<gantry_status> ends(3, GANTRY_FAILED);
  std::atomic<int> ended{0};
  std::mutex gate;
  gate.lock();
  b.post(
      [&](gantry_tx&) {
        const std::lock_guard wait(gate);
        return GANTRY_OK;
      },
      [](bool, gantry_status) {});
  const std::vector<std::string> bodies = {"one", "forbidden", "two"};
  for (std::size_t i = 0; i < 3; ++i)
    b.post(
        [&, i](gantry_tx& tx) -> gantry_status {
          if (const auto s = emit(&tx, "w", "\"" + bodies[i] + "\""); s != GANTRY_OK) return s;
          const gantry_value params[] = {value(std::string_view("w")), value(std::string_view(bodies[i]))};
          return tx.db.session->exec("INSERT INTO log (key, body) VALUES ($1, $2)", params, nullptr);
        },
        [&, i](bool committed, gantry_status status) {
          ends[i] = committed ? status : GANTRY_FAILED;
          ++ended;
        });
  gate.unlock();
  b.until([&] { return ended == 3; });
  EXPECT_EQ(ends, (std::vector<gantry_status>{GANTRY_OK, GANTRY_CONFLICT, GANTRY_OK}));
  b.settle();
  EXPECT_EQ(b.of_key("w"), "one two");
  EXPECT_EQ(b.emitted().size(), 2U);
}

// Constraints that are checked at the commit, and statements that end the whole transaction, hit everybody at once.
void harms_nobody_else(const std::string& sql) {
  picky plays;
  bench b(plays);
  std::atomic<int> ended{0};
  std::vector<gantry_status> ends(8, GANTRY_FAILED);
  std::mutex gate;
  gate.lock();
  b.post(
      [&](gantry_tx&) {
        const std::lock_guard wait(gate);
        return GANTRY_OK;
      },
      [](bool, gantry_status) {});
  for (std::size_t i = 0; i < ends.size(); ++i)
    b.post(
        [&, i](gantry_tx& tx) -> gantry_status {
          const std::string body = std::to_string(i);
          const gantry_value params[] = {value(std::string_view("w")), value(std::string_view(body))};
          if (const auto s = tx.db.session->exec("INSERT INTO log (key, body) VALUES ($1, $2)", params, nullptr);
              s != GANTRY_OK)
            return s;
          return i == 5 ? tx.db.session->exec(sql, {}, nullptr) : GANTRY_OK;
        },
        [&, i](bool, gantry_status status) {
          ends[i] = status;
          ++ended;
        });
  b.publish("a", "9");
  gate.unlock();
  b.until([&] { return ended == 8; });
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (i != 5) {
      EXPECT_EQ(ends[i], GANTRY_OK) << i;
    }
  }
  EXPECT_EQ(ends[5], GANTRY_CONFLICT);
  b.settle();
  EXPECT_EQ(b.of_key("w"), "0 1 2 3 4 6 7");
  EXPECT_EQ(b.of_key("a"), "9");
}

TEST(lane_failure, a_constraint_that_fails_at_the_commit_harms_nobody_else) {
  harms_nobody_else("INSERT INTO child (id, parent) VALUES (1, 77)");
}

TEST(lane_failure, a_statement_that_rolls_everything_back_harms_nobody_else) {
  harms_nobody_else("INSERT OR ROLLBACK INTO log (key, body) VALUES ('w', 'forbidden')");
}

TEST(lane_failure, an_event_that_breaks_a_constraint_at_the_commit_is_parked_alone) {
  picky plays;
  plays.event = [](const gantry_event& e, gantry_tx* tx) -> gantry_status {
    if (text(e.data) == "2") return tx->db.session->exec("INSERT INTO child (id, parent) VALUES (1, 77)", {}, nullptr);
    return insert(tx, text(e.key), text(e.data));
  };
  bench b(plays);
  b.publish(story);
  b.settle();
  EXPECT_EQ(b.of_key("a"), "1");
  EXPECT_EQ(b.of_key("b"), "3 6");
  EXPECT_EQ(parked_rows(b), "a=2 a=4 ");
  EXPECT_EQ(b.lane().count().blocked, "");
}

TEST(lane_failure, timers_stand_still_during_an_outage_and_count_from_the_acknowledgement) {
  picky plays;
  std::atomic<int> fired{0};
  plays.timer = [&](const std::string&, gantry_tx*) -> gantry_status {
    ++fired;
    return GANTRY_OK;
  };
  bench b(plays);
  b.settle();
  b.until([&] { return b.lane().caught_up(); });
  b.events->cut();
  ASSERT_EQ(b.write([](gantry_tx& tx) -> gantry_status {
    if (const auto s = emit(&tx, "a", "1"); s != GANTRY_OK) return s;
    return arm(&tx, "t", 10'000'000, true);
  }),
            GANTRY_OK);
  const auto look = [&] { b.write([](gantry_tx&) { return GANTRY_OK; }); };
  b.pass(3'600'000'000);
  look();
  look();
  EXPECT_EQ(fired, 0);
  b.events->heal();
  b.pass(5'000'000);  // the relay's pause after its failures: the outage ends somewhere in it
  b.until([&] { return b.lane().idle(); });
  look();
  b.pass(54'000'000);  // who is to answer was away as well: as long again as the outage, but at most a minute
  look();
  look();
  EXPECT_EQ(fired, 0);
  b.pass(6'000'000);
  look();
  b.pass(3'000'000);
  look();
  look();
  EXPECT_EQ(fired, 0);
  b.pass(8'000'000);
  b.until([&] { return fired == 1; });
}

TEST(lane_failure, closing_tells_those_that_wait) {
  picky plays;
  bench b(plays);
  std::mutex gate;
  gate.lock();
  std::atomic<bool> entered{false};
  b.post(
      [&](gantry_tx&) {
        entered = true;
        const std::lock_guard wait(gate);
        return GANTRY_OK;
      },
      [](bool, gantry_status) {});
  while (!entered) std::this_thread::yield();
  std::atomic<int> told{0};
  for (int i = 0; i < 1000; ++i) b.post([](gantry_tx&) { return GANTRY_OK; }, [&](bool, gantry_status) { ++told; });
  std::thread closes([&] { b.stop(); });
  gate.unlock();
  closes.join();
  EXPECT_EQ(told, 1000);
}

}  // namespace
}  // namespace gantry::testing
