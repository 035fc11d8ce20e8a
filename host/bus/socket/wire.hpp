// What goes over the socket: frames, little-endian.
//   u32 length of what follows, u8 kind, then the kind's fields in the order in which the code below writes them
// Texts are a u32 length and the bytes; a failure is a u8 errc and a text. Hello, welcome and refused stay as they are
// in all versions of the protocol.
// Thread: any.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"

namespace gantry::bus::socket {

inline constexpr std::uint32_t protocol_magic = 0x53424E47;  // "GNBS"
inline constexpr std::uint16_t protocol_version = 1;
inline constexpr std::size_t frame_max = 64U << 20;
inline constexpr std::size_t hello_max = 4096;  // before anything is known of the other side

enum class message : std::uint8_t {
  // Of a client.
  hello = 1,       // u32 magic, u16 version, u32 process, text instance, text member
  open_topic,      // u32 request, spec
  topics,          // u32 request
  open_producer,   // u32 request, u32 producer
  close_producer,  // u32 producer
  append,          // u32 producer, u64 ticket, u32 count, then each: partition, u32 records, text source, text bytes
  open_consumer,   // u32 request, u32 consumer, u64 window, text group, u32 count, u32 topics
  close_consumer,  // u32 consumer
  fetch,           // u32 consumer, partition, u32 call, u32 generation, u64 from, u64 max_records, u64 max_bytes
  taken,           // u32 consumer, partition, u32 generation, u64 bytes
  committed,       // u32 consumer, partition, u64 next
  range,           // u32 request, u32 consumer, partition
  lag,             // u32 request, u32 consumer, partition, u64 from
  offset_at,       // u32 request, u32 consumer, partition, u64 time
  // Of the owner.
  welcome = 64,  // u16 version, text bus id
  refused,       // u16 version, failure
  answer,        // u32 request, u8 failed, then a failure or what was asked for
  acknowledged,  // u32 producer, u64 ticket
  failed,        // u32 producer, u64 ticket, failure
  assigned,      // u32 consumer, partition
  revoked,       // u32 consumer, partition
  available,     // u32 consumer, partition: there is something to fetch
  records,       // u32 consumer, partition, u32 generation, u64 next, u8 more, u32 count, then each run
  fetched,       // u32 consumer, partition, u32 call, u8 failed, then a failure: all that was there was sent before
  health,        // u8 failed, then a failure
  // Of both.
  alive = 128,  // nothing: the other side is there
};

// Appends one frame to `out`; its length is filled in at the end.
class frame_writer {
 public:
  frame_writer(std::string& out, message kind) : out_(out), at_(out.size()) {
    u32(0);
    u8(static_cast<std::uint8_t>(kind));
  }
  ~frame_writer() {
    const auto length = static_cast<std::uint32_t>(out_.size() - at_ - sizeof(std::uint32_t));
    std::memcpy(out_.data() + at_, &length, sizeof length);
  }
  frame_writer(const frame_writer&) = delete;
  frame_writer& operator=(const frame_writer&) = delete;

  frame_writer& u8(std::uint8_t v) { return raw(&v, sizeof v); }
  frame_writer& u16(std::uint16_t v) { return raw(&v, sizeof v); }
  frame_writer& u32(std::uint32_t v) { return raw(&v, sizeof v); }
  frame_writer& u64(std::uint64_t v) { return raw(&v, sizeof v); }
  frame_writer& text(std::string_view v) {
    u32(static_cast<std::uint32_t>(v.size()));
    return raw(v.data(), v.size());
  }
  frame_writer& partition(partition_id v) { return u32(v.topic).u32(v.partition); }
  frame_writer& failure(const error& v) { return u8(static_cast<std::uint8_t>(v.code)).text(v.text); }
  frame_writer& outcome(const result<void>& v) { return v ? u8(0) : u8(1).failure(v.failure()); }
  frame_writer& spec(const topic_spec& v);
  // Runs of records of one source with offsets that follow each other.
  frame_writer& runs(std::span<const record> v);

 private:
  frame_writer& raw(const void* bytes, std::size_t size) {
    out_.append(static_cast<const char*>(bytes), size);
    return *this;
  }
  std::string& out_;
  const std::size_t at_;
};

// Takes the fields of a frame off its front. What is missing reads as zero and makes good() false.
class frame_reader {
 public:
  explicit frame_reader(std::string_view payload) : left_(payload) {}

  std::uint8_t u8() { return number<std::uint8_t>(); }
  std::uint16_t u16() { return number<std::uint16_t>(); }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }
  std::string_view text();
  partition_id partition() {
    const auto topic = u32();
    return {topic, u32()};
  }
  error failure();
  result<void> outcome() { return u8() == 0 ? result<void>() : result<void>(failure()); }
  topic_spec spec();

  bool good() const noexcept { return good_; }
  bool ended() const noexcept { return good_ && left_.empty(); }
  std::string_view left() const noexcept { return left_; }

 private:
  template <typename T>
  T number() {
    T out{};
    if (left_.size() < sizeof out) {
      good_ = false;
      left_ = {};
      return out;
    }
    std::memcpy(&out, left_.data(), sizeof out);
    left_.remove_prefix(sizeof out);
    return out;
  }
  std::string_view left_;
  bool good_ = true;
};

// Where a run lies in the bytes it was read from.
struct record_run {
  std::uint64_t base = 0;
  std::uint32_t count = 0;
  std::string_view source;
  std::string_view records;
};

// Reads runs up to the end of the frame; nothing when they don't add up.
std::optional<std::vector<record_run>> read_runs(frame_reader& from, std::uint32_t count);

// Counts the records of a batch by their lengths. invalid: these don't add up.
struct batch_count {
  std::uint32_t records = 0;
  std::size_t largest = 0;
};
result<batch_count> count_records(std::string_view records);

}  // namespace gantry::bus::socket
