// Makes the products of a demo shop from a description.
// Pure: the same description gives the same products everywhere. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/categories.hpp"
#include "domain/product.hpp"

namespace catalog {

struct demo_category {
  category self;
  std::vector<std::string> things;
  std::int64_t price_from = 0;
  std::int64_t price_to = 0;
};

struct demo_description {
  std::uint64_t seed = 0;
  std::string currency;
  int products_per_category = 0;
  std::vector<std::string> adjectives;
  std::vector<std::string> materials;
  std::vector<std::string> phrases;
  std::vector<demo_category> categories;
};

// SKU-0001, SKU-0002, ... through the categories in their order. Prices end in 49 or 99 where the range allows.
std::vector<product> make_demo(const demo_description& from);

}  // namespace catalog
