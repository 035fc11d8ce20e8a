// POST /catalog/products:import: products as NDJSON, one a line, added or replaced by SKU. Rows that are wrong are
// reported and leave the others alone.
// Owned by the plugin. Thread: pool; the write function runs on the lane.
#pragma once

#include <gantry/plugin.hpp>

#include "events/publish.hpp"

namespace catalog {

class import_api {
 public:
  explicit import_api(publisher& events) : events_(events) {}

  // {"created","updated","unchanged","failed","errors":[{"line","field","detail"}]}; lines count from 1, empty ones are
  // passed over. 400 when there is no row at all.
  gantry::reply run(const gantry::request& q, gantry::context& ctx);

 private:
  publisher& events_;
};

}  // namespace catalog
