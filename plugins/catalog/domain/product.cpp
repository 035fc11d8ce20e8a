#include "domain/product.hpp"

#include <algorithm>
#include <cmath>

namespace catalog {
namespace {

void check_length(std::string_view field, std::string_view text, std::size_t least, std::size_t most,
                  std::vector<violation>& broken) {
  if (text.size() >= least && text.size() <= most) return;
  broken.push_back({std::string(field), "must be " + std::to_string(least) + " to " + std::to_string(most) +
                                            " bytes long, found " + std::to_string(text.size())});
}

// SKUs stand in paths and in lists separated by commas.
bool is_sku_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

bool is_web_address(std::string_view text) {
  std::string_view rest;
  if (text.starts_with("https://")) rest = text.substr(8);
  if (text.starts_with("http://")) rest = text.substr(7);
  return !rest.empty() && rest.front() != '/' && text.size() <= 2'048 &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < 127 && c != '"' && c != '<' && c != '>'; });
}

}  // namespace

double stars::average() const {
  if (count == 0) return 0;
  return std::round(static_cast<double>(sum) * 100.0 / static_cast<double>(count)) / 100.0;
}

void check_price(const money& price, std::vector<violation>& broken) {
  if (price.amount < 0 || price.amount > max_price) {
    broken.push_back({"price.amount", "must be 0.." + std::to_string(max_price) + " minor units, found " +
                                          std::to_string(price.amount)});
  }
  const bool three_letters = price.currency.size() == 3 && std::all_of(price.currency.begin(), price.currency.end(),
                                                                       [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!three_letters) {
    broken.push_back({"price.currency", "must be an ISO 4217 code like EUR, found \"" + price.currency + "\""});
  }
}

void check_images(const std::vector<std::string>& images, std::vector<violation>& broken) {
  if (images.size() > max_images) {
    broken.push_back(
        {"images", "must be at most " + std::to_string(max_images) + ", found " + std::to_string(images.size())});
  }
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (is_web_address(images[i])) continue;
    broken.push_back(
        {"images[" + std::to_string(i) + "]", "must be an http or https address of at most 2048 characters"});
  }
}

void check_rating(std::int64_t rating, std::vector<violation>& broken) {
  if (rating >= 1 && rating <= 5) return;
  broken.push_back({"rating", "must be 1..5, found " + std::to_string(rating)});
}

void check(const product& p, std::vector<violation>& broken) {
  check_length("sku", p.sku, 1, 64, broken);
  if (!std::all_of(p.sku.begin(), p.sku.end(), is_sku_char)) {
    broken.push_back({"sku", "must be of letters, digits, '-', '_' and '.', found " + p.sku});
  }
  check_length("name", p.name, 1, 200, broken);
  check_length("description", p.description, 0, 10'000, broken);
  check_length("categoryId", p.category_id, 1, 64, broken);
  check_price(p.price, broken);
  check_images(p.images, broken);
}

}  // namespace catalog
