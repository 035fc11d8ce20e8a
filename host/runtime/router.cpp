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

result<void> route_table::add(const std::shared_ptr<instance>& owner) {
  for (const auto& r : owner->declared.routes) {
    std::array<std::string_view, max_path_segments> segments;
    const auto count = split(r.pattern, segments);
    if (count == 0 || count > max_path_segments)
      return error{errc::invalid, owner->id() + ": route " + r.pattern + " needs 1 to " +
                                      std::to_string(max_path_segments) + " segments behind a '/'"};
    std::uint32_t at = 0;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i) {
      const auto s = segments[i];
      const bool placeholder = s.size() > 2 && s.front() == '{' && s.back() == '}';
      std::uint32_t next = 0;
      if (placeholder) {
        names.emplace_back(s.substr(1, s.size() - 2));
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
    for (const auto& t : nodes_[at].targets)
      if (t.found->method == r.method)
        return error{errc::conflict, r.method + " " + r.pattern + " is declared by " + t.owner->id() + " and by " + owner->id()};
    nodes_[at].targets.push_back({owner.get(), &r, std::move(names)});
  }
  instances_.push_back(owner);
  return {};
}

const route_table::node* route_table::walk(std::uint32_t at, const std::string_view* segments, std::size_t count,
                                           std::string_view* values, std::string_view method) const {
  const node& n = nodes_[at];
  if (count == 0) return n.targets.empty() ? nullptr : &n;
  const node* other_method = nullptr;
  for (const auto& [text, child] : n.literals) {
    if (text != *segments) continue;
    const auto* found = walk(child, segments + 1, count - 1, values, method);
    if (found != nullptr) {
      for (const auto& t : found->targets)
        if (t.found->method == method) return found;
      other_method = found;
    }
  }
  if (n.placeholder != 0 && !segments->empty()) {
    *values = *segments;
    if (const auto* found = walk(n.placeholder, segments + 1, count - 1, values + 1, method)) return found;
  }
  return other_method;
}

route_table::match route_table::find(std::string_view method, std::string_view path) const {
  match out;
  std::array<std::string_view, max_path_segments> segments;
  const auto count = split(path, segments);
  if (count == 0 || count > max_path_segments) return out;
  const node* n = walk(0, segments.data(), count, out.values.data(), method);
  if (n == nullptr) return out;
  for (const auto& t : n->targets) {
    if (t.found->method == method) {
      out.owner = t.owner;
      out.found = t.found;
      out.names = &t.names;
      out.allowed.clear();
      return out;
    }
    if (!out.allowed.empty()) out.allowed += ", ";
    out.allowed += t.found->method;
  }
  return out;
}

route_table::match route_table::find_of(std::string_view plugin, std::string_view method, std::string_view path) const {
  auto out = find(method, path);
  if (out.owner != nullptr && out.owner->id() != plugin) return {};
  return out;
}

instance* route_table::find_plugin(std::string_view id) const noexcept {
  for (const auto& i : instances_)
    if (i->id() == id) return i.get();
  return nullptr;
}

}  // namespace gantry::runtime
