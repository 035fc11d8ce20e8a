// Jobs, from the transaction that schedules them to the one that takes their result.
#include <gtest/gtest.h>

#include <mutex>

#include "bench.hpp"
#include "runtime/text.hpp"

namespace gantry::testing {
namespace {

struct errands : script {
  errands() {
    event = [](const gantry_event&, gantry_tx*) -> gantry_status { return GANTRY_OK; };
    job = [this](const gantry_job& j, gantry_context*) -> gantry_status {
      const std::lock_guard lock(mutex);
      runs += text(j.payload) + std::to_string(j.attempt) + " ";
      return answer == GANTRY_OK ? answer : runtime::fail(answer, "no");
    };
    job_done = [](const gantry_job& j, gantry_str, gantry_tx* tx) { return insert(tx, "done", text(j.payload)); };
    job_failed = [this](const gantry_job& j, gantry_tx* tx) -> gantry_status {
      const std::lock_guard lock(mutex);
      if (deaf > 0) {
        --deaf;
        return runtime::fail(GANTRY_RETRY, "not now");
      }
      return insert(tx, "failed", text(j.payload));
    };
  }
  std::string ran() {
    const std::lock_guard lock(mutex);
    return runs;
  }
  std::mutex mutex;
  std::string runs;                  // guarded by mutex
  gantry_status answer = GANTRY_OK;  // guarded by mutex
  int deaf = 0;                      // guarded by mutex
};

std::string table(bench& b) {
  std::string out;
  for (const auto& r : b.rows("SELECT payload, CAST(state AS TEXT) FROM gantry_job ORDER BY id"))
    out += r.key + r.body + " ";
  return out;
}

TEST(lane_job, runs_after_the_commit_and_its_result_is_taken_once) {
  errands plays;
  bench b(plays);
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "", "a"); }), GANTRY_OK);
  EXPECT_EQ(b.write([](gantry_tx& tx) -> gantry_status {
    if (const auto s = schedule(&tx, "", "b"); s != GANTRY_OK) return s;
    return GANTRY_REJECT;
  }),
            GANTRY_REJECT);
  b.until([&] { return b.of_key("done") == "a"; });
  EXPECT_EQ(plays.ran(), "a1 ");
  EXPECT_EQ(table(b), "");
}

TEST(lane_job, a_later_one_waits_for_its_time) {
  errands plays;
  bench b(plays);
  const auto due = b.time.wall_us() + 60'000'000;
  ASSERT_EQ(b.write([due](gantry_tx& tx) { return schedule(&tx, "", "a", due); }), GANTRY_OK);
  b.plugin->jobs->tick();
  b.write([](gantry_tx&) { return GANTRY_OK; });
  EXPECT_EQ(plays.ran(), "");
  b.time.pass(60'000'000);
  b.until([&] { return b.of_key("done") == "a"; });
}

TEST(lane_job, deaths_of_the_process_count_as_attempts) {
  for (const std::uint64_t deaths : {3U, 4U}) {
    errands plays;
    bench b(plays);
    const auto due = b.time.wall_us() + 60'000'000;
    ASSERT_EQ(b.write([due](gantry_tx& tx) { return schedule(&tx, "", "a", due); }), GANTRY_OK);
    const auto job = b.rows("SELECT id, kind FROM gantry_job").at(0);
    b.deadly = {{"tester", true, job.body, 0, 0, 1, job.key, deaths, false, "it died"}};
    b.crash();
    b.time.pass(60'000'000);
    const std::string end = deaths == 3 ? "done" : "failed";
    b.until([&] { return b.of_key(end) == "a"; });
    EXPECT_EQ(plays.ran(), deaths == 3 ? "a1 " : "");
    EXPECT_EQ(table(b), deaths == 3 ? "" : "a2 ");
  }
}

TEST(lane_job, a_key_that_is_too_long_is_refused) {
  errands plays;
  bench b(plays);
  std::string why;
  ASSERT_EQ(b.write([&](gantry_tx& tx) -> gantry_status {
    const auto status = schedule(&tx, std::string(256, 'k'), "a");
    why = runtime::last_failure();
    return status;
  }),
            GANTRY_INVALID);
  EXPECT_EQ(why, "schedule errand: a key has at most 255 bytes, found 256");
  EXPECT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, std::string(255, 'k'), "b"); }), GANTRY_OK);
  b.until([&] { return b.of_key("done") == "b"; });
}

TEST(lane_job, is_retried_then_parked_and_its_owner_told) {
  errands plays;
  plays.answer = GANTRY_RETRY;
  bench b(plays);
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "", "a"); }), GANTRY_OK);
  b.passing_until([&] { return b.of_key("failed") == "a"; });
  EXPECT_EQ(plays.ran(), "a1 a2 a3 a4 ");
  EXPECT_EQ(table(b), "a2 ");
}

TEST(lane_job, the_owner_is_told_again_when_it_could_not_take_notice_and_the_job_runs_no_more) {
  errands plays;
  plays.answer = GANTRY_REJECT;
  plays.deaf = 2;
  bench b(plays);
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "", "a"); }), GANTRY_OK);
  b.passing_until([&] { return b.of_key("failed") == "a"; });
  EXPECT_EQ(plays.ran(), "a1 ");
  EXPECT_EQ(table(b), "a2 ");
}

// What is let through an open breaker may end before it was run, which tells nothing of the provider.
TEST(lane_job, an_end_that_was_put_off_does_not_keep_the_breaker_open) {
  errands plays;
  plays.answer = GANTRY_RETRY;
  bench b(plays);
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "", "a"); }), GANTRY_OK);
  b.passing_until([&] { return b.of_key("failed") == "a"; });
  // The fifth failure in a row opens the breaker, and is told to an owner that can't take notice.
  {
    const std::lock_guard lock(plays.mutex);
    plays.deaf = 1;
  }
  ASSERT_EQ(b.write([](gantry_tx& tx) {
    return tx.db.session->exec("INSERT INTO gantry_job VALUES ('last', 'errand', '', 'b', 0, 4, 0, '', '', '')", {},
                               nullptr);
  }),
            GANTRY_OK);
  b.plugin->jobs->noted_due(0);
  b.passing_until([&] { return b.of_key("failed") == "a b"; });
  {
    const std::lock_guard lock(plays.mutex);
    plays.answer = GANTRY_OK;
  }
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "", "c"); }), GANTRY_OK);
  b.passing_until([&] { return b.of_key("done") == "c"; });
  EXPECT_EQ(plays.ran(), "a1 a2 a3 a4 b4 c1 ");
}

TEST(lane_job, a_generation_from_another_file_runs_what_the_one_before_has_died_of) {
  errands plays;
  bench b(plays);
  const auto due = b.time.wall_us() + 60'000'000;
  ASSERT_EQ(b.write([due](gantry_tx& tx) { return schedule(&tx, "", "a", due); }), GANTRY_OK);
  const auto job = b.rows("SELECT id, kind FROM gantry_job").at(0);
  b.deadly = {{"tester", true, job.body, 0, 0, 1, job.key, 3, true, "it died"}};
  b.crash();
  errands mended;
  b.swap(mended, nullptr);
  b.time.pass(60'000'000);
  b.until([&] { return b.of_key("done") == "a"; });
  EXPECT_EQ(mended.ran(), "a1 ");
}

TEST(lane_job, a_result_whose_token_was_lost_is_not_taken) {
  errands plays;
  std::mutex gate;
  std::atomic<int> entered{0};
  plays.job = [&](const gantry_job&, gantry_context*) -> gantry_status {
    ++entered;
    const std::lock_guard wait(gate);
    return GANTRY_OK;
  };
  bench b(plays);
  gate.lock();
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "", "a"); }), GANTRY_OK);
  b.until([&] { return entered == 1; });
  ASSERT_EQ(b.write([](gantry_tx& tx) {
    return tx.db.session->exec("UPDATE gantry_job SET token = 'somebody else'", {}, nullptr);
  }),
            GANTRY_OK);
  gate.unlock();
  b.until([&] { return b.plugin->jobs->running() == 0 && b.lane().idle(); });
  EXPECT_EQ(b.of_key("done"), "");
  EXPECT_EQ(table(b), "a1 ");
}

TEST(lane_job, what_a_dead_process_had_claimed_runs_again) {
  errands plays;
  plays.answer = GANTRY_OK;
  bench b(plays);
  ASSERT_EQ(b.write([](gantry_tx& tx) {
    return tx.db.session->exec("INSERT INTO gantry_job VALUES ('id', 'errand', '', 'a', 0, 2, 1, 'dead', '', '')", {},
                               nullptr);
  }),
            GANTRY_OK);
  b.crash();
  b.until([&] { return b.of_key("done") == "a"; });
  EXPECT_EQ(plays.ran(), "a2 ");
}

// The one worker of this kind is kept busy, so that what follows waits in memory.
struct busy : errands {
  busy() {
    const auto run = job;
    job = [this, run](const gantry_job& j, gantry_context* c) -> gantry_status {
      if (text(j.payload) == "first") {
        entered = true;
        const std::lock_guard wait(gate);
      }
      return run(j, c);
    };
    gate.lock();
  }
  std::mutex gate;
  std::atomic<bool> entered{false};
};

TEST(lane_job, one_of_the_same_key_that_has_not_begun_is_replaced) {
  busy plays;
  bench b(plays);
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "", "first"); }), GANTRY_OK);
  b.until([&] { return plays.entered.load(); });
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "k", "old"); }), GANTRY_OK);
  ASSERT_EQ(b.write([](gantry_tx& tx) -> gantry_status {
    if (const auto s = schedule(&tx, "k", "older than new"); s != GANTRY_OK) return s;
    return schedule(&tx, "k", "new");
  }),
            GANTRY_OK);
  plays.gate.unlock();
  b.until([&] { return b.of_key("done") == "first new"; });
  EXPECT_EQ(plays.ran(), "first1 new1 ");
  EXPECT_EQ(table(b), "");
}

TEST(lane_job, nothing_is_looked_for_where_the_key_is_said_to_be_new) {
  busy plays;
  bench b(plays);
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "", "first"); }), GANTRY_OK);
  b.until([&] { return plays.entered.load(); });
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule_new(&tx, "k", "one"); }), GANTRY_OK);
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule_new(&tx, "k", "two"); }), GANTRY_OK);
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule_new(&tx, "gone", "three"); }), GANTRY_OK);
  EXPECT_EQ(b.write([](gantry_tx& tx) { return cancel(&tx, "gone"); }), GANTRY_OK);
  plays.gate.unlock();
  b.until([&] { return b.of_key("done") == "first one two"; });
  EXPECT_EQ(plays.ran(), "first1 one1 two1 ");
  EXPECT_EQ(table(b), "");
}

TEST(lane_job, cancelling_is_part_of_the_transaction) {
  busy plays;
  bench b(plays);
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "f", "first"); }), GANTRY_OK);
  b.until([&] { return plays.entered.load(); });
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "k", "kept"); }), GANTRY_OK);
  ASSERT_EQ(b.write([](gantry_tx& tx) { return schedule(&tx, "c", "cancelled"); }), GANTRY_OK);
  EXPECT_EQ(b.write([](gantry_tx& tx) -> gantry_status {
    if (const auto s = cancel(&tx, "k"); s != GANTRY_OK) return s;
    return GANTRY_REJECT;
  }),
            GANTRY_REJECT);
  EXPECT_EQ(b.write([](gantry_tx& tx) { return cancel(&tx, "c"); }), GANTRY_OK);
  EXPECT_EQ(b.write([](gantry_tx& tx) { return cancel(&tx, "f"); }), GANTRY_NOT_FOUND);
  plays.gate.unlock();
  b.until([&] { return b.of_key("done") == "first kept"; });
  EXPECT_EQ(plays.ran(), "first1 kept1 ");
  EXPECT_EQ(table(b), "");
}

TEST(lane_job, jobs_of_an_unknown_kind_wait_and_hold_nobody_up) {
  errands plays;
  bench b(plays);
  ASSERT_EQ(b.write([](gantry_tx& tx) {
    return tx.db.session->exec(
        "INSERT INTO gantry_job WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
        " i < 400) SELECT 'id' || i, 'gone', '', 'x', 0, 1, 0, '', '', '' FROM n",
        {}, nullptr);
  }),
            GANTRY_OK);
  const auto due = b.time.wall_us() + 1'000'000;
  ASSERT_EQ(b.write([due](gantry_tx& tx) { return schedule(&tx, "", "a", due); }), GANTRY_OK);
  b.time.pass(1'000'000);
  b.until([&] { return b.of_key("done") == "a"; });
}

}  // namespace
}  // namespace gantry::testing
