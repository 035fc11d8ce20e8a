#include "api/answers.hpp"

namespace inventory {
namespace {

std::int64_t read_number(const gantry::request& q, std::string_view name, std::int64_t otherwise, std::int64_t high,
                         gantry::field_errors& bad) {
  const auto text = q.query(name);
  if (!text) return otherwise;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size() || number < 1 || number > high) {
    bad.push_back({std::string(name), "must be 1.." + std::to_string(high) + ", found " + std::string(*text)});
    return otherwise;
  }
  return number;
}

}  // namespace

gantry::reply show_stock(gantry::db& db, const level& of, std::int64_t default_low_at, int status) {
  gantry::json_writer out;
  out.object().field("sku", of.sku).field("onHand", of.on_hand).field("reserved", of.reserved);
  out.field("available", of.available()).key("warehouses").array();
  for (const shelf& each : find_shelves(db, of)) {
    out.object().field("warehouseId", each.warehouse).field("onHand", each.on_hand).end();
  }
  out.end().field("lowStockThreshold", of.low_at.value_or(default_low_at)).field("version", of.version).end();
  return gantry::reply(status, gantry::json(std::move(out))).header("etag", etag(of.version));
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

page read_page(const gantry::request& q, gantry::field_errors& bad) {
  return {read_number(q, "page", 1, 1'000'000, bad), read_number(q, "pageSize", 20, 100, bad)};
}

std::int64_t read_integer(const gantry::json_view& body, std::string_view name, std::int64_t low, std::int64_t high,
                          gantry::field_errors& bad, std::optional<std::int64_t> otherwise) {
  const gantry::json_view found = body[name];
  if (!found.exists() && otherwise) return *otherwise;
  if (!found.is_int() || found.integer() < low || found.integer() > high) {
    bad.push_back({std::string(name), "must be an integer " + std::to_string(low) + ".." + std::to_string(high) +
                                          ", found " + (found.exists() ? std::string(found.raw()) : "nothing")});
    return low;
  }
  return found.integer();
}

std::string read_text(const gantry::json_view& body, std::string_view name, std::size_t longest,
                      gantry::field_errors& bad) {
  const gantry::json_view found = body[name];
  if (!found.is_string() || found.text().empty() || found.text().size() > longest) {
    bad.push_back({std::string(name), "must be a text of 1 to " + std::to_string(longest) + " bytes, found " +
                                          (found.exists() ? std::string(found.raw().substr(0, 80)) : "nothing")});
    return {};
  }
  return std::string(found.text());
}

}  // namespace inventory
