#include "loader/elf_file.hpp"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

namespace gantry::loader {
namespace {

constexpr std::string_view manifest_section = ".gantry.manifest";
constexpr std::string_view entry_symbol = "gantry_plugin";

#if defined(__x86_64__)
constexpr GElf_Half host_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr GElf_Half host_machine = EM_AARCH64;
#elif defined(__riscv)
constexpr GElf_Half host_machine = EM_RISCV;
#else
#error "name this architecture's ELF machine"
#endif

std::string machine_name(GElf_Half machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "AArch64";
    case EM_RISCV:
      return "RISC-V";
    case EM_386:
      return "x86 (32 bit)";
    case EM_ARM:
      return "ARM (32 bit)";
    default:
      return "ELF machine " + std::to_string(machine);
  }
}

struct elf_closer {
  void operator()(Elf* elf) const noexcept { ::elf_end(elf); }
};
using elf_handle = std::unique_ptr<Elf, elf_closer>;

class elf_reader {
 public:
  explicit elf_reader(const file_image& image) : image_(image), bytes_(image.bytes) {}

  result<elf_facts> read() {
    if (bytes_.size() < SELFMAG || std::memcmp(bytes_.data(), ELFMAG, SELFMAG) != 0) {
      return wrong("not an ELF file: it begins otherwise", "build it as a shared library");
    }
    if (elf_version(EV_CURRENT) == EV_NONE) return error{errc::internal, "libelf is older than its header"};
    elf_.reset(elf_memory(bytes_.data(), bytes_.size()));
    if (!elf_ || elf_kind(elf_.get()) != ELF_K_ELF) return truncated("its header");
    if (auto refused = check_header()) return std::move(*refused);
    if (!whole()) return truncated("what its header names");
    read_segments();
    if (!read_sections()) return truncated("its sections");
    std::ranges::sort(facts_.exported);
    std::ranges::sort(facts_.unique_symbols);
    return std::move(facts_);
  }

 private:
  error wrong(const std::string& found, const std::string& advice) const {
    return {errc::invalid, image_.name() + ": " + found + ": " + advice};
  }

  error truncated(const std::string& what) const {
    return {errc::invalid, image_.name() + ": truncated or damaged: " + what + " can't be read from its " +
                               std::to_string(bytes_.size()) + " bytes: copy or build it again"};
  }

  std::optional<error> check_header() {
    if (gelf_getehdr(elf_.get(), &header_) == nullptr) return truncated("its header");
    const bool same_class = header_.e_ident[EI_CLASS] == (sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32);
    if (header_.e_machine != host_machine || !same_class || header_.e_ident[EI_DATA] != ELFDATA2LSB) {
      return wrong("built for " + machine_name(header_.e_machine) + ", this host runs on " + machine_name(host_machine),
                   "build it for " + machine_name(host_machine));
    }
    if (header_.e_type != ET_DYN) return wrong("not a shared library", "link it with -shared");
    return std::nullopt;
  }

  // libelf itself stays inside the image; this tells a cut file from one that merely lacks sections.
  bool whole() {
    std::size_t segments = 0;
    if (elf_getphdrnum(elf_.get(), &segments) != 0) return false;
    for (std::size_t i = 0; i < segments; ++i) {
      GElf_Phdr segment;
      if (gelf_getphdr(elf_.get(), static_cast<int>(i), &segment) == nullptr) return false;
      if (!inside(segment.p_offset, segment.p_filesz)) return false;
      segments_.push_back(segment);
    }
    if (segments_.empty()) return false;
    if (header_.e_shoff == 0) return true;
    std::size_t sections = 0;
    // libelf counts none when the table lies beyond the end.
    if (elf_getshdrnum(elf_.get(), &sections) != 0 || sections == 0) return false;
    return inside(header_.e_shoff, sections * header_.e_shentsize);
  }

  bool inside(std::uint64_t offset, std::uint64_t size) const {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }

  void read_segments() {
    facts_.thread_storage =
        std::ranges::any_of(segments_, [](const GElf_Phdr& segment) { return segment.p_type == PT_TLS; });
  }

  bool read_sections() {
    std::size_t names = 0;
    if (header_.e_shoff == 0) return true;
    if (elf_getshdrstrndx(elf_.get(), &names) != 0) return false;
    for (Elf_Scn* section = elf_nextscn(elf_.get(), nullptr); section != nullptr;
         section = elf_nextscn(elf_.get(), section)) {
      GElf_Shdr header;
      if (gelf_getshdr(section, &header) == nullptr) return false;
      if (header.sh_type != SHT_NOBITS && !inside(header.sh_offset, header.sh_size)) return false;
      const char* name = elf_strptr(elf_.get(), names, header.sh_name);
      if (name == nullptr || !read_section(section, header, name)) return false;
    }
    return true;
  }

  bool read_section(Elf_Scn* section, const GElf_Shdr& header, std::string_view name) {
    if (name == manifest_section && header.sh_type != SHT_NOBITS) {
      facts_.manifest.assign(image_.bytes, header.sh_offset, header.sh_size);
      // Tools may pad a section with zeros.
      while (facts_.manifest.ends_with('\0')) facts_.manifest.pop_back();
      return true;
    }
    if (header.sh_type != SHT_NOTE && header.sh_type != SHT_DYNAMIC && header.sh_type != SHT_DYNSYM) return true;
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr) return header.sh_size == 0;
    if (header.sh_type == SHT_NOTE) read_notes(data);
    if (header.sh_type == SHT_DYNAMIC) read_dynamic(data, header);
    if (header.sh_type == SHT_DYNSYM) read_symbols(data, header);
    return true;
  }

  void read_notes(Elf_Data* data) {
    GElf_Nhdr note;
    std::size_t name = 0;
    std::size_t content = 0;
    std::size_t offset = 0;
    while ((offset = gelf_getnote(data, offset, &note, &name, &content)) > 0) {
      const auto* bytes = static_cast<const char*>(data->d_buf);
      if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || std::memcmp(bytes + name, "GNU", 4) != 0) continue;
      static constexpr char digits[] = "0123456789abcdef";
      facts_.build_id.clear();
      for (std::size_t i = 0; i < note.n_descsz; ++i) {
        const auto byte = static_cast<unsigned char>(bytes[content + i]);
        facts_.build_id += digits[byte >> 4U];
        facts_.build_id += digits[byte & 0xFU];
      }
    }
  }

  void read_dynamic(Elf_Data* data, const GElf_Shdr& header) {
    const std::size_t size = gelf_fsize(elf_.get(), ELF_T_DYN, 1, EV_CURRENT);
    for (std::size_t i = 0; i < data->d_size / size; ++i) {
      GElf_Dyn entry;
      if (gelf_getdyn(data, static_cast<int>(i), &entry) == nullptr || entry.d_tag == DT_NULL) break;
      const auto text = [&] {
        const char* found = elf_strptr(elf_.get(), header.sh_link, entry.d_un.d_val);
        return std::string(found != nullptr ? found : "");
      };
      if (entry.d_tag == DT_NEEDED) facts_.needed.push_back(text());
      if (entry.d_tag == DT_SONAME) facts_.soname = text();
      if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_NODELETE) != 0) facts_.nodelete = true;
    }
  }

  void read_symbols(Elf_Data* data, const GElf_Shdr& header) {
    const std::size_t size = gelf_fsize(elf_.get(), ELF_T_SYM, 1, EV_CURRENT);
    for (std::size_t i = 1; i < data->d_size / size; ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
      const char* found = elf_strptr(elf_.get(), header.sh_link, symbol.st_name);
      if (found == nullptr) continue;
      const std::string name = found;
      if (symbol.st_shndx == SHN_UNDEF) {
        if (name.starts_with("__cxa_thread_atexit")) facts_.thread_destructors = true;
        continue;
      }
      const auto visibility = GELF_ST_VISIBILITY(symbol.st_other);
      const auto binding = GELF_ST_BIND(symbol.st_info);
      if (visibility == STV_HIDDEN || visibility == STV_INTERNAL || binding == STB_LOCAL) continue;
      facts_.exported.push_back(name);
      if (binding == STB_GNU_UNIQUE) facts_.unique_symbols.push_back(name);
      if (name == entry_symbol && GELF_ST_TYPE(symbol.st_info) == STT_OBJECT) facts_.exports_entry = true;
    }
  }

  const file_image& image_;
  std::string bytes_;  // libelf wants memory that it may write to
  elf_handle elf_;
  GElf_Ehdr header_{};
  std::vector<GElf_Phdr> segments_;
  elf_facts facts_;
};

}  // namespace

result<elf_facts> read_elf(const file_image& image) { return elf_reader(image).read(); }

std::vector<std::string> unload_risks(const elf_facts& facts) {
  std::vector<std::string> out;
  if (!facts.unique_symbols.empty()) {
    std::string text =
        std::to_string(facts.unique_symbols.size()) + " symbols with STB_GNU_UNIQUE (" + facts.unique_symbols.front();
    if (facts.unique_symbols.size() > 1) text += ", ...";
    out.push_back(text + ") pin the library: build with hidden visibility and -fno-gnu-unique");
  }
  if (facts.nodelete) out.emplace_back("DF_1_NODELETE pins the library: link without -z nodelete");
  if (facts.thread_destructors) {
    out.emplace_back(
        "thread_local objects with destructors pin the library until their threads end: keep such state in the plugin");
  }
  if (facts.thread_storage) {
    out.emplace_back("a TLS segment: thread_local state begins anew with each generation");
  }
  return out;
}

}  // namespace gantry::loader
