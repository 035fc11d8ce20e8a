// The checks that validate() is made of, one concern each. Used only by validate*.cpp.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "topology/validate.hpp"

namespace gantry::topology {

struct check_run {
  const topology& model;
  const manifest_map& manifests;
  const file_exists& exists;
  std::vector<problem> problems;

  void report(location at, std::string subject, std::string found, std::string expected, std::string suggestion = {}) {
    add(severity::error, at, std::move(subject), std::move(found), std::move(expected), std::move(suggestion));
  }
  void warn(location at, std::string subject, std::string found, std::string expected, std::string suggestion = {}) {
    add(severity::warning, at, std::move(subject), std::move(found), std::move(expected), std::move(suggestion));
  }
  void add(severity level, location at, std::string subject, std::string found, std::string expected,
           std::string suggestion) {
    problems.push_back(make_problem(model.file, at, level, std::move(subject), std::move(found), std::move(expected),
                                    std::move(suggestion)));
  }
};

template <typename Map>
std::vector<std::string> names_in(const Map& map) {
  std::vector<std::string> out;
  for (const auto& entry : map) out.push_back(entry.first);
  return out;
}

inline std::string in_quotes(const std::string& text) { return '"' + text + '"'; }

void check_bus(check_run& run);
void check_addresses(check_run& run);
void check_placement(check_run& run);
void check_stores(check_run& run);
void check_groups(check_run& run);
void check_isolation(check_run& run);
void check_topics(check_run& run);
void check_events(check_run& run);
void check_calls(check_run& run);
void check_routes(check_run& run);
void check_configs(check_run& run);
void check_libraries(check_run& run);
void check_trust(check_run& run);

}  // namespace gantry::topology
