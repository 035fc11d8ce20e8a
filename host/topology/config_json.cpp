#include "topology/config_json.hpp"

#include "topology/json_text.hpp"

namespace gantry::topology {
namespace {

class config_writer {
 public:
  config_writer(parse_state& state, config_settings& out) : state_(state), out_(out) {}

  void write(const yaml_node& node, const std::string& pointer, const std::string& subject, location key) {
    config_place& place = out_.places[pointer];
    place.key = key;
    place.value = node.at;
    switch (node.what) {
      case yaml_node::kind::null:
        both("null");
        return;
      case yaml_node::kind::scalar:
        write_scalar(node, subject, place);
        return;
      case yaml_node::kind::list:
        write_list(node, pointer, subject);
        return;
      case yaml_node::kind::map:
        write_map(node, pointer, subject);
        return;
    }
  }

 private:
  void both(std::string_view text) {
    out_.json += text;
    out_.shown += text;
  }

  void write_scalar(const yaml_node& node, const std::string& subject, config_place& place) {
    scalar_value value;
    if (!read_scalar(state_, node, subject, "a value", value)) {
      both("null");
      place.unread = true;
      return;
    }
    const std::string json = json_of(value);
    place.reference = value.reference;
    out_.json += json;
    out_.shown += value.reference.empty() ? json : json_quoted(value.reference);
  }

  static std::string json_of(const scalar_value& value) {
    if (value.quoted) return json_quoted(value.text);
    switch (type_of(value.text)) {
      case scalar_type::null:
        return "null";
      case scalar_type::boolean:
        return value.text;
      case scalar_type::integer:
      case scalar_type::real:
        return value.text.front() == '+' ? value.text.substr(1) : value.text;
      case scalar_type::text:
        break;
    }
    return json_quoted(value.text);
  }

  void write_list(const yaml_node& node, const std::string& pointer, const std::string& subject) {
    both("[");
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      if (i > 0) both(",");
      const std::string index = std::to_string(i);
      write(node.items[i], json_pointer(pointer, index), subject + '[' + index + ']', node.items[i].at);
    }
    both("]");
  }

  void write_map(const yaml_node& node, const std::string& pointer, const std::string& subject) {
    const section members(state_, node, subject, {});
    both("{");
    bool first = true;
    for (const auto& [name, value] : members.entries()) {
      if (!first) both(",");
      first = false;
      both(json_quoted(name) + ':');
      write(*value, json_pointer(pointer, name), members.path_of(name), members.key_place(name));
    }
    both("}");
  }

  parse_state& state_;
  config_settings& out_;
};

}  // namespace

config_settings read_config(parse_state& state, const yaml_node* node, location fallback, const std::string& subject) {
  config_settings out;
  out.at = fallback;
  if (node == nullptr || node->what == yaml_node::kind::null) return out;
  out.at = node->at;
  out.given = true;
  if (node->what != yaml_node::kind::map) {
    state.report(node->at, subject, described(*node), "a mapping (key: value)");
    return out;
  }
  out.json.clear();
  out.shown.clear();
  config_writer(state, out).write(*node, "", subject, fallback);
  return out;
}

}  // namespace gantry::topology
