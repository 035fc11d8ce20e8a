#include "store/payments.hpp"

namespace shop::payment {
namespace {

#define PAYMENT_COLUMNS                                                                                              \
  "order_id, customer_id, status, amount, captured, refunded, refund_pending, currency, provider, reference, code, " \
  "reason, created_us, updated_us"

payment_row read_row(const gantry::row_view& from) {
  payment_row row;
  row.order_id = from.get<std::string>(0);
  row.customer_id = from.get<std::string>(1);
  const auto status = status_named(from.get<std::string_view>(2));
  if (!status) throw gantry::failure(GANTRY_FAILED, "payment of order " + row.order_id + " has an unknown status");
  row.status = *status;
  row.sums = {from.get<std::int64_t>(3), from.get<std::int64_t>(4), from.get<std::int64_t>(5),
              from.get<std::int64_t>(6)};
  row.currency = from.get<std::string>(7);
  row.provider = from.get<std::string>(8);
  row.reference = from.get<std::string>(9);
  row.code = from.get<std::string>(10);
  row.reason = from.get<std::string>(11);
  row.created_us = from.get<std::int64_t>(12);
  row.updated_us = from.get<std::int64_t>(13);
  return row;
}

}  // namespace

bool insert_payment(gantry::tx& tx, const payment_row& row) {
  return tx.exec("INSERT INTO payments (" PAYMENT_COLUMNS
                 ") VALUES ($1, $2, $3, $4, $5, 0, 0, $6, $7, $8, $9, $10, $11, $11) "
                 "ON CONFLICT (order_id) DO NOTHING",
                 row.order_id, row.customer_id, name_of(row.status), row.sums.amount, row.sums.captured, row.currency,
                 row.provider, row.reference, row.code, row.reason, row.created_us) == 1;
}

std::optional<payment_row> load_payment(gantry::db& db, std::string_view order_id) {
  gantry::rows found = db.query("SELECT " PAYMENT_COLUMNS " FROM payments WHERE order_id = $1", order_id);
  for (const auto& row : found) return read_row(row);
  return std::nullopt;
}

bool take_if_open(gantry::tx& tx, std::string_view order_id, std::string_view reference, std::int64_t now_us) {
  return tx.exec(
             "UPDATE payments SET status = 'Captured', captured = amount, reference = $2, updated_us = $3 "
             "WHERE order_id = $1 AND status = 'Initiated'",
             order_id, reference, now_us) == 1;
}

void save_payment(gantry::tx& tx, const payment_row& row, std::int64_t now_us) {
  tx.exec(
      "UPDATE payments SET status = $2, captured = $3, refunded = $4, refund_pending = $5, reference = $6, code = $7, "
      "reason = $8, updated_us = $9 WHERE order_id = $1",
      row.order_id, name_of(row.status), row.sums.captured, row.sums.refunded, row.sums.refund_pending, row.reference,
      row.code, row.reason, now_us);
}

std::optional<payment_row> finish_refund(gantry::tx& tx, std::string_view order_id, std::int64_t amount,
                                         std::int64_t now_us) {
  gantry::rows found = tx.query(
      "UPDATE payments SET refunded = refunded + $2, refund_pending = refund_pending - $2, updated_us = $3, "
      "status = CASE WHEN refunded + $2 >= captured THEN 'Refunded' ELSE 'PartiallyRefunded' END "
      "WHERE order_id = $1 AND refund_pending >= $2 RETURNING " PAYMENT_COLUMNS,
      order_id, amount, now_us);
  for (const auto& row : found) return read_row(row);
  return std::nullopt;
}

void drop_refund(gantry::tx& tx, std::string_view order_id, std::int64_t amount, std::int64_t now_us) {
  tx.exec(
      "UPDATE payments SET refund_pending = refund_pending - $2, updated_us = $3 "
      "WHERE order_id = $1 AND refund_pending >= $2",
      order_id, amount, now_us);
}

#undef PAYMENT_COLUMNS

}  // namespace shop::payment
