#include "runtime/store_watch.hpp"

#include <gtest/gtest.h>

namespace gantry::runtime {
namespace {

using news = store_watch::news;
constexpr std::int64_t second = 1'000'000;

TEST(store_watch_test, says_once_that_the_store_has_gone_and_once_that_it_is_back) {
  store_watch watch;
  EXPECT_EQ(watch.heard(), news::none);
  EXPECT_EQ(watch.missed("nobody listens there"), news::none);
  EXPECT_EQ(watch.missed("nobody listens there"), news::gone);
  EXPECT_EQ(watch.missed("the server is starting"), news::none);
  EXPECT_EQ(watch.reason(), "the server is starting");
  EXPECT_EQ(watch.heard(), news::back);
  EXPECT_EQ(watch.reason(), "");
  EXPECT_EQ(watch.heard(), news::none);
}

TEST(store_watch_test, a_connection_that_was_cut_is_no_store_that_has_gone) {
  store_watch watch;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(watch.missed("the connection was lost"), news::none);
    EXPECT_EQ(watch.reason(), "");
    EXPECT_EQ(watch.heard(), news::none);
  }
}

TEST(store_watch_test, a_question_that_stays_without_an_answer_is_noticed) {
  store_watch watch;
  EXPECT_EQ(watch.look(100 * second), news::none);
  {
    const store_watch::question asking(watch, 100 * second);
    EXPECT_EQ(watch.look(104 * second), news::none);
    EXPECT_EQ(watch.look(105 * second), news::gone);
    EXPECT_EQ(watch.look(107 * second), news::none);
    EXPECT_EQ(watch.reason(), "no answer for 7 s");
  }
  EXPECT_EQ(watch.look(120 * second), news::none);
  EXPECT_EQ(watch.heard(), news::back);
}

}  // namespace
}  // namespace gantry::runtime
