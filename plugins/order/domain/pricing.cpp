#include "domain/pricing.hpp"

#include <algorithm>

namespace shop::order {
namespace {

// The catalogue answers in the order it was asked, as a rule: the product of line i is looked for at i first.
const product_price* find_product(const std::vector<product_price>& products, std::string_view sku, std::size_t hint) {
  if (hint < products.size() && products[hint].sku == sku) return &products[hint];
  const auto found = std::find_if(products.begin(), products.end(), [&](const auto& p) { return p.sku == sku; });
  return found == products.end() ? nullptr : &*found;
}

void refuse(quotation& quote, price_problem problem, std::string field, std::string detail) {
  if (quote.problem == price_problem::none) quote.problem = problem;
  quote.defects.push_back({std::move(field), std::move(detail)});
}

void price_line(quotation& quote, const wanted_order& wanted, std::size_t i,
                const std::vector<product_price>& products) {
  const wanted_line& line = wanted.lines[i];
  const std::string path = "lines[" + std::to_string(i) + "]";
  const product_price* const product = find_product(products, line.sku, i);
  if (product == nullptr) {
    return refuse(quote, price_problem::unknown_sku, path + ".sku", "unknown product " + std::string(line.sku));
  }
  if (product->currency != wanted.currency) {
    return refuse(quote, price_problem::wrong_currency, path + ".sku",
                  std::string(line.sku) + " is sold in " + std::string(product->currency) + ", the order is in " +
                      std::string(wanted.currency));
  }
  priced_line priced{line.sku, product->name, line.quantity.value_or(0), product->amount, 0};
  if (__builtin_mul_overflow(priced.quantity, priced.unit_price, &priced.line_total) ||
      __builtin_add_overflow(quote.subtotal, priced.line_total, &quote.subtotal)) {
    return refuse(quote, price_problem::too_large, path + ".quantity", "the sum is beyond what can be paid");
  }
  quote.lines.push_back(priced);
}

// floor(amount * percent / 100) without overflow.
std::int64_t percent_of(std::int64_t amount, std::int64_t percent) {
  return amount / 100 * percent + amount % 100 * percent / 100;
}

void apply_voucher(quotation& quote, const wanted_order& wanted, const settings& config, std::int64_t now_us) {
  if (wanted.voucher.empty()) return;
  const auto found = std::find_if(config.vouchers.begin(), config.vouchers.end(),
                                  [&](const voucher& v) { return v.code == wanted.voucher; });
  if (found == config.vouchers.end()) {
    return refuse(quote, price_problem::bad_voucher, "voucher", "unknown voucher");
  }
  if (found->valid_until_us != 0 && now_us > found->valid_until_us) {
    return refuse(quote, price_problem::bad_voucher, "voucher", "the voucher has expired");
  }
  if (!found->currency.empty() && found->currency != wanted.currency) {
    return refuse(quote, price_problem::bad_voucher, "voucher",
                  "the voucher is worth " + found->currency + ", the order is in " + std::string(wanted.currency));
  }
  const std::int64_t worth =
      found->percent_off > 0 ? percent_of(quote.subtotal, found->percent_off) : found->amount_off;
  quote.discount = std::clamp<std::int64_t>(worth, 0, quote.subtotal);
}

}  // namespace

quotation price(const wanted_order& wanted, const std::vector<product_price>& products, const settings& config,
                std::int64_t now_us) {
  quotation quote;
  quote.lines.reserve(wanted.lines.size());
  quote.shipping = config.shipping_fee;
  for (std::size_t i = 0; i < wanted.lines.size(); ++i) price_line(quote, wanted, i, products);
  apply_voucher(quote, wanted, config, now_us);
  if (__builtin_add_overflow(quote.subtotal - quote.discount, quote.shipping, &quote.total)) {
    refuse(quote, price_problem::too_large, "lines", "the sum is beyond what can be paid");
  }
  return quote;
}

}  // namespace shop::order
