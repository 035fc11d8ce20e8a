// A record as a Kafka message and back. README.md says which header is which field.
// Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bus/record.hpp"

namespace gantry::bus::kafka {

struct header {
  std::string_view name;
  std::string_view value;
};

// Lays out one record after another; what it gives holds until the next one, and as long as the record's own texts.
class message_layout {
 public:
  void lay_out(const record& r, std::string_view source);

  std::string_view value() const noexcept { return value_; }
  std::span<const header> headers() const noexcept { return headers_; }
  std::size_t size() const noexcept { return size_; }  // bytes of key, value and headers

 private:
  std::string value_;
  std::string time_;
  std::array<char, 20> sequence_{};
  std::vector<header> headers_;
  std::size_t size_ = 0;
};

// What may be added to an encoded record's size when it is laid out: the document around its data, the names of
// headers.
constexpr std::uint64_t message_overhead = 16 * 1024;

// A message that came, of our own producers or of foreign ones. Views.
struct delivered {
  std::string_view topic;
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
  std::int64_t timestamp_ms = -1;  // -1: none
  std::string_view key;
  std::string_view value;
  std::span<const header> headers;
};

// Bytes that read_message() may use.
std::size_t room_for(const delivered& message) noexcept;

// Copies what a record needs of the message to `room`, which moves on, and makes the record of views into it. The
// source is taken from `before` when it is the same. Texts that a record can't hold are cut at 65535 bytes.
record read_message(const delivered& message, char*& room, const record* before);

}  // namespace gantry::bus::kafka
