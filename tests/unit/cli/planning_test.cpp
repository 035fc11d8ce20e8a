// Who is asked for a plan, and who has to answer.
#include "cli/planning.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "blackbox/box.hpp"
#include "supervisor/post_mortem.hpp"

namespace gantry::cli {
namespace {

TEST(PlanningTest, AHostRunsAsLongAsItsProcessHoldsItsBox) {
  std::string name = std::filesystem::temp_directory_path() / "gantry-planning-XXXXXX";
  const std::filesystem::path state = ::mkdtemp(name.data());
  EXPECT_TRUE(may_still_run(state, "side")) << "nobody knows";
  auto box = blackbox::box::open(supervisor::box_path(state, "side"));
  ASSERT_TRUE(box) << box.failure().text;
  EXPECT_TRUE(may_still_run(state, "side"));
  box->reset();
  EXPECT_FALSE(may_still_run(state, "side"));
  std::filesystem::remove_all(state);
}

}  // namespace
}  // namespace gantry::cli
