// The shipment table and the receipts of carriers' reports: all SQL of this plugin.
// The functions run inside the transaction or on the snapshot that they are given, and let its failures pass.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <gantry/db.hpp>
#include <gantry/json_writer.hpp>
#include <gantry/time.hpp>
#include <gantry/tx.hpp>

#include "domain/shipment.hpp"

namespace shipping {

// One entry of a shipment's history.
struct history_entry {
  std::string_view status;
  std::string_view location;
  gantry::instant at;
};

// What a new row holds.
struct new_shipment {
  std::string_view order_id;
  std::string_view customer_id;
  shipment_status status = shipment_status::created;
  std::string_view carrier;
  std::string_view tracking_number;
  std::string_view reason;
  gantry::instant at;
};

struct stored_shipment {
  std::string order_id;
  std::string customer_id;
  shipment_status status = shipment_status::created;
  std::string carrier;
  std::string tracking_number;
  std::string reason;
  std::string events;  // the entries, separated by commas

  // A row that only remembers that this order must not get a shipment.
  bool is_tombstone() const { return tracking_number.empty(); }
  // As clients see it.
  gantry::json to_json() const;
};

// Inserts the row; false, and nothing done, if the order has one already.
bool insert_shipment(gantry::tx& t, const new_shipment& row);

// The order's row. Empty if there is none.
std::optional<stored_shipment> find_shipment(gantry::db& d, std::string_view order_id);

// Moves the row to this status and notes it in the history, if it is in status `from`; the row after that. Empty, and
// nothing done, otherwise.
std::optional<stored_shipment> move_shipment(gantry::tx& t, std::string_view order_id, shipment_status from,
                                             shipment_status to, const history_entry& entry);

// Cancels what can be cancelled, and leaves a tombstone where there is nothing. The row after that: its status says
// whether it was possible.
stored_shipment cancel_shipment(gantry::tx& t, std::string_view order_id, std::string_view reason, gantry::instant at);

// Adds to the history.
void note(gantry::tx& t, std::string_view order_id, const history_entry& entry);

// Remembers a carrier's report and forgets those older than `forget_before`; false if this one was taken before.
bool take_receipt(gantry::tx& t, std::string_view carrier, std::string_view event_id, gantry::instant at,
                  gantry::instant forget_before);

}  // namespace shipping
