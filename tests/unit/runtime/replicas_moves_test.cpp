// What hosts on one store must hear of each other: replays, replies, and rows that one of them holds on to.
#include <atomic>
#include <future>

#include "gantry/abi/http.h"
#include "runtime/values.hpp"
#include "shared_store.hpp"

namespace gantry::testing {
namespace {

script projection() {
  script s;
  s.event = [](const gantry_event& e, gantry_tx* tx) { return insert(tx, text(e.key), text(e.data)); };
  s.timer = [](std::string, gantry_tx*) -> gantry_status { return GANTRY_OK; };
  s.job = [](const gantry_job&, gantry_context*) -> gantry_status { return GANTRY_OK; };
  s.job_done = [](const gantry_job& job, gantry_str, gantry_tx* tx) { return insert(tx, "done", text(job.payload)); };
  return s;
}

gantry_status respond_in(const script& of, gantry_tx* tx, int status, gantry_str body) {
  return static_cast<const gantry_http_1*>(of.host->capability(of.host, GANTRY_HTTP_1))
      ->respond_in(tx, status, nullptr, 0, body);
}

// Inserts what is posted, and answers with it.
void make_posting(script& s) {
  s.post = [&s](const gantry_request& q, gantry_tx* tx) -> gantry_status {
    if (const auto status = insert(tx, "posted", text(q.body)); status != GANTRY_OK) return status;
    return respond_in(s, tx, 201, q.body);
  };
}

// A transaction of a host that is in no hurry to end it.
class holding {
 public:
  holding(store::postgres_options at, std::string_view sql) {
    at.longest_halt = std::chrono::minutes(5);
    store_ = std::move(store::open_postgres_store(at)).value();
    session_ = std::move(store_->open_writer()).value();
    EXPECT_EQ(session_->begin_relaxed(), GANTRY_OK);
    store::cursor* rows = nullptr;
    EXPECT_EQ(session_->query(sql, {}, &rows), GANTRY_OK) << session_->error_text();
    EXPECT_EQ(rows->next(), GANTRY_OK) << "there is nothing to hold";
    rows->close();
  }
  ~holding() { session_->rollback(); }
  holding(const holding&) = delete;
  holding& operator=(const holding&) = delete;

 private:
  std::unique_ptr<store::store> store_;
  std::unique_ptr<store::session> session_;
};

class replicas_moves_test : public shared_store {
 protected:
  script first_ = projection();
  script second_ = projection();
};

TEST_F(replicas_moves_test, a_replay_asked_of_one_host_is_noticed_by_owners_that_get_no_event) {
  auto a = start("a", first_);
  auto b = start("b", second_);
  a->give(0);
  b->give(1);
  const auto zero = key_in(0);
  const auto one = key_in(1);
  for (const auto* data : {"1", "2"}) {
    publish(zero, data);
    publish(one, data);
  }
  const auto all = [&] { return of_key(zero) == "1 2" && of_key(one) == "1 2"; };
  until(all, "each host handles its own");
  a->replay();
  until(all, "each replays its own");
  EXPECT_EQ(rows("SELECT count(*) FROM gantry_position WHERE topic = 'in' AND replay_end = 2"), "2");
}

TEST_F(replicas_moves_test, a_retry_that_another_host_refuses_gets_the_stored_reply) {
  make_posting(first_);
  make_posting(second_);
  second_.refuse = [] { return 409; };
  auto a = start("a", first_);
  auto b = start("b", second_);
  EXPECT_EQ(a->ask("1", "x").get().status, 201);
  const auto again = b->ask("1", "x").get();
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, "x");
  EXPECT_EQ(b->ask("1", "y").get().status, 422);
  EXPECT_EQ(b->ask("2", "x").get().status, 409);
}

TEST_F(replicas_moves_test, a_retry_that_fails_on_another_host_gets_the_stored_reply) {
  make_posting(first_);
  std::atomic<bool> says_ok = false;
  second_.post = [&](const gantry_request& q, gantry_tx* tx) -> gantry_status {
    if (const auto status = insert(tx, "posted", text(q.body)); status != GANTRY_OK) return status;
    if (says_ok) return respond_in(second_, tx, 503, q.body);
    store::cursor* rows = nullptr;
    return tx->db.session->query("SELECT 1 / 0", {}, &rows) == GANTRY_OK ? GANTRY_OK : GANTRY_FAILED;
  };
  auto a = start("a", first_);
  auto b = start("b", second_);
  EXPECT_EQ(a->ask("1", "x").get().status, 201);
  EXPECT_EQ(b->ask("1", "x").get().status, 201);
  EXPECT_EQ(b->ask("1", "y").get().status, 422);
  EXPECT_EQ(b->ask("2", "x").get().status, 500);
  says_ok = true;
  EXPECT_EQ(b->ask("1", "x").get().status, 201);
  EXPECT_EQ(rows("SELECT count(*) FROM log WHERE key = 'posted'"), "1");
  EXPECT_EQ(b->ask("2", "x").get().status, 503);
}

TEST_F(replicas_moves_test, a_position_that_is_held_keeps_no_other_from_being_claimed) {
  auto a = start("a", first_);
  a->give(0);
  a->give(1);
  const auto zero = key_in(0);
  const auto one = key_in(1);
  publish(zero, "1");
  publish(one, "1");
  until([&] { return of_key(zero) == "1" && of_key(one) == "1"; }, "both have a position");
  a->stop();
  auto b = start("b", second_);
  b->freeze();
  b->give(0);
  b->give(1);
  publish(zero, "2");
  publish(one, "2");
  {
    const holding zombie(place_.store, "SELECT 1 FROM gantry_position WHERE topic = 'in' AND part = 0 FOR UPDATE");
    b->thaw();
    until([&] { return of_key(one) == "1 2"; }, "the other one is claimed");
    EXPECT_EQ(of_key(zero), "1");
  }
  until([&] { return of_key(zero) == "1 2"; }, "and this one when it is let go");
}

TEST_F(replicas_moves_test, a_partition_that_comes_while_events_are_stopped_is_read_afterwards) {
  auto a = start("a", first_);
  a->lane().stop_events();
  const auto key = key_in(0);
  a->give(0);
  publish(key, "1");
  // Two runs of the lane: it has heard of the partition.
  for (int i = 0; i < 2; ++i) ASSERT_EQ(a->write([](gantry_tx&) { return GANTRY_OK; }), GANTRY_OK);
  EXPECT_EQ(of_key(key), "");
  a->lane().resume_events();
  until([&] { return of_key(key) == "1"; }, "the partition is claimed");
}

TEST_F(replicas_moves_test, a_job_that_is_held_keeps_no_other_from_being_taken_over) {
  auto a = start("a", first_);
  auto b = start("b", second_);
  ASSERT_EQ(b->write([](gantry_tx& tx) {
    return tx.db.session->exec(
        "INSERT INTO gantry_job (id, kind, key, payload, due, attempt, state, token, correlation, error)"
        " VALUES ('1', 'errand', '', 'x', 0, 1, 1, 'gone', '', ''), ('2', 'errand', '', 'y', 0, 1, 1, 'gone', '', '')",
        {}, nullptr);
  }),
            GANTRY_OK);
  {
    const holding zombie(place_.store, "SELECT 1 FROM gantry_job WHERE id = '1' FOR UPDATE");
    a->stop();
    until([&] { return of_key("done") == "y"; }, "the other one is taken over");
  }
  until([&] { return of_key("done") == "y x"; }, "and this one when it is let go");
}

TEST_F(replicas_moves_test, a_host_in_a_long_batch_keeps_its_jobs_and_leads_no_more) {
  std::promise<void> working;
  std::promise<void> batching;
  std::promise<void> go_on;
  const auto gone_on = go_on.get_future().share();
  first_.job = [&](const gantry_job&, gantry_context*) -> gantry_status {
    working.set_value();
    gone_on.wait();
    return GANTRY_OK;
  };
  std::atomic<int> stolen = 0;
  second_.job = [&](const gantry_job&, gantry_context*) -> gantry_status {
    ++stolen;
    return GANTRY_OK;
  };
  place_.lease_us = 60'000'000;
  auto a = start("a", first_);
  auto b = start("b", second_);
  ASSERT_TRUE(a->lane().leads());
  ASSERT_EQ(a->write([](gantry_tx& tx) { return schedule(&tx, "", "x"); }), GANTRY_OK);
  working.get_future().wait();
  std::atomic<bool> entered = false;
  auto long_batch = std::async(std::launch::async, [&] {
    return a->write([&](gantry_tx&) -> gantry_status {
      if (!entered.exchange(true)) batching.set_value();
      gone_on.wait();
      return GANTRY_OK;
    });
  });
  batching.get_future().wait();
  until([&] { return b->lane().leads(); }, "another host leads");
  // Behind a look at who is there.
  ASSERT_EQ(b->write([](gantry_tx&) { return GANTRY_OK; }), GANTRY_OK);
  EXPECT_EQ(rows("SELECT state FROM gantry_job"), "1");
  go_on.set_value();
  EXPECT_EQ(long_batch.get(), GANTRY_OK);
  until([&] { return of_key("done") == "x"; }, "the job ends where it began");
  EXPECT_EQ(stolen, 0);
}

}  // namespace
}  // namespace gantry::testing
