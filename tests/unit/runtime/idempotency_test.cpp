#include "runtime/idempotency.hpp"

#include <gtest/gtest.h>

#include "bench.hpp"
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
    ASSERT_EQ(session_->script(store::for_driver(std::string(idempotency_schema), "sqlite")), GANTRY_OK);
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
