// Loads each plugin of a folder again and again, lets it declare, destroys it, and unloads it.
//
//   load_cycles FOLDER STATE CYCLES
//
// Prints a line for each plugin and ends with 0 when after each cycle nothing of the file was mapped and memory has not
// grown: between the first tenth of the cycles and the last one by no more than a mebibyte and a tenth of what was
// there.
#include <dirent.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "lifecycle/loading.hpp"
#include "observability/metrics.hpp"
#include "topology/topology.hpp"

namespace {

using namespace gantry;

// Pages of this process that are in memory, in kilobytes.
long resident_kb() {
  std::ifstream file("/proc/self/statm");
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return resident * 4;
}

bool is_mapped(const std::string& part) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find(part) != std::string::npos) return true;
  return false;
}

std::string topology_of(const std::string& folder, const std::string& state, const std::string& plugin) {
  return "version: 1\nname: cycles\nbus: { driver: local, path: " + state +
         "/bus }\nstores:\n  default: { driver: sqlite, path: \"" + state + "/{plugin}.db\" }\nstate: " + state +
         "\nhosts:\n  main: { http: 127.0.0.1:0 }\nplugin_path: [" + folder + "]\nplugins:\n  " + plugin +
         ": { hosts: [main] }\n";
}

bool cycle_all(const std::string& folder, const std::string& state, const std::string& plugin, int cycles) {
  const auto parsed =
      topology::parse_topology(topology_of(folder, state, plugin), "cycles.yaml", topology::process_env);
  long early = 0;
  for (int n = 0; n < cycles; ++n) {
    observability::registry metrics;
    auto loaded = lifecycle::declared_plugin::load(parsed.model, plugin, system_clock(), metrics);
    if (!loaded) {
      std::printf("%s: cycle %d: %s\n", plugin.c_str(), n, loaded.failure().text.c_str());
      return false;
    }
    loaded->reset();
    if (is_mapped(state + "/generations/")) {
      std::printf("%s: cycle %d: it is still mapped after it was unloaded\n", plugin.c_str(), n);
      return false;
    }
    if (n == cycles / 10) early = resident_kb();
  }
  const long late = resident_kb();
  std::printf("%s: %d cycles, %ld kB after the first tenth, %ld kB at the end\n", plugin.c_str(), cycles, early, late);
  return late <= early + early / 10 + 1024;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("load_cycles FOLDER STATE CYCLES\n", stderr);
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::vector<std::string> plugins;
  for (const auto& file : std::filesystem::directory_iterator(argv[1]))
    if (file.path().extension() == ".so") plugins.push_back(file.path().stem());
  bool good = !plugins.empty();
  for (const auto& plugin : plugins) good = cycle_all(argv[1], argv[2], plugin, std::atoi(argv[3])) && good;
  return good ? 0 : 1;
}
