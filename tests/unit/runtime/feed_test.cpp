#include "runtime/feed.hpp"

#include <gtest/gtest.h>

#include "bench.hpp"
#include "runtime/parking.hpp"
#include "store/dialect.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace gantry::runtime {
namespace {

// A log of one partition, in memory.
class list final : public bus::consumer {
 public:
  result<void> fetch(bus::partition_id, std::uint64_t from, std::size_t max, std::size_t, bus::fetched& out) override {
    out.records.clear();
    out.next = from;
    for (const auto& r : records)
      if (r.offset >= from && out.records.size() < max) {
        out.records.push_back(r);
        out.next = r.offset + 1;
      }
    out.more = !records.empty() && out.next <= records.back().offset;
    return {};
  }
  void committed(bus::partition_id, std::uint64_t next) override { position = next; }
  result<bus::log_range> range(bus::partition_id) const override {
    return bus::log_range{start, records.empty() ? start : records.back().offset + 1};
  }
  std::uint64_t lag(bus::partition_id, std::uint64_t) const override { return 0; }
  result<std::uint64_t> offset_at(bus::partition_id, std::int64_t) const override { return std::uint64_t{0}; }

  void add(std::uint64_t offset, std::uint64_t sequence, std::string_view source = "s") {
    bus::record r;
    r.offset = offset;
    r.sequence = sequence;
    r.source = source;
    r.key = "k";
    records.push_back(r);
  }
  std::vector<bus::record> records;
  std::uint64_t start = 0;
  std::uint64_t position = 0;
};

class feed_test : public ::testing::Test {
 protected:
  void SetUp() override {
    store::sqlite_options o;
    o.file = where_.path / "store.db";
    o.promise = store::durability::process;
    store_ = std::move(open_sqlite_store(o)).value();
    session_ = std::move(store_->open_writer()).value();
    ASSERT_EQ(session_->script(store::for_driver(std::string(feed_schema), "sqlite")), GANTRY_OK);
    ASSERT_EQ(session_->script(store::for_driver(std::string(parking_schema), "sqlite")), GANTRY_OK);
  }
  std::unique_ptr<feed> open(const std::string& bus = "bus-1", bool latest = false) {
    auto f = std::make_unique<feed>(bus::partition_id{0, 0}, "in", log_, bus, 10, latest);
    EXPECT_TRUE(f->claim(*session_));
    f->claimed();
    return f;
  }
  // Takes all there is in one saved batch; the offsets that were new.
  std::vector<std::uint64_t> take(feed& f) {
    std::vector<std::uint64_t> fresh;
    EXPECT_TRUE(f.fill());
    f.begin_batch();
    const auto n = f.ready();
    for (std::size_t i = 0; i < n; ++i)
      if (f.is_new(*f.peek(i))) fresh.push_back(f.peek(i)->offset);
    EXPECT_EQ(f.save(*session_, n), GANTRY_OK);
    f.taken(n, true);
    f.from().committed(f.where, f.next());
    return fresh;
  }
  using offsets = std::vector<std::uint64_t>;

  testing::scratch where_;
  std::unique_ptr<store::store> store_;
  std::unique_ptr<store::session> session_;
  list log_;
};

TEST_F(feed_test, drops_what_it_has_seen_of_a_source) {
  log_.add(0, 5);
  log_.add(1, 6);
  log_.add(2, 5);
  log_.add(3, 6, "other");
  log_.add(4, 7);
  auto f = open();
  EXPECT_EQ(take(*f), (offsets{0, 1, 3, 4}));
  EXPECT_EQ(log_.position, 5U);
}

TEST_F(feed_test, remembers_position_and_sequences_over_a_restart) {
  log_.add(0, 5);
  take(*open());
  log_.add(10, 5);
  log_.add(11, 6);
  auto f = open();
  EXPECT_EQ(f->next(), 1U);
  EXPECT_EQ(take(*f), offsets{11});
}

TEST_F(feed_test, a_batch_that_is_taken_back_leaves_no_trace) {
  log_.add(0, 5);
  auto f = open();
  ASSERT_TRUE(f->fill());
  f->begin_batch();
  EXPECT_TRUE(f->is_new(*f->peek(0)));
  f->begin_batch();
  EXPECT_TRUE(f->is_new(*f->peek(0)));
}

TEST_F(feed_test, on_another_bus_it_starts_over_and_drops_what_it_knows) {
  log_.add(0, 5);
  log_.add(1, 6);
  take(*open());
  log_.records.clear();
  log_.add(0, 6);
  log_.add(1, 7);
  EXPECT_EQ(take(*open("bus-2")), offsets{1});
}

TEST_F(feed_test, latest_begins_at_the_end_the_first_time_only) {
  log_.add(0, 5);
  EXPECT_EQ(open("bus-1", true)->next(), 1U);
  log_.add(1, 6);
  EXPECT_EQ(open("bus-1", true)->next(), 1U);
}

TEST_F(feed_test, a_position_that_somebody_moved_is_a_conflict_and_can_be_read_again) {
  log_.add(0, 5);
  log_.add(1, 6);
  auto stale = open();
  auto other = open();
  take(*other);
  ASSERT_TRUE(stale->fill());
  stale->begin_batch();
  EXPECT_EQ(stale->save(*session_, 1), GANTRY_CONFLICT);
  ASSERT_TRUE(stale->claim(*session_));
  stale->claimed();
  EXPECT_EQ(stale->next(), 2U);
  log_.add(2, 6);
  log_.add(3, 7);
  EXPECT_EQ(take(*stale), offsets{3});
}

TEST_F(feed_test, a_replay_drops_the_repetitions_that_the_first_pass_dropped) {
  log_.add(0, 5);
  log_.add(1, 6);
  log_.add(2, 5);
  log_.add(3, 7);
  auto f = open();
  const auto first = take(*f);
  ASSERT_EQ(f->rewind(*session_, 0, 4, true), GANTRY_OK);
  f->rewound(0, 4);
  EXPECT_TRUE(f->replaying(log_.records[3]));
  EXPECT_EQ(take(*f), first);
  log_.add(4, 7);
  log_.add(5, 8);
  EXPECT_FALSE(f->replaying(log_.records[5]));
  f->available = true;
  EXPECT_EQ(take(*f), offsets{5});
}

TEST_F(feed_test, a_jump_of_the_log_is_passed) {
  log_.add(0, 5);
  log_.add(4'000'000, 6);
  auto f = open();
  EXPECT_EQ(take(*f), (offsets{0, 4'000'000}));
  EXPECT_EQ(f->next(), 4'000'001U);
}

TEST_F(feed_test, parking_follows_commits_and_what_is_taken_back) {
  parking parked;
  ASSERT_TRUE(parked.load(*session_));
  bus::record r;
  r.key = "k";
  parked.begin_batch();
  ASSERT_EQ(parked.add(*session_, "in", 0, r, "why", 4, 1), GANTRY_OK);
  EXPECT_TRUE(parked.has("in", "k"));
  parked.begin_batch();  // the transaction was rolled back
  EXPECT_FALSE(parked.has("in", "k"));
  ASSERT_EQ(parked.add(*session_, "in", 0, r, "why", 4, 1), GANTRY_OK);
  parked.committed();
  EXPECT_TRUE(parked.has("in", "k"));
  EXPECT_FALSE(parked.has("other", "k"));
  const auto before = parked.removed();
  ASSERT_EQ(parked.remove(*session_, 1, "in", "k"), GANTRY_OK);
  parked.back_to(before);  // the write that removed it failed
  parked.committed();
  EXPECT_EQ(parked.count(), 1U);
  EXPECT_EQ(parked.remove(*session_, 99, "in", "k"), GANTRY_NOT_FOUND);
  parking again;
  ASSERT_TRUE(again.load(*session_));
  EXPECT_EQ(again.count(), 1U);  // the second row, which nobody removed
}

}  // namespace
}  // namespace gantry::runtime
