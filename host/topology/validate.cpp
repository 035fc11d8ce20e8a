#include "topology/validate.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>

#include "topology/checks.hpp"
#include "topology/json_schema.hpp"
#include "topology/json_text.hpp"
#include "topology/names.hpp"

namespace gantry::topology {
namespace {

// A pattern with its placeholders' names left out, so that /orders/{id} and /orders/{order} are one route.
std::string route_shape(const loader::manifest_route& route) {
  std::string out = route.method + ' ';
  bool inside = false;
  for (const char c : route.pattern) {
    if (!inside || c == '}') out += c;
    if (c == '{') inside = true;
    if (c == '}') inside = false;
  }
  return out;
}

// Walks the calls depth first. Each cycle is reported once, at its first plugin in the order of names.
class cycle_search {
 public:
  explicit cycle_search(check_run& run) : run_(run) {}

  void from(const std::string& plugin) {
    if (done_.contains(plugin)) return;
    const auto seen = std::ranges::find(path_, plugin);
    if (seen != path_.end()) {
      report({seen, path_.end()});
      return;
    }
    const auto entry = run_.manifests.find(plugin);
    if (entry == run_.manifests.end() || !run_.model.plugins.contains(plugin)) return;
    path_.push_back(plugin);
    for (const std::string& target : entry->second.calls) from(target);
    path_.pop_back();
    done_.insert(plugin);
  }

 private:
  void report(std::vector<std::string> cycle) {
    std::ranges::rotate(cycle, std::ranges::min_element(cycle));
    if (!reported_.insert(cycle).second) return;
    std::string text;
    for (const std::string& plugin : cycle) text += plugin + " -> ";
    run_.report(run_.model.plugins.at(cycle.front()).at, "plugins." + cycle.front(),
                "a cycle of calls: " + text + cycle.front(), "calls that end",
                "let one of them listen to an event instead");
  }

  check_run& run_;
  std::vector<std::string> path_;
  std::set<std::string> done_;
  std::set<std::vector<std::string>> reported_;
};

// The place of the key that a pointer leads to; of the nearest one above when it is a default or missing.
const config_place* place_of(const config_settings& config, std::string pointer) {
  while (true) {
    const auto found = config.places.find(pointer);
    if (found != config.places.end()) return &found->second;
    if (pointer.empty()) return nullptr;
    pointer.resize(pointer.rfind('/'));
  }
}

// "/carriers/0/name" as the file's own keys are named: ".carriers[0].name".
std::string dotted(std::string_view pointer) {
  std::string out;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view step = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(step.size());
    const bool index = !step.empty() && std::ranges::all_of(step, [](char c) { return c >= '0' && c <= '9'; });
    out.append(index ? "[" : ".").append(step).append(index ? "]" : "");
  }
  return out;
}

}  // namespace

bool is_file(const std::string& path) {
  std::error_code code;
  return std::filesystem::is_regular_file(path, code);
}

void check_calls(check_run& run) {
  for (const auto& [id, manifest] : run.manifests) {
    const auto plugin = run.model.plugins.find(id);
    if (plugin == run.model.plugins.end()) continue;
    for (const std::string& target : manifest.calls) {
      if (run.model.plugins.contains(target)) continue;
      run.report(plugin->second.at, "plugins." + id, "calls to plugin " + in_quotes(target) + ", which is not there",
                 "it among the plugins", did_you_mean(target, names_in(run.model.plugins)));
    }
  }
  cycle_search search(run);
  for (const auto& entry : run.manifests) search.from(entry.first);
}

void check_routes(check_run& run) {
  std::map<std::string, std::string> owners;
  for (const auto& [id, manifest] : run.manifests) {
    const auto plugin = run.model.plugins.find(id);
    if (plugin == run.model.plugins.end()) continue;
    for (const auto& route : manifest.routes) {
      const auto [owner, first] = owners.emplace(route_shape(route), id);
      if (first || owner->second == id) continue;
      run.report(plugin->second.at, "plugins." + id, "route " + route.method + ' ' + route.pattern,
                 "a route of its own", "plugin " + in_quotes(owner->second) + " declares it too");
    }
  }
}

void check_configs(check_run& run) {
  for (const auto& [id, manifest] : run.manifests) {
    const auto plugin = run.model.plugins.find(id);
    if (plugin == run.model.plugins.end() || manifest.config_schema.empty()) continue;
    const config_settings& config = plugin->second.config;
    const std::string subject = "plugins." + id + ".config";
    auto checked = check_json(manifest.config_schema, config.json);
    if (!checked) {
      run.report(plugin->second.at, "plugins." + id, "a configuration schema that can't be used",
                 "a JSON Schema in its manifest", checked.failure().text);
      continue;
    }
    for (const schema_error& wrong : checked->errors) {
      const config_place* place = place_of(config, wrong.pointer);
      if (place != nullptr && place->unread) continue;
      const bool secret = place != nullptr && !place->reference.empty() && !wrong.about_key;
      run.report(place != nullptr ? place->key : config.at, subject + dotted(wrong.pointer),
                 secret ? "the value of " + place->reference : wrong.found, wrong.expected, wrong.suggestion);
    }
    if (auto unknown = unknown_keywords(manifest.config_schema)) {
      for (const std::string& pointer : *unknown) {
        run.warn(plugin->second.at, "plugins." + id, "keyword " + pointer + " in its configuration schema",
                 "one of those that are checked", "the rule has no effect");
      }
    }
  }
}

void check_libraries(check_run& run) {
  for (const auto& [id, plugin] : run.model.plugins) {
    const library_lookup lookup = find_library(run.model, id, run.exists);
    if (lookup.found.empty()) {
      run.report(plugin.library.given ? plugin.library.at : plugin.at, "plugins." + id + ".library",
                 "no file for " + in_quotes(shown(plugin.library)),
                 lookup.tried.empty() ? "a directory in plugin_path" : listed(lookup.tried),
                 plugin.library.secret() || lookup.tried.empty() ? "" : "build it, or correct plugin_path");
    }
    const auto manifest = run.manifests.find(id);
    if (manifest != run.manifests.end() && manifest->second.id != id) {
      run.report(plugin.at, "plugins." + id, "library of plugin " + in_quotes(manifest->second.id),
                 "the library of " + in_quotes(id), "name the entry as its plugin, or correct library");
    }
  }
}

void check_trust(check_run& run) {
  const trust_settings& trust = run.model.trust;
  if (*trust.required && trust.keys.empty()) {
    run.report(trust.required.at, "trust.keys", "no key", "at least one, as trust.required is true",
               "add the base64 line of a minisign public key");
  }
  for (std::size_t i = 0; i < trust.keys.size(); ++i) {
    // 42 bytes in base64; every minisign key begins with the bytes "Ed".
    if (trust.keys[i]->size() == 56 && trust.keys[i]->starts_with("RW")) continue;
    run.report(trust.keys[i].at, "trust.keys[" + std::to_string(i) + ']', in_quotes(shown(trust.keys[i])),
               "the base64 line of a minisign public key: 56 characters beginning with RW");
  }
}

std::vector<problem> validate(const topology& model, const manifest_map& manifests, const file_exists& exists) {
  check_run run{model, manifests, exists, {}};
  check_bus(run);
  check_addresses(run);
  check_placement(run);
  check_stores(run);
  check_groups(run);
  check_isolation(run);
  check_topics(run);
  check_events(run);
  check_calls(run);
  check_routes(run);
  check_configs(run);
  check_libraries(run);
  check_trust(run);
  sort_by_place(run.problems);
  return std::move(run.problems);
}

}  // namespace gantry::topology
