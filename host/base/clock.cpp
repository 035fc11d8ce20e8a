#include "base/clock.hpp"

#include <chrono>

namespace gantry {
namespace {

class machine_clock final : public clock {
 public:
  std::int64_t wall_us() const noexcept override {
    return micros(std::chrono::system_clock::now().time_since_epoch());
  }
  std::int64_t steady_us() const noexcept override {
    return micros(std::chrono::steady_clock::now().time_since_epoch());
  }

 private:
  template <typename D>
  static std::int64_t micros(D d) noexcept {
    return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
  }
};

}  // namespace

const clock& system_clock() noexcept {
  static const machine_clock instance;
  return instance;
}

}  // namespace gantry
