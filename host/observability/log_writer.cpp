#include "observability/log_writer.hpp"

#include <spdlog/details/os.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

namespace gantry::observability {

bool stderr_is_terminal() {
  return spdlog::details::os::in_terminal(stderr) && spdlog::details::os::is_color_terminal();
}

std::function<void(std::string_view)> stderr_writer() {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  // The line comes formatted, with its own end.
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::utc, ""));
  return [sink](std::string_view lines) {
    sink->log({spdlog::string_view_t{}, spdlog::level::info, spdlog::string_view_t(lines.data(), lines.size())});
    sink->flush();
  };
}

}  // namespace gantry::observability
