// Events as bytes: the one encoding that the outbox, the local journal and the lanes share, so that an event is
// encoded once and copied as it is.
// Thread: any.
//
// An encoded record, little-endian:
//   u32 size            of all that follows
//   u32 version         schema version of the type
//   i64 time_us         when it occurred, since 1970-01-01T00:00:00Z
//   u64 sequence        within the batch's source; 0 from a foreign producer
//   u32 data            length
//   u32 document        length; 0 when the fields say all of it
//   u32 data_at         where data begins in a document
//   u32 extra           length
//   u16 key, type, id, correlation, causation, traceparent   lengths
//   then the texts: key, type, id, correlation, causation, traceparent, the document or else data, extra.
// `extra` holds further headers as name, 0x1f, value, 0x1e, repeated.
//
// An event of a plugin is kept without the JSON document around its data: what that says besides stands in the fields,
// and append_document() puts it together for whoever asks. A foreign producer's document is kept as it came.
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
  std::string_view key;
  std::string_view type;
  std::string_view id;
  std::string_view correlation_id;
  std::string_view causation_id;
  std::string_view traceparent;
  std::string_view data;      // a JSON value; empty when a foreign document has no member of that name
  std::string_view document;  // as a foreign producer wrote it, data within it; else empty
  std::string_view extra;
  std::string_view source;  // not encoded: the batch knows its source
};

// Appends the encoding of `r` to `out`.
void encode(const record& r, std::string& out);

// Appends the JSON document of `r`: eventId, occurredOn (RFC 3339, UTC), eventType, aggregateId, version, data; or the
// foreign one as it came.
void append_document(const record& r, std::string& out);

// Bytes that encode() will append.
std::size_t encoded_size(const record& r) noexcept;

// Takes one record off the front of `bytes`; its views point into them. corrupt: the lengths don't add up.
result<record> decode(std::string_view& bytes);

}  // namespace gantry::bus
