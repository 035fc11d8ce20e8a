#include <gtest/gtest.h>

#include "domain/alerts.hpp"
#include "domain/lines.hpp"
#include "domain/picks.hpp"
#include "domain/reservation.hpp"
#include "domain/times.hpp"

namespace inventory {
namespace {

TEST(Lines, AreSortedBySku) {
  std::vector<line> lines{{"B", 2}, {"C", 3}, {"A", 1}};
  EXPECT_EQ(put_in_order(lines), "");
  EXPECT_EQ(lines, (std::vector<line>{{"A", 1}, {"B", 2}, {"C", 3}}));
}

TEST(Lines, SayWhatIsWrong) {
  struct row {
    std::vector<line> lines;
    std::string expected;
  };
  const std::vector<row> table{
      {{}, "no lines, expected 1 to 100"},
      {{{"", 1}}, "a line has no sku"},
      {{{"A", 0}}, "quantity of A must be 1..1000000, found 0"},
      {{{"A", -3}}, "quantity of A must be 1..1000000, found -3"},
      {{{"A", 1'000'001}}, "quantity of A must be 1..1000000, found 1000001"},
      {{{"B", 1}, {"A", 1}, {"B", 2}}, "B is named twice"},
      {std::vector<line>(101, line{"A", 1}), "101 lines, expected 1 to 100"},
  };
  for (const row& each : table) {
    auto lines = each.lines;
    EXPECT_EQ(put_in_order(lines), each.expected);
  }
}

TEST(Reservation, FollowsItsTable) {
  using state = reservation_state;
  struct row {
    std::optional<state> from;
    step reserve, release, commit;
  };
  const std::vector<row> table{
      {std::nullopt, step::hold, step::leave_tombstone, step::answer_commit_failed},
      {state::held, step::answer_reserved, step::give_back_hold, step::take_goods},
      {state::committed, step::answer_reserved, step::put_back_goods, step::answer_committed},
      {state::released, step::answer_rejected, step::answer_released, step::answer_commit_failed},
      {state::expired, step::answer_rejected, step::answer_released, step::answer_commit_failed},
      {state::rejected, step::answer_rejected, step::answer_released, step::answer_commit_failed},
      {state::cancelled, step::answer_rejected, step::answer_released, step::answer_commit_failed},
  };
  for (const row& each : table) {
    EXPECT_EQ(decide(each.from, command::reserve), each.reserve);
    EXPECT_EQ(decide(each.from, command::release), each.release);
    EXPECT_EQ(decide(each.from, command::commit), each.commit);
  }
}

TEST(Alerts, BelongToTheCrossing) {
  EXPECT_EQ(crossed(11, 10, 10, 10), crossing::fell_to_low);
  EXPECT_EQ(crossed(10, 10, 9, 10), crossing::none);
  EXPECT_EQ(crossed(9, 10, 11, 10), crossing::rose_above_low);
  EXPECT_EQ(crossed(20, 10, 20, 30), crossing::fell_to_low) << "raising the threshold makes a SKU low";
  EXPECT_TRUE(crossed_zero(1, 0));
  EXPECT_TRUE(crossed_zero(0, 5));
  EXPECT_FALSE(crossed_zero(5, 4));
}

TEST(Picks, TakeFromHomeFirstAndThenFromTheFullest) {
  const std::vector<shelf> shelves{{"home", 3}, {"a", 5}, {"b", 9}};
  EXPECT_EQ(plan_picks(shelves, 2), (std::vector<pick>{{"home", 2}}));
  EXPECT_EQ(plan_picks(shelves, 6), (std::vector<pick>{{"home", 3}, {"b", 3}}));
  EXPECT_EQ(plan_picks(shelves, 17), (std::vector<pick>{{"home", 3}, {"b", 9}, {"a", 5}}));
  EXPECT_EQ(plan_picks(shelves, 0), (std::vector<pick>{}));
}

TEST(Durations, CarryUnits) {
  EXPECT_EQ(parse_duration("15m"), 900'000'000);
  EXPECT_EQ(parse_duration("250ms"), 250'000);
  EXPECT_EQ(parse_duration("1d"), 86'400'000'000);
  for (const char* wrong : {"", "15", "m", "1.5s", "-1s", "15 m", "99999999999999999d"}) {
    EXPECT_EQ(parse_duration(wrong), std::nullopt) << wrong;
  }
}

TEST(OrderIds, TellTheirTime) {
  EXPECT_EQ(time_of_uuid7("018bcfe5-6800-7abc-8def-0123456789ab"), 1'700'000'000'000'000);
  EXPECT_EQ(time_of_uuid7("018bcfe5-6800-4abc-8def-0123456789ab"), std::nullopt) << "version 4";
  EXPECT_EQ(time_of_uuid7("order-1"), std::nullopt);
  EXPECT_EQ(uuid7_floor(1'700'000'000'000'000), "018bcfe5-6800-7000-8000-000000000000");
  EXPECT_EQ(time_of_uuid7(uuid7_floor(1'700'000'000'123'000)), 1'700'000'000'123'000);
  EXPECT_LE(uuid7_floor(1'700'000'000'000'000), "018bcfe5-6800-7abc-8def-0123456789ab");
}

}  // namespace
}  // namespace inventory
