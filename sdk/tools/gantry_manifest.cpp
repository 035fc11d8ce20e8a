// Writes the manifest of a plugin, from what it declares, and checks that a plugin is fit to be loaded and unloaded.
//
//   gantry-manifest FILE.so                   prints the manifest
//   gantry-manifest --write OUT.json FILE.so  writes it to a file
//   gantry-manifest --check FILE.so           compares it with the one in the file, and looks at symbols and unloading
//
// It loads and runs the plugin's setup, so it is meant for plugins that one has just built.
#include <dlfcn.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "elf_file.hpp"
#include "gantry/abi/entry.h"
#include "recorder.hpp"

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
#else
constexpr bool sanitized = false;
#endif

struct unloader {
  void operator()(void* library) const { dlclose(library); }
};
using library = std::unique_ptr<void, unloader>;

library load(const std::string& path) {
  library loaded(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!loaded) throw std::runtime_error(dlerror());
  return loaded;
}

const gantry_entry& entry_of(const library& loaded, const std::string& path) {
  const auto* entry = static_cast<const gantry_entry*>(dlsym(loaded.get(), "gantry_plugin"));
  if (entry == nullptr) throw std::runtime_error(path + ": no symbol gantry_plugin; is GANTRY_PLUGIN missing?");
  if (entry->abi_major != GANTRY_ABI_MAJOR || entry->abi_minor > GANTRY_ABI_MINOR) {
    throw std::runtime_error(path + ": built for ABI " + std::to_string(entry->abi_major) + "." +
                             std::to_string(entry->abi_minor) + ", this tool has " + std::to_string(GANTRY_ABI_MAJOR) +
                             "." + std::to_string(GANTRY_ABI_MINOR));
  }
  return *entry;
}

std::string declared_by(const gantry_entry& entry, const elf_file& file) {
  recorder notes;
  notes.record(entry);
  return notes.manifest(entry, file.build_id());
}

void check_symbols(const elf_file& file, std::vector<std::string>& faults) {
  for (const elf_file::symbol& symbol : file.dynamic_symbols()) {
    if (symbol.defined && symbol.name != "gantry_plugin") {
      faults.push_back("exports " + symbol.name + "; only gantry_plugin may leave a plugin");
    }
    if (symbol.defined && symbol.binding == STB_GNU_UNIQUE) {
      faults.push_back(symbol.name + " is STB_GNU_UNIQUE, which pins the library against dlclose");
    }
    if (!symbol.defined && symbol.name.starts_with("__cxa_thread_atexit")) {
      faults.emplace_back("has a thread_local with a destructor, which pins the library against dlclose");
    }
  }
  if ((file.flags_1() & DF_1_NODELETE) != 0) faults.emplace_back("is linked with -z nodelete");
  if ((file.flags() & DF_STATIC_TLS) != 0) faults.emplace_back("uses static TLS, so it may fail to load");
}

bool is_mapped(const std::string& path) {
  const std::string absolute = std::filesystem::canonical(path).string();
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(absolute)) return true;
  }
  return false;
}

std::vector<std::string> faults_of(const std::string& path) {
  const elf_file file(path);
  std::vector<std::string> faults;
  {
    const library loaded = load(path);
    const gantry_entry& entry = entry_of(loaded, path);
    const std::string declared = declared_by(entry, file);
    const auto embedded = file.section(".gantry.manifest");
    if (!embedded) {
      faults.emplace_back("has no section .gantry.manifest");
    } else if (*embedded != declared) {
      faults.push_back("declares another manifest than it carries\n  carried:  " + std::string(*embedded) +
                       "\n  declared: " + declared);
    }
    if (declared_by(entry, file) != declared) faults.emplace_back("a second instance declares something else");
  }
  if (sanitized) return faults;
  check_symbols(file, faults);
  if (is_mapped(path)) faults.emplace_back("stays mapped after dlclose");
  return faults;
}

int check(const std::string& path) {
  const std::vector<std::string> faults = faults_of(path);
  for (const std::string& fault : faults) std::fprintf(stderr, "%s: %s\n", path.c_str(), fault.c_str());
  if (faults.empty()) std::printf("%s: ok\n", path.c_str());
  return faults.empty() ? 0 : 1;
}

std::string manifest_of(const std::string& path) {
  const library loaded = load(path);
  return declared_by(entry_of(loaded, path), elf_file(path));
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() == 1 && !arguments[0].starts_with("-")) {
    std::puts(manifest_of(arguments[0]).c_str());
    return 0;
  }
  if (arguments.size() == 2 && arguments[0] == "--check") return check(arguments[1]);
  if (arguments.size() == 3 && arguments[0] == "--write") {
    std::ofstream out(arguments[1], std::ios::binary);
    out << manifest_of(arguments[2]);
    out.close();
    if (!out) throw std::runtime_error(arguments[1] + ": can't be written");
    return 0;
  }
  std::fputs("usage: gantry-manifest [--check | --write OUT.json] FILE.so\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    // dlopen searches the system for a name without a slash.
    if (!arguments.empty() && arguments.back().find('/') == std::string::npos) arguments.back().insert(0, "./");
    return run(arguments);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gantry-manifest: %s\n", e.what());
    return 1;
  }
}
