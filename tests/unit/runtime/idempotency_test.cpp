#include "runtime/idempotency.hpp"

#include <gtest/gtest.h>

#include "bench.hpp"
#include "runtime/id_window.hpp"
#include "store/dialect.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace gantry::runtime {
namespace {

constexpr std::int64_t hour = 3'600'000'000;
constexpr std::int64_t now = 500'000 * hour;

class idempotency_test : public ::testing::Test {
 protected:
  void SetUp() override {
    store::sqlite_options o;
    o.file = where_.path / "store.db";
    o.promise = store::durability::process;
    store_ = std::move(open_sqlite_store(o)).value();
    session_ = std::move(store_->open_writer()).value();
    ASSERT_EQ(session_->script(store::for_driver(std::string(idempotency_schema).append(key_run_schema), "sqlite")),
              GANTRY_OK);
    ASSERT_TRUE(kept_.load(*session_));
  }
  void keep(idempotency& in, const idempotency_key& key, const reply& r, std::int64_t at) {
    in.begin_batch();
    in.keep(key, r);
    ASSERT_EQ(session_->begin(), GANTRY_OK);
    ASSERT_EQ(in.write(*session_, at), GANTRY_OK) << session_->error_text();
    ASSERT_EQ(session_->commit(), GANTRY_OK);
    in.committed();
  }
  // Replies to requests "0", "1" and so on, in batches of a hundred.
  void keep_many(idempotency& in, int from, int to, std::int64_t at) {
    while (from < to) {
      in.begin_batch();
      for (int i = 0; i < 100 && from < to; ++i, ++from)
        in.keep(key(std::to_string(from)), {200, {}, std::to_string(from)});
      ASSERT_EQ(session_->begin(), GANTRY_OK);
      ASSERT_EQ(in.write(*session_, at), GANTRY_OK) << session_->error_text();
      ASSERT_EQ(session_->commit(), GANTRY_OK);
      in.committed();
    }
  }
  void expect_known(const idempotency& in, int from, int to) {
    for (int i = from; i < to; ++i) {
      ASSERT_EQ(in.find(*session_, key(std::to_string(i)), out_), idempotency::found::same) << i;
      ASSERT_EQ(out_.body, std::to_string(i));
    }
  }
  std::int64_t count(const char* table) {
    store::cursor* rows = nullptr;
    EXPECT_EQ(session_->query(std::string("SELECT count(*) FROM ") + table, {}, &rows), GANTRY_OK);
    gantry_value v{};
    EXPECT_TRUE(rows->next() == GANTRY_OK && rows->column(0, v) == GANTRY_OK);
    rows->close();
    return v.as.i;
  }
  static idempotency_key key(std::string_view name, std::string_view body = "body") {
    return make_idempotency_key("me", "POST", "/things", name, body);
  }
  testing::scratch where_;
  std::unique_ptr<store::store> store_;
  std::unique_ptr<store::session> session_;
  idempotency kept_;
  reply out_;
};

TEST_F(idempotency_test, gives_the_stored_reply_back_and_tells_another_body) {
  keep(kept_, key("a"), {201, {{"location", "/things/1"}, {"x", ""}}, "made"}, now);
  ASSERT_EQ(kept_.find(*session_, key("a"), out_), idempotency::found::same);
  EXPECT_EQ(out_.status, 201);
  EXPECT_EQ(out_.headers.size(), 2U);
  EXPECT_EQ(out_.headers[0].second, "/things/1");
  EXPECT_EQ(out_.body, "made");
  EXPECT_EQ(kept_.find(*session_, key("a", "other"), out_), idempotency::found::other_body);
  EXPECT_EQ(kept_.find(*session_, key("b"), out_), idempotency::found::nothing);
}

TEST_F(idempotency_test, principals_methods_and_paths_have_keys_of_their_own) {
  keep(kept_, key("a"), {200, {}, ""}, now);
  for (const auto& other : {make_idempotency_key("you", "POST", "/things", "a", "body"),
                            make_idempotency_key("me", "PUT", "/things", "a", "body"),
                            make_idempotency_key("me", "POST", "/thing", "sa", "body")})
    EXPECT_EQ(kept_.find(*session_, other, out_), idempotency::found::nothing);
}

TEST_F(idempotency_test, is_read_back_after_a_restart) {
  for (int i = 0; i < 300; ++i) keep(kept_, key(std::to_string(i)), {200, {}, std::to_string(i)}, now + i);
  idempotency again;
  ASSERT_TRUE(again.load(*session_));
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(again.find(*session_, key(std::to_string(i)), out_), idempotency::found::same);
    EXPECT_EQ(out_.body, std::to_string(i));
  }
}

TEST_F(idempotency_test, forgets_after_a_day) {
  keep(kept_, key("a"), {200, {}, ""}, now);
  EXPECT_FALSE(kept_.wants_expiry(now + 24 * hour));
  ASSERT_TRUE(kept_.wants_expiry(now + 25 * hour));
  ASSERT_EQ(kept_.expire(*session_, now + 25 * hour), GANTRY_OK);
  kept_.expired(now + 25 * hour);
  EXPECT_EQ(kept_.find(*session_, key("a"), out_), idempotency::found::nothing);
}

TEST_F(idempotency_test, a_start_after_days_takes_new_replies) {
  keep(kept_, key("a"), {200, {}, ""}, now);
  idempotency again;
  ASSERT_TRUE(again.load(*session_));
  keep(again, key("b"), {200, {}, "late"}, now + 72 * hour);
  EXPECT_TRUE(again.wants_expiry(now + 72 * hour));
  EXPECT_EQ(again.find(*session_, key("b"), out_), idempotency::found::same);
}

TEST_F(idempotency_test, knows_more_keys_than_it_keeps_in_memory) {
  idempotency small(1000);
  ASSERT_TRUE(small.load(*session_));
  keep_many(small, 0, 5000, now);
  EXPECT_LE(small.in_memory(), 1100U);
  EXPECT_GE(small.runs(), 3U);
  expect_known(small, 0, 5000);
  EXPECT_EQ(small.find(*session_, key("17", "other"), out_), idempotency::found::other_body);
  for (int i = 5000; i < 9000; ++i)
    ASSERT_EQ(small.find(*session_, key(std::to_string(i)), out_), idempotency::found::nothing);
  idempotency again(1000);
  ASSERT_TRUE(again.load(*session_));
  EXPECT_LE(again.in_memory(), 1100U);
  expect_known(again, 0, 5000);
  keep_many(again, 5000, 5100, now);
  expect_known(again, 4900, 5100);
}

TEST_F(idempotency_test, a_batch_that_is_taken_back_leaves_the_run_as_it_was) {
  idempotency small(1000);
  ASSERT_TRUE(small.load(*session_));
  keep_many(small, 0, 1000, now);  // full: the next batch writes the run
  small.begin_batch();
  small.keep(key("lost"), {200, {}, ""});
  ASSERT_EQ(session_->begin(), GANTRY_OK);
  ASSERT_EQ(small.write(*session_, now), GANTRY_OK);
  session_->rollback();
  expect_known(small, 0, 1000);
  EXPECT_EQ(small.runs(), 0U);
  keep_many(small, 1000, 1100, now);
  EXPECT_EQ(small.runs(), 1U);
  expect_known(small, 0, 1100);
  EXPECT_EQ(small.find(*session_, key("lost"), out_), idempotency::found::nothing);
}

TEST_F(idempotency_test, a_run_that_a_crash_has_cut_off_is_made_anew) {
  idempotency small(1500);
  ASSERT_TRUE(small.load(*session_));
  keep_many(small, 0, 1700, now);
  ASSERT_EQ(small.runs(), 1U);
  ASSERT_EQ(session_->script("DELETE FROM gantry_idempotency_run WHERE first > 0"), GANTRY_OK);
  ASSERT_GT(count("gantry_idempotency_run"), 0);
  idempotency again(1500);
  ASSERT_TRUE(again.load(*session_));
  EXPECT_EQ(again.runs(), 1U);
  expect_known(again, 0, 1700);
}

TEST_F(idempotency_test, runs_go_when_all_of_their_keys_are_old) {
  idempotency small(1000);
  ASSERT_TRUE(small.load(*session_));
  keep_many(small, 0, 1500, now);
  keep_many(small, 1500, 3000, now + 2 * hour);
  ASSERT_EQ(small.runs(), 2U);
  ASSERT_EQ(small.expire(*session_, now + 25 * hour), GANTRY_OK);
  small.expired(now + 25 * hour);
  EXPECT_EQ(small.runs(), 1U);
  EXPECT_EQ(small.find(*session_, key("17"), out_), idempotency::found::nothing);
  expect_known(small, 1500, 3000);
  EXPECT_FALSE(small.wants_expiry(now + 25 * hour));
  ASSERT_TRUE(small.wants_expiry(now + 27 * hour));
  ASSERT_EQ(small.expire(*session_, now + 27 * hour), GANTRY_OK);
  small.expired(now + 27 * hour);
  EXPECT_EQ(small.runs(), 0U);
  EXPECT_EQ(count("gantry_idempotency_run"), 0);
  EXPECT_EQ(count("gantry_idempotency"), 0);
}

// One reply was stored while the clock was years ahead.
TEST_F(idempotency_test, a_key_of_a_far_hour_keeps_no_run_but_its_own) {
  idempotency small(1000);
  ASSERT_TRUE(small.load(*session_));
  keep(small, key("far"), {200, {}, ""}, now + 50'000 * hour);
  keep_many(small, 0, 1500, now);
  keep_many(small, 1500, 3000, now + 2 * hour);
  ASSERT_EQ(small.runs(), 2U);
  ASSERT_EQ(small.expire(*session_, now + 27 * hour), GANTRY_OK);
  small.expired(now + 27 * hour);
  EXPECT_EQ(small.runs(), 1U);
  EXPECT_EQ(small.find(*session_, key("17"), out_), idempotency::found::nothing);
  EXPECT_EQ(small.find(*session_, key("far"), out_), idempotency::found::same);
}

TEST_F(idempotency_test, the_newest_hour_is_known_when_all_keys_are_in_runs) {
  idempotency small(1000);
  ASSERT_TRUE(small.load(*session_));
  EXPECT_EQ(small.newest_us(), 0);
  keep_many(small, 0, 100, now);
  keep_many(small, 100, 1000, now + 2 * hour + 7);
  idempotency again(1000);
  ASSERT_TRUE(again.load(*session_));
  ASSERT_EQ(again.runs(), 1U);
  idempotency later(1000);
  ASSERT_TRUE(later.load(*session_));
  ASSERT_EQ(later.in_memory(), 0U);
  EXPECT_EQ(later.newest_us(), now + 2 * hour) << "the begin of the hour: not ahead of what has passed";
}

// The store answers, and breaks off in the middle of the rows.
class breaking_off final : public store::session {
 public:
  explicit breaking_off(store::session& behind) : behind_(behind) {}
  gantry_status exec(std::string_view sql, std::span<const gantry_value> params, std::int64_t* changes) override {
    return behind_.exec(sql, params, changes);
  }
  gantry_status exec_many(std::string_view sql, std::span<const gantry_value> params, std::size_t n, std::size_t count,
                          std::int64_t* changes) override {
    return behind_.exec_many(sql, params, n, count, changes);
  }
  gantry_status defer(std::string_view sql, std::span<const gantry_value> params) override {
    return behind_.defer(sql, params);
  }
  gantry_status query(std::string_view sql, std::span<const gantry_value> params, store::cursor** out) override {
    const auto status = behind_.query(sql, params, &rows_.behind);
    rows_.breaks = sql.find(breaks_at) != std::string_view::npos;
    *out = &rows_;
    return status;
  }
  gantry_status script(std::string_view sql) override { return behind_.script(sql); }
  gantry_status begin() override { return behind_.begin(); }
  gantry_status commit() override { return behind_.commit(); }
  void rollback() noexcept override { behind_.rollback(); }
  gantry_status savepoint() override { return behind_.savepoint(); }
  gantry_status rollback_to() override { return behind_.rollback_to(); }
  gantry_status release() override { return behind_.release(); }
  gantry_status begin_read() override { return behind_.begin_read(); }
  void end_read() noexcept override { behind_.end_read(); }
  std::uint64_t connection_number() const noexcept override { return behind_.connection_number(); }
  std::string_view error_text() const noexcept override { return "the disk can't be read"; }

  std::string breaks_at;  // a part of the statement

 private:
  struct rows final : store::cursor {
    gantry_status next() override { return breaks ? gantry_status{GANTRY_UNAVAILABLE} : behind->next(); }
    std::size_t columns() const override { return behind->columns(); }
    gantry_status column(std::size_t index, gantry_value& out) override { return behind->column(index, out); }
    void close() override { behind->close(); }
    store::cursor* behind = nullptr;
    bool breaks = false;
  };
  store::session& behind_;
  rows rows_;
};

TEST_F(idempotency_test, a_start_does_not_take_rows_that_can_not_be_read_for_none) {
  ASSERT_EQ(
      session_->script(store::for_driver(std::string(shared_idempotency_schema).append(id_window_schema), "sqlite")),
      GANTRY_OK);
  ASSERT_EQ(session_->script("INSERT INTO gantry_idempotency_key VALUES (1, 2, 3, 4, x'00')"), GANTRY_OK);
  keep(kept_, key("a"), {200, {}, ""}, now);
  breaking_off broken(*session_);
  const auto says = [](const result<void>& done) { return done ? std::string() : done.failure().text; };
  broken.breaks_at = "SELECT max(seen)";
  EXPECT_EQ(says(id_window().load(broken)), "reading the ids of events: the disk can't be read");
  for (const auto* statement :
       {"SELECT hour FROM gantry_idempotency ", "SELECT id, hour, keys FROM gantry_idempotency "}) {
    broken.breaks_at = statement;
    EXPECT_EQ(says(idempotency().load(broken)), "reading idempotency keys: the disk can't be read");
  }
  for (const auto* statement : {"SELECT min(hour)", "SELECT high"}) {
    broken.breaks_at = statement;
    EXPECT_EQ(says(idempotency().load(broken, true)), "reading idempotency keys: the disk can't be read");
  }
}

TEST_F(idempotency_test, a_shared_store_without_a_key_has_no_newest_hour) {
  ASSERT_EQ(session_->script(store::for_driver(std::string(shared_idempotency_schema), "sqlite")), GANTRY_OK);
  idempotency empty;
  ASSERT_TRUE(empty.load(*session_, true));
  EXPECT_EQ(empty.newest_us(), 0);
  EXPECT_EQ(empty.in_memory(), 0U);
}

TEST_F(idempotency_test, a_run_without_a_filter_is_asked_all_the_same) {
  key_runs runs(0);
  std::vector<key_place> places;
  for (std::uint64_t i = 0; i < 1500; ++i) places.push_back({i * 0x9E3779B97F4A7C15ULL, i + 1});
  places.push_back({places[700].print, 9999});
  runs.take(places, 1, 1);
  ASSERT_EQ(session_->begin(), GANTRY_OK);
  ASSERT_EQ(runs.write(*session_), GANTRY_OK);
  ASSERT_EQ(session_->commit(), GANTRY_OK);
  runs.committed();
  ASSERT_FALSE(runs.writing());
  EXPECT_EQ(runs.filter_bytes(), 0U);
  std::vector<std::uint64_t> rows;
  ASSERT_TRUE(runs.find(*session_, places[3].print, rows));
  EXPECT_EQ(rows, std::vector<std::uint64_t>{4});
  rows.clear();
  ASSERT_TRUE(runs.find(*session_, places[700].print, rows));
  EXPECT_EQ(rows.size(), 2U);
  rows.clear();
  ASSERT_TRUE(runs.find(*session_, 12345, rows));
  EXPECT_TRUE(rows.empty());
}

TEST(print_filter, errs_for_one_of_hundreds) {
  print_filter filter(100'000);
  const auto print = [](std::uint64_t i) { return make_idempotency_key("", "", "", std::to_string(i), "").high; };
  for (std::uint64_t i = 0; i < 100'000; ++i) filter.add(print(i));
  int wrong = 0;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(filter.may_have(print(i)));
    wrong += filter.may_have(print(1'000'000 + i)) ? 1 : 0;
  }
  EXPECT_LT(wrong, 500);
  EXPECT_LE(filter.bytes(), 210'000U);
}

TEST_F(idempotency_test, what_cannot_be_read_is_not_taken_for_absent) {
  keep(kept_, key("a"), {200, {}, ""}, now);
  ASSERT_EQ(session_->script("DROP TABLE gantry_idempotency"), GANTRY_OK);
  EXPECT_EQ(kept_.find(*session_, key("a"), out_), idempotency::found::unreadable);
}

TEST_F(idempotency_test, a_key_is_worked_on_once_at_a_time) {
  EXPECT_TRUE(kept_.begin(key("a")));
  EXPECT_FALSE(kept_.begin(key("a", "other")));
  kept_.end(key("a"));
  EXPECT_TRUE(kept_.begin(key("a")));
}

}  // namespace
}  // namespace gantry::runtime
