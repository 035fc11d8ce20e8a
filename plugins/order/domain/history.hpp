// The history of an order: which statuses it passed, when and why. Kept as bytes in the row that every change writes,
// so it is as short as it can be: some 23 bytes a step. Pure. Thread: any.
//
// A step, after the one before:
//   1 byte       how many statuses were passed (bits 0-5); bit 6: the event's id is a UUID; bit 7: it is another text
//   1 byte each  their numbers
//   1 byte       the cause by its number, or 0 and a text
//   varint       microseconds since the step before, the placing at first; zigzag, because a clock may be set back
//   id           16 bytes of a UUID, or a text
// A text is a varint, its length, and its bytes. A varint has seven bits a byte, the lowest first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "domain/status.hpp"

namespace shop::order {

// Why an order changes: the type of an event, "request" or "timer", and the id of the event; empty for a timer.
struct order_cause {
  std::string_view type;
  std::string_view event_id;
};

// One status that an order passed.
struct history_entry {
  std::int64_t at_us = 0;  // since 1970
  order_status status = order_status::pending;
  std::string cause;
  std::string event_id;
};

// The bytes to append for the statuses that one cause made the order pass.
std::string history_step(std::int64_t us_since_last, const std::vector<order_status>& passed, const order_cause& by);

// All entries, oldest first. Whatever can't be read, and what follows it, is left out.
std::vector<history_entry> read_history(std::string_view history, std::int64_t placed_us);

// When the last step was; placed_us if there is none.
std::int64_t last_change(std::string_view history, std::int64_t placed_us);

}  // namespace shop::order
