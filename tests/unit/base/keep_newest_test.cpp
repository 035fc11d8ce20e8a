// Of files with their time in the name the newest are kept.
#include "base/keep_newest.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

namespace gantry {
namespace {

TEST(KeepNewestTest, OlderOnesGoAndOthersAreLeftAlone) {
  std::string name = std::filesystem::temp_directory_path() / "gantry-newest-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name.data());
  const std::set<std::string> others = {"a-17.json", "a-b-1800000000000000.json", "a-1800000000000000.box", "a.json",
                                        "b-1800000000000000.json"};
  for (const auto& other : others) std::ofstream(folder / other);
  for (int i = 0; i < 5; ++i) std::ofstream(folder / ("a-180000000000000" + std::to_string(i) + ".json"));
  keep_newest(folder, "a-", ".json", 2);
  std::set<std::string> left;
  for (const auto& file : std::filesystem::directory_iterator(folder)) left.insert(file.path().filename().string());
  auto wanted = others;
  wanted.insert({"a-1800000000000003.json", "a-1800000000000004.json"});
  EXPECT_EQ(left, wanted);
  keep_newest(folder / "none", "a-", ".json", 2);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace gantry
