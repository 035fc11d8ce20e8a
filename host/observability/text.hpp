// Text for machines and terminals: what came from outside is escaped so that it can't break a line or a document.
// Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace gantry::observability {

// Appends `text` with control characters escaped as JSON does and bytes that are not UTF-8 as U+FFFD. `quote` also
// escapes '"' and '\' and puts quotes around.
void append_clean(std::string& out, std::string_view text, bool quote);

}  // namespace gantry::observability
