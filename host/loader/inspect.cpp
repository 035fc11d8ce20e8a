#include "loader/inspect.hpp"

#include <algorithm>

#include "gantry/abi/version.h"
#include "topology/json_text.hpp"

namespace gantry::loader {
namespace {

using topology::json_quoted;

constexpr std::string_view no_entry = "it exports no symbol gantry_plugin: define the plugin with GANTRY_PLUGIN";

std::string json_list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ',';
    out += json_quoted(text);
  }
  return out + ']';
}

void add_line(std::string& out, std::string_view label, const std::string& text) {
  if (text.empty()) return;
  out += label;
  out.append(label.size() < 14 ? 14 - label.size() : 1, ' ');
  out += text + '\n';
}

void add_lines(std::string& out, std::string_view label, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    add_line(out, label, text);
    label = " ";
  }
}

template <typename T, typename Words>
std::vector<std::string> worded(const std::vector<T>& list, Words words) {
  std::vector<std::string> out;
  std::ranges::transform(list, std::back_inserter(out), words);
  return out;
}

std::string versions(const manifest_subscription& each) {
  const std::string least = std::to_string(each.min_version);
  return each.min_version == each.max_version ? "v" + least : "v" + least + "-" + std::to_string(each.max_version);
}

void add_manifest(std::string& out, const manifest& m) {
  add_line(out, "plugin", m.id + ' ' + m.version);
  add_line(out, "abi", to_text(m.abi) + " (this host: " + to_text(host_abi()) + ")");
  add_line(out, "sdk", m.sdk);
  add_lines(out, "needs", m.needs);
  add_lines(out, "offers", m.offers);
  add_lines(out, "routes", worded(m.routes, [](const manifest_route& each) {
              return each.method + ' ' + each.pattern + (each.idempotent ? " (idempotent)" : "");
            }));
  add_lines(out, "consumes", worded(m.consumes, [](const manifest_subscription& each) {
              return each.topic + ' ' + each.type + ' ' + versions(each) + ' ' + each.mode + " from " + each.start;
            }));
  add_lines(out, "emits", worded(m.emits, [](const manifest_emission& each) {
              return each.topic + ' ' + each.type + " v" + std::to_string(each.version);
            }));
  add_lines(out, "replays", m.replays);
  add_lines(out, "calls", m.calls);
  add_lines(out, "jobs", m.jobs);
  add_lines(out, "timers", m.timers);
  add_lines(out, "sagas", m.sagas);
  add_lines(out, "migrations", worded(m.migrations, [](const manifest_migration& each) {
              return std::to_string(each.number) + ' ' + each.name +
                     (each.driver.empty() ? "" : " (" + each.driver + ")");
            }));
  add_line(out, "config", m.config_schema);
}

}  // namespace

abi_version host_abi() noexcept { return {GANTRY_ABI_MAJOR, GANTRY_ABI_MINOR}; }

result<void> check_abi(const std::string& file_name, abi_version plugin, abi_version host) {
  if (plugin.major == host.major && plugin.minor <= host.minor) return {};
  const std::string text =
      file_name + ": built for ABI " + to_text(plugin) + ", this host has " + to_text(host) + ": rebuild the plugin";
  if (plugin < host) return error{errc::unsupported, text};
  return error{errc::unsupported, text + " or use a gantry with ABI >= " + to_text(plugin)};
}

result<manifest> manifest_of(const file_image& image, const elf_facts& facts) {
  if (facts.manifest.empty()) {
    return error{errc::invalid, image.name() + ": no section .gantry.manifest: build it with gantry_add_plugin"};
  }
  auto parsed = parse_manifest(facts.manifest);
  if (!parsed) return error{errc::invalid, image.name() + ": " + parsed.failure().text};
  return parsed;
}

result<manifest> read_manifest(const std::filesystem::path& file) {
  auto image = read_image(file);
  if (!image) return image.failure();
  auto facts = read_elf(*image);
  if (!facts) return facts.failure();
  return manifest_of(*image, *facts);
}

result<inspection> inspect(const std::filesystem::path& file, const std::vector<public_key>& keys) {
  auto image = read_image(file);
  if (!image) return image.failure();
  auto facts = read_elf(*image);
  if (!facts) return facts.failure();
  inspection out;
  out.file = file.string();
  out.digest = digest_of(*image);
  out.size = image->bytes.size();
  out.signature = check_signature_file(*image, keys);
  if (auto parsed = manifest_of(*image, *facts)) {
    if (auto fits = check_abi(image->name(), parsed->abi, host_abi()); !fits) out.faults.push_back(fits.failure().text);
    out.manifest = std::move(*parsed);
  } else {
    out.faults.push_back(parsed.failure().text);
  }
  if (!facts->exports_entry) out.faults.push_back(image->name() + ": " + std::string(no_entry));
  if (out.signature.state == signature_state::altered || out.signature.state == signature_state::malformed) {
    out.faults.push_back(out.signature.text);
  }
  out.risks = unload_risks(*facts);
  const auto others = std::ranges::count_if(facts->exported, [](const auto& name) { return name != "gantry_plugin"; });
  if (others > 0) {
    out.risks.push_back(std::to_string(others) +
                        " symbols exported beside gantry_plugin: link with a version script that hides them");
  }
  out.elf = std::move(*facts);
  return out;
}

std::string to_text(const inspection& report) {
  std::string out;
  add_line(out, "file", report.file);
  add_line(out, "size", std::to_string(report.size) + " bytes");
  add_line(out, "sha256", report.digest);
  add_line(out, "build id", report.elf.build_id);
  if (report.manifest) add_manifest(out, *report.manifest);
  add_line(out, "signature",
           std::string(name_of(report.signature.state)) +
               (report.signature.key_id.empty() ? "" : ", key " + report.signature.key_id) +
               (report.signature.trusted_comment.empty() ? "" : ", " + report.signature.trusted_comment));
  add_lines(out, "libraries", report.elf.needed);
  add_lines(out, "unloading", report.risks.empty() ? std::vector<std::string>{"no risk found"} : report.risks);
  add_lines(out, "verdict",
            report.faults.empty() ? std::vector<std::string>{"this host would load it"} : report.faults);
  return out;
}

std::string to_json(const inspection& report) {
  std::string out = "{\"file\":" + json_quoted(report.file) + ",\"size\":" + std::to_string(report.size);
  out += ",\"sha256\":" + json_quoted(report.digest) + ",\"buildId\":" + json_quoted(report.elf.build_id);
  out += ",\"hostAbi\":" + json_quoted(to_text(host_abi()));
  out += ",\"manifest\":" + (report.manifest ? to_json(*report.manifest) : "null");
  out += ",\"signature\":{\"state\":" + json_quoted(name_of(report.signature.state)) +
         ",\"keyId\":" + json_quoted(report.signature.key_id) +
         ",\"trustedComment\":" + json_quoted(report.signature.trusted_comment) + '}';
  out += ",\"libraries\":" + json_list(report.elf.needed) + ",\"exports\":" + json_list(report.elf.exported);
  out += ",\"risks\":" + json_list(report.risks) + ",\"faults\":" + json_list(report.faults);
  out += std::string(",\"loadable\":") + (report.faults.empty() ? "true" : "false");
  return out + '}';
}

}  // namespace gantry::loader
