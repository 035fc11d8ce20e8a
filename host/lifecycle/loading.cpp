#include "lifecycle/loading.hpp"

#include <algorithm>
#include <filesystem>

#include "gantry/abi/handover.h"
#include "lifecycle/generation_pointer.hpp"
#include "loader/file_image.hpp"
#include "loader/inspect.hpp"
#include "topology/validate.hpp"

namespace gantry::lifecycle {
namespace {

// What an instance has declared, in the words of a manifest.
loader::manifest account_of(const runtime::instance& i, const loader::manifest& promised) {
  const auto normal = [](const std::string& schema) {
    auto text = schema.empty() ? result<std::string>(std::string()) : loader::normal_json(schema);
    return text ? *text : schema;
  };
  loader::manifest m;
  // Which capabilities it needs is for the host to judge before it loads the file; nothing declares them again.
  m.needs = promised.needs;
  for (const char* offer : {GANTRY_HANDOVER_1})
    if (i.plugin->struct_size >= sizeof(gantry_instance) && i.plugin->capability != nullptr &&
        i.plugin->capability(i.plugin->self, offer) != nullptr)
      m.offers.emplace_back(offer);
  m.id = i.id();
  const auto& d = i.declared;
  for (const auto& r : d.routes) m.routes.push_back({r.method, r.pattern, r.idempotent});
  for (const auto& s : d.subscriptions) {
    const char* mode = s.observe != nullptr ? "observe" : s.on_batch != nullptr ? "batch" : "event";
    m.consumes.push_back({s.topic, s.type, s.min_version, s.max_version, mode, s.latest ? "latest" : "earliest"});
  }
  for (const auto& r : d.replays) m.replays.push_back(r.topic);
  for (const auto& e : d.emissions) m.emits.push_back({e.topic, e.type, e.version, normal(e.schema)});
  m.calls = d.calls;
  for (const auto& j : d.jobs) m.jobs.push_back(j.name);
  for (const auto& t : d.timers) m.timers.push_back(t.name);
  for (const auto& s : d.sagas) m.sagas.push_back(s.name);
  m.config_schema = normal(d.config_schema);
  for (const auto& s : d.migrations) m.migrations.push_back({s.number, s.name, s.driver, s.sha256});
  return m;
}

}  // namespace

result<std::filesystem::path> library_of(const topology::topology& model, const std::string& plugin) {
  if (!model.plugins.contains(plugin)) return error{errc::not_found, plugin + " is not in the topology"};
  const auto library = topology::find_library(model, plugin, topology::is_file);
  if (!library.found.empty()) return std::filesystem::path(library.found);
  return error{errc::not_found, "no file " + *model.plugins.at(plugin).library + ".so on plugin_path"};
}

std::string settings_digest(const topology::plugin_settings& of) {
  const auto config = loader::normal_json(of.config.json);
  return loader::digest_of({{}, (config ? *config : of.config.json) + "\n" + std::to_string(of.stall_after->count()) +
                                    "\n" + std::to_string(of.stall_kill_after->count())});
}

result<std::string> library_digest(const topology::topology& model, const std::string& plugin) {
  const auto library = library_of(model, plugin);
  if (!library) return library.failure();
  const auto image = loader::read_image(*library);
  if (!image) return image.failure();
  return loader::digest_of(*image);
}

result<std::unique_ptr<loader::module>> load_generation(const topology::topology& model, const std::string& plugin,
                                                        const std::filesystem::path& file, std::uint64_t generation) {
  std::vector<std::string> keys;
  for (const auto& k : model.trust.keys) keys.push_back(*k);
  auto trust = loader::make_trust(*model.trust.required, keys);
  if (!trust) return trust.failure();
  loader::load_options options;
  options.state_dir = *model.state;
  options.plugin_id = plugin;
  options.generation = generation;
  options.trust = *trust;
  return loader::load(file, options);
}

result<start_file> file_to_start(const topology::topology& model, const std::string& plugin, const std::string& host) {
  const auto library = library_of(model, plugin);
  auto pointer = read_pointer(*model.state, plugin, host);
  if (!pointer) return pointer.failure();
  if (*pointer) {
    const auto digest = library_digest(model, plugin);
    auto& last = **pointer;
    if (!digest || *digest == last.library_digest)
      return start_file{std::move(last.copy), last.generation, std::move(last.digest)};
  }
  if (!library) return library.failure();
  return start_file{*library, 0, {}};
}

result<started_file> load_file(const topology::topology& model, const std::string& plugin, const std::string& host,
                               std::uint64_t used) {
  const auto from = file_to_start(model, plugin, host);
  if (!from) return from.failure();
  if (from->generation != 0) {
    auto loaded = load_generation(model, plugin, from->path, std::max(from->generation, used + 1));
    if (!loaded)
      return error{loaded.failure().code,
                   "generation " + std::to_string(from->generation) + ": " + loaded.failure().text};
    if ((*loaded)->digest() != from->digest)
      return error{errc::invalid, from->path.string() + ": found SHA-256 " + (*loaded)->digest() + ", expected " +
                                      from->digest + ": it was altered; remove " + plugin + "." + host +
                                      ".current beside it to start with the library"};
    return started_file{std::move(*loaded), true};
  }
  const auto last = read_pointer(*model.state, plugin, host);
  const auto known = last && *last ? (*last)->generation : 0;
  auto loaded = load_generation(model, plugin, from->path, std::max<std::uint64_t>(known, used) + 1);
  if (!loaded) return loaded.failure();
  return started_file{std::move(*loaded), false};
}

result<loader::manifest> manifest_to_start(const topology::topology& model, const std::string& plugin,
                                           const std::string& host) {
  const auto from = file_to_start(model, plugin, host);
  if (!from) return from.failure();
  return loader::read_manifest(from->path);
}

result<void> check_declared(const runtime::instance& i, const loader::manifest& promised) {
  const auto differences = loader::compare(account_of(i, promised), promised);
  if (differences.empty()) return {};
  std::string text = i.id() + ": what it declares differs from its manifest:";
  for (const auto& d : differences) text += " " + d + ";";
  text.pop_back();
  return error{errc::invalid, text};
}

result<std::unique_ptr<declared_plugin>> declared_plugin::load(const topology::topology& model,
                                                               const std::string& plugin, const clock& time,
                                                               observability::registry& metrics) {
  std::unique_ptr<declared_plugin> self(new declared_plugin);
  // As one of the hosts that run it would start it.
  const auto& hosts = model.plugins.at(plugin).hosts;
  auto file = load_file(model, plugin, hosts.empty() ? std::string() : *hosts.front());
  if (!file) return file.failure();
  self->file_ = std::move(file->file);
  runtime::surroundings around;
  around.time = &time;
  around.metrics = &metrics;
  around.topics = &self->topics_;
  self->running_ = std::make_unique<runtime::instance>(plugin, self->file_->promised().version, 1, around);
  if (auto done = self->running_->create(self->file_->entry()); !done) return done.failure();
  if (auto done = check_declared(*self->running_, self->file_->promised()); !done) return done.failure();
  return self;
}

// The instance is made of the file's code.
declared_plugin::~declared_plugin() {
  running_.reset();
  if (file_) static_cast<void>(file_->unload());
}

}  // namespace gantry::lifecycle
