#include "bus/record.hpp"

#include <bit>
#include <cstring>

namespace gantry::bus {
namespace {

static_assert(std::endian::native == std::endian::little, "the encoding is copied as it lies in memory");

struct fixed_part {
  std::uint32_t size;
  std::uint32_t version;
  std::int64_t time_us;
  std::uint64_t sequence;
  std::uint32_t data_at;
  std::uint32_t body;
  std::uint16_t key, type, id, correlation, causation, traceparent;
  std::uint32_t extra;
};
static_assert(sizeof(fixed_part) == 48);

std::uint16_t short_size(std::string_view s) noexcept { return static_cast<std::uint16_t>(s.size()); }

}  // namespace

std::size_t encoded_size(const record& r) noexcept {
  return sizeof(fixed_part) + r.key.size() + r.type.size() + r.id.size() + r.correlation_id.size() +
         r.causation_id.size() + r.traceparent.size() + r.body.size() + r.extra.size();
}

void encode(const record& r, std::string& out) {
  const std::size_t total = encoded_size(r);
  const fixed_part head{static_cast<std::uint32_t>(total - sizeof(std::uint32_t)),
                        r.version,
                        r.time_us,
                        r.sequence,
                        r.data_at,
                        static_cast<std::uint32_t>(r.body.size()),
                        short_size(r.key),
                        short_size(r.type),
                        short_size(r.id),
                        short_size(r.correlation_id),
                        short_size(r.causation_id),
                        short_size(r.traceparent),
                        static_cast<std::uint32_t>(r.extra.size())};
  out.reserve(out.size() + total);
  out.append(reinterpret_cast<const char*>(&head), sizeof head);
  for (auto part : {r.key, r.type, r.id, r.correlation_id, r.causation_id, r.traceparent, r.body, r.extra})
    out.append(part);
}

result<record> decode(std::string_view& bytes) {
  fixed_part head;
  if (bytes.size() < sizeof head)
    return error{errc::corrupt, "a record's fixed part needs 48 bytes, " + std::to_string(bytes.size()) + " are left"};
  std::memcpy(&head, bytes.data(), sizeof head);
  const std::size_t total = std::size_t{head.size} + sizeof head.size;
  const std::size_t texts = std::size_t{head.key} + head.type + head.id + head.correlation + head.causation +
                            head.traceparent + head.body + head.extra;
  if (total > bytes.size() || total != sizeof head + texts)
    return error{errc::corrupt, "a record says it has " + std::to_string(total) + " bytes, its fields add up to " +
                                    std::to_string(sizeof head + texts) + ", " + std::to_string(bytes.size()) +
                                    " are left"};
  record r;
  r.time_us = head.time_us;
  r.sequence = head.sequence;
  r.version = head.version;
  r.data_at = head.data_at <= head.body ? head.data_at : 0;
  std::size_t at = sizeof head;
  const auto take = [&](std::size_t n) {
    const auto part = bytes.substr(at, n);
    at += n;
    return part;
  };
  r.key = take(head.key);
  r.type = take(head.type);
  r.id = take(head.id);
  r.correlation_id = take(head.correlation);
  r.causation_id = take(head.causation);
  r.traceparent = take(head.traceparent);
  r.body = take(head.body);
  r.extra = take(head.extra);
  bytes.remove_prefix(total);
  return r;
}

}  // namespace gantry::bus
