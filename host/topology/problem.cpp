#include "topology/problem.hpp"

#include <algorithm>
#include <utility>

#include "topology/json_text.hpp"

namespace gantry::topology {

std::string_view name_of(severity level) noexcept {
  switch (level) {
    case severity::warning:
      return "warning";
    case severity::error:
      return "error";
  }
  return "error";
}

problem make_problem(std::string file, location at, severity level, std::string subject, std::string found,
                     std::string expected, std::string suggestion) {
  std::string message = subject;
  message += message.empty() ? "found " : ": found ";
  message += found;
  if (!expected.empty()) message += ", expected " + expected;
  if (!suggestion.empty()) message += "; " + suggestion;
  return {
      std::move(file),   at, level, std::move(subject), std::move(found), std::move(expected), std::move(suggestion),
      std::move(message), {}};
}

std::string to_text(const problem& problem) {
  std::string text = problem.file;
  if (problem.at.line > 0) {
    text += ':' + std::to_string(problem.at.line) + ':' + std::to_string(problem.at.column);
  }
  text += ": ";
  text += name_of(problem.level);
  return text + ": " + problem.message;
}

std::string to_json(const std::vector<problem>& problems) {
  std::string out = "[";
  for (const problem& each : problems) {
    if (out.size() > 1) out += ',';
    out += "{\"file\":" + json_quoted(each.file);
    out += ",\"line\":" + std::to_string(each.at.line);
    out += ",\"column\":" + std::to_string(each.at.column);
    out += ",\"severity\":" + json_quoted(name_of(each.level));
    out += ",\"subject\":" + json_quoted(each.subject);
    out += ",\"found\":" + json_quoted(each.found);
    out += ",\"expected\":" + json_quoted(each.expected);
    out += ",\"suggestion\":" + json_quoted(each.suggestion);
    out += ",\"message\":" + json_quoted(each.message) + '}';
  }
  return out + ']';
}

bool has_errors(const std::vector<problem>& problems) noexcept {
  return std::ranges::any_of(problems, [](const problem& p) { return p.level == severity::error; });
}

void sort_by_place(std::vector<problem>& problems) { std::ranges::stable_sort(problems, {}, &problem::at); }

}  // namespace gantry::topology
