#include "supervisor/quarantine.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace gantry::supervisor {
namespace {

class QuarantineTest : public ::testing::Test {
 protected:
  QuarantineTest()
      : state(std::filesystem::path(::testing::TempDir()) / ("quarantine_test." + std::to_string(getpid()))),
        path(quarantine_path(state, "main")) {}
  ~QuarantineTest() override { std::filesystem::remove_all(state); }

  static deadly_event at(std::uint64_t offset, const std::string& id) {
    return {"order", "order-events", false, 2, offset, 1, id, 0, "it died"};
  }

  std::filesystem::path state, path;
};

TEST_F(QuarantineTest, WithoutAFileNobodyIsConfined) {
  const auto known = read_quarantine(path);
  ASSERT_TRUE(known);
  EXPECT_TRUE(known->plugins.empty());
}

TEST_F(QuarantineTest, WhatIsWrittenIsRead) {
  ASSERT_TRUE(change_quarantine(path, [](quarantine& q) {
    q.confine({"order", 3, "a \"reason\"\n", 1'800'000'000'000'000});
    q.count(at(17, "id-17"));
    q.count({"order", "mail", true, 0, 0, 1, "job-1", 0, "it died too"});
    return true;
  }));
  const auto known = read_quarantine(path);
  ASSERT_TRUE(known);
  ASSERT_NE(known->find("order"), nullptr);
  EXPECT_EQ(known->find("order")->generation, 3U);
  EXPECT_EQ(known->find("order")->why, "a \"reason\"\n");
  EXPECT_EQ(known->find("order")->since_us, 1'800'000'000'000'000);
  EXPECT_EQ(known->find("payment"), nullptr);
  ASSERT_EQ(known->events.size(), 2U);
  EXPECT_EQ(known->events[0].offset, 17U);
  EXPECT_EQ(known->events[0].id, "id-17");
  EXPECT_TRUE(known->events[1].job);
}

TEST_F(QuarantineTest, DeathsOnOneEventAreCounted) {
  quarantine q;
  EXPECT_EQ(q.count(at(17, "id-17")), 1U);
  EXPECT_EQ(q.count(at(18, "id-18")), 1U);
  EXPECT_EQ(q.count(at(17, "id-17")), 2U);
  EXPECT_EQ(q.count(at(17, "another bus's")), 1U) << "the same place on another bus is another event";
  EXPECT_EQ(q.count(at(8'388'608, "id-17")), 3U) << "the same event, published once more";
  EXPECT_EQ(q.events.front().offset, 8'388'608U) << "that is where it is met next";
  auto several = at(17, "id-17");
  several.length = 4;
  EXPECT_EQ(q.count(several), 1U);
  several.offset = 18;
  EXPECT_EQ(q.count(several), 1U) << "of several events only the first one's id is known";
}

TEST_F(QuarantineTest, OfAPluginThatWasNotConfinedTheEventsAreForgottenToo) {
  quarantine q;
  q.count(at(17, "id-17"));
  EXPECT_TRUE(q.release("order")) << "that has to be written";
  EXPECT_TRUE(q.events.empty());
  EXPECT_FALSE(q.release("order"));
}

TEST_F(QuarantineTest, TheOldestEventsAreForgotten) {
  quarantine q;
  for (std::uint64_t i = 0; i <= quarantine::most_events; ++i) q.count(at(i, std::to_string(i)));
  EXPECT_EQ(q.events.size(), quarantine::most_events);
  EXPECT_EQ(q.events.front().offset, 1U);
}

TEST_F(QuarantineTest, ReleaseForgetsThePluginAndItsEvents) {
  quarantine q;
  q.confine({"order", 1, "", 0});
  q.confine({"payment", 1, "", 0});
  q.confine({"order", 2, "again", 0});
  EXPECT_EQ(q.plugins.size(), 2U);
  q.count(at(17, "id-17"));
  EXPECT_TRUE(q.release("order"));
  EXPECT_FALSE(q.release("order"));
  EXPECT_TRUE(q.events.empty());
  EXPECT_NE(q.find("payment"), nullptr);
}

TEST_F(QuarantineTest, AFileThatIsNoneOfOursIsSaidAndReplaced) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << "{\"plugins\":[{\"plugin\":1}]}";
  EXPECT_EQ(read_quarantine(path).failure().code, errc::corrupt);
  ASSERT_TRUE(change_quarantine(path, [](quarantine& q) {
    q.confine({"order", 1, "", 0});
    return true;
  }));
  EXPECT_TRUE(read_quarantine(path));
}

// As when the process has no descriptor left: that does not set anybody free.
TEST_F(QuarantineTest, AFileThatCanNotBeReadNowIsNoEmptyOneAndStays) {
  std::filesystem::create_directories(path.parent_path());
  std::filesystem::create_symlink(path.filename(), path);  // to itself
  EXPECT_EQ(read_quarantine(path).failure().code, errc::io);
  EXPECT_FALSE(change_quarantine(path, [](quarantine& q) {
    q.confine({"order", 1, "", 0});
    return true;
  }));
  EXPECT_TRUE(std::filesystem::is_symlink(path));
}

TEST_F(QuarantineTest, ChangesOfSeveralDoNotGetLost) {
  const auto confine = [&](const std::string& prefix) {
    for (int i = 0; i < 20; ++i)
      EXPECT_TRUE(change_quarantine(path, [&](quarantine& q) {
        q.confine({prefix + std::to_string(i), 1, "", 0});
        return true;
      }));
  };
  std::thread other([&] { confine("a"); });
  confine("b");
  other.join();
  EXPECT_EQ(read_quarantine(path)->plugins.size(), 40U);
}

TEST_F(QuarantineTest, AViewFollowsTheFile) {
  quarantine_view view(path);
  EXPECT_TRUE(view.now().plugins.empty());
  ASSERT_TRUE(change_quarantine(path, [](quarantine& q) {
    q.confine({"order", 1, "", 0});
    return true;
  }));
  EXPECT_NE(view.now().find("order"), nullptr);
}

}  // namespace
}  // namespace gantry::supervisor
