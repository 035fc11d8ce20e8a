// The name and the numbers of a store's events: what was given once is not given again.
#include "bench.hpp"

namespace gantry::testing {
namespace {

script projection() {
  script s;
  s.event = [](const gantry_event& e, gantry_tx* tx) {
    if (const auto status = insert(tx, text(e.key), text(e.data)); status != GANTRY_OK) return status;
    return emit(tx, text(e.key), text(e.data));
  };
  return s;
}

void again(bench& b) {
  b.stop();
  b.start();
}

void set_meta(bench& b, const std::string& name, const std::string& content) {
  ASSERT_EQ(b.write([&](gantry_tx& tx) {
    return tx.db.session->script("UPDATE gantry_meta SET content = '" + content + "' WHERE name = '" + name + "'");
  }),
            GANTRY_OK);
}

std::string incarnation(bench& b) {
  const auto& source = b.lane().source();
  return source.substr(source.rfind('.') + 1);
}

TEST(lane_source, stays_the_same_from_start_to_start) {
  auto plays = projection();
  bench b(plays);
  b.publish("k", "1");
  b.settle();
  const auto first = b.lane().source();
  EXPECT_EQ(incarnation(b), "1");
  again(b);
  b.publish("k", "2");
  b.settle();
  b.crash();
  b.publish("k", "3");
  b.settle();
  EXPECT_EQ(b.lane().source(), first);
  EXPECT_EQ(b.emitted().size(), 3U);
}

// Between the backup and its return the store was started again: it has given numbers that the backup knows nothing of.
TEST(lane_source, is_a_new_one_when_the_bus_has_numbers_that_the_store_has_not_reserved) {
  auto plays = projection();
  bench b(plays);
  b.publish("k", "1");
  b.settle();
  b.stop();
  const auto backup = b.store_file().string() + ".backup";
  std::filesystem::copy_file(b.store_file(), backup);
  b.start();
  b.publish("k", "2");
  b.settle();
  b.stop();
  std::filesystem::copy_file(backup, b.store_file(), std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove(b.store_file().string() + "-wal");
  b.start();
  EXPECT_EQ(incarnation(b), "2");
  b.publish("k", "3");
  b.settle();
  // The store has lost that it had handled 2; consumers take both from the new source.
  std::string seen;
  for (const auto& r : b.emitted()) seen += r.body + " ";
  EXPECT_EQ(seen, "1 2 2 3 ");
  again(b);
  EXPECT_EQ(incarnation(b), "2");
}

TEST(lane_source, is_a_new_one_when_commits_may_have_been_lost_with_the_machine) {
  auto plays = projection();
  bench b(plays);
  set_meta(b, "life", "an earlier boot");
  again(b);
  EXPECT_EQ(incarnation(b), "2");
}

TEST(lane_source, a_bus_that_cannot_be_reached_holds_up_no_start) {
  auto plays = projection();
  bench b(plays);
  b.publish("k", "1");
  b.settle();
  b.stop();
  b.events->cut();
  b.start();
  EXPECT_EQ(incarnation(b), "1");
  b.events->heal();
  b.publish("k", "2");
  b.settle();
  EXPECT_EQ(b.emitted().size(), 2U);
}

// A store is a file that anything may have happened to. The host and its other plugins go on.
TEST(lane_source, a_damaged_number_fails_the_opening_with_what_is_wrong_where) {
  auto plays = projection();
  for (const auto& [name, content] :
       std::vector<std::pair<std::string, std::string>>{{"outbox_reserved", "many"},
                                                        {"outbox_reserved", "12x"},
                                                        {"outbox_reserved", " 12"},
                                                        {"outbox_reserved", "-1"},
                                                        {"outbox_reserved", "18446744073709551615"},
                                                        {"outbox_reserved", "18446744073709551616"},
                                                        {"outbox_reserved", "8796093022209"},
                                                        {"incarnation", "first"},
                                                        {"incarnation", "18446744073709551615"}}) {
    bench b(plays);
    set_meta(b, name, content);
    b.stop();
    const auto opened = b.open();
    ASSERT_FALSE(opened) << name << " " << content;
    EXPECT_EQ(opened.failure().code, errc::invalid);
    for (const auto& part : {b.store_file().string(), std::string("gantry_meta"), '"' + name + '"', '"' + content + '"',
                             std::string("expected a whole number from 0 to 8796093022208")})
      EXPECT_NE(opened.failure().text.find(part), std::string::npos) << opened.failure().text;
  }
}

// Whatever the store says: a start gives numbers above those of an earlier time.
TEST(lane_source, numbers_follow_the_clock_too) {
  auto plays = projection();
  bench b(plays);
  set_meta(b, "outbox_reserved", "5");
  b.time.pass(60'000'000);
  const auto number = b.time.wall_us() / 1000;
  again(b);
  EXPECT_EQ(b.rows("SELECT name, content FROM gantry_meta WHERE name = 'outbox_reserved'")[0].body,
            std::to_string(number + 1'000'000));
}

}  // namespace
}  // namespace gantry::testing
