// An event as a handler sees it. Owned by the caller of the handler; all text is valid for the handler.
#pragma once

#include <string_view>

#include "gantry/abi/bus.h"
#include "gantry/detail/runtime.hpp"
#include "gantry/time.hpp"

namespace gantry {

class event {
 public:
  event(detail::runtime& rt, const gantry_event& raw) : raw_(&raw), document_(rt.documents) {}

  std::string_view type() const noexcept { return detail::view(raw_->type); }
  std::string_view topic() const noexcept { return detail::view(raw_->topic); }
  // The partition key, which is the aggregate id.
  std::string_view key() const noexcept { return detail::view(raw_->key); }
  std::string_view aggregate_id() const noexcept { return key(); }
  std::string_view id() const noexcept { return detail::view(raw_->id); }
  std::string_view source() const noexcept { return detail::view(raw_->source); }
  std::string_view correlation_id() const noexcept { return detail::view(raw_->correlation_id); }
  std::string_view causation_id() const noexcept { return detail::view(raw_->causation_id); }
  std::string_view traceparent() const noexcept { return detail::view(raw_->traceparent); }
  // The whole JSON document as a foreign producer wrote it; empty for an event of a plugin, whose data() and fields say all.
  std::string_view body() const noexcept { return detail::view(raw_->body); }
  instant occurred_at() const noexcept { return {raw_->occurred_at_us}; }
  // The schema version of this type, from 1.
  std::uint32_t version() const noexcept { return raw_->version; }
  std::uint32_t partition() const noexcept { return raw_->partition; }
  std::uint64_t offset() const noexcept { return raw_->offset; }
  // Within its source; 0 for an event of a foreign producer.
  std::uint64_t sequence() const noexcept { return raw_->sequence; }
  // Handled again by `gantry replay`: emits and jobs are suppressed.
  bool replayed() const noexcept { return (raw_->flags & GANTRY_EVENT_REPLAYED) != 0; }

  // The data, parsed once at the first use. Throws json_error.
  json_view data() const { return document_.of(detail::view(raw_->data)); }
  json_view data(std::string_view name) const { return data()[name]; }

 private:
  const gantry_event* raw_;
  mutable detail::lazy_json document_;
};

}  // namespace gantry
