// The tables of notifications: what was decided to tell customers, and what became of it.
// The functions run inside the transaction or on the snapshot that they are given, and let its failures pass.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <gantry/db.hpp>
#include <gantry/json_writer.hpp>
#include <gantry/sequence.hpp>
#include <gantry/time.hpp>
#include <gantry/tx.hpp>

namespace notification {

// The status of a delivery, as stored and as shown.
namespace delivery_status {
inline constexpr std::string_view pending = "Pending";
inline constexpr std::string_view sent = "Sent";
inline constexpr std::string_view failed = "Failed";
}  // namespace delivery_status

struct new_delivery {
  std::string_view notification_id;
  std::string_view order_id;
  std::string_view customer_id;
  std::string_view template_name;
  std::string_view channel;
  std::string_view recipient;
  std::string_view title;
  std::string_view status = delivery_status::pending;
  std::string_view reason;
  bool in_inbox = false;
  gantry::instant at;
};

// Inserts it; false, and nothing done, if this notification is known. `numbers`: of messages; null where the table's own
// end says which is next.
bool insert_delivery(gantry::tx& t, const new_delivery& row, gantry::sequence* numbers);

// Ends a delivery as sent or failed.
void end_delivery(gantry::tx& t, std::string_view notification_id, std::string_view status, std::string_view reason,
                  gantry::instant at);

// How a store finds the notifications of a customer: by an index of its own, or by sorted runs that add_customer_run()
// makes (see the SQLite migration).
enum class inbox_index { tree, runs };

// Adds what was found out about the customer while sending.
void set_recipient(gantry::tx& t, std::string_view notification_id, std::string_view customer_id,
                   std::string_view recipient, inbox_index index);

// Sorts the newest notifications by customer. Only for inbox_index::runs.
void add_customer_run(gantry::tx& t);

// The customer whom an earlier notification about this order went to; empty if there was none.
std::string customer_of_order(gantry::db& d, std::string_view order_id);

// All deliveries about an order as a list for clients.
gantry::json deliveries_of_order(gantry::db& d, std::string_view order_id);

struct page {
  std::int64_t number = 1;
  std::int64_t size = 20;
};

// A customer's inbox, the latest first, as a list for clients.
gantry::json inbox_of(gantry::db& d, std::string_view customer_id, page which, bool unread_only);

// Marks as read; the entry after that, or nothing if there is none in any inbox. The first reading counts.
std::optional<gantry::json> mark_read(gantry::tx& t, std::string_view notification_id, gantry::instant at);

}  // namespace notification
