// What is wrong with a topology: found by the parser or by the checks, for people and for --json.
// Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gantry::topology {

// Where something stands in the file, counted from 1. Line 0: it is not in the file (a default).
struct location {
  int line = 0;
  int column = 0;
  friend bool operator==(const location&, const location&) = default;
  friend auto operator<=>(const location&, const location&) = default;
};

enum class severity {
  warning,  // it will run, perhaps not as meant
  error,    // it will not run
};

std::string_view name_of(severity level) noexcept;

struct problem {
  std::string file;
  location at;
  severity level = severity::error;
  std::string subject;     // the key or thing concerned: "topics.order-events.partitions"
  std::string found;       // what is there; never a secret
  std::string expected;    // what should be there
  std::string suggestion;  // what to do, e.g. `did you mean "order"?`; may be empty
  std::string message;     // the four of them as one sentence
  std::string plugin;      // whose file it concerns alone: a host can run without it; empty: it concerns the whole
};

// A problem whose message says: subject: found ..., expected ...; suggestion.
problem make_problem(std::string file, location at, severity level, std::string subject, std::string found,
                     std::string expected, std::string suggestion);

// "topology.yaml:12:5: error: topics.order-events: found ..., expected ...; did you mean ...?"
std::string to_text(const problem& problem);

// One JSON array with an object for each problem.
std::string to_json(const std::vector<problem>& problems);

bool has_errors(const std::vector<problem>& problems) noexcept;

// By place in the file; those at one place keep their order.
void sort_by_place(std::vector<problem>& problems);

}  // namespace gantry::topology
