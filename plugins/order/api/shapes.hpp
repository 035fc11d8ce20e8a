// JSON as clients send and see it: from a request to a wanted order, from a row to the order's shape. Thread: any.
#pragma once

#include <string>
#include <vector>

#include "domain/placement.hpp"
#include "domain/pricing.hpp"
#include "gantry/plugin.hpp"
#include "store/orders.hpp"

namespace shop::order {

// Reads a request's body. Texts are borrowed from it. A value of a wrong type reads as missing, and is noted in
// `defects` where validate() could not know.
wanted_order read_wanted(gantry::json_view body, std::vector<defect>& defects);

// The lines as they are stored and shown.
std::string lines_json(const std::vector<priced_line>& lines);
// The address as it is stored and shown.
std::string address_json(const postal_address& address);

// Writes the order as clients see it.
void put_order(gantry::json_writer& out, const order_row& row);
gantry::json order_json(const order_row& row);

// The entity tag of this version of an order, e.g. "\"3\"".
std::string etag(std::int64_t version);

gantry::field_errors to_field_errors(const std::vector<defect>& defects);

}  // namespace shop::order
