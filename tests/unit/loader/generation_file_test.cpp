// The private copies of plugin files, and which of them are still needed.
#include "loader/generation_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "scratch.hpp"

namespace gantry::loader {
namespace {

using names = std::set<std::string>;

class GenerationFileTest : public scratch_test {
 protected:
  // The copy of a generation, written in the order of the numbers.
  copy_in_use load(const std::string& plugin, std::uint64_t generation) {
    const auto path = path_of(plugin, generation);
    auto used = write_generation({"plugin.so", plugin + std::to_string(generation)}, path);
    EXPECT_TRUE(used) << used.failure().text;
    std::filesystem::last_write_time(path,
                                     std::filesystem::file_time_type(std::chrono::seconds(1'000'000'000 + generation)));
    return std::move(*used);
  }
  std::filesystem::path path_of(const std::string& plugin, std::uint64_t generation) const {
    return generation_path(directory_, plugin, generation, "0123456789abcdef0");
  }
  names remove(std::size_t spare, std::optional<names> named = names{}) {
    const auto done = remove_copies(path_of("order", 1).parent_path(), "order", spare, [&] { return named; });
    EXPECT_TRUE(done) << done.failure().text;
    names left;
    for (const auto& file : std::filesystem::directory_iterator(path_of("order", 1).parent_path()))
      left.insert(file.path().filename().string());
    return left;
  }
  static std::string name(std::uint64_t generation) {
    return "order-" + std::to_string(generation) + "-0123456789abcdef.so";
  }
};

TEST_F(GenerationFileTest, CopiesThatNobodyUsesAreRemovedButForTheNewest) {
  for (std::uint64_t n = 1; n <= 5; ++n) load("order", n);
  EXPECT_EQ(remove(2), (names{name(4), name(5)}));
  EXPECT_EQ(remove(0), names{});
}

TEST_F(GenerationFileTest, OneInUseStays) {
  const auto used = load("order", 1);
  load("order", 2);
  EXPECT_EQ(remove(0), names{name(1)});
}

TEST_F(GenerationFileTest, OneThatIsNamedStays) {
  load("order", 1);
  load("order", 2);
  EXPECT_EQ(remove(0, names{name(1)}), names{name(1)});
}

TEST_F(GenerationFileTest, WhereNobodyKnowsWhatIsNamedAllStay) {
  load("order", 1);
  EXPECT_EQ(remove(0, std::nullopt), names{name(1)});
}

TEST_F(GenerationFileTest, OtherPluginsFilesStayAndSignaturesGoAlong) {
  load("order", 1);
  load("order-history", 1);
  ASSERT_TRUE(write_generation({"plugin.so.minisig", "x"}, path_of("order", 1).string() + ".minisig"));
  EXPECT_EQ(remove(0), names{"order-history-1-0123456789abcdef.so"});
}

TEST_F(GenerationFileTest, TheSameFileIsNotWrittenAgain) {
  struct stat before = {}, after = {};
  const auto first = load("order", 1);
  ASSERT_EQ(::stat(path_of("order", 1).c_str(), &before), 0);
  const auto second = load("order", 1);
  ASSERT_EQ(::stat(path_of("order", 1).c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino) << "another host has it mapped";
  ASSERT_TRUE(write_generation({"plugin.so", "other"}, path_of("order", 1)));
  ASSERT_EQ(::stat(path_of("order", 1).c_str(), &after), 0);
  EXPECT_NE(before.st_ino, after.st_ino);
}

}  // namespace
}  // namespace gantry::loader
