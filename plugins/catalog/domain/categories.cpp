#include "domain/categories.hpp"

#include <algorithm>

namespace catalog {
namespace {

const category* find(const std::vector<category>& tree, std::string_view id) {
  const auto at = std::find_if(tree.begin(), tree.end(), [&](const category& c) { return c.id == id; });
  return at == tree.end() ? nullptr : &*at;
}

bool is_id_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

// Levels from this category down, itself included. The bound ends it also where the tree is damaged.
std::size_t height(const std::vector<category>& tree, std::string_view id, std::size_t bound) {
  std::size_t most = 0;
  if (bound > 0) {
    for (const category& each : tree) {
      if (each.parent == id) most = std::max(most, height(tree, each.id, bound - 1));
    }
  }
  return most + 1;
}

}  // namespace

void check(const category& c, std::vector<violation>& broken) {
  if (c.id.empty() || c.id.size() > 64 || !std::all_of(c.id.begin(), c.id.end(), is_id_char)) {
    broken.push_back({"categoryId", "must be 1 to 64 of a-z, 0-9 and '-', found \"" + c.id + "\""});
  }
  if (c.name.empty() || c.name.size() > 200) {
    broken.push_back({"name", "must be 1 to 200 bytes long, found " + std::to_string(c.name.size())});
  }
}

std::string refuse_parent(const std::vector<category>& tree, std::string_view moved, std::string_view parent) {
  std::size_t depth = 1;
  for (const category* at = find(tree, parent);; at = find(tree, *at->parent)) {
    if (at == nullptr) return "there is no category " + std::string(parent);
    if (at->id == moved) return std::string(moved) + " can't lie below itself";
    if (++depth > max_category_depth || !at->parent) break;
  }
  if (depth + height(tree, moved, max_category_depth) - 1 > max_category_depth) {
    return "the tree would be deeper than " + std::to_string(max_category_depth) + " levels";
  }
  return {};
}

std::vector<std::size_t> children_of(const std::vector<category>& tree, std::optional<std::string_view> parent) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const bool belongs = parent ? tree[i].parent == *parent : !tree[i].parent;
    if (belongs) found.push_back(i);
  }
  std::sort(found.begin(), found.end(), [&](std::size_t a, std::size_t b) { return tree[a].name < tree[b].name; });
  return found;
}

}  // namespace catalog
