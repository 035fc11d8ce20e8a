// The history of an order, kept as text in its row: one line an entry, "<us> <status> <cause> <event id>".
// Pure. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "domain/status.hpp"

namespace shop::order {

struct history_entry {
  std::int64_t at_us = 0;  // since 1970
  std::string_view status;
  std::string_view cause;     // the type of the event, "request" or "timer"
  std::string_view event_id;  // of the event that caused it; empty for a timer
};

// The text to append for the statuses that one cause made the order pass.
std::string history_text(std::int64_t at_us, const std::vector<order_status>& passed, std::string_view cause,
                         std::string_view event_id);

// The entries, oldest first, borrowed from the text. Lines of another form are left out.
std::vector<history_entry> read_history(std::string_view text);

}  // namespace shop::order
