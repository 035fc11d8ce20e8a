#include "plan/applied.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
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

TEST_F(AppliedTest, ANoteThatWasCutOffDoesNotCount) {
  ASSERT_TRUE(write_applied(state_, "main", {"shop.yaml", "abc", "version: 1\nname: shop\n"}));
  std::filesystem::resize_file(applied_note(state_, "main"),
                               std::filesystem::file_size(applied_note(state_, "main")) - 3);
  EXPECT_FALSE(read_applied(state_, "main"));
  EXPECT_TRUE(std::filesystem::exists(applied_note(state_, "main"))) << "by which a start knows that it has to warn";
}

TEST_F(AppliedTest, TheCopyForPeopleDecidesNothing) {
  ASSERT_TRUE(write_applied(state_, "main", {"shop.yaml", "abc", "version: 1\n\nname: shop\n"}));
  std::ofstream(state_ / "topology/main.yaml") << "version: 1\nname: another one\n";
  EXPECT_EQ(read_applied(state_, "main")->text, "version: 1\n\nname: shop\n");
  std::filesystem::remove(state_ / "topology/main.yaml");
  EXPECT_EQ(read_applied(state_, "main")->text, "version: 1\n\nname: shop\n");
}

// As versions did that had the text in a file of its own.
TEST_F(AppliedTest, ATextBesideItsNoteCountsAsLongAsItIsTheOneNamed) {
  ASSERT_TRUE(write_applied(state_, "main", {"shop.yaml", "abc", "version: 1\n"}));
  std::ofstream(applied_note(state_, "main"))
      << "text " << digest_of_text("version: 1\n") << "\nfile-digest abc\nfile shop.yaml\n";
  ASSERT_TRUE(read_applied(state_, "main"));
  EXPECT_EQ(read_applied(state_, "main")->text, "version: 1\n");
  std::ofstream(state_ / "topology/main.yaml") << "version: 1\nname: cut off between the two\n";
  EXPECT_FALSE(read_applied(state_, "main"));
}

TEST_F(AppliedTest, ItIsKnownWhetherItsWriterLives) {
  ASSERT_TRUE(write_applied(state_, "main", {"shop.yaml", "abc", "version: 1\n"}));
  EXPECT_TRUE(read_applied(state_, "main")->by_who_lives);
  const pid_t child = fork();
  if (child == 0) _exit(write_applied(state_, "main", {"shop.yaml", "abc", "version: 1\n"}) ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_FALSE(read_applied(state_, "main")->by_who_lives);
}

TEST_F(AppliedTest, WithoutAStateDirectoryThereIsNothing) {
  EXPECT_FALSE(read_applied("", "main"));
  EXPECT_TRUE(applied_hosts("").empty());
}

constexpr const char* own_file = "/etc/shop.yaml";

TEST_F(AppliedTest, ATextIsOfTheFileAsItWasReadNotAsItHasBecome) {
  const auto note = next_applied(std::nullopt, own_file, "of-the-file-now", own_file, "text 2");
  EXPECT_EQ(note.file_digest, digest_of_text("text 2"));
}

TEST_F(AppliedTest, ATextOfAnotherFileCountsAsLongAsTheFirstStaysAsItIs) {
  const auto note = next_applied(std::nullopt, own_file, "of-the-file-now", "/tmp/other.yaml", "text 2");
  EXPECT_EQ(note.file, own_file);
  EXPECT_EQ(note.file_digest, "of-the-file-now");
}

TEST_F(AppliedTest, WhatIsTakenBackIsNotedAsItWasAlsoAfterARestart) {
  const applied_topology before{own_file, "of-another-file", "text 1"};
  ASSERT_TRUE(write_applied(state_, "main", next_applied(before, own_file, {}, own_file, "text 2")));
  auto back = former_applied(read_applied(state_, "main"), own_file, {}, own_file, "text 1");
  EXPECT_EQ(back.text, "text 1");
  EXPECT_EQ(back.file_digest, "of-another-file") << "an edited file would not win at the next start";
  ASSERT_TRUE(write_applied(state_, "main", back));
  back = former_applied(read_applied(state_, "main"), own_file, {}, own_file, "text 1");
  EXPECT_EQ(back.file_digest, "of-another-file") << "it may be taken back twice";
}

TEST_F(AppliedTest, TheSameTextOnceMoreKeepsItsWayBack) {
  const applied_topology before{own_file, "of-another-file", "text 1"};
  const auto first = next_applied(before, own_file, {}, own_file, "text 2");
  const auto again = next_applied(first, own_file, {}, own_file, "text 2");
  EXPECT_EQ(again.former_file_digest, "of-another-file");
}

TEST_F(AppliedTest, NobodyElseReadsIt) {
  ASSERT_TRUE(write_applied(state_, "main", {"shop.yaml", "abc", "version: 1\n"}));
  EXPECT_EQ(std::filesystem::status(state_ / "topology").permissions(), std::filesystem::perms::owner_all);
}

TEST_F(AppliedTest, NobodyHasWrittenAnything) { EXPECT_TRUE(applied_hosts(state_).empty()); }

}  // namespace
}  // namespace gantry::plan
