// The tree of categories.
// Pure. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/product.hpp"

namespace catalog {

struct category {
  std::string id;
  std::string name;
  std::optional<std::string> parent;
  std::int64_t version = 0;
};

inline constexpr std::size_t max_category_depth = 8;

void check(const category& c, std::vector<violation>& broken);

// Why `moved` can't be put below `parent` in this tree: the parent is missing, is the category itself or lies below it,
// or the tree gets too deep. Empty when it can.
std::string refuse_parent(const std::vector<category>& tree, std::string_view moved, std::string_view parent);

// The positions in `tree` of the children of `parent` (none: of the roots), in the order of their names.
std::vector<std::size_t> children_of(const std::vector<category>& tree, std::optional<std::string_view> parent);

}  // namespace catalog
