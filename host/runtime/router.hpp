// Which plugin answers which method and path: one table for HTTP clients and for calls from plugin to plugin.
// A table is constant; a change makes a new one, and requests in progress keep theirs.
// Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "runtime/apart.hpp"
#include "runtime/declarations.hpp"

namespace gantry::runtime {
class instance;

inline constexpr std::size_t max_path_segments = 16;

class route_table {
 public:
  struct match {
    instance* owner = nullptr;                               // null: see `apart` and `allowed`
    plugin_apart* apart = nullptr;                           // it has the route and runs in a process of its own
    const route* found = nullptr;                            // of `owner`
    const std::vector<std::string>* names = nullptr;         // of the placeholders
    std::array<std::string_view, max_path_segments> values;  // as they stand in the path
    std::string allowed;  // the methods of this path, when only the method is wrong; empty: no such path
  };

  // Adds the routes of an instance, which the table keeps alive. conflict: another plugin has the same method and
  // pattern.
  result<void> add(const std::shared_ptr<instance>& owner);
  // The same for a plugin that runs in a process of its own.
  result<void> add(const std::shared_ptr<plugin_apart>& owner, const std::vector<apart_route>& routes);

  // `path` begins with '/', is not decoded, and has no query.
  match find(std::string_view method, std::string_view path) const;
  // The same among the routes of one plugin that runs in this process.
  match find_of(std::string_view plugin, std::string_view method, std::string_view path) const;

  instance* find_plugin(std::string_view id) const noexcept;
  const std::vector<std::shared_ptr<instance>>& instances() const noexcept { return instances_; }

 private:
  struct target {
    instance* owner = nullptr;      // null: `apart`
    plugin_apart* apart = nullptr;  // null: `owner`
    const route* found = nullptr;
    std::string_view method;
    std::vector<std::string> names;
    const std::string& plugin() const noexcept;
  };
  struct node {
    std::vector<std::pair<std::string, std::uint32_t>> literals;
    std::uint32_t placeholder = 0;  // 0: none
    std::vector<target> targets;
  };
  struct question {
    std::string_view plugin;  // empty: any
    std::string_view method;
  };
  // Literal segments before placeholders, on all ways through; collects the methods of targets that have another one.
  const target* walk(std::uint32_t at, const std::string_view* segments, std::size_t count, std::string_view* values,
                     const question& what, std::string& allowed) const;

  // conflict, invalid: see add(). Nothing is left of a plugin whose route could not be added.
  result<void> put(std::string_view pattern, target&& what);

  std::vector<node> nodes_ = std::vector<node>(1);
  std::vector<std::shared_ptr<instance>> instances_;
  struct held_apart {
    std::shared_ptr<plugin_apart> plugin;
    std::shared_ptr<const std::vector<apart_route>> routes;  // the targets' methods point into them
  };
  std::vector<held_apart> apart_;
};

}  // namespace gantry::runtime
