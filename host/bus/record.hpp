// Events as bytes: the one encoding that the outbox, the local journal and the lanes share, so that an event is
// encoded once and copied as it is.
// Thread: any.
//
// An encoded record, little-endian:
//   u32 size            of all that follows
//   u32 version         schema version of the type
//   i64 time_us         when it occurred, since 1970-01-01T00:00:00Z
//   u64 sequence        within the batch's source; 0 from a foreign producer
//   u32 data_at         where the value of the member "data" begins in body; 0 when unknown
//   u32 body            length
//   u16 key, type, id, correlation, causation, traceparent   lengths
//   u32 extra           length
//   then those eight texts: key, type, id, correlation, causation, traceparent, body, extra.
// `extra` holds further headers as name, 0x1f, value, 0x1e, repeated.
// What CloudEvents calls headers (ce_id, ce_type, ...) is these fields; drivers that speak to the outside
// write them out as such.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry::bus {

// Views; whoever made the record says how long they live.
struct record {
  std::uint64_t offset = 0;  // not encoded: the batch knows its base offset
  std::int64_t time_us = 0;
  std::uint64_t sequence = 0;
  std::uint32_t version = 1;
  std::uint32_t data_at = 0;
  std::string_view key;
  std::string_view type;
  std::string_view id;
  std::string_view correlation_id;
  std::string_view causation_id;
  std::string_view traceparent;
  std::string_view body;
  std::string_view extra;
  std::string_view source;  // not encoded: the batch knows its source
};

// Appends the encoding of `r` to `out`.
void encode(const record& r, std::string& out);

// Bytes that encode() will append.
std::size_t encoded_size(const record& r) noexcept;

// Takes one record off the front of `bytes`; its views point into them. corrupt: the lengths don't add up.
result<record> decode(std::string_view& bytes);

}  // namespace gantry::bus
