// What the manifest tool reads of a shared library: sections, dynamic symbols, flags. 64-bit ELF only.
// Throws std::runtime_error for a file that is not one.
#pragma once

#include <elf.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

class elf_file {
 public:
  struct symbol {
    std::string name;
    unsigned char binding;  // STB_...
    bool defined;
  };

  explicit elf_file(const std::string& path);

  // The bytes of a section, or nothing.
  std::optional<std::string_view> section(std::string_view name) const;
  // The GNU build id in hexadecimal digits, or empty.
  std::string build_id() const;
  std::vector<symbol> dynamic_symbols() const;
  // DT_FLAGS and DT_FLAGS_1.
  std::uint64_t flags() const { return dynamic(DT_FLAGS); }
  std::uint64_t flags_1() const { return dynamic(DT_FLAGS_1); }

 private:
  const Elf64_Shdr* header_of(std::string_view name) const;
  std::string_view bytes_of(const Elf64_Shdr& header) const;
  std::uint64_t dynamic(Elf64_Sxword tag) const;

  std::string content_;
  std::vector<Elf64_Shdr> headers_;
  std::string_view names_;
};
