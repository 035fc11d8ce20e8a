// Tickets under way are acknowledged in order, however their messages are.
#include <gtest/gtest.h>

#include "bus/kafka/in_flight.hpp"

namespace gantry::bus::kafka {
namespace {

TEST(InFlightTest, AcknowledgesATicketWhenAllBeforeItAre) {
  in_flight all;
  const auto first = all.add(10, 2, 100);
  const auto second = all.add(11, 1, 50);
  const auto third = all.add(15, 1, 25);
  all.settle(second);
  EXPECT_EQ(all.take_acknowledged(), std::nullopt);
  all.settle(first);
  EXPECT_EQ(all.take_acknowledged(), std::nullopt);
  EXPECT_EQ(all.bytes(), 175U);
  all.settle(first);
  EXPECT_EQ(all.take_acknowledged(), 11U);
  EXPECT_EQ(all.lowest_ticket(), 15U);
  EXPECT_EQ(all.bytes(), 25U);
  all.settle(third);
  EXPECT_EQ(all.take_acknowledged(), 15U);
  EXPECT_TRUE(all.empty());
  EXPECT_EQ(all.take_acknowledged(), std::nullopt);
}

TEST(InFlightTest, TakesAppendsWithoutMessages) {
  in_flight all;
  all.add(1, 0, 0);
  const auto second = all.add(2, 1, 1);
  EXPECT_EQ(all.take_acknowledged(), 1U);
  all.settle(second);
  EXPECT_EQ(all.take_acknowledged(), 2U);
}

}  // namespace
}  // namespace gantry::bus::kafka
