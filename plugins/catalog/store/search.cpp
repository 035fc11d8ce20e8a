#include "store/search.hpp"

#include <array>

#include "domain/search.hpp"
#include "store/products.hpp"

namespace catalog {
namespace {

// In minor units; the facets of a price list.
constexpr std::array<std::int64_t, 6> band_starts = {0, 1'000, 2'500, 5'000, 10'000, 25'000};

// FROM and WHERE. Whatever is filtered by, the parameters are $1 words, $2 category, $3 and $4 the prices, so that a
// few texts serve every request and none of them holds what a client sent.
std::string from_where(bool postgres, const product_filter& filter, bool by_category) {
  std::string sql = " FROM products p LEFT JOIN availability a ON a.sku = p.sku";
  if (filter.words && !postgres) sql += " JOIN product_search ON product_search.rowid = p.n";
  if (!filter.words) {
    sql += " WHERE $1 = ''";
  } else if (postgres) {
    sql += " WHERE p.search @@ to_tsquery('simple', $1)";
  } else {
    sql += " WHERE product_search MATCH $1";
  }
  if (by_category) {
    sql +=
        " AND p.category_id IN (WITH RECURSIVE below (id) AS (SELECT category_id FROM categories WHERE category_id = "
        "$2 "
        "UNION SELECT c.category_id FROM categories c JOIN below ON c.parent_id = below.id) SELECT id FROM below)";
  } else {
    sql += " AND $2 = ''";
  }
  sql += " AND p.price_amount BETWEEN $3 AND $4";
  if (filter.in_stock) sql += *filter.in_stock ? " AND a.in_stock = 1" : " AND COALESCE(a.in_stock, 0) = 0";
  return sql;
}

std::string_view order_clause(order_by order, bool with_words, bool postgres) {
  switch (order) {
    case order_by::relevance:
      if (!with_words) return " ORDER BY p.sku";
      return postgres ? " ORDER BY ts_rank(p.search, to_tsquery('simple', $1)) DESC, p.sku"
                      : " ORDER BY bm25(product_search, 10.0, 1.0), p.sku";
    case order_by::price_up:
      return " ORDER BY p.price_amount, p.sku";
    case order_by::price_down:
      return " ORDER BY p.price_amount DESC, p.sku";
    case order_by::newest:
      return " ORDER BY p.created_at DESC, p.n DESC";
    case order_by::rating:
      return " ORDER BY CASE WHEN p.rating_count = 0 THEN 0.0 ELSE p.rating_sum * 1.0 / p.rating_count END DESC, "
             "p.rating_count DESC, p.sku";
  }
  return " ORDER BY p.sku";
}

std::string band_expression() {
  std::string sql = "CASE";
  for (std::size_t i = 1; i < band_starts.size(); ++i) {
    sql += " WHEN p.price_amount < " + std::to_string(band_starts[i]) + " THEN " + std::to_string(i - 1);
  }
  return sql + " ELSE " + std::to_string(band_starts.size() - 1) + " END";
}

constexpr std::int64_t any_price = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view any_category;

void count_categories(gantry::db& db, bool postgres, const product_filter& filter, std::string_view match,
                      product_list& to) {
  const std::string sql = "SELECT f.category_id, c.name, f.found FROM (SELECT p.category_id, COUNT(*) AS found" +
                          from_where(postgres, filter, false) +
                          " GROUP BY p.category_id) f JOIN categories c ON c.category_id = f.category_id "
                          "ORDER BY f.found DESC, f.category_id";
  for (const auto& row : db.query(sql, match, any_category, filter.min_price, filter.max_price)) {
    to.categories.push_back({row.get<std::string>(0), row.get<std::string>(1), row.get<std::int64_t>(2)});
  }
}

void count_prices(gantry::db& db, bool postgres, const product_filter& filter, std::string_view match,
                  product_list& to) {
  const std::string sql = "SELECT " + band_expression() + " AS band, COUNT(*)" +
                          from_where(postgres, filter, !filter.category.empty()) + " GROUP BY 1 ORDER BY 1";
  for (const auto& row : db.query(sql, match, filter.category, std::int64_t{0}, any_price)) {
    const auto band = static_cast<std::size_t>(row.get<std::int64_t>(0));
    price_facet facet{band_starts.at(band), std::nullopt, row.get<std::int64_t>(1)};
    if (band + 1 < band_starts.size()) facet.below = band_starts[band + 1];
    to.prices.push_back(facet);
  }
}

}  // namespace

product_list search_products(gantry::db& db, bool postgres, const product_filter& filter, order_by order,
                             std::int64_t limit, std::int64_t offset) {
  product_list found;
  if (filter.words && filter.words->empty()) return found;
  std::string match;
  if (filter.words) match = postgres ? tsquery(*filter.words) : fts5_query(*filter.words);

  const std::string matching = from_where(postgres, filter, !filter.category.empty());
  const std::string page = "SELECT " + std::string(product_columns) + matching +
                           std::string(order_clause(order, filter.words.has_value(), postgres)) + " LIMIT $5 OFFSET $6";
  for (const auto& row : db.query(page, match, filter.category, filter.min_price, filter.max_price, limit, offset)) {
    found.items.push_back(read_product(row));
  }
  found.total = db.one("SELECT COUNT(*)" + matching, match, filter.category, filter.min_price, filter.max_price)
                    ->get<std::int64_t>(0);
  count_categories(db, postgres, filter, match, found);
  count_prices(db, postgres, filter, match, found);
  return found;
}

}  // namespace catalog
