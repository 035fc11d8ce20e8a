// From addresses to functions, by the symbol tables of the files that were mapped there.
#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>

#include "blackbox/stack.hpp"

namespace gantry::blackbox {
namespace {

struct mapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;  // of the file
  std::string path;
};

bool take_hex(std::string_view& text, std::uint64_t& out) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
  if (code != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

// "7f00-7f10 r-xp 00001000 08:01 1234   /path"
std::optional<mapping> mapping_of(std::string_view line) {
  mapping out;
  if (!take_hex(line, out.begin) || !line.starts_with('-')) return std::nullopt;
  line.remove_prefix(1);
  if (!take_hex(line, out.end) || line.size() < 6) return std::nullopt;
  line.remove_prefix(6);
  if (!take_hex(line, out.offset)) return std::nullopt;
  const auto path = line.find('/');
  if (path != std::string_view::npos) out.path = line.substr(path);
  return out;
}

// A file of 64 bit ELF, mapped for reading. Nothing of what it says is believed without a look at its size.
class elf_image {
 public:
  explicit elf_image(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    struct stat about {};
    if (fstat(file, &about) == 0 && about.st_size > static_cast<off_t>(sizeof(Elf64_Ehdr))) {
      size_ = static_cast<std::size_t>(about.st_size);
      void* const at = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
      bytes_ = at == MAP_FAILED ? nullptr : static_cast<const unsigned char*>(at);
    }
    ::close(file);
    const auto* const head = at<Elf64_Ehdr>(0);
    if (head == nullptr || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != ELFCLASS64)
      return;
    head_ = head;
  }
  ~elf_image() {
    if (bytes_ != nullptr) munmap(const_cast<unsigned char*>(bytes_), size_);
  }
  elf_image(const elf_image&) = delete;
  elf_image& operator=(const elf_image&) = delete;

  // As the file's tables count: where what stands at this place of the file is mapped, from the file's own zero.
  std::optional<std::uint64_t> address_of(std::uint64_t offset) const {
    for (std::size_t i = 0; head_ != nullptr && i < head_->e_phnum; ++i) {
      const auto* const p = at<Elf64_Phdr>(head_->e_phoff + i * sizeof(Elf64_Phdr));
      if (p != nullptr && p->p_type == PT_LOAD && offset >= p->p_offset && offset - p->p_offset < p->p_filesz)
        return offset - p->p_offset + p->p_vaddr;
    }
    return std::nullopt;
  }

  // The function that has this address, and how far in; empty: no table knows one.
  std::string function_at(std::uint64_t address) const {
    for (std::size_t i = 0; head_ != nullptr && i < head_->e_shnum; ++i) {
      const auto* const table = section(i);
      if (table == nullptr || (table->sh_type != SHT_SYMTAB && table->sh_type != SHT_DYNSYM)) continue;
      const auto* const names = section(table->sh_link);
      if (names == nullptr) continue;
      for (std::uint64_t k = 0; k < table->sh_size / sizeof(Elf64_Sym); ++k) {
        const auto* const s = at<Elf64_Sym>(table->sh_offset + k * sizeof(Elf64_Sym));
        if (s == nullptr) break;
        if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || s->st_shndx == SHN_UNDEF || address < s->st_value ||
            address - s->st_value >= s->st_size)
          continue;
        return demangled(text_at(names->sh_offset + s->st_name)) + " + " + std::to_string(address - s->st_value);
      }
    }
    return {};
  }

 private:
  template <typename T>
  const T* at(std::uint64_t offset) const {
    if (bytes_ == nullptr || offset > size_ || size_ - offset < sizeof(T) || offset % alignof(T) != 0) return nullptr;
    return reinterpret_cast<const T*>(bytes_ + offset);
  }
  const Elf64_Shdr* section(std::size_t i) const { return at<Elf64_Shdr>(head_->e_shoff + i * sizeof(Elf64_Shdr)); }
  std::string text_at(std::uint64_t offset) const {
    if (offset >= size_) return {};
    const auto* const from = reinterpret_cast<const char*>(bytes_ + offset);
    return {from, strnlen(from, size_ - offset)};
  }
  static std::string demangled(const std::string& name) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> plain(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status),
                                                       std::free);
    return status == 0 && plain ? plain.get() : name;
  }

  const unsigned char* bytes_ = nullptr;
  std::size_t size_ = 0;
  const Elf64_Ehdr* head_ = nullptr;  // null: not such a file
};

}  // namespace

std::string hexadecimal(std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return "0x" + std::string(digits.data(), end);
}

std::vector<frame> name_frames(std::span<const std::uint64_t> addresses, std::string_view maps) {
  std::vector<mapping> all;
  while (!maps.empty()) {
    const auto end = std::min(maps.find('\n'), maps.size());
    if (auto one = mapping_of(maps.substr(0, end))) all.push_back(std::move(*one));
    maps.remove_prefix(std::min(end + 1, maps.size()));
  }
  std::map<std::string, std::unique_ptr<elf_image>> files;
  std::vector<frame> out;
  for (const auto address : addresses) {
    frame f;
    f.address = address;
    // All but the innermost are where a call returns to: the call itself is before it, perhaps in another function.
    const auto called = out.empty() ? address : address - 1;
    for (const auto& m : all) {
      if (called < m.begin || called >= m.end || m.path.empty()) continue;
      f.module = m.path;
      auto& file = files[m.path];
      if (!file) file = std::make_unique<elf_image>(m.path);
      f.offset = file->address_of(called - m.begin + m.offset).value_or(called - m.begin + m.offset);
      f.function = file->function_at(f.offset);
      break;
    }
    out.push_back(std::move(f));
  }
  return out;
}

std::string to_text(const frame& f) {
  if (f.module.empty()) return hexadecimal(f.address);
  const auto name = f.module.substr(f.module.rfind('/') + 1);
  return (f.function.empty() ? hexadecimal(f.address) : f.function) + " in " + name + " (" + hexadecimal(f.offset) +
         ")";
}

}  // namespace gantry::blackbox
