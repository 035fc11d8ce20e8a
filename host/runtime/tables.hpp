// The capability tables that plugin code calls. Constant; each function finds its instance through its first argument.
#pragma once

#include "gantry/abi/host.h"

namespace gantry::runtime {

// gantry_host::capability. [any]
const void* find_capability(const gantry_host* host, const char* id);

const void* http_table() noexcept;
const void* bus_table() noexcept;
const void* store_table() noexcept;
const void* jobs_table() noexcept;
const void* call_table() noexcept;
const void* config_table() noexcept;
const void* log_table() noexcept;
const void* metrics_table() noexcept;
const void* saga_table() noexcept;

}  // namespace gantry::runtime
