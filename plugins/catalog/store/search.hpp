// Lists of products: filters, full text, facets.
// Every function runs inside the caller's snapshot.
#pragma once

#include <cstdint>
#include <gantry/plugin.hpp>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "domain/product.hpp"

namespace catalog {

enum class order_by { relevance, price_up, price_down, newest, rating };

struct product_filter {
  std::optional<std::vector<std::string>> words;  // all must occur; an empty list finds nothing
  std::string category;                           // with everything below it; empty: all
  std::int64_t min_price = 0;
  std::int64_t max_price = std::numeric_limits<std::int64_t>::max();
  std::optional<bool> in_stock;
};

struct category_facet {
  std::string category_id;
  std::string name;
  std::int64_t count = 0;
};
struct price_facet {
  std::int64_t from = 0;
  std::optional<std::int64_t> below;  // empty in the highest band
  std::int64_t count = 0;
};

struct product_list {
  std::vector<product> items;
  std::int64_t total = 0;
  std::vector<category_facet> categories;  // counted without the filter by category
  std::vector<price_facet> prices;         // counted without the filter by price
};

product_list search_products(gantry::db& db, bool postgres, const product_filter& filter, order_by order,
                             std::int64_t limit, std::int64_t offset);

}  // namespace catalog
