#include "store/categories.hpp"

namespace catalog {
namespace {

category read_category(const gantry::row_view& row) {
  return {row.get<std::string>(0), row.get<std::string>(1), row.get<std::optional<std::string>>(2),
          row.get<std::int64_t>(3)};
}

}  // namespace

std::vector<category> all_categories(gantry::db& db) {
  std::vector<category> all;
  for (const auto& row :
       db.query("SELECT category_id, name, parent_id, version FROM categories ORDER BY category_id")) {
    all.push_back(read_category(row));
  }
  return all;
}

std::optional<category> find_category(gantry::db& db, std::string_view id) {
  for (const auto& row :
       db.query("SELECT category_id, name, parent_id, version FROM categories WHERE category_id = $1", id)) {
    return read_category(row);
  }
  return std::nullopt;
}

bool insert_category(gantry::tx& tx, const category& c) {
  return tx.exec(
             "INSERT INTO categories (category_id, name, parent_id, version) VALUES ($1, $2, $3, $4) "
             "ON CONFLICT (category_id) DO NOTHING",
             c.id, c.name, c.parent, c.version) == 1;
}

void update_category(gantry::tx& tx, category& c) {
  ++c.version;
  tx.exec("UPDATE categories SET name = $2, parent_id = $3, version = $4 WHERE category_id = $1", c.id, c.name,
          c.parent, c.version);
}

void erase_category(gantry::tx& tx, std::string_view id) {
  tx.exec("DELETE FROM categories WHERE category_id = $1", id);
}

bool is_in_use(gantry::db& db, std::string_view id) {
  return db.one("SELECT 1 FROM categories WHERE parent_id = $1 LIMIT 1", id) ||
         db.one("SELECT 1 FROM products WHERE category_id = $1 LIMIT 1", id);
}

}  // namespace catalog
