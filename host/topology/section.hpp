// Reads one mapping of the topology file: known keys, their types, defaults; whatever is wrong becomes a problem.
// Used only while parsing. Thread: one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "topology/document.hpp"
#include "topology/topology.hpp"

namespace gantry::topology {

// What a parse shares: the file's name, the environment, the problems so far.
struct parse_state {
  std::string file;
  const env_lookup* env = nullptr;
  std::vector<problem> problems;

  void report(location at, std::string subject, std::string found, std::string expected, std::string suggestion = {});
  void warn(location at, std::string subject, std::string found, std::string expected, std::string suggestion = {});
};

// A scalar after substitution.
struct scalar_value {
  std::string text;
  std::string reference;
  bool quoted = false;
};

// False, with a problem, when the node is no scalar or a reference in it fails.
bool read_scalar(parse_state& state, const yaml_node& node, const std::string& subject, std::string_view expected,
                 scalar_value& out);

// What a node is, in words: `a list`, `text "abc"`, `number 5`. A value that came by reference shows the reference.
std::string described(const yaml_node& node);

class section {
 public:
  // `path` is how problems name it: "topics.order-events"; empty for the whole file. A null node is an empty section;
  // anything but a mapping, unknown and repeated keys are reported. With no keys given every key is allowed.
  section(parse_state& state, const yaml_node& node, std::string path, std::vector<std::string> keys);

  location at() const noexcept { return node_->at; }
  const std::string& path() const noexcept { return path_; }
  std::string path_of(std::string_view key) const;

  // The value of a key, or nullptr when it is absent. Of a repeated key the first.
  const yaml_node* find(std::string_view key) const;

  // Keys with their values, each key once, in the order of the file.
  std::vector<std::pair<std::string, const yaml_node*>> entries() const;
  location key_place(std::string_view key) const;

  setting<std::string> text(std::string_view key, std::string otherwise) const;
  setting<std::uint64_t> integer(std::string_view key, std::uint64_t otherwise, std::uint64_t least,
                                 std::uint64_t most) const;
  setting<double> number(std::string_view key, double otherwise) const;
  setting<bool> boolean(std::string_view key, bool otherwise) const;
  setting<std::chrono::microseconds> duration(std::string_view key, std::chrono::microseconds otherwise) const;
  setting<std::uint64_t> size(std::string_view key, std::uint64_t otherwise) const;
  std::vector<setting<std::string>> texts(std::string_view key) const;

  // One of `names`; the answer is its index.
  setting<std::size_t> choice(std::string_view key, std::size_t otherwise, const std::vector<std::string>& names) const;

  void report(location at, std::string_view key, std::string found, std::string expected,
              std::string suggestion = {}) const;

 private:
  // True when the key is there and its scalar could be read into `out` and `at`.
  bool scalar(std::string_view key, std::string_view expected, scalar_value& out, location& at) const;

  // The default: the key is not there, or could not be read.
  template <typename T>
  setting<T> absent(std::string_view key, T otherwise) const {
    return {std::move(otherwise), node_->at, false, {}, find(key) != nullptr};
  }

  parse_state* state_;
  const yaml_node* node_;
  std::string path_;
  std::vector<std::pair<const yaml_node*, const yaml_node*>> entries_;
};

}  // namespace gantry::topology
