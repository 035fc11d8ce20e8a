// The job that renders a message and sends it.
//
// It is at least once: after a crash a message may go out again, always under the same id. What becomes of it is
// written exactly once. Thread: run on the pool, the others in the lane.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <gantry/context.hpp>
#include <gantry/job.hpp>
#include <gantry/json_writer.hpp>
#include <gantry/tx.hpp>

#include "config/settings.hpp"
#include "domain/notice.hpp"
#include "store/deliveries.hpp"
#include "store/templates.hpp"

namespace notification {

// What a job is told beside the event's data. Views into the payload.
struct delivery_order {
  std::string_view id;
  std::string_view order_id;
  std::string_view customer_id;  // empty: find out
  channel_kind channel = channel_kind::email;
  notice about = notice::order_confirmed;
  std::string_view locale;
  std::int64_t version = 1;
  std::string_view to;
  std::int64_t at_us = 0;
};

// The job's payload; `data` is JSON.
std::string to_payload(const delivery_order& order, std::string_view data);

// The data of NotificationSent.
gantry::json sent_event(const delivery_order& order);

class delivery_job {
 public:
  // All must outlive the job kinds that are bound to it.
  delivery_job(const settings& config, const template_cache& templates, const channel_set& channels, inbox_index index)
      : config_(config), templates_(templates), channels_(channels), index_(index) {}

  // Sends; the result is what done() needs.
  std::string run(const gantry::job& j, gantry::context& ctx) const;
  // Writes down that it was sent, and says so.
  void done(const gantry::job& j, std::string_view result, gantry::tx& t) const;
  // Writes down that it never will be, and says so.
  void failed(const gantry::job& j, std::string_view error, gantry::tx& t) const;

 private:
  const settings& config_;
  const template_cache& templates_;
  const channel_set& channels_;
  const inbox_index index_;
};

}  // namespace notification
