#include "runtime/router.hpp"

#include <algorithm>

#include "runtime/instance.hpp"

namespace gantry::runtime {
namespace {

// The segments behind the leading '/'. More than fit: count is max_path_segments + 1.
std::size_t split(std::string_view path, std::array<std::string_view, max_path_segments>& out) {
  std::size_t count = 0;
  if (path.empty() || path.front() != '/') return 0;
  path.remove_prefix(1);
  for (;;) {
    if (count == out.size()) return out.size() + 1;
    const auto slash = path.find('/');
    out[count++] = path.substr(0, slash);
    if (slash == std::string_view::npos) return count;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

const std::string& route_table::target::plugin() const noexcept { return owner != nullptr ? owner->id() : apart->id(); }

result<void> route_table::add(const std::shared_ptr<instance>& owner) {
  for (const auto& r : owner->declared.routes)
    if (auto done = put(r.pattern, {owner.get(), nullptr, &r, r.method, {}}); !done) return done;
  instances_.push_back(owner);
  return {};
}

result<void> route_table::add(const std::shared_ptr<plugin_apart>& owner, const std::vector<apart_route>& routes) {
  const auto kept = std::make_shared<const std::vector<apart_route>>(routes);
  for (const auto& r : *kept)
    if (auto done = put(r.pattern, {nullptr, owner.get(), nullptr, r.method, {}}); !done) return done;
  apart_.push_back({owner, kept});
  return {};
}

result<void> route_table::put(std::string_view pattern, target&& what) {
  std::array<std::string_view, max_path_segments> segments;
  const auto count = split(pattern, segments);
  if (count == 0 || count > max_path_segments)
    return error{errc::invalid, what.plugin() + ": route " + std::string(pattern) + " needs 1 to " +
                                    std::to_string(max_path_segments) + " segments behind a '/'"};
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto s = segments[i];
    const bool placeholder = s.size() > 2 && s.front() == '{' && s.back() == '}';
    std::uint32_t next = 0;
    if (placeholder) {
      what.names.emplace_back(s.substr(1, s.size() - 2));
      next = nodes_[at].placeholder;
    } else {
      for (const auto& [text, child] : nodes_[at].literals)
        if (text == s) next = child;
    }
    if (next == 0) {
      next = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
      if (placeholder) {
        nodes_[at].placeholder = next;
      } else {
        nodes_[at].literals.emplace_back(s, next);
      }
    }
    at = next;
  }
  for (const auto& t : nodes_[at].targets) {
    if (t.method != what.method) continue;
    error why{errc::conflict, std::string(what.method) + " " + std::string(pattern) + " is declared by " + t.plugin() +
                                  " and by " + what.plugin()};
    for (auto& n : nodes_)
      std::erase_if(n.targets, [&](const target& gone) { return gone.owner == what.owner && gone.apart == what.apart; });
    return why;
  }
  nodes_[at].targets.push_back(std::move(what));
  return {};
}

const route_table::target* route_table::walk(std::uint32_t at, const std::string_view* segments, std::size_t count,
                                             std::string_view* values, const question& what, std::string& allowed) const {
  const node& n = nodes_[at];
  if (count == 0) {
    for (const auto& t : n.targets) {
      if (!what.plugin.empty() && (t.owner == nullptr || t.owner->id() != what.plugin)) continue;
      if (t.method == what.method) return &t;
      if (!allowed.empty()) allowed += ", ";
      allowed += t.method;
    }
    return nullptr;
  }
  for (const auto& [text, child] : n.literals)
    if (text == *segments)
      if (const auto* found = walk(child, segments + 1, count - 1, values, what, allowed)) return found;
  if (n.placeholder == 0 || segments->empty()) return nullptr;
  *values = *segments;
  return walk(n.placeholder, segments + 1, count - 1, values + 1, what, allowed);
}

route_table::match route_table::find(std::string_view method, std::string_view path) const {
  return find_of({}, method, path);
}

route_table::match route_table::find_of(std::string_view plugin, std::string_view method, std::string_view path) const {
  match out;
  std::array<std::string_view, max_path_segments> segments;
  const auto count = split(path, segments);
  if (count == 0 || count > max_path_segments) return out;
  const auto* t = walk(0, segments.data(), count, out.values.data(), {plugin, method}, out.allowed);
  if (t == nullptr) return out;
  out.owner = t->owner;
  out.apart = t->apart;
  out.found = t->found;
  out.names = &t->names;
  out.allowed.clear();
  return out;
}

instance* route_table::find_plugin(std::string_view id) const noexcept {
  for (const auto& i : instances_)
    if (i->id() == id) return i.get();
  return nullptr;
}

}  // namespace gantry::runtime
