// What carries a message to a customer. Owned by the plugin from start to stop.
// Thread: pool; several at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace notification {

// A message that is ready to go.
struct outgoing {
  std::string_view id;  // of the notification: the same for every attempt
  std::string_view to;
  std::string_view subject;
  std::string_view text;
  std::string_view html;
  std::string_view brief;
  std::int64_t at_us = 0;  // when it was decided upon
};

class channel {
 public:
  channel() = default;
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  virtual ~channel() = default;

  // Sends, or hands over for good. Throws gantry::retry_later when it may work another time, gantry::rejected when it
  // never will. May be asked for the same id again, after a crash.
  virtual void send(const outgoing& message) = 0;
};

}  // namespace notification
