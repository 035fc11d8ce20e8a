// What clients send, read and checked; and the parts that catalog's routes share.
// Thread: any.
#pragma once

#include <cstdint>
#include <gantry/plugin.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/product.hpp"

namespace catalog {

// A member that must be a string; `otherwise` when it is absent and that is allowed.
std::string read_text(const gantry::json_view& body, std::string_view name, std::vector<violation>& broken,
                      std::optional<std::string_view> otherwise = std::nullopt);
money read_price(const gantry::json_view& price, std::vector<violation>& broken);
std::vector<std::string> read_images(const gantry::json_view& list, std::vector<violation>& broken);

// A product as POST, PUT and import take it: {"sku","name","description"?,"categoryId","price","images"?}. `sku`, when
// given, comes from the path; a body may then leave it out but not name another one. All rules are checked.
product read_product_body(const gantry::json_view& body, std::optional<std::string_view> sku,
                          std::vector<violation>& broken);

// 400 with the list of fields.
gantry::reply refuse(std::string_view what, const std::vector<violation>& broken);

std::string etag(std::int64_t version);
// True when an If-Match header is given and names another version than this one.
bool is_stale(std::optional<std::string_view> if_match, std::int64_t version);

struct page {
  std::int64_t number = 1;
  std::int64_t size = 20;
  std::int64_t offset() const { return (number - 1) * size; }
};
page read_page(const gantry::request& q, std::vector<violation>& broken);
// A query parameter that must be an integer in a range.
std::int64_t read_number(const gantry::request& q, std::string_view name, std::int64_t otherwise, std::int64_t low,
                         std::int64_t high, std::vector<violation>& broken);

}  // namespace catalog
