#include "domain/history.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace shop::order {
namespace {

// By their numbers, from 1: new ones are added at the end.
constexpr std::array<std::string_view, 15> causes = {"request",
                                                     "timer",
                                                     "InventoryReserved",
                                                     "InventoryRejected",
                                                     "InventoryReleased",
                                                     "InventoryCommitted",
                                                     "InventoryCommitFailed",
                                                     "PaymentProcessed",
                                                     "PaymentFailed",
                                                     "PaymentRefunded",
                                                     "ShipmentCreated",
                                                     "ShipmentFailed",
                                                     "ShipmentCancelled",
                                                     "ShipmentDispatched",
                                                     "ShipmentDelivered"};

constexpr unsigned count_mask = 0x3f;
constexpr unsigned uuid_flag = 0x40;
constexpr unsigned text_flag = 0x80;
constexpr std::size_t uuid_text = 36;
constexpr std::size_t uuid_bytes = 16;

constexpr bool is_dash(std::size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The bytes of a UUID in its usual form; nothing if the text is not of that form.
std::optional<std::array<char, uuid_bytes>> packed_uuid(std::string_view text) {
  if (text.size() != uuid_text) return std::nullopt;
  std::array<char, uuid_bytes> bytes{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < uuid_text; ++i) {
    if (is_dash(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int digit = digit_of(text[i]);
    if (digit < 0) return std::nullopt;
    char& byte = bytes[digits / 2];
    byte = static_cast<char>(digits % 2 == 0 ? digit << 4 : (static_cast<unsigned char>(byte) | digit));
    ++digits;
  }
  return bytes;
}

std::string uuid_from(std::string_view bytes) {
  std::string text;
  text.reserve(uuid_text);
  for (const char byte : bytes) {
    if (is_dash(text.size())) text += '-';
    text += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4U];
    text += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15U];
  }
  return text;
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out += static_cast<char>((value & 0x7fU) | 0x80U);
  out += static_cast<char>(value);
}

void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out += text;
}

// Takes a history apart. Once something is missing, `good` is false and all that follows is empty.
class reader {
 public:
  explicit reader(std::string_view from) : rest_(from) {}

  bool good() const { return good_; }
  bool at_end() const { return rest_.empty(); }

  std::string_view bytes(std::uint64_t count) {
    if (count > rest_.size()) good_ = false;
    if (!good_) return {};
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  unsigned byte() {
    const std::string_view taken = bytes(1);
    return taken.empty() ? 0 : static_cast<unsigned char>(taken.front());
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const unsigned part = byte();
      value |= static_cast<std::uint64_t>(part & 0x7fU) << shift;
      if (part < 0x80) return value;
    }
    good_ = false;
    return 0;
  }
  std::string_view text() { return bytes(varint()); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

struct step {
  std::string_view statuses;  // a number each
  std::string_view cause;
  std::string_view id;
  bool id_is_uuid = false;
};

// The next step; moves `at_us` on to its time.
step read_step(reader& from, std::int64_t& at_us) {
  step next;
  const unsigned head = from.byte();
  next.statuses = from.bytes(head & count_mask);
  const unsigned cause = from.byte();
  if (cause == 0) {
    next.cause = from.text();
  } else if (cause <= causes.size()) {
    next.cause = causes[cause - 1];
  }
  const std::uint64_t zigzag = from.varint();
  next.id_is_uuid = (head & uuid_flag) != 0;
  if (next.id_is_uuid) next.id = from.bytes(uuid_bytes);
  if ((head & text_flag) != 0) next.id = from.text();
  if (from.good()) at_us += static_cast<std::int64_t>(zigzag >> 1U) ^ -static_cast<std::int64_t>(zigzag & 1U);
  return next;
}

}  // namespace

std::string history_step(std::int64_t us_since_last, const std::vector<order_status>& passed, const order_cause& by) {
  const auto uuid = packed_uuid(by.event_id);
  const auto count = static_cast<unsigned>(std::min<std::size_t>(passed.size(), count_mask));
  const unsigned id_flag = uuid ? uuid_flag : by.event_id.empty() ? 0 : text_flag;
  std::string out;
  out.reserve(32);
  out += static_cast<char>(count | id_flag);
  for (unsigned i = 0; i < count; ++i) out += static_cast<char>(passed[i]);
  const auto known = std::find(causes.begin(), causes.end(), by.type);
  out += static_cast<char>(known == causes.end() ? 0 : known - causes.begin() + 1);
  if (known == causes.end()) put_text(out, by.type);
  put_varint(out, (static_cast<std::uint64_t>(us_since_last) << 1U) ^ static_cast<std::uint64_t>(us_since_last >> 63));
  if (uuid) {
    out.append(uuid->data(), uuid->size());
  } else if (!by.event_id.empty()) {
    put_text(out, by.event_id);
  }
  return out;
}

std::vector<history_entry> read_history(std::string_view history, std::int64_t placed_us) {
  std::vector<history_entry> entries;
  reader from(history);
  std::int64_t at_us = placed_us;
  while (!from.at_end()) {
    const step next = read_step(from, at_us);
    if (!from.good()) break;
    for (const char number : next.statuses) {
      const auto status = status_numbered(number);
      if (!status) return entries;
      entries.push_back(
          {at_us, *status, std::string(next.cause), next.id_is_uuid ? uuid_from(next.id) : std::string(next.id)});
    }
  }
  return entries;
}

std::int64_t last_change(std::string_view history, std::int64_t placed_us) {
  reader from(history);
  std::int64_t at_us = placed_us;
  while (!from.at_end() && from.good()) read_step(from, at_us);
  return at_us;
}

}  // namespace shop::order
