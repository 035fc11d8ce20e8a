// Routes that compute and store nothing: quotes and the check of an address. Thread: pool.
#pragma once

#include <gantry/http.hpp>

#include "config/settings.hpp"
#include "domain/carrier.hpp"

namespace shipping {

// POST /shipping/quotes: what each carrier asks, the cheapest first.
gantry::reply quote_parcel(const gantry::request& q, const settings& config, const carrier_network& carriers);

// POST /shipping/addresses/validate: 200 with the normalised address and what is wrong with it.
gantry::reply validate_address(const gantry::request& q);

}  // namespace shipping
