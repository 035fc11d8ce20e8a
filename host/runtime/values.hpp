// What crosses the ABI, from the host's own types: SQL parameters, columns back, and events as handlers see them.
// Thread: any.
#pragma once

#include <cstdint>
#include <string_view>

#include "bus/record.hpp"
#include "gantry/abi/bus.h"
#include "gantry/abi/store.h"
#include "runtime/text.hpp"
#include "store/store.hpp"

namespace gantry::runtime {

inline gantry_value value(std::int64_t v) noexcept {
  gantry_value out{};
  out.type = GANTRY_INT;
  out.as.i = v;
  return out;
}
inline gantry_value value(std::uint64_t v) noexcept { return value(static_cast<std::int64_t>(v)); }
inline gantry_value value(std::uint32_t v) noexcept { return value(static_cast<std::int64_t>(v)); }
inline gantry_value value(std::string_view v) noexcept {
  gantry_value out{};
  out.type = GANTRY_TEXT;
  out.as.s = {v.data(), v.size()};
  return out;
}
inline gantry_value blob(std::string_view v) noexcept {
  gantry_value out = value(v);
  out.type = GANTRY_BLOB;
  return out;
}

inline std::int64_t integer_at(store::cursor& row, std::size_t index) {
  gantry_value v{};
  return row.column(index, v) == GANTRY_OK && v.type == GANTRY_INT ? v.as.i : 0;
}
inline std::string_view text_at(store::cursor& row, std::size_t index) {
  gantry_value v{};
  if (row.column(index, v) != GANTRY_OK || (v.type != GANTRY_TEXT && v.type != GANTRY_BLOB)) return {};
  return {v.as.s.ptr, v.as.s.len};
}

// As long-lived as the record and the topic's name.
inline gantry_event event_of(const bus::record& r, std::string_view topic, std::uint32_t partition, bool replayed) noexcept {
  gantry_event out{};
  out.struct_size = sizeof out;
  out.flags = replayed ? std::uint32_t{GANTRY_EVENT_REPLAYED} : 0U;
  out.topic = str(topic);
  out.partition = partition;
  out.version = r.version;
  out.offset = r.offset;
  out.sequence = r.sequence;
  out.occurred_at_us = r.time_us;
  out.id = str(r.id);
  out.type = str(r.type);
  out.key = str(r.key);
  out.source = str(r.source);
  out.correlation_id = str(r.correlation_id);
  out.causation_id = str(r.causation_id);
  out.traceparent = str(r.traceparent);
  out.body = str(r.document);
  out.data = str(r.data);
  return out;
}

}  // namespace gantry::runtime
