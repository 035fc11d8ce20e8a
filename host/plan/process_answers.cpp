#include "plan/process_answers.hpp"

#include "loader/manifest.hpp"
#include "plan/json_reading.hpp"

namespace gantry::plan {
namespace {

std::uint64_t count(const json::object& in, std::string_view name) {
  const auto* v = in.if_contains(json::string_view(name.data(), name.size()));
  if (v == nullptr || !v->is_number()) return 0;
  return v->is_uint64() ? v->get_uint64() : v->is_int64() ? static_cast<std::uint64_t>(v->get_int64()) : 0;
}

json::value manifest_of(const running_plugin& plugin) {
  if (plugin.promised.id.empty()) return nullptr;
  const auto text = loader::to_json(plugin.promised);
  return json::parse(json::string_view(text.data(), text.size()));
}

}  // namespace

std::string to_json(const std::map<std::string, running_plugin>& running) {
  json::array all;
  for (const auto& [id, one] : running)
    all.emplace_back(json::object{{"id", text_of(id)},
                                  {"version", text_of(one.version)},
                                  {"generation", one.generation},
                                  {"digest", text_of(one.digest)},
                                  {"libraryDigest", text_of(one.library_digest)},
                                  {"error", text_of(one.error)},
                                  {"settings", text_of(one.settings)},
                                  {"manifest", manifest_of(one)}});
  return json::serialize(json::object{{"running", std::move(all)}});
}

result<std::map<std::string, running_plugin>> read_running(std::string_view body) {
  const error other{errc::corrupt, "this is no list of what runs"};
  const auto whole = object_in(body);
  const auto* const all = whole ? list(*whole, "running") : nullptr;
  if (all == nullptr) return other;
  std::map<std::string, running_plugin> out;
  for (const auto& item : *all) {
    if (!item.is_object()) return other;
    const auto& in = item.get_object();
    running_plugin one;
    one.version = text(in, "version");
    one.generation = count(in, "generation");
    one.digest = text(in, "digest");
    one.library_digest = text(in, "libraryDigest");
    one.error = text(in, "error");
    one.settings = text(in, "settings");
    if (const auto* const promised = in.if_contains("manifest"); promised != nullptr && promised->is_object()) {
      const auto serialized = json::serialize(*promised);
      auto read = loader::parse_manifest({serialized.data(), serialized.size()});
      if (!read) return error{errc::corrupt, read.failure().text};
      one.promised = std::move(*read);
    }
    out.insert_or_assign(text(in, "id"), std::move(one));
  }
  return out;
}

std::string to_json(const step_progress& progress) {
  json::error_code fault;
  auto receipt = progress.receipt.empty()
                     ? json::value(nullptr)
                     : json::parse(json::string_view(progress.receipt.data(), progress.receipt.size()), fault);
  return json::serialize(json::object{{"id", text_of(progress.id)},
                                      {"running", progress.running},
                                      {"stuck", progress.stuck},
                                      {"unknown", progress.unknown},
                                      {"kind", text_of(progress.kind)},
                                      {"subject", text_of(progress.subject)},
                                      {"error", text_of(progress.error)},
                                      {"receipt", std::move(receipt)}});
}

result<step_progress> read_progress(std::string_view body) {
  const auto whole = object_in(body);
  if (!whole || text(*whole, "id").empty() || !whole->contains("running"))
    return error{errc::corrupt, "this is not how a step goes"};
  step_progress out;
  out.id = text(*whole, "id");
  out.running = flag(*whole, "running");
  out.stuck = flag(*whole, "stuck");
  out.unknown = flag(*whole, "unknown");
  out.kind = text(*whole, "kind");
  out.subject = text(*whole, "subject");
  out.error = text(*whole, "error");
  if (const auto* const receipt = whole->if_contains("receipt"); receipt != nullptr && receipt->is_object())
    out.receipt = json::serialize(*receipt);
  return out;
}

}  // namespace gantry::plan
