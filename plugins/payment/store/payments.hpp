// The payment plugin's SQL: all statements on its table. No rules here. Thread: that of the db or tx given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/payment.hpp"
#include "gantry/plugin.hpp"

namespace shop::payment {

// A row of `payments`.
struct payment_row {
  std::string order_id;
  std::string customer_id;
  payment_status status = payment_status::initiated;
  amounts sums;
  std::string currency;
  std::string provider;
  std::string reference;
  std::string code;
  std::string reason;
  std::int64_t created_us = 0;
  std::int64_t updated_us = 0;
};

// Inserts the row; false if the order has one already.
bool insert_payment(gantry::tx& tx, const payment_row& row);

std::optional<payment_row> load_payment(gantry::db& db, std::string_view order_id);

// Takes the money of a payment that is still open, in one statement; false if it is not.
bool take_if_open(gantry::tx& tx, std::string_view order_id, std::string_view reference, std::int64_t now_us);

// Writes status, sums, reference, code and reason.
void save_payment(gantry::tx& tx, const payment_row& row, std::int64_t now_us);

// Counts a refund as paid, and says what the row is then.
std::optional<payment_row> finish_refund(gantry::tx& tx, std::string_view order_id, std::int64_t amount,
                                         std::int64_t now_us);

// Frees what was set apart for a refund that could not be paid.
void drop_refund(gantry::tx& tx, std::string_view order_id, std::int64_t amount, std::int64_t now_us);

}  // namespace shop::payment
