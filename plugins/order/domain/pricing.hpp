// From wanted lines, the catalogue's prices and a voucher to what the order costs. Pure; money is integer minor units.
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "domain/placement.hpp"
#include "domain/settings.hpp"

namespace shop::order {

// A product as the catalogue answered it.
struct product_price {
  std::string_view sku;
  std::string_view name;
  std::int64_t amount = 0;
  std::string_view currency;
};

struct priced_line {
  std::string_view sku;
  std::string_view name;
  std::int64_t quantity = 0;
  std::int64_t unit_price = 0;
  std::int64_t line_total = 0;
};

enum class price_problem { none, unknown_sku, wrong_currency, bad_voucher, too_large };

// What an order costs, or why it can't be priced: the first problem names the kind, `defects` all that were found.
struct quotation {
  std::vector<priced_line> lines;
  std::int64_t subtotal = 0;
  std::int64_t shipping = 0;
  std::int64_t discount = 0;
  std::int64_t total = 0;
  price_problem problem = price_problem::none;
  std::vector<defect> defects;
};

// total = subtotal + shipping - discount. A discount is cut to a whole minor unit and never exceeds the subtotal.
quotation price(const wanted_order& wanted, const std::vector<product_price>& products, const settings& config,
                std::int64_t now_us);

}  // namespace shop::order
