#include "bus/local/frame.hpp"

#include <bit>
#include <cstring>
#include <type_traits>

#include "base/hash.hpp"

namespace gantry::bus::local {
namespace {

static_assert(std::endian::native == std::endian::little, "frames are copied as they lie in memory");

template <typename T>
void put(T value, std::string& out) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string_view text, std::string& out) {
  put(static_cast<std::uint16_t>(text.size()), out);
  out.append(text);
}

// Takes values off the front; once bytes are missing every further value is zero and ok() says so.
class reader {
 public:
  explicit reader(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  T take() {
    T value{};
    const auto part = raw(sizeof value);
    if (!part.empty()) std::memcpy(&value, part.data(), sizeof value);
    return value;
  }
  std::string text() { return std::string(raw(take<std::uint16_t>())); }
  // A number of things to come, each of at least `bytes_each`.
  std::size_t length(std::size_t bytes_each) {
    const auto n = take<std::uint32_t>();
    if (n > bytes_.size() / bytes_each) ok_ = false;
    return ok_ ? n : 0;
  }
  bool ok() const noexcept { return ok_; }

 private:
  std::string_view raw(std::size_t n) {
    if (n > bytes_.size()) ok_ = false;
    if (!ok_) return {};
    const auto part = bytes_.substr(0, n);
    bytes_.remove_prefix(n);
    return part;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace

void put_header(frame_header header, char* to) noexcept {
  std::memcpy(to, &header, sizeof header);
  header.crc = crc32c({to + sizeof header.crc, sizeof header - sizeof header.crc});
  std::memcpy(to, &header.crc, sizeof header.crc);
}

std::optional<frame_header> header_at(std::string_view bytes, std::uint64_t position) noexcept {
  frame_header header;
  if (bytes.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != frame_magic || header.position != position) return std::nullopt;
  if (header.length < sizeof header + header.source) return std::nullopt;
  if (header.crc != crc32c(bytes.substr(sizeof header.crc, sizeof header - sizeof header.crc))) return std::nullopt;
  return header;
}

void encode(const journal_state& state, std::string& out) {
  put_text(state.bus_id, out);
  put(static_cast<std::uint8_t>(state.clean), out);
  put(static_cast<std::uint32_t>(state.topics.size()), out);
  for (const auto& topic : state.topics) {
    put_text(topic.spec.name, out);
    put(static_cast<std::int64_t>(topic.spec.retention.count()), out);
    put(topic.spec.retention_bytes, out);
    put(topic.spec.max_message, out);
    put(topic.spec.partitions, out);
    for (const auto& partition : topic.partitions) put(partition, out);
  }
  put(static_cast<std::uint32_t>(state.groups.size()), out);
  for (const auto& [name, positions] : state.groups) {
    put_text(name, out);
    put(static_cast<std::uint32_t>(positions.size()), out);
    for (const auto& [where, position] : positions) {
      put(where, out);
      put(position, out);
    }
  }
}

result<journal_state> decode_state(std::string_view bytes) {
  reader in(bytes);
  journal_state state;
  state.bus_id = in.text();
  state.clean = in.take<std::uint8_t>() != 0;
  state.topics.resize(in.length(30));
  for (auto& topic : state.topics) {
    topic.spec.name = in.text();
    topic.spec.retention = std::chrono::milliseconds(in.take<std::int64_t>());
    topic.spec.retention_bytes = in.take<std::uint64_t>();
    topic.spec.max_message = in.take<std::uint64_t>();
    topic.partitions.resize(in.length(sizeof(partition_state)));
    topic.spec.partitions = static_cast<std::uint32_t>(topic.partitions.size());
    for (auto& partition : topic.partitions) partition = in.take<partition_state>();
  }
  const std::size_t groups = in.length(6);
  for (std::size_t i = 0; i < groups && in.ok(); ++i) {
    auto& positions = state.groups[in.text()];
    const std::size_t n = in.length(16);
    for (std::size_t k = 0; k < n; ++k) {
      const auto where = in.take<partition_id>();
      positions[where] = in.take<std::uint64_t>();
    }
  }
  if (!in.ok()) return error{errc::corrupt, "the state in this frame ends too early"};
  return state;
}

}  // namespace gantry::bus::local
