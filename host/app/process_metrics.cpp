#include "app/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "observability/log.hpp"

namespace gantry::app {
namespace {

double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }

double processor_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double resident_bytes() {
  double size = 0;
  double resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

void watch_process(observability::registry& metrics, observability::owner_id owner, const std::string& plugin) {
  using observability::metric_type;
  const auto watch = [&](metric_type type, const char* name, const char* help, double (*read)()) {
    const auto with = plugin.empty() ? observability::labels{} : observability::labels{{"plugin", plugin}};
    if (const auto done = metrics.watch(type, name, help, with, read, owner); !done)
      observability::log_warn("A metric could not be added.", {{"metric", name}, {"error", done.failure().text}});
  };
  watch(metric_type::counter, "process_cpu_seconds_total", "Processor time that the process has used, in seconds.",
        processor_seconds);
  watch(metric_type::gauge, "process_resident_memory_bytes", "Memory of the process that is in RAM, in bytes.",
        resident_bytes);
}

}  // namespace gantry::app
