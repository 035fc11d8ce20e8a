// A version of the rate window that can't read what the one before has handed over.
#include <stdexcept>

#include "rate_window.hpp"

namespace {

class forgetful_window : public rate_window {
 public:
  void import_state(std::uint32_t, std::string_view) override { throw std::runtime_error("this state can't be read"); }
};

}  // namespace

GANTRY_PLUGIN(forgetful_window, GANTRY_PLUGIN_VERSION)
