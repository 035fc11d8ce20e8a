// GET /admin/sagas/{key}: a process as the plugin that owns it describes it.
// Thread: any that may wait.
#pragma once

#include "admin/apart.hpp"
#include "admin/question.hpp"
#include "http/endpoint.hpp"
#include "lifecycle/plugin_set.hpp"

namespace gantry::admin {

// The description of the first saga that knows the key, in the order of plugins; those that run apart come last. Asked:
// plugin, to look only there.
http::reply saga(const lifecycle::plugin_set& set, const question& what, apart* others = nullptr);

}  // namespace gantry::admin
