// The order plugin's SQL: all statements on its tables. No rules here. Thread: that of the db or tx given.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/plugin.hpp"

namespace shop::order {

// A row of `orders`. `lines` and `address` are JSON as clients see it; saga and history as domain/ encodes them.
struct order_row {
  std::string order_id;
  std::string customer_id;
  std::string status;
  std::int64_t deadline_us = 0;
  std::int64_t version = 0;
  std::int64_t created_us = 0;
  std::int64_t updated_us = 0;
  std::string saga;
  std::string currency;
  std::int64_t subtotal = 0;
  std::int64_t shipping = 0;
  std::int64_t discount = 0;
  std::int64_t total = 0;
  std::string token;
  std::string lines;
  std::string address;
  std::string history;
};

// What a move writes. `history` is appended.
struct order_change {
  std::string_view status;
  std::string_view saga;
  std::int64_t deadline_us = 0;
  std::int64_t now_us = 0;
  std::string_view history;
};

// What the events of a move tell about the order.
struct order_facts {
  std::string customer_id;
  std::string currency;
  std::int64_t total = 0;
  std::string token;
  std::string lines;
  std::string address;
};

// One insert. `history` is given apart, because it names the id of the event that the row's transaction emits.
void insert_order(gantry::tx& tx, const order_row& row, std::string_view history);

// The whole row.
std::optional<order_row> load_order(gantry::db& db, std::string_view order_id);

// The row without history, for a move.
std::optional<order_row> load_for_move(gantry::tx& tx, std::string_view order_id);

// Writes what a move changes.
void change_order(gantry::tx& tx, std::string_view order_id, const order_change& change);

// The same in one statement, if the order still stands where it is expected; else nothing is written.
std::optional<order_facts> change_if(gantry::tx& tx, std::string_view order_id, std::string_view status_before,
                                     std::string_view saga_before, const order_change& change);

// Sorts the newest orders by customer, for list_orders; on SQLite only, where an index is too dear for every order.
void add_customer_run(gantry::tx& tx);

// Newest first. Empty texts don't filter.
struct order_filter {
  std::string_view customer_id;
  std::string_view status;
};
std::int64_t count_orders(gantry::db& db, const order_filter& filter);
std::vector<order_row> list_orders(gantry::db& db, const order_filter& filter, std::int64_t limit, std::int64_t offset);

// Notes that an order which had ended, so that the mark may be above it, waits for a timer again.
void note_reopened(gantry::tx& tx, std::string_view order_id);

// Calls fn(order id, saga, deadline_us) for every order that waits for a timer.
void each_open(gantry::db& db, const std::function<void(std::string_view, std::string_view, std::int64_t)>& fn);

// Moves the mark of open orders up to the first one that still waits, but no more than some thousand orders at a time
// and never to orders younger than `before_us`: another request may still be about to commit an id of that age.
// Forgets the reopened orders that have ended.
void raise_open_mark(gantry::tx& tx, std::int64_t before_us);

}  // namespace shop::order
