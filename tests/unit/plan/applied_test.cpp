#include "plan/applied.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace gantry::plan {
namespace {

class AppliedTest : public testing::Test {
 protected:
  AppliedTest() : state_(std::filesystem::temp_directory_path() / ("gantry-applied-" + std::to_string(getpid()))) {}
  ~AppliedTest() override { std::filesystem::remove_all(state_); }

  const std::filesystem::path state_;
};

TEST_F(AppliedTest, WhatAHostRunsIsFoundAgain) {
  ASSERT_TRUE(write_applied(state_, "main", {"/etc/shop of all.yaml", "abc", "version: 1\nname: shop\n"}));
  const auto found = read_applied(state_, "main");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->file, "/etc/shop of all.yaml");
  EXPECT_EQ(found->file_digest, "abc");
  EXPECT_EQ(found->text, "version: 1\nname: shop\n");
  EXPECT_FALSE(read_applied(state_, "other"));
  EXPECT_EQ(applied_hosts(state_), std::vector<std::string>{"main"});
}

TEST_F(AppliedTest, ATextWithoutItsNoteDoesNotCount) {
  ASSERT_TRUE(write_applied(state_, "main", {"shop.yaml", "abc", "version: 1\n"}));
  std::ofstream(state_ / "topology/main.yaml") << "version: 1\nname: cut off between the two\n";
  EXPECT_FALSE(read_applied(state_, "main"));
}

TEST_F(AppliedTest, NobodyElseReadsIt) {
  ASSERT_TRUE(write_applied(state_, "main", {"shop.yaml", "abc", "version: 1\n"}));
  EXPECT_EQ(std::filesystem::status(state_ / "topology").permissions(), std::filesystem::perms::owner_all);
}

TEST_F(AppliedTest, NobodyHasWrittenAnything) { EXPECT_TRUE(applied_hosts(state_).empty()); }

}  // namespace
}  // namespace gantry::plan
