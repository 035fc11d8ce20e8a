#include "store/orders.hpp"

#include <algorithm>

namespace shop::order {
namespace {

#define HEAD_COLUMNS                                                                                        \
  "o.seq, o.order_id, o.customer_id, p.status, p.deadline_us, p.version, o.created_us, p.saga, p.history, " \
  "o.currency, o.total, o.token"
#define ORDER_COLUMNS HEAD_COLUMNS ", o.subtotal, o.shipping, o.discount, o.lines, o.address"
#define ORDER_TABLES " FROM placed_orders o JOIN order_progress p ON p.seq = o.seq"

order_status read_status(std::int64_t number) {
  const auto status = status_numbered(number);
  if (!status) {
    throw gantry::failure(GANTRY_FAILED, "an order has status " + std::to_string(number) + ", expected 0 to 9");
  }
  return *status;
}

void read_head(const gantry::row_view& from, order_head& row) {
  row.seq = from.get<std::int64_t>(0);
  row.order_id = from.get<std::string_view>(1);
  row.customer_id = from.get<std::string_view>(2);
  row.status = read_status(from.get<std::int64_t>(3));
  row.deadline_us = from.get<std::int64_t>(4);
  row.version = from.get<std::int64_t>(5);
  row.created_us = from.get<std::int64_t>(6);
  row.saga = from.get<std::string_view>(7);
  row.history = from.get<std::string_view>(8);
  row.updated_us = last_change(row.history, row.created_us);
  row.currency = from.get<std::string_view>(9);
  row.total = from.get<std::int64_t>(10);
  row.token = from.get<std::string_view>(11);
}

order_row read_row(const gantry::row_view& from) {
  order_row row;
  read_head(from, row);
  row.subtotal = from.get<std::int64_t>(12);
  row.shipping = from.get<std::int64_t>(13);
  row.discount = from.get<std::int64_t>(14);
  row.lines = from.get<std::string_view>(15);
  row.address = from.get<std::string_view>(16);
  return row;
}

// The WHERE clause of a filter; both parameters are always given, -1 for any status.
std::string where(const order_filter& filter) {
  std::string clause = filter.customer_id.empty()
                           ? " WHERE $1 = ''"
                           : " WHERE o.order_id IN (SELECT order_id FROM customer_orders WHERE customer_id = $1)";
  clause += filter.status ? " AND p.status = $2" : " AND CAST($2 AS BIGINT) = -1";
  return clause;
}

std::int64_t number_in(const order_filter& filter) {
  return filter.status ? static_cast<std::int64_t>(*filter.status) : -1;
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

std::string history_after(const order_head& order, const order_change& change) {
  return order.history + history_step(change.now_us - order.updated_us, change.passed, change.by);
}

}  // namespace

std::int64_t insert_order(gantry::tx& tx, const order_row& row, std::string_view created_event,
                          gantry::sequence* numbers) {
  std::int64_t seq = 0;
  const auto insert = [&](std::string_view sql, const auto&... number) {
    tx.exec(sql, row.order_id, row.customer_id, row.created_us, created_event, row.currency, row.subtotal, row.shipping,
            row.discount, row.total, row.token, row.lines, row.address, number...);
  };
#define PLACED_COLUMNS                                                                                       \
  "order_id, customer_id, created_us, created_event, currency, subtotal, shipping, discount, total, token, " \
  "lines, address"
#define PLACED_VALUES "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12"
  if (numbers != nullptr) {
    seq = numbers->next(tx);
    insert("INSERT INTO placed_orders (" PLACED_COLUMNS ", seq) OVERRIDING SYSTEM VALUE VALUES (" PLACED_VALUES
           ", $13)",
           seq);
  } else {
    insert("INSERT INTO placed_orders (" PLACED_COLUMNS ") VALUES (" PLACED_VALUES ")");
    for (const auto& last : tx.query("SELECT last_insert_rowid()")) seq = last.get<std::int64_t>(0);
  }
#undef PLACED_COLUMNS
#undef PLACED_VALUES
  tx.exec(
      "INSERT INTO order_progress (seq, status, version, deadline_us, saga, history) VALUES ($1, $2, $3, $4, $5, $6)",
      seq, static_cast<std::int64_t>(row.status), row.version, row.deadline_us, row.saga, gantry::blob(row.history));
  return seq;
}

std::optional<order_row> load_order(gantry::db& db, std::string_view order_id) {
  for (const auto& found : db.query("SELECT " ORDER_COLUMNS ORDER_TABLES " WHERE o.order_id = $1", order_id)) {
    return read_row(found);
  }
  return std::nullopt;
}

std::optional<order_head> load_head(gantry::db& db, std::string_view order_id) {
  for (const auto& found : db.query("SELECT " HEAD_COLUMNS ORDER_TABLES " WHERE o.order_id = $1", order_id)) {
    std::optional<order_head> head(std::in_place);
    read_head(found, *head);
    return head;
  }
  return std::nullopt;
}

order_goods load_goods(gantry::db& db, std::int64_t seq) {
  for (const auto& found : db.query("SELECT lines, address FROM placed_orders WHERE seq = $1", seq)) {
    return {found.get<std::string>(0), found.get<std::string>(1)};
  }
  throw gantry::failure(GANTRY_FAILED, "order number " + std::to_string(seq) + " went away while it was read");
}

std::vector<history_entry> load_history(gantry::db& db, const order_head& order) {
  std::vector<history_entry> entries = read_history(order.history, order.created_us);
  const auto created = db.one("SELECT created_event FROM placed_orders WHERE seq = $1", order.seq);
  if (!created) throw gantry::failure(GANTRY_FAILED, "order " + order.order_id + " went away while it was read");
  entries.insert(entries.begin(), {order.created_us, order_status::pending, "request", created->get<std::string>(0)});
  return entries;
}

void change_order(gantry::tx& tx, const order_head& order, const order_change& change) {
  tx.defer(
      "UPDATE order_progress SET status = $2, version = $3, deadline_us = $4, saga = $5, history = $6 WHERE seq = $1",
      order.seq, static_cast<std::int64_t>(change.status), order.version + 1, change.deadline_us, change.saga,
      gantry::blob(history_after(order, change)));
}

bool change_known_order(gantry::tx& tx, order_head& order, const order_change& change) {
  std::string history = history_after(order, change);
  const auto changed = tx.exec(
      "UPDATE order_progress SET status = $2, version = $3, deadline_us = $4, saga = $5, history = $6 WHERE seq = $1 "
      "AND history = $7",
      order.seq, static_cast<std::int64_t>(change.status), order.version + 1, change.deadline_us, change.saga,
      gantry::blob(history), gantry::blob(order.history));
  if (changed != 1) return false;
  order.status = change.status;
  order.version += 1;
  order.deadline_us = change.deadline_us;
  order.saga = change.saga;
  order.history = std::move(history);
  order.updated_us = change.now_us;
  return true;
}

void add_customer_run(gantry::tx& tx) {
  tx.exec(
      "INSERT INTO customer_runs (run, customer_id, order_id) "
      "SELECT (SELECT max(seq) FROM placed_orders), customer_id, order_id FROM placed_orders "
      "WHERE seq > (SELECT coalesce(max(run), 0) FROM runs) ORDER BY customer_id, order_id");
  tx.exec("INSERT INTO runs (run) SELECT max(seq) FROM placed_orders");
}

std::int64_t count_orders(gantry::db& db, const order_filter& filter) {
  const auto row = db.one("SELECT count(*)" ORDER_TABLES + where(filter), filter.customer_id, number_in(filter));
  return row ? row->get<std::int64_t>(0) : 0;
}

std::vector<order_row> list_orders(gantry::db& db, const order_filter& filter, std::int64_t limit,
                                   std::int64_t offset) {
  std::vector<order_row> found;
  const std::string sql =
      "SELECT " ORDER_COLUMNS ORDER_TABLES + where(filter) + " ORDER BY o.order_id DESC LIMIT $3 OFFSET $4";
  for (const auto& row : db.query(sql, filter.customer_id, number_in(filter), limit, offset)) {
    found.push_back(read_row(row));
  }
  return found;
}

void note_reopened(gantry::tx& tx, std::string_view order_id) {
  tx.exec("INSERT INTO reopened_orders (order_id) VALUES ($1) ON CONFLICT (order_id) DO NOTHING", order_id);
}

void each_open(gantry::db& db, const std::function<void(std::string_view, std::string_view, std::int64_t)>& fn) {
  gantry::rows rows =
      db.query("SELECT o.order_id, p.saga, p.deadline_us" ORDER_TABLES
               " WHERE o.order_id >= (SELECT order_id FROM order_marks WHERE name = 'open') AND p.deadline_us <> 0 "
               "UNION "
               "SELECT o.order_id, p.saga, p.deadline_us FROM reopened_orders r CROSS JOIN placed_orders o "
               "CROSS JOIN order_progress p WHERE o.order_id = r.order_id AND p.seq = o.seq AND p.deadline_us <> 0");
  for (const auto& row : rows) {
    fn(row.get<std::string_view>(0), row.get<std::string_view>(1), row.get<std::int64_t>(2));
  }
}

// CROSS JOIN fixes the order on SQLite, which would otherwise begin with every order there is.
void raise_open_mark(gantry::tx& tx, std::int64_t before_us) {
  const auto span = tx.one(
      "SELECT max(span.order_id), min(CASE WHEN p.deadline_us <> 0 THEN span.order_id END) FROM ("
      "SELECT order_id, seq FROM placed_orders "
      "WHERE order_id >= (SELECT order_id FROM order_marks WHERE name = 'open') AND order_id < $1 "
      "ORDER BY order_id LIMIT 4000) AS span CROSS JOIN order_progress p WHERE p.seq = span.seq",
      first_id_of(before_us));
  if (!span || span->is_null(0)) return;
  tx.exec("UPDATE order_marks SET order_id = $1 WHERE name = 'open'",
          span->is_null(1) ? span->get<std::string_view>(0) : span->get<std::string_view>(1));
  tx.exec(
      "DELETE FROM reopened_orders WHERE order_id IN (SELECT r.order_id FROM reopened_orders r "
      "CROSS JOIN placed_orders o CROSS JOIN order_progress p "
      "WHERE o.order_id = r.order_id AND p.seq = o.seq AND p.deadline_us = 0)");
}

#undef ORDER_TABLES
#undef ORDER_COLUMNS
#undef HEAD_COLUMNS

}  // namespace shop::order
