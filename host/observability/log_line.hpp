// One log line and its two forms.
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "observability/log.hpp"

namespace gantry::observability {

// Owns its text: lines wait in a queue while their writer goes on.
struct log_line {
  std::int64_t wall_us = 0;
  level severity = level::info;
  std::string text;
  std::string plugin;
  std::uint32_t generation = 0;
  std::string correlation_id;
  std::string lane;
  std::vector<std::pair<std::string, std::string>> fields;
};

// {"time","level","text","plugin"?,"generation"?,"correlation_id"?,"lane"?,"fields"?:{}} and a newline.
void append_json(std::string& out, const log_line& line);
// "12:34:56.789 INFO  order#2 sentence  name=value [correlation]" and a newline; with colour by severity when asked.
void append_text(std::string& out, const log_line& line, bool coloured);

}  // namespace gantry::observability
