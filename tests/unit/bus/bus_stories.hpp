// Stories that hold on the journal and on each front of it.
#pragma once

#include "bus_fixture.hpp"

namespace gantry::bus::local::testing {

class BusStories : public ::testing::TestWithParam<front_maker>, public bus_fixture {
 protected:
  BusStories() { make_front = GetParam(); }
};

class BusFailureStories : public BusStories {};

class BusConcurrencyStories : public ::testing::TestWithParam<front_maker> {};

}  // namespace gantry::bus::local::testing
