// The life of a shipment: which status follows which, and what a carrier's report means for it.
// Pure. Thread: any.
#pragma once

#include <optional>
#include <string_view>

namespace shipping {

enum class shipment_status { created, dispatched, delivered, cancelled, failed };

// The name in the store and in answers: "Created".
std::string_view to_text(shipment_status status);
std::optional<shipment_status> shipment_status_of(std::string_view text);

// What a request to reach a status comes to.
enum class step {
  taken,     // the status changes
  repeated,  // it has that status already: answer as the first time, emit nothing
  refused,   // not from here
};
step toward(shipment_status wanted, shipment_status from);

// What carriers report.
enum class tracking_status { label_printed, picked_up, in_transit, out_for_delivery, exception, delivered };

std::string_view to_text(tracking_status status);
std::optional<tracking_status> tracking_status_of(std::string_view text);

// What a report changes beside being noted. A parcel that the carrier has in hand was dispatched, whether or not
// anybody said so before; so a report that comes early or out of order still leads to the right status.
struct consequence {
  bool accepted = false;  // false: the shipment is at its end, or never was
  bool dispatches = false;
  bool delivers = false;
};
consequence consequence_of(tracking_status report, shipment_status from);

}  // namespace shipping
