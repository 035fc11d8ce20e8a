// Several hosts with one plugin on one schema: partitions are theirs one by one, the rest is everybody's.
#include <atomic>
#include <future>
#include <set>

#include "gantry/abi/http.h"
#include "runtime/values.hpp"
#include "shared_store.hpp"

namespace gantry::testing {
namespace {

// Keeps each event, and tells of it.
script projection() {
  script s;
  s.event = [](const gantry_event& e, gantry_tx* tx) {
    if (const auto status = insert(tx, text(e.key), text(e.data)); status != GANTRY_OK) return status;
    return emit(tx, text(e.key), text(e.data));
  };
  s.timer = [](std::string key, gantry_tx* tx) { return insert(tx, key, "alarm"); };
  s.job = [](const gantry_job&, gantry_context*) -> gantry_status { return GANTRY_OK; };
  return s;
}

// A handler that stops at its first event until it is let go.
class blocking_script {
 public:
  explicit blocking_script(script plays = projection()) : plays_(std::move(plays)) {
    inner_ = plays_.event;
    plays_.event = [this](const gantry_event& e, gantry_tx* tx) {
      if (!entered_set_.exchange(true)) {
        const auto status = inner_(e, tx);
        entered_.set_value();
        go_on_.get_future().wait();
        return status;
      }
      return inner_(e, tx);
    };
  }
  script& plays() { return plays_; }
  void wait() { entered_.get_future().wait(); }
  void let_go() { go_on_.set_value(); }

 private:
  script plays_;
  std::function<gantry_status(const gantry_event&, gantry_tx*)> inner_;
  std::atomic<bool> entered_set_{false};
  std::promise<void> entered_;
  std::promise<void> go_on_;
};

class replicas_test : public shared_store {
 protected:
  // Bodies that reached topic "out" for a key, as a consumer sees them.
  std::string told(const std::string& key) {
    std::string out;
    for (const auto& r : emitted())
      if (r.key == key) out += (out.empty() ? "" : " ") + r.body;
    return out;
  }
  static std::uint64_t stale(replica& of) { return of.plugin->counts.stale_batches->value(); }
};

TEST_F(replicas_test, partitions_are_shared_and_move_with_their_position) {
  auto first = projection();
  auto second = projection();
  auto a = start("a", first);
  auto b = start("b", second);
  a->give(0);
  b->give(1);
  const auto zero = key_in(0);
  const auto one = key_in(1);
  publish(zero, "1");
  publish(one, "1");
  until([&] { return told(zero) == "1" && told(one) == "1"; }, "each host handles its own");
  a->take(0);
  b->give(0);
  until([&] { return rows("SELECT epoch FROM gantry_position WHERE topic = 'in' AND part = 0") == "2"; },
        "it is claimed");
  publish(zero, "2");
  publish(one, "2");
  until([&] { return told(zero) == "1 2" && told(one) == "1 2"; }, "the one that is left handles all");
  EXPECT_EQ(of_key(zero), "1 2");
  EXPECT_EQ(of_key(one), "1 2");
  EXPECT_EQ(stale(*a) + stale(*b), 0U);
  EXPECT_EQ(rows("SELECT max(epoch) FROM gantry_position WHERE topic = 'in' AND part = 0"), "2");
}

TEST_F(replicas_test, a_zombie_in_a_handler_cannot_commit) {
  blocking_script first;
  auto second = projection();
  auto a = start("a", first.plays());
  auto b = start("b", second);
  const auto key = key_in(0);
  a->give(0);
  publish(key, "1");
  first.wait();
  // The bus believes that a is gone; a does not know.
  b->give(0);
  until([&] { return told(key) == "1"; }, "the other host takes over");
  publish(key, "2");
  first.let_go();
  until([&] { return stale(*a) != 0; }, "the zombie's batch is refused");
  a->take(0);
  until([&] { return told(key) == "1 2"; }, "the new owner goes on");
  EXPECT_EQ(of_key(key), "1 2");
  EXPECT_EQ(a->plugin->counts.event_errors->value(), 0U);
}

TEST_F(replicas_test, a_zombie_between_two_batches_cannot_commit) {
  auto first = projection();
  auto second = projection();
  auto a = start("a", first);
  auto b = start("b", second);
  const auto key = key_in(1);
  a->give(1);
  publish(key, "1");
  until([&] { return of_key(key) == "1"; }, "the first host has it");
  a->freeze();
  publish(key, "2");
  b->give(1);
  until([&] { return of_key(key) == "1 2"; }, "the other host takes over");
  a->thaw();
  publish(key, "3");
  // Its batch is refused; or it has looked before, has found the epoch moved, and claims anew, for nobody has told it
  // that the partition is not its own.
  until([&] { return stale(*a) != 0 || of_key(key) == "1 2 3"; },
        "the zombie's batch is refused, or it has claimed anew");
  a->take(1);
  until([&] { return told(key) == "1 2 3"; }, "the new owner goes on");
  EXPECT_EQ(of_key(key), "1 2 3");
}

// The zombie claims before it hears that the partition is not its own: the owner claims again.
TEST_F(replicas_test, an_owner_whose_partition_was_claimed_by_mistake_gets_it_back) {
  auto first = projection();
  auto second = projection();
  auto a = start("a", first);
  auto b = start("b", second);
  const auto key = key_in(0);
  b->give(0);
  publish(key, "1");
  until([&] { return of_key(key) == "1"; }, "the owner has it");
  a->give(0);
  a->take(0);
  publish(key, "2");
  until([&] { return of_key(key) == "1 2"; }, "the owner goes on");
}

TEST_F(replicas_test, events_of_all_hosts_reach_the_bus_in_the_order_of_their_commits) {
  auto first = projection();
  auto second = projection();
  auto a = start("a", first);
  auto b = start("b", second);
  constexpr int rounds = 60;
  // The number is taken from a row, so both hosts know the order in which they committed.
  const auto next = [](gantry_tx& tx) -> gantry_status {
    store::cursor* at = nullptr;
    if (const auto s = tx.db.session->query("SELECT count(*) FROM log WHERE key = 'k'", {}, &at); s != GANTRY_OK)
      return s;
    at->next();
    const auto number = std::to_string(runtime::integer_at(*at, 0));
    at->close();
    if (const auto s = insert(&tx, "k", number); s != GANTRY_OK) return s;
    return emit(&tx, "k", number);
  };
  const auto work = [&](replica& on) {
    for (int i = 0; i < rounds; ++i)
      while (on.write(next) != GANTRY_OK) {
      }
  };
  auto one = std::async(std::launch::async, [&] { work(*a); });
  auto two = std::async(std::launch::async, [&] { work(*b); });
  one.get();
  two.get();
  std::string all;
  for (int i = 0; i < 2 * rounds; ++i) all += (i ? " " : "") + std::to_string(i);
  until([&] { return emitted().size() == 2 * rounds; }, "all are on the bus");
  EXPECT_EQ(told("k"), all);
  EXPECT_NE(a->lane().leads(), b->lane().leads());
  until([&] { return rows("SELECT count(*) FROM gantry_outbox") == "0"; }, "the leader deletes what is acknowledged");
}

TEST_F(replicas_test, when_the_leader_stands_still_another_host_leads_and_nothing_is_lost) {
  auto first = projection();
  auto second = projection();
  auto a = start("a", first);
  auto b = start("b", second);
  ASSERT_TRUE(a->lane().leads());
  const auto put = [](const std::string& body) { return [body](gantry_tx& tx) { return emit(&tx, "k", body); }; };
  ASSERT_EQ(a->write(put("1")), GANTRY_OK);
  ASSERT_EQ(b->write(put("2")), GANTRY_OK);
  a->freeze();
  ASSERT_EQ(b->write(put("3")), GANTRY_OK);
  until([&] { return b->lane().leads(); }, "the other host leads");
  ASSERT_EQ(b->write(put("4")), GANTRY_OK);
  until([&] { return told("k") == "1 2 3 4"; }, "all are on the bus");
  a->thaw();
  until([&] { return !a->lane().leads(); }, "the first one sees that it does not lead");
  ASSERT_EQ(a->write(put("5")), GANTRY_OK);
  until([&] { return told("k") == "1 2 3 4 5"; }, "what it commits is carried by the leader");
}

TEST_F(replicas_test, rows_that_were_acknowledged_and_not_deleted_are_sent_again_and_dropped) {
  auto first = projection();
  auto second = projection();
  auto a = start("a", first);
  auto b = start("b", second);
  std::promise<void> end;
  for (int i = 0; i < 20; ++i)
    ASSERT_EQ(a->write([i](gantry_tx& tx) { return emit(&tx, "k", std::to_string(i)); }), GANTRY_OK);
  a->freeze();
  const auto before = rows("SELECT count(*) FROM gantry_outbox");
  until([&] { return b->lane().leads(); }, "the other host leads");
  until([&] { return rows("SELECT count(*) FROM gantry_outbox") == "0"; }, "and tidies up");
  a->thaw();
  EXPECT_EQ(emitted().size(), 20U) << before << " rows were left";
}

TEST_F(replicas_test, a_job_ends_once_whoever_runs_it) {
  std::atomic<int> runs = 0;
  auto plays = projection();
  plays.job = [&](const gantry_job&, gantry_context*) -> gantry_status {
    ++runs;
    return GANTRY_OK;
  };
  plays.job_done = [](const gantry_job& job, gantry_str, gantry_tx* tx) {
    return insert(tx, "done", text(job.payload));
  };
  auto first = plays;
  auto second = plays;
  auto a = start("a", first);
  auto b = start("b", second);
  const auto soon = system_clock().wall_us() + 300'000;
  std::set<std::string> all;
  for (int i = 0; i < 40; ++i) {
    const auto name = std::to_string(100 + i);
    all.insert(name);
    ASSERT_EQ((i % 2 ? *a : *b).write([&](gantry_tx& tx) { return schedule(&tx, "", name, i % 4 < 2 ? 0 : soon); }),
              GANTRY_OK);
  }
  until([&] { return rows("SELECT count(*) FROM gantry_job") == "0"; }, "all have ended");
  std::string expected;
  for (const auto& name : all) expected += (expected.empty() ? "" : ";") + name;
  EXPECT_EQ(rows("SELECT body FROM log WHERE key = 'done' ORDER BY body"), expected);
  EXPECT_EQ(runs, 40);
}

TEST_F(replicas_test, jobs_of_a_host_that_is_gone_are_run_by_another_and_end_once) {
  auto plays = projection();
  plays.job_done = [](const gantry_job& job, gantry_str, gantry_tx* tx) {
    return insert(tx, "done", text(job.payload));
  };
  auto first = plays;
  auto second = plays;
  std::promise<void> running;
  std::promise<void> go_on;
  first.job = [&](const gantry_job&, gantry_context*) -> gantry_status {
    running.set_value();
    go_on.get_future().wait();
    return GANTRY_OK;
  };
  auto a = start("a", first);
  auto b = start("b", second);
  ASSERT_EQ(a->write([](gantry_tx& tx) { return schedule(&tx, "", "x", 0); }), GANTRY_OK);
  running.get_future().wait();
  a->freeze();
  until([&] { return of_key("done") == "x"; }, "the other host runs it");
  a->thaw();
  go_on.set_value();
  until([&] { return a->plugin->jobs->running() == 0; }, "the first one ends too");
  ASSERT_EQ(a->write([](gantry_tx&) { return GANTRY_OK; }), GANTRY_OK);
  EXPECT_EQ(of_key("done"), "x");
}

TEST_F(replicas_test, the_same_request_at_two_hosts_at_once_has_one_effect) {
  script scripts[2] = {projection(), projection()};
  for (auto& s : scripts)
    s.post = [&s](const gantry_request& q, gantry_tx* tx) -> gantry_status {
      if (const auto status = insert(tx, "posted", text(q.body)); status != GANTRY_OK) return status;
      const auto& http = *static_cast<const gantry_http_1*>(s.host->capability(s.host, GANTRY_HTTP_1));
      return http.respond_in(tx, 201, nullptr, 0, q.body);
    };
  auto a = start("a", scripts[0]);
  auto b = start("b", scripts[1]);
  for (int i = 0; i < 30; ++i) {
    const auto key = std::to_string(i);
    auto one = a->ask(key, "x");
    auto two = b->ask(key, "x");
    const auto first = one.get();
    const auto second = two.get();
    EXPECT_EQ(first.status, 201) << first.body;
    EXPECT_EQ(second.status, 201) << second.body;
  }
  EXPECT_EQ(rows("SELECT count(*) FROM log WHERE key = 'posted'"), "30");
  EXPECT_EQ(b->ask("3", "y").get().status, 422);
}

// As a store of one host keeps them: a row holds the replies of a batch.
TEST_F(replicas_test, replies_that_came_with_a_copy_of_the_store_are_known) {
  auto plays = projection();
  start("a", plays)->stop();
  const auto key = runtime::make_idempotency_key("", "POST", "/things", "1", "x");
  auto writer = std::move(store_->open_writer()).value();
  const auto bytes = [](const std::uint64_t& of) { return std::string(reinterpret_cast<const char*>(&of), 8); };
  const std::string keys = bytes(key.high) + bytes(key.low) + bytes(key.body);
  // A reply: status, number of headers, length of the body, body; with its length before it.
  const auto word = [](std::uint32_t of) { return std::string(reinterpret_cast<const char*>(&of), 4); };
  const std::string reply = word(201) + word(0) + word(1) + "x";
  const std::string replies = word(static_cast<std::uint32_t>(reply.size())) + reply;
  const gantry_value row[] = {runtime::value(std::int64_t{7}), runtime::value(system_clock().wall_us() / 3'600'000'000),
                              runtime::blob(keys), runtime::blob(replies)};
  ASSERT_EQ(
      writer->exec("INSERT INTO gantry_idempotency (id, hour, keys, replies) VALUES ($1, $2, $3, $4)", row, nullptr),
      GANTRY_OK);
  writer.reset();
  plays.post = [](const gantry_request&, gantry_tx*) -> gantry_status { return GANTRY_REJECT; };
  auto a = start("a", plays);
  const auto again = a->ask("1", "x").get();
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, "x");
  EXPECT_EQ(rows("SELECT count(*) FROM gantry_idempotency"), "0");
}

TEST_F(replicas_test, a_process_whose_name_another_one_has_taken_writes_no_more_events) {
  auto first = projection();
  auto second = projection();
  auto a = start("a", first);
  ASSERT_EQ(a->write([](gantry_tx& tx) { return emit(&tx, "k", "1"); }), GANTRY_OK);
  until([&] { return told("k") == "1"; }, "it is on the bus");
  a->freeze();
  auto again = start("a", second);
  EXPECT_EQ(again->lane().source(), a->lane().source());
  ASSERT_EQ(again->write([](gantry_tx& tx) { return emit(&tx, "k", "2"); }), GANTRY_OK);
  a->thaw();
  EXPECT_EQ(a->write([](gantry_tx& tx) { return emit(&tx, "k", "3"); }), GANTRY_UNAVAILABLE);
  EXPECT_NE(a->lane().count().blocked, "");
  until([&] { return told("k") == "1 2"; }, "the new process goes on");
}

TEST_F(replicas_test, hosts_that_run_another_version_are_known_while_they_are_there) {
  auto first = projection();
  auto second = projection();
  auto a = start("a", first);
  auto b = start("b", second);
  const auto others = [](replica& of) {
    const auto found = of.lane().settle_version();
    return found ? *found : std::vector{found.failure().text};
  };
  using hosts = std::vector<std::string>;
  EXPECT_EQ(others(*a), hosts{});
  ASSERT_EQ(a->write([](gantry_tx& tx) {
    return tx.db.session->exec("UPDATE gantry_running SET version = '0.9' WHERE name = 'host.b'", {}, nullptr);
  }),
            GANTRY_OK);
  EXPECT_EQ(others(*a), hosts{"b"});
  // It has gone over to the same version.
  EXPECT_EQ(others(*b), hosts{});
  EXPECT_EQ(others(*a), hosts{});
  ASSERT_EQ(a->write([](gantry_tx& tx) {
    return tx.db.session->exec("UPDATE gantry_running SET version = '0.9' WHERE name = 'host.b'", {}, nullptr);
  }),
            GANTRY_OK);
  b->stop();
  EXPECT_EQ(others(*a), hosts{});
}

TEST_F(replicas_test, each_host_has_a_source_of_its_own_that_begins_anew_when_the_server_was_put_back) {
  auto first = projection();
  auto second = projection();
  auto a = start("a", first);
  const auto store_id = rows("SELECT content FROM gantry_meta WHERE name = 'store_id'");
  EXPECT_EQ(a->lane().source(), "/test/tester/" + store_id + ".1.a");
  EXPECT_EQ(start("b", second)->lane().source(), "/test/tester/" + store_id + ".1.b");
  const auto another_timeline = [](gantry_tx& tx) {
    return tx.db.session->exec("UPDATE gantry_meta SET content = content || '2' WHERE name = 'life.a'", {}, nullptr);
  };
  ASSERT_EQ(a->write(another_timeline), GANTRY_OK);
  a->stop();
  EXPECT_EQ(start("a", first)->lane().source(), "/test/tester/" + store_id + ".2.a");
  EXPECT_EQ(start("b", second)->lane().source(), "/test/tester/" + store_id + ".1.b");
}

TEST_F(replicas_test, timers_of_a_host_that_is_gone_fire_on_another) {
  auto first = projection();
  auto second = projection();
  const auto restored = [](script& of) { of.restore = [&of](gantry_db*) { return rearm(of, "k", 100'000); }; };
  restored(first);
  restored(second);
  auto b = start("b", second);
  b->give(0);
  b->give(1);
  until([&] { return of_key("k") == "alarm"; }, "a host restores timers at its start");
  auto a = start("a", first);
  a->freeze();
  until([&] { return of_key("k") == "alarm alarm"; }, "and those of a host that is gone");
}

TEST_F(replicas_test, parked_keys_move_with_their_partition) {
  auto first = projection();
  first.event = [](const gantry_event& e, gantry_tx* tx) -> gantry_status {
    return text(e.data) == "\"bad\"" ? gantry_status{GANTRY_REJECT} : insert(tx, text(e.key), text(e.data));
  };
  auto second = first;
  auto a = start("a", first);
  auto b = start("b", second);
  const auto key = key_in(0);
  const auto other = key_in(0, 1);
  a->give(0);
  publish(key, "\"bad\"");
  until([&] { return a->lane().count().parked == 1; }, "it is parked");
  a->take(0);
  b->give(0);
  publish(key, "2");
  publish(other, "3");
  until([&] { return of_key(other) == "3"; }, "the new owner goes on");
  EXPECT_EQ(of_key(key), "");
  EXPECT_EQ(rows("SELECT count(*) FROM gantry_parked"), "2");
  // The first host takes them out; the second one hears of it with the next event of the key.
  ASSERT_EQ(a->write([&](gantry_tx& tx) { return tx.db.session->exec("DELETE FROM gantry_parked", {}, nullptr); }),
            GANTRY_OK);
  publish(key, "4");
  until([&] { return of_key(key) == "4"; }, "nothing is parked behind what is not there");
}

}  // namespace
}  // namespace gantry::testing
