// GET /admin/plugins.
// Thread: any.
#pragma once

#include "http/endpoint.hpp"
#include "lifecycle/plugin_set.hpp"

namespace gantry::admin {

// {"plugins":[{"id","version","state",...}]}: each with what it has declared, what waits, and what has been counted
// since it started.
http::reply plugins(const lifecycle::plugin_set& set);

}  // namespace gantry::admin
