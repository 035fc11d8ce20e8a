// Loads the demo catalogue. Thread: main, inside start().
#pragma once

#include <gantry/plugin.hpp>
#include <string>
#include <string_view>

#include "domain/demo.hpp"
#include "events/publish.hpp"

namespace catalog {

// The text of config/demo/catalog.json as it was when the plugin was built.
extern const std::string_view embedded_demo;

// Reads a description. Throws a failure that names what is wrong in it.
demo_description parse_demo(std::string_view text);

// Fills an empty store; does nothing when there is any product. Returns the number of products added.
std::size_t load_demo(gantry::tx& tx, publisher& events, const demo_description& from);

}  // namespace catalog
