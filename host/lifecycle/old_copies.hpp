// Private copies of plugin files that nothing needs any more: each load makes one, and a development host loads all
// day. Thread: any.
#pragma once

#include <filesystem>
#include <string>

namespace gantry::lifecycle {

// Removes the copies of a plugin that no process has loaded and no pointer of any host names, but for the newest few: a
// change that is taken back may want one that has just gone. What can't be removed is said in the log.
void remove_old_copies(const std::filesystem::path& state, const std::string& plugin);

}  // namespace gantry::lifecycle
