// Topics and events: what plugins consume must be declared, emitted, and in a version they read.
#include <algorithm>
#include <set>

#include "topology/checks.hpp"
#include "topology/names.hpp"

namespace gantry::topology {
namespace {

struct emission {
  std::string plugin;
  std::uint32_t version = 1;
};

struct emissions {
  std::map<std::string, std::map<std::string, std::vector<emission>>> by_topic;  // topic, type

  explicit emissions(const check_run& run) {
    for (const auto& [id, manifest] : run.manifests) {
      if (!run.model.plugins.contains(id)) continue;
      for (const auto& each : manifest.emits) by_topic[each.topic][each.type].push_back({id, each.version});
    }
  }

  const std::vector<emission>* of(const std::string& topic, const std::string& type) const {
    const auto types = by_topic.find(topic);
    if (types == by_topic.end()) return nullptr;
    const auto found = types->second.find(type);
    return found == types->second.end() ? nullptr : &found->second;
  }

  // Where else the type is emitted, or which type of the topic was probably meant.
  std::string advice(const std::string& topic, const std::string& type) const {
    if (const auto types = by_topic.find(topic); types != by_topic.end()) {
      std::string near = did_you_mean(type, names_in(types->second));
      if (!near.empty()) return near;
    }
    for (const auto& [other, types] : by_topic) {
      if (types.contains(type)) return in_quotes(type) + " is emitted on topic " + in_quotes(other);
    }
    return "add the plugin that emits it, or mark the topic external: true";
  }
};

// The plugins whose manifest is not known, so that what they emit isn't either.
std::vector<std::string> unknown_plugins(const check_run& run) {
  std::vector<std::string> out;
  for (const auto& entry : run.model.plugins) {
    if (!run.manifests.contains(entry.first)) out.push_back(entry.first);
  }
  return out;
}

void check_subscription(check_run& run, const emissions& emitted, const std::vector<std::string>& unknown,
                        const std::string& id, const loader::manifest_subscription& wanted) {
  const location at = run.model.plugins.at(id).at;
  const std::string event = in_quotes(wanted.type) + " of topic " + in_quotes(wanted.topic);
  const std::vector<emission>* producers = emitted.of(wanted.topic, wanted.type);
  if (producers == nullptr) {
    if (*run.model.topics.at(wanted.topic).external) return;
    std::string advice = emitted.advice(wanted.topic, wanted.type);
    if (unknown.empty()) {
      run.report(at, "plugins." + id, "a consumer of " + event + ", which nobody emits", "a plugin that emits it",
                 std::move(advice));
    } else {
      run.warn(at, "plugins." + id, "a consumer of " + event + ", which nobody is known to emit",
               "a plugin that emits it", "not known is what these emit: " + listed(unknown));
    }
    return;
  }
  for (const emission& producer : *producers) {
    if (producer.version >= wanted.min_version && producer.version <= wanted.max_version) continue;
    const std::string range = wanted.min_version == wanted.max_version
                                  ? std::to_string(wanted.min_version)
                                  : std::to_string(wanted.min_version) + " to " + std::to_string(wanted.max_version);
    run.report(at, "plugins." + id,
               event + " in version " + std::to_string(producer.version) + " from plugin " + in_quotes(producer.plugin),
               "version " + range + ", which is what " + in_quotes(id) + " reads",
               producer.version > wanted.max_version ? "use a newer " + in_quotes(id) + " or an older producer"
                                                     : "use a newer " + in_quotes(producer.plugin));
  }
}

}  // namespace

void check_topics(check_run& run) {
  std::set<std::string> used;
  for (const auto& [id, manifest] : run.manifests) {
    const auto plugin = run.model.plugins.find(id);
    if (plugin == run.model.plugins.end()) continue;
    std::map<std::string, std::string> verbs;  // topic -> what the plugin does with it
    for (const auto& each : manifest.consumes) verbs.emplace(each.topic, "consumes");
    for (const auto& each : manifest.emits) verbs.emplace(each.topic, "emits to");
    for (const auto& [topic, verb] : verbs) {
      used.insert(topic);
      if (run.model.topics.contains(topic)) continue;
      std::string advice = did_you_mean(topic, names_in(run.model.topics));
      if (advice.empty()) advice = "add " + topic + ": { partitions: 1 } to topics";
      run.report(plugin->second.at, "plugins." + id,
                 "topic " + in_quotes(topic) + ", which it " + verb + " and topics doesn't declare",
                 "it among the topics", std::move(advice));
    }
  }
  if (!unknown_plugins(run).empty()) return;
  for (const auto& [topic, settings] : run.model.topics) {
    if (used.contains(topic)) continue;
    run.warn(settings.at, "topics." + topic, "a topic that no plugin uses", "one that is used",
             did_you_mean(topic, {used.begin(), used.end()}));
  }
}

void check_events(check_run& run) {
  const emissions emitted(run);
  const std::vector<std::string> unknown = unknown_plugins(run);
  for (const auto& [id, manifest] : run.manifests) {
    if (!run.model.plugins.contains(id)) continue;
    for (const auto& wanted : manifest.consumes) {
      if (run.model.topics.contains(wanted.topic)) check_subscription(run, emitted, unknown, id, wanted);
    }
  }
}

}  // namespace gantry::topology
