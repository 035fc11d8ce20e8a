#include "bus/socket/frame_input.hpp"

#include <algorithm>
#include <cstring>

namespace gantry::bus::socket {
namespace {

constexpr std::size_t usual_size = 256U << 10;
constexpr std::size_t largest_kept = 4U << 20;

}  // namespace

result<bool> frame_input::receive(const descriptor& from) {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    if (bytes_.size() > largest_kept) std::string().swap(bytes_);
  } else if (begin_ != 0) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == bytes_.size()) bytes_.resize(std::max(usual_size, 2 * bytes_.size()));
  const std::size_t room = bytes_.size() - end_;
  auto got = receive_some(from, bytes_.data() + end_, room);
  if (!got) return std::move(got).failure();
  end_ += *got;
  return *got == room;
}

result<std::optional<frame_input::frame>> frame_input::next() {
  std::uint32_t length = 0;
  if (end_ - begin_ < sizeof length) return std::optional<frame>();
  std::memcpy(&length, bytes_.data() + begin_, sizeof length);
  if (length == 0 || length > longest_)
    return error{errc::invalid,
                 "a frame of " + std::to_string(length) + " bytes: 1 to " + std::to_string(longest_) + " are expected"};
  if (end_ - begin_ - sizeof length < length) return std::optional<frame>();
  const char* const at = bytes_.data() + begin_ + sizeof length;
  begin_ += sizeof length + length;
  return std::optional<frame>({static_cast<message>(static_cast<std::uint8_t>(*at)), {at + 1, length - 1}});
}

}  // namespace gantry::bus::socket
