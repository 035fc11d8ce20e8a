#include "bus/kafka/in_flight.hpp"

namespace gantry::bus::kafka {

std::uint64_t in_flight::add(std::uint64_t ticket, std::uint64_t messages, std::uint64_t bytes) {
  appends_.push_back({ticket, messages, bytes});
  bytes_ += bytes;
  return first_ + appends_.size() - 1;
}

void in_flight::settle(std::uint64_t number) { --appends_[number - first_].messages; }

std::optional<std::uint64_t> in_flight::take_acknowledged() {
  std::optional<std::uint64_t> out;
  while (!appends_.empty() && appends_.front().messages == 0) {
    out = appends_.front().ticket;
    bytes_ -= appends_.front().bytes;
    appends_.pop_front();
    ++first_;
  }
  return out;
}

}  // namespace gantry::bus::kafka
