#include "store/products.hpp"

namespace catalog {
namespace {

std::string images_text(const std::vector<std::string>& images) {
  gantry::json_writer out;
  out.array();
  for (const std::string& each : images) out.value(each);
  out.end();
  return out.take();
}

std::vector<std::string> parse_images(std::string_view text) {
  const auto document = gantry::json_document::parse(text);
  std::vector<std::string> images;
  for (const auto& each : document.root()) images.emplace_back(each.text());
  return images;
}

void record_price(gantry::tx& tx, const product& p) {
  tx.exec("INSERT INTO prices (sku, version, amount, currency, valid_from) VALUES ($1, $2, $3, $4, $5)", p.sku,
          p.version, p.price.amount, p.price.currency, tx.now());
}

}  // namespace

product read_product(const gantry::row_view& row) {
  product p;
  p.sku = row.get<std::string>(0);
  p.name = row.get<std::string>(1);
  p.description = row.get<std::string>(2);
  p.category_id = row.get<std::string>(3);
  p.price = {row.get<std::int64_t>(4), row.get<std::string>(5)};
  p.images = parse_images(row.get<std::string_view>(6));
  p.rating = {row.get<std::int64_t>(7), row.get<std::int64_t>(8)};
  p.version = row.get<std::int64_t>(9);
  return p;
}

std::optional<product> find_product(gantry::db& db, std::string_view sku) {
  static const std::string sql = "SELECT " + std::string(product_columns) + " FROM products p WHERE p.sku = $1";
  for (const auto& row : db.query(sql, sku)) return read_product(row);
  return std::nullopt;
}

std::vector<product> find_products(gantry::db& db, std::span<const std::string_view> skus) {
  static const std::string sql =
      "SELECT " + std::string(product_columns) + " FROM products p WHERE p.sku IN (SELECT value FROM gantry_array($1))";
  std::vector<product> found;
  found.reserve(skus.size());
  for (const auto& row : db.query(sql, skus)) found.push_back(read_product(row));
  return found;
}

bool insert_product(gantry::tx& tx, product& p) {
  const auto gone = tx.one("SELECT version FROM deleted_products WHERE sku = $1", p.sku);
  p.version = gone ? gone->get<std::int64_t>(0) + 1 : 1;
  const std::int64_t added = tx.exec(
      "INSERT INTO products (sku, name, description, category_id, price_amount, currency, images, rating_sum, "
      "rating_count, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) "
      "ON CONFLICT (sku) DO NOTHING",
      p.sku, p.name, p.description, p.category_id, p.price.amount, p.price.currency, images_text(p.images),
      p.rating.sum, p.rating.count, p.version, tx.now());
  if (added == 0) return false;
  record_price(tx, p);
  return true;
}

void update_product(gantry::tx& tx, const product& before, product& p) {
  p.version = before.version + 1;
  tx.exec(
      "UPDATE products SET name = $2, description = $3, category_id = $4, price_amount = $5, currency = $6, images = "
      "$7, "
      "rating_sum = $8, rating_count = $9, version = $10, updated_at = $11 WHERE sku = $1",
      p.sku, p.name, p.description, p.category_id, p.price.amount, p.price.currency, images_text(p.images),
      p.rating.sum, p.rating.count, p.version, tx.now());
  if (before.price != p.price) record_price(tx, p);
}

void erase_product(gantry::tx& tx, const product& p) {
  tx.exec("DELETE FROM reviews WHERE sku = $1", p.sku);
  tx.exec("DELETE FROM products WHERE sku = $1", p.sku);
  tx.exec(
      "INSERT INTO deleted_products (sku, version) VALUES ($1, $2) "
      "ON CONFLICT (sku) DO UPDATE SET version = excluded.version",
      p.sku, p.version + 1);
}

bool insert_review(gantry::tx& tx, std::string_view sku, const review& r) {
  return tx.exec(
             "INSERT INTO reviews (review_id, sku, customer_id, rating, title, body, created_at) "
             "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (sku, customer_id) DO NOTHING",
             r.id, sku, r.customer_id, r.rating, r.title, r.body, tx.now()) == 1;
}

void write_product(gantry::json_writer& out, const product& p) {
  out.object().field("sku", p.sku).field("name", p.name).field("description", p.description);
  out.field("categoryId", p.category_id).key("price").object().field("amount", p.price.amount);
  out.field("currency", p.price.currency).end().key("images").array();
  for (const std::string& each : p.images) out.value(each);
  out.end().key("rating").object().field("average", p.rating.average()).field("count", p.rating.count).end();
  out.field("version", p.version).end();
}

std::string product_text(const product& p) {
  gantry::json_writer out;
  out.reserve(256 + p.description.size());
  write_product(out, p);
  return out.take();
}

}  // namespace catalog
