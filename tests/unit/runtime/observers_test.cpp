#include "runtime/observers.hpp"

#include <mutex>

#include "bench.hpp"

namespace gantry::testing {
namespace {

TEST(observers, an_outage_of_the_bus_is_no_gap) {
  std::mutex mutex;
  std::string seen;
  int gaps = 0;
  script plays;
  plays.event = [](const gantry_event& e, gantry_tx* tx) { return emit(tx, text(e.key), text(e.data)); };
  plays.observe = [&](const gantry_event* e) {
    const std::lock_guard lock(mutex);
    if (e == nullptr) {
      ++gaps;
    } else {
      seen += text(e->data) + " ";
    }
  };
  bench b(plays);
  runtime::observers watching(*b.plugin, *b.events, *b.lanes);
  ASSERT_TRUE(watching.open());
  const auto saw = [&](const std::string& what) {
    return [&, what] {
      watching.tick();
      const std::lock_guard lock(mutex);
      return seen == what;
    };
  };
  b.publish("k", "1");
  b.until(saw("1 "));
  b.publish("k", "2");
  b.settle();
  b.until(saw("1 2 "));
  b.events->cut();
  // Whoever looks now is refused.
  watching.available({b.topic("out"), 0});
  watching.available({b.topic("out"), 1});
  b.write([](gantry_tx&) { return GANTRY_OK; });
  b.events->heal();
  b.publish("k", "3");
  b.passing_until(saw("1 2 3 "));
  EXPECT_EQ(gaps, 0);
  watching.close();
}

// What came while it had no partitions was announced to nobody: it looks when it has them again.
TEST(observers, what_came_while_the_bus_was_away_is_shown_once_it_is_back) {
  std::mutex mutex;
  std::string seen;
  script plays;
  plays.event = [](const gantry_event& e, gantry_tx* tx) { return emit(tx, text(e.key), text(e.data)); };
  plays.observe = [&](const gantry_event* e) {
    const std::lock_guard lock(mutex);
    seen += e == nullptr ? "gap " : text(e->data) + " ";
  };
  bench b(plays);
  runtime::observers watching(*b.plugin, *b.events, *b.lanes);
  ASSERT_TRUE(watching.open());
  const auto saw = [&](const std::string& what) {
    return [&, what] {
      watching.tick();
      const std::lock_guard lock(mutex);
      return seen == what;
    };
  };
  b.publish("k", "1");
  b.until(saw("1 "));
  b.events->lose_readers();
  ASSERT_EQ(b.write([](gantry_tx& tx) { return emit(&tx, "k", "2"); }), GANTRY_OK);
  b.until([&] { return b.appended("out") == 2; });
  b.events->heal();
  b.until(saw("1 2 "));
  watching.close();
}

// Nobody was told that it had arrived, so it was sent again.
TEST(observers, an_event_that_is_on_the_bus_twice_is_shown_once) {
  std::mutex mutex;
  std::string seen;
  script plays;
  plays.event = [](const gantry_event& e, gantry_tx* tx) { return emit(tx, text(e.key), text(e.data)); };
  plays.observe = [&](const gantry_event* e) {
    const std::lock_guard lock(mutex);
    seen += e == nullptr ? "gap " : text(e->data) + " ";
  };
  bench b(plays);
  runtime::observers watching(*b.plugin, *b.events, *b.lanes);
  ASSERT_TRUE(watching.open());
  const auto saw = [&](const std::string& last) {
    watching.tick();
    const std::lock_guard lock(mutex);
    return seen.ends_with(last);
  };
  b.events->lose_acknowledgements();
  b.publish("k", "1");
  b.until([&] { return saw("1 "); });
  b.events->heal();
  b.passing_until([&] { return b.appended("out") == 2; });
  b.publish("k", "2");
  b.passing_until([&] { return b.appended("out") == 3; });
  b.until([&] { return saw("2 "); });
  watching.close();
  EXPECT_EQ(seen, "1 2 ");
}

}  // namespace
}  // namespace gantry::testing
