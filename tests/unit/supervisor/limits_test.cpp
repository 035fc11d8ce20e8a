// The bounds of a child: control groups, on a folder that looks like theirs, and the look at one's own memory.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <condition_variable>
#include <cstring>
#include <fstream>
#include <mutex>
#include <vector>

#include "supervisor/control_groups.hpp"
#include "supervisor/memory_bound.hpp"

namespace gantry::supervisor {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

class ControlGroupsTest : public ::testing::Test {
 protected:
  ControlGroupsTest() {
    std::string folder = ::testing::TempDir() + "control-groups-XXXXXX";
    own = mkdtemp(folder.data());
    offer("cpuset cpu io memory pids");
    for (const char* name : {"cgroup.procs", "cgroup.subtree_control"}) make(own / name);
    // The kernel puts these into a group when that is made.
    for (const char* group : {"gantry", "main~payment"}) {
      fs::create_directory(own / group);
      for (const char* name : {"cgroup.procs", "memory.max", "memory.swap.max", "memory.oom.group", "cpu.max"})
        make(own / group / name);
    }
  }
  ~ControlGroupsTest() override { fs::remove_all(own); }

  static void make(const fs::path& file) { std::ofstream out(file); }
  void offer(const char* controllers) const { std::ofstream(own / "cgroup.controllers") << controllers << "\n"; }

  fs::path own;
};

TEST_F(ControlGroupsTest, TheProcessMakesRoomForGroupsBelowItsOwn) {
  const auto groups = control_groups::take(own);
  ASSERT_TRUE(groups.ok()) << groups.failure().text;
  EXPECT_EQ(content(own / "gantry/cgroup.procs"), "0");
  EXPECT_EQ(content(own / "cgroup.subtree_control"), "+memory +cpu");
}

TEST_F(ControlGroupsTest, AChildsLimitsAreWrittenIntoItsGroup) {
  const auto groups = control_groups::take(own);
  ASSERT_TRUE(groups.ok());
  const auto group = groups->limit("main~payment", {256U << 20U, 1.5});
  ASSERT_TRUE(group.ok()) << group.failure().text;
  EXPECT_EQ(*group, own / "main~payment");
  EXPECT_EQ(content(*group / "memory.max"), "268435456");
  EXPECT_EQ(content(*group / "memory.swap.max"), "0");
  EXPECT_EQ(content(*group / "cpu.max"), "150000 100000");
  ASSERT_TRUE(join_control_group(*group));
  EXPECT_EQ(content(*group / "cgroup.procs"), "0");
}

TEST_F(ControlGroupsTest, WhatIsNotGivenHasNoBound) {
  const auto groups = control_groups::take(own);
  const auto group = groups->limit("main~payment", {0, 0.25});
  ASSERT_TRUE(group.ok());
  EXPECT_EQ(content(*group / "memory.max"), "max");
  EXPECT_EQ(content(*group / "cpu.max"), "25000 100000");
}

TEST_F(ControlGroupsTest, WithoutAControllerNothingIsChanged) {
  offer("cpu pids");
  const auto groups = control_groups::take(own);
  ASSERT_FALSE(groups.ok());
  EXPECT_NE(groups.failure().text.find("has no controller memory; it has \"cpu pids"), std::string::npos);
  EXPECT_EQ(content(own / "gantry/cgroup.procs"), "");
}

TEST_F(ControlGroupsTest, AGroupThatIsNotOursIsLeftAsItWas) {
  fs::remove(own / "cgroup.subtree_control");
  const auto groups = control_groups::take(own);
  ASSERT_FALSE(groups.ok());
  EXPECT_EQ(groups.failure().code, errc::unsupported);
  EXPECT_EQ(content(own / "cgroup.procs"), "0") << "back where it was";
}

TEST(MemoryBoundTest, WhatIsUsedIsSeenAndWhatIsMappedAloneIsNot) {
  const own_memory memory;
  const auto before = memory.private_resident_bytes();
  ASSERT_GT(before, 0U);
  constexpr std::size_t much = 64U << 20U;
  std::unique_ptr<char, void (*)(void*)> unused(static_cast<char*>(malloc(much)), free);
  EXPECT_LT(memory.private_resident_bytes(), before + much / 2);
  std::memset(unused.get(), 1, much);
  EXPECT_GT(memory.private_resident_bytes(), before + much / 2);
}

TEST(MemoryBoundTest, ItIsNotBlindWithoutDescriptors) {
  const own_memory memory;
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const auto found = memory.private_resident_bytes();
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_GT(found, 0U);
}

TEST(MemoryBoundTest, ItTellsOnceWhenThereIsTooMuch) {
  rlimit before{};
  getrlimit(RLIMIT_DATA, &before);
  std::mutex mutex;
  std::condition_variable told;
  std::vector<std::uint64_t> found;
  {
    // One byte: whatever this process has is too much.
    const memory_bound bound(1, [&](std::uint64_t bytes) {
      const std::lock_guard lock(mutex);
      found.push_back(bytes);
      told.notify_all();
    });
    std::unique_lock lock(mutex);
    told.wait(lock, [&] { return !found.empty(); });
  }
  EXPECT_EQ(found.size(), 1U);
  setrlimit(RLIMIT_DATA, &before);
}

// What it tells first is more than the bound: so it has looked at less before, or not at all.
TEST(MemoryBoundTest, BelowTheBoundNothingIsTold) {
  rlimit before{};
  getrlimit(RLIMIT_DATA, &before);
  std::mutex mutex;
  std::condition_variable told;
  std::vector<std::uint64_t> found;
  constexpr std::size_t much = 64U << 20U;
  const auto bytes = own_memory().private_resident_bytes() + much / 2;
  std::unique_ptr<char, void (*)(void*)> more(nullptr, free);
  {
    const memory_bound bound(bytes, [&](std::uint64_t now) {
      const std::lock_guard lock(mutex);
      found.push_back(now);
      told.notify_all();
    });
    more.reset(static_cast<char*>(malloc(much)));
    std::memset(more.get(), 1, much);
    std::unique_lock lock(mutex);
    told.wait(lock, [&] { return !found.empty(); });
  }
  EXPECT_GT(found.front(), bytes);
  setrlimit(RLIMIT_DATA, &before);
}

}  // namespace
}  // namespace gantry::supervisor
