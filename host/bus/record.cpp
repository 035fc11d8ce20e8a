#include "bus/record.hpp"

#include <bit>
#include <cstddef>
#include <cstring>

#include "base/text.hpp"

namespace gantry::bus {
namespace {

static_assert(std::endian::native == std::endian::little, "the encoding is copied as it lies in memory");

struct fixed_part {
  std::uint32_t size;
  std::uint32_t version;
  std::int64_t time_us;
  std::uint64_t sequence;
  std::uint32_t data;
  std::uint32_t document;
  std::uint32_t data_at;
  std::uint32_t extra;
  std::uint16_t key, type, id, correlation, causation, traceparent;
};
constexpr std::size_t fixed_size = 52;  // without what the compiler adds for alignment
static_assert(offsetof(fixed_part, traceparent) + sizeof(std::uint16_t) == fixed_size);

std::uint16_t short_size(std::string_view s) noexcept { return static_cast<std::uint16_t>(s.size()); }

// What is stored of the event itself.
std::string_view content(const record& r) noexcept { return r.document.empty() ? r.data : r.document; }

}  // namespace

void append_document(const record& r, std::string& out) {
  if (!r.document.empty()) {
    out.append(r.document);
    return;
  }
  out.append(R"({"eventId":)");
  append_json_string(out, r.id);
  out.append(R"(,"occurredOn":")");
  append_rfc3339(out, r.time_us);
  out.append(R"(","eventType":)");
  append_json_string(out, r.type);
  out.append(R"(,"aggregateId":)");
  append_json_string(out, r.key);
  out.append(R"(,"version":)").append(std::to_string(r.version));
  out.append(R"(,"data":)").append(r.data.empty() ? std::string_view("null") : r.data).push_back('}');
}

std::size_t encoded_size(const record& r) noexcept {
  return fixed_size + r.key.size() + r.type.size() + r.id.size() + r.correlation_id.size() +
         r.causation_id.size() + r.traceparent.size() + content(r).size() + r.extra.size();
}

void encode(const record& r, std::string& out) {
  const std::size_t total = encoded_size(r);
  const fixed_part head{static_cast<std::uint32_t>(total - sizeof(std::uint32_t)),
                        r.version,
                        r.time_us,
                        r.sequence,
                        static_cast<std::uint32_t>(r.data.size()),
                        static_cast<std::uint32_t>(r.document.size()),
                        r.document.empty() || r.data.empty() ? 0U
                                                             : static_cast<std::uint32_t>(r.data.data() - r.document.data()),
                        static_cast<std::uint32_t>(r.extra.size()),
                        short_size(r.key),
                        short_size(r.type),
                        short_size(r.id),
                        short_size(r.correlation_id),
                        short_size(r.causation_id),
                        short_size(r.traceparent)};
  out.reserve(out.size() + total);
  out.append(reinterpret_cast<const char*>(&head), fixed_size);
  for (auto part : {r.key, r.type, r.id, r.correlation_id, r.causation_id, r.traceparent, content(r), r.extra})
    out.append(part);
}

result<record> decode(std::string_view& bytes) {
  fixed_part head;
  if (bytes.size() < fixed_size)
    return error{errc::corrupt, "a record's fixed part needs " + std::to_string(fixed_size) + " bytes, " +
                                    std::to_string(bytes.size()) + " are left"};
  std::memcpy(&head, bytes.data(), fixed_size);
  const std::size_t total = std::size_t{head.size} + sizeof head.size;
  const std::size_t texts = std::size_t{head.key} + head.type + head.id + head.correlation + head.causation +
                            head.traceparent + (head.document == 0 ? head.data : head.document) + head.extra;
  if (total > bytes.size() || total != fixed_size + texts)
    return error{errc::corrupt, "a record says it has " + std::to_string(total) + " bytes, its fields add up to " +
                                    std::to_string(fixed_size + texts) + ", " + std::to_string(bytes.size()) +
                                    " are left"};
  record r;
  r.time_us = head.time_us;
  r.sequence = head.sequence;
  r.version = head.version;
  if (head.document != 0 && std::size_t{head.data_at} + head.data > head.document)
    return error{errc::corrupt, "a record's data ends at " + std::to_string(std::size_t{head.data_at} + head.data) +
                                    " of a document of " + std::to_string(head.document) + " bytes"};
  std::size_t at = fixed_size;
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
  r.document = take(head.document);
  r.data = head.document == 0 ? take(head.data) : r.document.substr(head.data_at, head.data);
  r.extra = take(head.extra);
  bytes.remove_prefix(total);
  return r;
}

}  // namespace gantry::bus
