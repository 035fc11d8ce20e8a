// The file that says which generation a host starts with.
#include "lifecycle/generation_pointer.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace gantry::lifecycle {
namespace {

class GenerationPointerTest : public ::testing::Test {
 protected:
  GenerationPointerTest() {
    std::string name = std::filesystem::temp_directory_path() / "gantry-pointer-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~GenerationPointerTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path file() const { return folder_ / "generations" / "order.main.current"; }
  void content(const std::string& text) {
    std::filesystem::create_directories(file().parent_path());
    std::ofstream(file()) << text;
  }
  std::string refusal() {
    auto read = read_pointer(folder_, "order", "main");
    return read ? "it was read" : read.failure().text;
  }

  std::filesystem::path folder_;
};

TEST_F(GenerationPointerTest, WithoutASwapThereIsNone) {
  auto read = read_pointer(folder_, "order", "main");
  ASSERT_TRUE(read);
  EXPECT_FALSE(*read);
}

TEST_F(GenerationPointerTest, WhatWasWrittenIsRead) {
  const generation_pointer to{7, folder_ / "generations" / "order-7-abcd.so", "abcd", "ef01"};
  ASSERT_TRUE(write_pointer(folder_, "order", "main", to));
  auto read = read_pointer(folder_, "order", "main");
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->generation, 7U);
  EXPECT_EQ((*read)->copy, to.copy);
  EXPECT_EQ((*read)->digest, "abcd");
  EXPECT_EQ((*read)->library_digest, "ef01");
  // Of another host, and of another plugin, it says nothing.
  EXPECT_FALSE(read_pointer(folder_, "order", "b").value());
  EXPECT_FALSE(read_pointer(folder_, "payment", "main").value());
}

TEST_F(GenerationPointerTest, WhatAFileWasPutInThePlaceOfIsKnownToWhoeverTakesItBack) {
  generation_pointer to{7, folder_ / "generations" / "order-7-abcd.so", "abcd", "ef01", true};
  to.former_copy = folder_ / "generations" / "order-6-1234.so";
  to.former_digest = "1234";
  to.former_run = "of-a-plan";
  ASSERT_TRUE(write_pointer(folder_, "order", "main", to));
  const auto read = read_pointer(folder_, "order", "main").value();
  EXPECT_EQ(read->former_copy, to.former_copy);
  EXPECT_EQ(read->former_digest, "1234");
  EXPECT_EQ(read->former_run, "of-a-plan");
  EXPECT_TRUE(read->preferred);
}

TEST_F(GenerationPointerTest, AFileInTheLibrarysPlaceIsToldFromOneThatStayed) {
  generation_pointer to{7, folder_ / "generations" / "order-7-abcd.so", "abcd", "ef01", true};
  ASSERT_TRUE(write_pointer(folder_, "order", "main", to));
  EXPECT_TRUE(read_pointer(folder_, "order", "main").value()->preferred);
  to.preferred = false;
  ASSERT_TRUE(write_pointer(folder_, "order", "main", to));
  EXPECT_FALSE(read_pointer(folder_, "order", "main").value()->preferred);
}

TEST_F(GenerationPointerTest, TheStateDirectoryCanBeMoved) {
  ASSERT_TRUE(write_pointer(folder_, "order", "main", {2, folder_ / "generations" / "order-2-aa.so", "aa", "bb"}));
  const auto moved = folder_.string() + "-moved";
  std::filesystem::rename(folder_, moved);
  auto read = read_pointer(moved, "order", "main");
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->copy, std::filesystem::path(moved) / "generations" / "order-2-aa.so");
  std::filesystem::rename(moved, folder_);
}

TEST_F(GenerationPointerTest, HalfAFileIsNone) {
  content("generation 2\ncopy order-2-aa.so\ndigest aa\n");
  EXPECT_NE(refusal().find("is not complete"), std::string::npos) << refusal();
}

TEST_F(GenerationPointerTest, RubbishIsNamedWithItsLine) {
  content("generation 2\ncopy ../../etc/passwd\nend\n");
  EXPECT_NE(refusal().find(":2: found \"copy ../../etc/passwd\", expected the name of a file"), std::string::npos)
      << refusal();
  content("generation zero\n");
  EXPECT_NE(refusal().find(":1: found \"generation zero\", expected a number from 1"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace gantry::lifecycle
