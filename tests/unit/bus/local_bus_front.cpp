// The stories on the journal as it is.
#include "bus_stories.hpp"

namespace gantry::bus::local::testing {
namespace {

constexpr front_maker none = nullptr;

INSTANTIATE_TEST_SUITE_P(Journal, BusStories, ::testing::Values(none));
INSTANTIATE_TEST_SUITE_P(Journal, BusFailureStories, ::testing::Values(none));
INSTANTIATE_TEST_SUITE_P(Journal, BusConcurrencyStories, ::testing::Values(none));

}  // namespace
}  // namespace gantry::bus::local::testing
