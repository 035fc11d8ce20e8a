#include "loader/module.hpp"

#include <dlfcn.h>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>

#include "loader/generation_file.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GANTRY_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define GANTRY_SANITIZED 1
#endif
#endif

namespace gantry::loader {
namespace {

#ifdef GANTRY_SANITIZED
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

// Never RTLD_DEEPBIND: plugin and host must agree on one allocator and one libstdc++.
boost::dll::load_mode::type load_mode() {
  constexpr int keep = sanitized ? RTLD_NODELETE : 0;
  return static_cast<boost::dll::load_mode::type>(RTLD_NOW | RTLD_LOCAL | keep);
}

struct checked_file {
  file_image image;
  elf_facts facts;
  manifest promised;
  signature_report signature;
  std::string digest;
};

result<checked_file> check_file(const std::filesystem::path& file, const load_options& options) {
  auto image = read_image(file);
  if (!image) return image.failure();
  auto facts = read_elf(*image);
  if (!facts) return facts.failure();
  auto promised = manifest_of(*image, *facts);
  if (!promised) return promised.failure();
  if (promised->id != options.plugin_id) {
    return error{errc::invalid, image->name() + ": is plugin \"" + promised->id + "\", expected \"" +
                                    options.plugin_id + "\": correct library in the topology"};
  }
  if (auto fits = check_abi(image->name(), promised->abi, host_abi()); !fits) return fits.failure();
  if (!facts->exports_entry) {
    return error{errc::invalid,
                 image->name() + ": exports no symbol gantry_plugin: define the plugin with GANTRY_PLUGIN"};
  }
  signature_report signature = check_signature_file(*image, options.trust.keys);
  if (auto admitted = admit(signature, options.trust); !admitted) return admitted.failure();
  std::string digest = digest_of(*image);
  return checked_file{std::move(*image), std::move(*facts), std::move(*promised), std::move(signature),
                      std::move(digest)};
}

// The file that is being mapped, for the last words of a process whose plugin throws out of a static constructor: no
// exception can pass through dlopen, which is declared not to throw.
const char* being_mapped = nullptr;

[[noreturn]] void name_the_thrower() {
  const char* what = "an exception";
  std::string text;
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::exception& e) {
    text = e.what();
    what = text.c_str();
  } catch (...) {
    what = "something that is no std::exception";
  }
  if (being_mapped != nullptr)
    std::fprintf(stderr, "gantry: %s: a static constructor threw while it was mapped: %s: the host can't go on\n", being_mapped, what);
  std::abort();
}

// While it lives, a terminating process says which file it was mapping. Thread: main.
class last_words {
 public:
  explicit last_words(const std::string& name) : before_(std::set_terminate(name_the_thrower)) { being_mapped = name.c_str(); }
  ~last_words() {
    being_mapped = nullptr;
    std::set_terminate(before_);
  }
  last_words(const last_words&) = delete;
  last_words& operator=(const last_words&) = delete;

 private:
  const std::terminate_handler before_;
};

result<boost::dll::shared_library> map_library(const std::filesystem::path& copy, const std::string& name) {
  const last_words said(name);
  boost::dll::fs::error_code code;
  boost::dll::shared_library library;
  library.load(copy, load_mode(), code);
  if (!code) return library;
  const char* reason = ::dlerror();
  std::string text = reason != nullptr ? reason : code.message();
  if (text.starts_with(copy.string() + ": ")) text.erase(0, copy.string().size() + 2);
  return error{errc::invalid, name + ": can't be loaded: " + text};
}

std::string or_nothing(const char* text) { return text != nullptr ? '"' + std::string(text) + '"' : "nothing"; }

// The entry again, now that the file is mapped: a manifest can be edited, the struct is what would be called.
result<void> check_entry(const gantry_entry& entry, const manifest& promised, const std::string& name) {
  constexpr std::size_t needed = offsetof(gantry_entry, create) + sizeof(entry.create);
  const auto refused = [&name](const std::string& text) {
    return error{errc::invalid, name + ": its entry " + text + ": rebuild the plugin"};
  };
  if (entry.struct_size < needed) {
    return refused("has " + std::to_string(entry.struct_size) + " bytes, expected at least " + std::to_string(needed));
  }
  const abi_version abi{entry.abi_major, entry.abi_minor};
  if (auto fits = check_abi(name, abi, host_abi()); !fits) return fits;
  if (abi != promised.abi) return refused("has ABI " + to_text(abi) + ", its manifest " + to_text(promised.abi));
  if (entry.id == nullptr || promised.id != entry.id) {
    return refused("has id " + or_nothing(entry.id) + ", its manifest \"" + promised.id + '"');
  }
  if (entry.version == nullptr || promised.version != entry.version) {
    return refused("has version " + or_nothing(entry.version) + ", its manifest \"" + promised.version + '"');
  }
  if (entry.create == nullptr) return refused("has no create function");
  return {};
}

class loaded_module final : public module {
 public:
  loaded_module(checked_file file, std::filesystem::path copy, copy_in_use used, std::uint64_t generation,
                boost::dll::shared_library library, const gantry_entry& entry)
      : file_(std::move(file)),
        copy_(std::move(copy)),
        used_(std::move(used)),
        generation_(generation),
        library_(std::move(library)),
        entry_(&entry) {
    file_.image.bytes = {};  // only its path is needed from here on
  }
  ~loaded_module() override { (void)loaded_module::unload(); }

  const gantry_entry& entry() const noexcept override { return *entry_; }
  const manifest& promised() const noexcept override { return file_.promised; }
  const signature_report& signature() const noexcept override { return file_.signature; }
  const std::string& digest() const noexcept override { return file_.digest; }
  std::uint64_t generation() const noexcept override { return generation_; }
  const std::filesystem::path& source() const noexcept override { return file_.image.path; }
  const std::filesystem::path& copy() const noexcept override { return copy_; }

  unload_report unload() override {
    if (report_) return *report_;
    entry_ = nullptr;
    library_.unload();
    unload_report report;
    report.mapped = is_mapped(copy_);
    if (report.mapped) {
      report.why = pinned_by();
      used_.keep();
    } else {
      used_ = {};
    }
    report_ = std::move(report);
    return *report_;
  }

 private:
  std::string pinned_by() const {
    if (sanitized) return "sanitizer builds never unload";
    if (!file_.facts.unique_symbols.empty() || file_.facts.nodelete || file_.facts.thread_destructors) {
      return unload_risks(file_.facts).front();
    }
    return "something else in this process still refers to it";
  }

  checked_file file_;
  std::filesystem::path copy_;
  copy_in_use used_;
  std::uint64_t generation_;
  boost::dll::shared_library library_;
  const gantry_entry* entry_;
  std::optional<unload_report> report_;
};

}  // namespace

bool builds_unload() noexcept { return !sanitized; }

result<std::unique_ptr<module>> load(const std::filesystem::path& file, const load_options& options) {
  auto checked = check_file(file, options);
  if (!checked) return checked.failure();
  const std::string name = checked->image.name();
  std::filesystem::path copy =
      generation_path(options.state_dir, options.plugin_id, options.generation, checked->digest);
  if (is_mapped(copy)) {
    return error{errc::conflict, name + ": generation " + std::to_string(options.generation) + " of " +
                                     options.plugin_id + " is already mapped: load it as a later generation"};
  }
  auto used = write_generation(checked->image, copy);
  if (!used) return error{used.failure().code, name + ": " + used.failure().text};
  if (checked->signature.state != signature_state::none && copy != std::filesystem::absolute(file).lexically_normal()) {
    // Beside the copy as well: a host that starts with it checks it again.
    auto signed_by = read_image(file.string() + ".minisig");
    if (!signed_by) return signed_by.failure();
    if (auto written = write_generation(*signed_by, copy.string() + ".minisig"); !written) return written.failure();
  }
  auto library = map_library(copy, name);
  if (!library) return library.failure();
  if (!library->has("gantry_plugin")) {
    return error{errc::invalid, name + ": has no symbol gantry_plugin once it is loaded: rebuild the plugin"};
  }
  const gantry_entry& entry = library->get<const gantry_entry>("gantry_plugin");
  if (auto honest = check_entry(entry, checked->promised, name); !honest) return honest.failure();
  return std::unique_ptr<module>(std::make_unique<loaded_module>(std::move(*checked), std::move(copy), std::move(*used),
                                                                 options.generation, std::move(*library), entry));
}

}  // namespace gantry::loader
