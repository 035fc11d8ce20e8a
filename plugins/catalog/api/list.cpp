// The list of products: reads the query, shows the page.
#include "api/bodies.hpp"
#include "api/products.hpp"
#include "domain/search.hpp"
#include "store/products.hpp"
#include "store/search.hpp"

namespace catalog {
namespace {

order_by read_order(std::optional<std::string_view> text, std::vector<violation>& broken) {
  if (!text || text->empty() || *text == "relevance") return order_by::relevance;
  if (*text == "price") return order_by::price_up;
  if (*text == "-price") return order_by::price_down;
  if (*text == "newest") return order_by::newest;
  if (*text == "rating") return order_by::rating;
  broken.push_back({"sort", "must be relevance, price, -price, newest or rating, found " + std::string(*text)});
  return order_by::relevance;
}

product_filter read_filter(const gantry::request& q, std::vector<violation>& broken) {
  product_filter filter;
  const auto query = q.query("query");
  if (query && !query->empty()) filter.words = words(*query);
  filter.category = std::string(q.query("category").value_or(""));
  filter.min_price = read_number(q, "minPrice", filter.min_price, 0, max_price, broken);
  filter.max_price = read_number(q, "maxPrice", filter.max_price, 0, max_price, broken);
  const auto in_stock = q.query("inStock");
  if (in_stock == "true") {
    filter.in_stock = true;
  } else if (in_stock == "false") {
    filter.in_stock = false;
  } else if (in_stock && !in_stock->empty()) {
    broken.push_back({"inStock", "must be true or false, found " + std::string(*in_stock)});
  }
  return filter;
}

void write_facets(gantry::json_writer& out, const product_list& found) {
  out.key("facets").object().key("categories").array();
  for (const category_facet& each : found.categories) {
    out.object().field("categoryId", each.category_id).field("name", each.name).field("count", each.count).end();
  }
  out.end().key("prices").array();
  for (const price_facet& each : found.prices) {
    out.object().field("from", each.from).field("below", each.below).field("count", each.count).end();
  }
  out.end().end();
}

}  // namespace

gantry::reply products_api::list(const gantry::request& q, gantry::context& ctx) {
  std::vector<violation> broken;
  const page asked = read_page(q, broken);
  const order_by order = read_order(q.query("sort"), broken);
  const product_filter filter = read_filter(q, broken);
  if (!broken.empty()) return refuse("the query is not valid", broken);

  const product_list found = search_products(ctx.read(), postgres_, filter, order, asked.size, asked.offset());
  gantry::json_writer out;
  out.object().key("items").array();
  for (const product& each : found.items) write_product(out, each);
  out.end().field("page", asked.number).field("pageSize", asked.size).field("total", found.total);
  write_facets(out, found);
  out.end();
  return gantry::json(std::move(out));
}

}  // namespace catalog
