// Checks that need the whole picture: the topology together with the manifests of its plugins. Runs no plugin code.
// Thread: any.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "loader/manifest.hpp"
#include "topology/topology.hpp"

namespace gantry::topology {

using manifest_map = std::map<std::string, loader::manifest>;  // by plugin id as the topology has it
using file_exists = std::function<bool(const std::string& path)>;

// True for a regular file, also through a link.
bool is_file(const std::string& path);

// Finds, all at once and by place: calls that form a cycle or go to a plugin that is not there; events that nobody
// emits, or in a schema version that the producer doesn't speak; undeclared topics; a route or a consumer group of two
// plugins; configuration that breaks its schema; missing libraries and certificates; unknown stores and hosts; one
// address, SQLite file or schema for two; replicas on SQLite; a bus that lacks its brokers or its owner.
//
// A plugin without a manifest in the map is checked as far as the file goes; what others need from it is then
// reported as a warning.
std::vector<problem> validate(const topology& model, const manifest_map& manifests,
                              const file_exists& exists = is_file);

}  // namespace gantry::topology
