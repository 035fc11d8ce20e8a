// How inventory shows itself over HTTP, and the parts its routes share.
// Thread: any.
#pragma once

#include <charconv>
#include <cstdint>
#include <gantry/plugin.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/stock.hpp"

namespace inventory {

// {"sku","onHand","reserved","available","warehouses":[{"warehouseId","onHand"}],"lowStockThreshold","version"} with
// its ETag. The version counts changes of goods and threshold; a reservation leaves it alone.
gantry::reply show_stock(gantry::db& db, const level& of, std::int64_t default_low_at, int status = 200);

std::string etag(std::int64_t version);

// True when an If-Match header is given and names another version than this one.
bool is_stale(std::optional<std::string_view> if_match, std::int64_t version);

// A page of a list as the query asks for it. `bad` receives what is wrong.
struct page {
  std::int64_t number = 1;
  std::int64_t size = 20;
  std::int64_t offset() const { return (number - 1) * size; }
};
page read_page(const gantry::request& q, gantry::field_errors& bad);

// A member that must be an integer in a range; `otherwise` when it is absent and optional.
std::int64_t read_integer(const gantry::json_view& body, std::string_view name, std::int64_t low, std::int64_t high,
                          gantry::field_errors& bad, std::optional<std::int64_t> otherwise = std::nullopt);

// A member that must be a text of 1 to `longest` bytes; empty when it is wrong.
std::string read_text(const gantry::json_view& body, std::string_view name, std::size_t longest,
                      gantry::field_errors& bad);

}  // namespace inventory
