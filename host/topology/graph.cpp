#include "topology/graph.hpp"

#include <algorithm>
#include <set>

#include "topology/json_text.hpp"

namespace gantry::topology {
namespace {

enum class arrow { emits, consumes, calls };

struct edge {
  std::string from;
  std::string to;
  arrow kind = arrow::calls;
  std::string label;
};

// Names may hold '-' and '.', which node ids may not; '_' is doubled so that no two names meet.
std::string node_id(std::string_view prefix, std::string_view name) {
  std::string out(prefix);
  for (const char c : name) {
    if (c == '_') {
      out += "__";
    } else if (c == '-') {
      out += "_d";
    } else if (c == '.') {
      out += "_p";
    } else {
      out += c;
    }
  }
  return out;
}

std::string plugin_node(const std::string& plugin, const std::string& host) {
  return node_id("p_", plugin) + node_id("_at_", host);
}

std::vector<std::string> nodes_of(const topology& model, const std::string& plugin) {
  std::vector<std::string> out;
  const auto found = model.plugins.find(plugin);
  if (found == model.plugins.end()) return out;
  for (const auto& host : found->second.hosts) {
    if (model.hosts.contains(*host)) out.push_back(plugin_node(plugin, *host));
  }
  return out;
}

// Types of each topic, a line each: the label of one arrow.
template <typename List>
std::map<std::string, std::set<std::string>> types_by_topic(const List& list) {
  std::map<std::string, std::set<std::string>> out;
  for (const auto& each : list) out[each.topic].insert(each.type);
  return out;
}

std::string joined(const std::set<std::string>& words, std::string_view separator) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += separator;
    out += word;
  }
  return out;
}

std::vector<edge> edges_of(const topology& model, const manifest_map& manifests, std::string_view separator) {
  std::vector<edge> out;
  for (const auto& [id, manifest] : manifests) {
    for (const std::string& node : nodes_of(model, id)) {
      for (const auto& [topic, types] : types_by_topic(manifest.emits)) {
        out.push_back({node, node_id("t_", topic), arrow::emits, joined(types, separator)});
      }
      for (const auto& [topic, types] : types_by_topic(manifest.consumes)) {
        out.push_back({node_id("t_", topic), node, arrow::consumes, joined(types, separator)});
      }
      for (const std::string& target : manifest.calls) {
        for (const std::string& other : nodes_of(model, target)) out.push_back({node, other, arrow::calls, "calls"});
      }
    }
  }
  return out;
}

// Declared topics and those that manifests name.
std::map<std::string, std::string> topic_labels(const topology& model, const manifest_map& manifests) {
  std::map<std::string, std::string> out;
  for (const auto& [topic, settings] : model.topics)
    out[topic] = topic + " (" + std::to_string(*settings.partitions) + ")";
  for (const auto& [id, manifest] : manifests) {
    if (!model.plugins.contains(id)) continue;
    for (const auto& each : manifest.emits) out.emplace(each.topic, each.topic);
    for (const auto& each : manifest.consumes) out.emplace(each.topic, each.topic);
  }
  return out;
}

std::string host_label(const std::string& name, const host_settings& host) {
  std::string label = name + ' ' + shown(host.http);
  if (!host.machine->empty()) label += " on " + shown(host.machine);
  return label;
}

bool runs_on(const plugin_settings& plugin, const std::string& host) {
  return std::ranges::any_of(plugin.hosts, [&host](const auto& each) { return *each == host; });
}

// Mermaid takes quotes in labels as an entity.
std::string mermaid_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"') {
      out += "#quot;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string to_mermaid(const topology& model, const manifest_map& manifests) {
  std::string out = "flowchart LR\n";
  for (const auto& [name, host] : model.hosts) {
    out += "  subgraph " + node_id("h_", name) + "[\"" + mermaid_text(host_label(name, host)) + "\"]\n";
    for (const auto& [id, plugin] : model.plugins) {
      if (runs_on(plugin, name)) out += "    " + plugin_node(id, name) + "[\"" + mermaid_text(id) + "\"]\n";
    }
    out += "  end\n";
  }
  for (const auto& [topic, label] : topic_labels(model, manifests)) {
    out += "  " + node_id("t_", topic) + "([\"" + mermaid_text(label) + "\"])\n";
  }
  for (const edge& each : edges_of(model, manifests, "<br/>")) {
    out += "  " + each.from + (each.kind == arrow::calls ? " -.->" : " -->");
    out += "|\"" + mermaid_text(each.label) + "\"| " + each.to + "\n";
  }
  return out;
}

std::string to_dot(const topology& model, const manifest_map& manifests) {
  std::string out = "digraph " + json_quoted(shown(model.name)) + " {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const auto& [name, host] : model.hosts) {
    out += "  subgraph " + node_id("cluster_", name) + " {\n    label=" + json_quoted(host_label(name, host)) + ";\n";
    for (const auto& [id, plugin] : model.plugins) {
      if (runs_on(plugin, name)) out += "    " + plugin_node(id, name) + " [label=" + json_quoted(id) + "];\n";
    }
    out += "  }\n";
  }
  for (const auto& [topic, label] : topic_labels(model, manifests)) {
    out += "  " + node_id("t_", topic) + " [shape=cylinder, label=" + json_quoted(label) + "];\n";
  }
  for (const edge& each : edges_of(model, manifests, "\n")) {
    out += "  " + each.from + " -> " + each.to + " [label=" + json_quoted(each.label);
    out += each.kind == arrow::calls ? ", style=dashed];\n" : "];\n";
  }
  return out + "}\n";
}

}  // namespace gantry::topology
