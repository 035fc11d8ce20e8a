// Everything that a plugin needs. See docs/first-plugin.md.
#pragma once

#include "gantry/abi/entry.h"  // IWYU pragma: export
#include "gantry/call.hpp"     // IWYU pragma: export
#include "gantry/context.hpp"  // IWYU pragma: export
#include "gantry/db.hpp"       // IWYU pragma: export
#include "gantry/detail/instance.hpp"
#include "gantry/event.hpp"        // IWYU pragma: export
#include "gantry/failure.hpp"      // IWYU pragma: export
#include "gantry/handover.hpp"     // IWYU pragma: export
#include "gantry/host.hpp"         // IWYU pragma: export
#include "gantry/http.hpp"         // IWYU pragma: export
#include "gantry/job.hpp"          // IWYU pragma: export
#include "gantry/json.hpp"         // IWYU pragma: export
#include "gantry/json_writer.hpp"  // IWYU pragma: export
#include "gantry/log.hpp"          // IWYU pragma: export
#include "gantry/service.hpp"      // IWYU pragma: export
#include "gantry/setup.hpp"        // IWYU pragma: export
#include "gantry/time.hpp"         // IWYU pragma: export
#include "gantry/tx.hpp"           // IWYU pragma: export

#if defined(GANTRY_PLUGIN_VERSION)
#define GANTRY_SAME_VERSION(text)                                \
  static_assert(std::string_view(text) == GANTRY_PLUGIN_VERSION, \
                "GANTRY_PLUGIN and gantry_add_plugin name two versions");
#else
#define GANTRY_SAME_VERSION(text)
#endif

// Defines the one symbol that a plugin exports. Once in a plugin, at file scope. The id comes from gantry_add_plugin,
// whose VERSION is the one given here.
#define GANTRY_PLUGIN(Class, version_text)                              \
  GANTRY_SAME_VERSION(version_text)                                     \
  const gantry_entry gantry_plugin = {sizeof(gantry_entry),             \
                                      GANTRY_ABI_MAJOR,                 \
                                      GANTRY_ABI_MINOR,                 \
                                      GANTRY_PLUGIN_ID,                 \
                                      version_text,                     \
                                      "gantry-cpp " GANTRY_SDK_VERSION, \
                                      &gantry::detail::instance::create<Class>};
