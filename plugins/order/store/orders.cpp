#include "store/orders.hpp"

namespace shop::order {
namespace {

constexpr std::string_view columns =
    "order_id, customer_id, status, deadline_us, version, created_us, updated_us, saga, currency, subtotal, shipping, "
    "discount, total, token, lines, address";

template <typename Row>
order_row read_row(const Row& from) {
  order_row row;
  row.order_id = from.template get<std::string>(0);
  row.customer_id = from.template get<std::string>(1);
  row.status = from.template get<std::string>(2);
  row.deadline_us = from.template get<std::int64_t>(3);
  row.version = from.template get<std::int64_t>(4);
  row.created_us = from.template get<std::int64_t>(5);
  row.updated_us = from.template get<std::int64_t>(6);
  row.saga = from.template get<std::string>(7);
  row.currency = from.template get<std::string>(8);
  row.subtotal = from.template get<std::int64_t>(9);
  row.shipping = from.template get<std::int64_t>(10);
  row.discount = from.template get<std::int64_t>(11);
  row.total = from.template get<std::int64_t>(12);
  row.token = from.template get<std::string>(13);
  row.lines = from.template get<std::string>(14);
  row.address = from.template get<std::string>(15);
  return row;
}

// The WHERE clause of a filter; both parameters are always given.
std::string where(const order_filter& filter) {
  std::string clause = filter.customer_id.empty()
                           ? " WHERE $1 = ''"
                           : " WHERE order_id IN (SELECT order_id FROM customer_orders WHERE customer_id = $1)";
  clause += filter.status.empty() ? " AND $2 = ''" : " AND status = $2";
  return clause;
}

// The smallest UUIDv7 of a time.
std::string first_id_of(std::int64_t us) {
  constexpr char digits[] = "0123456789abcdef";
  std::string id = "00000000-0000-7000-8000-000000000000";
  auto ms = static_cast<std::uint64_t>(us < 0 ? 0 : us / 1000);
  for (int i = 12; i >= 0; --i) {
    if (i == 8) continue;
    id[static_cast<std::size_t>(i)] = digits[ms & 15];
    ms >>= 4;
  }
  return id;
}

}  // namespace

void insert_order(gantry::tx& tx, const order_row& row, std::string_view history) {
  tx.exec(
      "INSERT INTO orders (order_id, customer_id, status, deadline_us, version, created_us, updated_us, saga, "
      "currency, "
      "subtotal, shipping, discount, total, token, lines, address, history) "
      "VALUES ($1, $2, $3, $4, 1, $5, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
      row.order_id, row.customer_id, row.status, row.deadline_us, row.created_us, row.saga, row.currency, row.subtotal,
      row.shipping, row.discount, row.total, row.token, row.lines, row.address, history);
}

std::optional<order_row> load_order(gantry::db& db, std::string_view order_id) {
  static const std::string sql = "SELECT " + std::string(columns) + ", history FROM orders WHERE order_id = $1";
  for (const auto& found : db.query(sql, order_id)) {
    order_row row = read_row(found);
    row.history = found.get<std::string>(16);
    return row;
  }
  return std::nullopt;
}

std::optional<order_row> load_for_move(gantry::tx& tx, std::string_view order_id) {
  static const std::string sql = "SELECT " + std::string(columns) + " FROM orders WHERE order_id = $1";
  for (const auto& found : tx.query(sql, order_id)) return read_row(found);
  return std::nullopt;
}

void change_order(gantry::tx& tx, std::string_view order_id, const order_change& change) {
  tx.exec(
      "UPDATE orders SET status = $2, saga = $3, deadline_us = $4, version = version + 1, updated_us = $5, "
      "history = history || $6 WHERE order_id = $1",
      order_id, change.status, change.saga, change.deadline_us, change.now_us, change.history);
}

std::optional<order_facts> change_if(gantry::tx& tx, std::string_view order_id, std::string_view status_before,
                                     std::string_view saga_before, const order_change& change) {
  gantry::rows found = tx.query(
      "UPDATE orders SET status = $2, saga = $3, deadline_us = $4, version = version + 1, updated_us = $5, "
      "history = history || $6 WHERE order_id = $1 AND saga = $7 AND status = $8 "
      "RETURNING customer_id, currency, total, token, lines, address",
      order_id, change.status, change.saga, change.deadline_us, change.now_us, change.history, saga_before,
      status_before);
  for (const auto& row : found) {
    return order_facts{row.get<std::string>(0), row.get<std::string>(1), row.get<std::int64_t>(2),
                       row.get<std::string>(3), row.get<std::string>(4), row.get<std::string>(5)};
  }
  return std::nullopt;
}

void add_customer_run(gantry::tx& tx) {
  tx.exec(
      "INSERT INTO customer_runs (run, customer_id, order_id) "
      "SELECT (SELECT max(seq) FROM orders), customer_id, order_id FROM orders "
      "WHERE seq > (SELECT coalesce(max(run), 0) FROM runs) ORDER BY customer_id, order_id");
  tx.exec("INSERT INTO runs (run) SELECT max(seq) FROM orders");
}

std::int64_t count_orders(gantry::db& db, const order_filter& filter) {
  const auto row = db.one("SELECT count(*) FROM orders" + where(filter), filter.customer_id, filter.status);
  return row ? row->get<std::int64_t>(0) : 0;
}

std::vector<order_row> list_orders(gantry::db& db, const order_filter& filter, std::int64_t limit,
                                   std::int64_t offset) {
  std::vector<order_row> found;
  const std::string sql =
      "SELECT " + std::string(columns) + " FROM orders" + where(filter) + " ORDER BY order_id DESC LIMIT $3 OFFSET $4";
  for (const auto& row : db.query(sql, filter.customer_id, filter.status, limit, offset)) {
    found.push_back(read_row(row));
  }
  return found;
}

void note_reopened(gantry::tx& tx, std::string_view order_id) {
  tx.exec("INSERT INTO reopened_orders (order_id) VALUES ($1) ON CONFLICT (order_id) DO NOTHING", order_id);
}

void each_open(gantry::db& db, const std::function<void(std::string_view, std::string_view, std::int64_t)>& fn) {
  gantry::rows rows = db.query(
      "SELECT order_id, saga, deadline_us FROM orders "
      "WHERE order_id >= (SELECT order_id FROM order_marks WHERE name = 'open') AND deadline_us <> 0 "
      "UNION "
      "SELECT o.order_id, o.saga, o.deadline_us FROM reopened_orders r JOIN orders o ON o.order_id = r.order_id "
      "WHERE o.deadline_us <> 0");
  for (const auto& row : rows) {
    fn(row.get<std::string_view>(0), row.get<std::string_view>(1), row.get<std::int64_t>(2));
  }
}

void raise_open_mark(gantry::tx& tx, std::int64_t before_us) {
  const auto span = tx.one(
      "SELECT max(order_id), min(CASE WHEN deadline_us <> 0 THEN order_id END) FROM ("
      "SELECT order_id, deadline_us FROM orders "
      "WHERE order_id >= (SELECT order_id FROM order_marks WHERE name = 'open') AND order_id < $1 "
      "ORDER BY order_id LIMIT 4000) AS span",
      first_id_of(before_us));
  if (!span || span->is_null(0)) return;
  tx.exec("UPDATE order_marks SET order_id = $1 WHERE name = 'open'",
          span->is_null(1) ? span->get<std::string_view>(0) : span->get<std::string_view>(1));
  tx.exec(
      "DELETE FROM reopened_orders WHERE order_id IN (SELECT r.order_id FROM reopened_orders r "
      "JOIN orders o ON o.order_id = r.order_id WHERE o.deadline_us = 0)");
}

}  // namespace shop::order
