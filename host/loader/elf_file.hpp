// What a plugin's ELF file tells without being loaded. libelf appears only in elf_file.cpp.
// Thread: any.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "loader/file_image.hpp"

namespace gantry::loader {

struct elf_facts {
  std::string manifest;  // the section .gantry.manifest; empty when there is none
  std::string build_id;  // hexadecimal, or empty
  std::string soname;
  std::vector<std::string> needed;          // libraries it depends on
  std::vector<std::string> exported;        // defined dynamic symbols that others see, sorted
  std::vector<std::string> unique_symbols;  // those with STB_GNU_UNIQUE
  bool exports_entry = false;               // gantry_plugin, as data
  bool nodelete = false;                    // DF_1_NODELETE
  bool thread_storage = false;              // a TLS segment
  bool thread_destructors = false;          // registers destructors of thread_local objects
};

// invalid: not an ELF file, for another architecture, not a shared library, or truncated; the text names the file and
// says which.
result<elf_facts> read_elf(const file_image& image);

// What will keep the library mapped after it was unloaded, or may; a sentence each.
std::vector<std::string> unload_risks(const elf_facts& facts);

}  // namespace gantry::loader
