#include "api/bodies.hpp"

#include <charconv>

namespace catalog {
namespace {

std::string found_text(const gantry::json_view& value) {
  return value.exists() ? std::string(value.raw().substr(0, 80)) : "nothing";
}

}  // namespace

std::string read_text(const gantry::json_view& body, std::string_view name, std::vector<violation>& broken,
                      std::optional<std::string_view> otherwise) {
  const gantry::json_view value = body[name];
  if (!value.exists() && otherwise) return std::string(*otherwise);
  if (!value.is_string()) broken.push_back({std::string(name), "must be a string, found " + found_text(value)});
  return std::string(value.text());
}

money read_price(const gantry::json_view& price, std::vector<violation>& broken) {
  money out{price["amount"].integer(-1), std::string(price["currency"].text())};
  if (!price.is_object()) {
    broken.push_back({"price", "must be {\"amount\",\"currency\"}, found " + found_text(price)});
  } else if (!price["amount"].is_int()) {
    broken.push_back({"price.amount", "must be an integer of minor units, found " + found_text(price["amount"])});
    out.amount = 0;
  }
  return out;
}

std::vector<std::string> read_images(const gantry::json_view& list, std::vector<violation>& broken) {
  std::vector<std::string> images;
  if (!list.exists()) return images;
  if (!list.is_array()) broken.push_back({"images", "must be a list of addresses, found " + found_text(list)});
  for (const auto& each : list) images.emplace_back(each.text());
  return images;
}

product read_product_body(const gantry::json_view& body, std::optional<std::string_view> sku,
                          std::vector<violation>& broken) {
  product p;
  if (!body.is_object()) {
    broken.push_back({"", "must be an object, found " + found_text(body)});
    return p;
  }
  p.sku = read_text(body, "sku", broken, sku);
  if (sku && p.sku != *sku)
    broken.push_back({"sku", "must be " + std::string(*sku) + " as in the path, found " + p.sku});
  p.name = read_text(body, "name", broken);
  p.description = read_text(body, "description", broken, "");
  p.category_id = read_text(body, "categoryId", broken);
  p.price = read_price(body["price"], broken);
  p.images = read_images(body["images"], broken);
  // What has the wrong type would be reported twice.
  if (broken.empty()) check(p, broken);
  return p;
}

gantry::reply refuse(std::string_view what, const std::vector<violation>& broken) {
  gantry::field_errors errors;
  for (const violation& each : broken) errors.push_back({each.field, each.detail});
  return gantry::bad_request(what, errors);
}

std::string etag(std::int64_t version) { return '"' + std::to_string(version) + '"'; }

bool is_stale(std::optional<std::string_view> if_match, std::int64_t version) {
  if (!if_match) return false;
  const std::string current = etag(version);
  std::string_view rest = *if_match;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    std::string_view tag = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    while (!tag.empty() && tag.front() == ' ') tag.remove_prefix(1);
    while (!tag.empty() && tag.back() == ' ') tag.remove_suffix(1);
    if (tag == "*" || tag == current) return false;
  }
  return true;
}

page read_page(const gantry::request& q, std::vector<violation>& broken) {
  return {read_number(q, "page", 1, 1, 1'000'000, broken), read_number(q, "pageSize", 20, 1, 100, broken)};
}

std::int64_t read_number(const gantry::request& q, std::string_view name, std::int64_t otherwise, std::int64_t low,
                         std::int64_t high, std::vector<violation>& broken) {
  const auto text = q.query(name);
  if (!text) return otherwise;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size() || number < low || number > high) {
    broken.push_back({std::string(name), "must be " + std::to_string(low) + ".." + std::to_string(high) + ", found " +
                                             std::string(*text)});
    return otherwise;
  }
  return number;
}

}  // namespace catalog
