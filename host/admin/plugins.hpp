// GET /admin/plugins.
// Thread: any.
#pragma once

#include "admin/apart.hpp"
#include "http/endpoint.hpp"
#include "lifecycle/plugin_set.hpp"
#include "topology/topology.hpp"

namespace gantry::admin {

// {"plugins":[{"id","version","state",...}]}: each with what it has declared, what waits, and what has been counted
// since it started.
// With this process's id, and whether it runs this plugin alone. What runs apart from it answers for itself.
// `model` and `home`: whose quarantine is shown; null: none.
http::reply plugins(const lifecycle::plugin_set& set, bool isolated = false, apart* others = nullptr,
                    const topology::topology* model = nullptr, const std::string& home = {});

}  // namespace gantry::admin
