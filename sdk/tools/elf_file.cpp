#include "elf_file.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace {

// Entries of a table, copied because nothing in a file is aligned for sure.
template <typename Entry>
std::vector<Entry> table(std::string_view bytes) {
  std::vector<Entry> out(bytes.size() / sizeof(Entry));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(Entry));
  return out;
}

std::string_view text_at(std::string_view strings, std::size_t offset) {
  if (offset >= strings.size()) return {};
  const std::string_view rest = strings.substr(offset);
  return rest.substr(0, rest.find('\0'));
}

}  // namespace

elf_file::elf_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path + ": can't be read");
  content_.assign(std::istreambuf_iterator<char>(in), {});
  Elf64_Ehdr header{};
  if (content_.size() < sizeof header) throw std::runtime_error(path + ": not an ELF file");
  std::memcpy(&header, content_.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) {
    throw std::runtime_error(path + ": not a 64-bit ELF file");
  }
  const std::size_t size = std::size_t{header.e_shnum} * sizeof(Elf64_Shdr);
  if (header.e_shoff > content_.size() || size > content_.size() - header.e_shoff ||
      header.e_shstrndx >= header.e_shnum) {
    throw std::runtime_error(path + ": the section table is damaged");
  }
  headers_ = table<Elf64_Shdr>(std::string_view(content_).substr(header.e_shoff, size));
  names_ = bytes_of(headers_[header.e_shstrndx]);
}

std::string_view elf_file::bytes_of(const Elf64_Shdr& header) const {
  if (header.sh_type == SHT_NOBITS || header.sh_offset > content_.size()) return {};
  return std::string_view(content_).substr(header.sh_offset, header.sh_size);
}

const Elf64_Shdr* elf_file::header_of(std::string_view name) const {
  for (const Elf64_Shdr& header : headers_) {
    if (text_at(names_, header.sh_name) == name) return &header;
  }
  return nullptr;
}

std::optional<std::string_view> elf_file::section(std::string_view name) const {
  const Elf64_Shdr* header = header_of(name);
  return header == nullptr ? std::nullopt : std::optional(bytes_of(*header));
}

std::string elf_file::build_id() const {
  const auto note = section(".note.gnu.build-id");
  Elf64_Nhdr header{};
  if (!note || note->size() < sizeof header) return {};
  std::memcpy(&header, note->data(), sizeof header);
  const std::size_t name_size = (header.n_namesz + 3U) / 4U * 4U;
  std::string hex;
  if (note->size() < sizeof header + name_size) return hex;
  for (const char byte : note->substr(sizeof header + name_size, header.n_descsz)) {
    constexpr char digits[] = "0123456789abcdef";
    hex += digits[static_cast<unsigned char>(byte) >> 4U];
    hex += digits[static_cast<unsigned char>(byte) & 15U];
  }
  return hex;
}

std::vector<elf_file::symbol> elf_file::dynamic_symbols() const {
  const std::string_view strings = section(".dynstr").value_or(std::string_view{});
  std::vector<symbol> out;
  for (const Elf64_Sym& entry : table<Elf64_Sym>(section(".dynsym").value_or(std::string_view{}))) {
    const std::string_view name = text_at(strings, entry.st_name);
    if (name.empty()) continue;
    out.push_back(
        {std::string(name), static_cast<unsigned char>(ELF64_ST_BIND(entry.st_info)), entry.st_shndx != SHN_UNDEF});
  }
  return out;
}

std::uint64_t elf_file::dynamic(Elf64_Sxword tag) const {
  for (const Elf64_Dyn& entry : table<Elf64_Dyn>(section(".dynamic").value_or(std::string_view{}))) {
    if (entry.d_tag == tag) return entry.d_un.d_val;
  }
  return 0;
}
