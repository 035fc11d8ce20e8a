// What a thread notes, and what another process reads of it.
#include "blackbox/box.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "blackbox/reading.hpp"

namespace gantry::blackbox {
namespace {

class BoxTest : public ::testing::Test {
 protected:
  BoxTest() : file(std::filesystem::path(::testing::TempDir()) / ("box_test." + std::to_string(getpid()))) {
    auto opened = box::open(file);
    EXPECT_TRUE(opened) << opened.failure().text;
    notes = std::move(*opened);
  }
  ~BoxTest() override {
    notes.reset();
    std::filesystem::remove(file);
  }

  work event_at(std::uint64_t offset, std::string_view id) {
    return {.kind = work_kind::event,
            .plugin = notes->name("order"),
            .generation = 3,
            .what = notes->name("order-events"),
            .type = notes->name("OrderCreated"),
            .partition = 2,
            .offset = offset,
            .id = id};
  }
  account read() const {
    auto out = read_box(file);
    EXPECT_TRUE(out) << out.failure().text;
    return *out;
  }

  std::filesystem::path file;
  std::unique_ptr<box> notes;
};

TEST_F(BoxTest, WhatAThreadDoesIsReadInFull) {
  auto& mine = notes->mine();
  enter(mine, event_at(17, "01a1ff15-8968-76e0-958a-dd1c3b58e132"), 1234);
  const auto all = read();
  EXPECT_EQ(all.pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_FALSE(all.ended_in_order);
  EXPECT_FALSE(all.end);
  ASSERT_EQ(all.threads.size(), 1U);
  const auto& t = all.threads[0];
  EXPECT_TRUE(t.inside());
  EXPECT_EQ(t.tid, static_cast<std::uint32_t>(gettid()));
  EXPECT_EQ(t.plugin, "order");
  EXPECT_EQ(t.generation, 3U);
  EXPECT_EQ(to_text(t), "event OrderCreated of order-events/2 at 17");
  EXPECT_EQ(t.id, "01a1ff15-8968-76e0-958a-dd1c3b58e132");
  leave(mine);
  EXPECT_FALSE(read().threads[0].inside());
}

TEST_F(BoxTest, TheInnerPluginStandsForAsLongAsItIsCalled) {
  auto& mine = notes->mine();
  enter(mine, event_at(1, "outer"), 10);
  kept outer;
  enter_within(mine, outer,
               {.kind = work_kind::request, .plugin = notes->name("catalog"), .what = notes->name("GET /products")},
               20);
  EXPECT_EQ(to_text(read().threads[0]), "request GET /products");
  put_back(mine, outer);
  const auto again = read().threads[0];
  EXPECT_EQ(again.plugin, "order");
  EXPECT_EQ(again.since_us, 10);
  EXPECT_EQ(again.id, "outer");
  leave(mine);
}

TEST_F(BoxTest, EachThreadHasASlotAndGivesItBack) {
  notes->mine();
  const auto other_slot = std::async(std::launch::async, [&] { return &notes->mine(); }).get();
  EXPECT_NE(other_slot, &notes->mine());
  EXPECT_EQ(std::async(std::launch::async, [&] { return &notes->mine(); }).get(), other_slot);
}

// Threads come and go while the process writes down why it ends.
TEST_F(BoxTest, WhatASuspectDidLastIsNotLost) {
  std::promise<slot*> entered;
  std::promise<void> go_on;
  std::thread suspect([&] {
    auto& mine = notes->mine();
    enter(mine, event_at(17, "x"), 1);
    entered.set_value(&mine);
    go_on.get_future().wait();
  });
  auto* const at = entered.get_future().get();
  at->used = 2;
  std::thread([&] { EXPECT_NE(&notes->mine(), at); }).join();
  EXPECT_EQ(at->used, 2U);
  go_on.set_value();
  suspect.join();
  EXPECT_EQ(at->used, 2U) << "it has gone, and what it did counts";
  std::thread([&] { EXPECT_NE(&notes->mine(), at); }).join();
  EXPECT_EQ(read().threads[0].plugin, "order");
}

TEST_F(BoxTest, NamesAreKeptOnceAndRunOutWithoutHarm) {
  const auto once = notes->name("order");
  EXPECT_NE(once, 0U);
  EXPECT_EQ(notes->name("order"), once);
  EXPECT_EQ(notes->name(""), 0U);
  for (int i = 0; i < 10'000; ++i) notes->name("a name among many " + std::to_string(i));
  EXPECT_EQ(notes->name("one too many"), 0U);
  EXPECT_EQ(notes->name("order"), once);
}

TEST_F(BoxTest, ALivingProcessKeepsItsBox) {
  const auto second = box::open(file);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.failure().code, errc::conflict);
  notes->end_in_order(7);
  notes.reset();
  EXPECT_TRUE(read().ended_in_order);
  EXPECT_EQ(read().exit_code, 7);
  EXPECT_TRUE(box::open(file)) << "the next one starts with an empty page";
}

TEST_F(BoxTest, TheNextProcessWaitsForTheLastMomentsOfTheOneBefore) {
  int waited = 0;
  const auto next = box::open_within(file, std::chrono::minutes(10), [&] {
    ++waited;
    notes.reset();
  });
  EXPECT_TRUE(next);
  EXPECT_EQ(waited, 1);
  EXPECT_EQ(box::open_within(file, std::chrono::milliseconds(0), [] {}).failure().code, errc::conflict);
  const auto asked_to_end = [] { return true; };
  EXPECT_EQ(box::open_within(
                file, std::chrono::hours(10), [] {}, asked_to_end)
                .failure()
                .code,
            errc::conflict);
}

TEST_F(BoxTest, WhatIsNoBoxIsRefused) {
  EXPECT_EQ(read_box(file.string() + ".missing").failure().code, errc::not_found);
  std::filesystem::resize_file(file, 100);
  EXPECT_EQ(read_box(file).failure().code, errc::corrupt);
}

// A page is bytes from a process that has gone wrong.
TEST_F(BoxTest, DamageIsNotFollowed) {
  auto& mine = notes->mine();
  enter(mine, event_at(1, "x"), 10);
  mine.plugin = 0xFFFFFFF0U;
  mine.what = 70'000;
  mine.id_length = 0xFFFFU;
  notes->all().names_used = 0xFFFFFFFFU;
  notes->all().maps_length = 0xFFFFFFFFU;
  notes->all().end.taken = 1;
  notes->all().end.frame_count = 0xFFFFFFFFU;
  const auto all = read();
  EXPECT_EQ(all.threads[0].plugin, "");
  EXPECT_EQ(all.threads[0].id.size(), id_bytes);
  leave(mine);
}

}  // namespace
}  // namespace gantry::blackbox
