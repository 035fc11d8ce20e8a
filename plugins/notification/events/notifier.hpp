// Turns what happens in the shop into notifications: a row, and a job that sends.
//
// The handler decides and writes down; rendering and sending happen in the job, so the write lane does little and a
// message is rendered from the template that was current when it was decided upon.
// Owned by the plugin from start to stop. Thread: any; handlers run in their lanes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <gantry/event.hpp>
#include <gantry/failure.hpp>
#include <gantry/tx.hpp>

#include "config/settings.hpp"
#include "domain/notice.hpp"
#include "store/deliveries.hpp"
#include "store/templates.hpp"

namespace notification {

// The kind of job that sends by this channel: one each, so that a provider that is down holds up nobody else.
std::string_view job_kind_of(channel_kind channel);

class notifier {
 public:
  // Both must outlive the notifier.
  notifier(const settings& config, template_cache& templates, inbox_index index)
      : config_(config), templates_(templates), index_(index) {
    if (index == inbox_index::tree) numbers_.emplace("'message_numbers'");
  }

  // Any of the events that name the customer.
  gantry::outcome announce(notice about, const gantry::event& e, gantry::tx& t);

  // PaymentRefunded names no customer: the one of an earlier notification about this order, or else the job asks the
  // order service. A refund of nothing is the answer to an order that was never paid and is told to nobody.
  gantry::outcome refunded(const gantry::event& e, gantry::tx& t);

 private:
  struct occasion {
    notice about = notice::order_confirmed;
    std::string_view order_id;
    std::string_view customer_id;  // empty: not known yet
    std::int64_t ordinal = 0;
    gantry::json_view data;
  };

  gantry::outcome notify(const occasion& what, gantry::tx& t);
  void notify_by(channel_kind channel, bool in_inbox, const occasion& what, gantry::tx& t);

  const settings& config_;
  template_cache& templates_;
  const inbox_index index_;
  std::optional<gantry::sequence> numbers_;  // of messages, on PostgreSQL
};

}  // namespace notification
