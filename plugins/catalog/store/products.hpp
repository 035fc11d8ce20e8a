// Products, their prices and reviews in SQL. Owns the tables products, prices, deleted_products and reviews.
// Every function runs inside the caller's transaction or snapshot.
#pragma once

#include <cstdint>
#include <gantry/plugin.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/product.hpp"

namespace catalog {

// The columns of a product, for SELECTs from `products p`, and the row that they make.
inline constexpr std::string_view product_columns =
    "p.sku, p.name, p.description, p.category_id, p.price_amount, p.currency, p.images, p.rating_sum, p.rating_count, "
    "p.version";
product read_product(const gantry::row_view& row);

std::optional<product> find_product(gantry::db& db, std::string_view sku);
// Those that exist, in no order.
std::vector<product> find_products(gantry::db& db, std::span<const std::string_view> skus);

// Adds a product and its first price; its version goes on from a deleted one's. False when the SKU is taken.
bool insert_product(gantry::tx& tx, product& p);

// Writes all of `p` as its next version, which is set in `p`; a price that differs from `before` goes into the history.
void update_product(gantry::tx& tx, const product& before, product& p);

// Removes the product and its reviews. The price history stays.
void erase_product(gantry::tx& tx, const product& p);

struct review {
  std::string id;
  std::string customer_id;
  std::int64_t rating = 0;
  std::string title;
  std::string body;
};
// False when this customer has reviewed the product before.
bool insert_review(gantry::tx& tx, std::string_view sku, const review& r);

// The product as clients and events see it.
void write_product(gantry::json_writer& out, const product& p);
std::string product_text(const product& p);

}  // namespace catalog
