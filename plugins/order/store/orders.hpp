// The order plugin's SQL: all statements on its tables. No rules here. Thread: that of the db or tx given.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/history.hpp"
#include "domain/status.hpp"
#include "gantry/plugin.hpp"
#include "gantry/sequence.hpp"

namespace shop::order {

// Where an order stands, and of what was placed only what its saga asks for at every step. `saga` as domain/ encodes
// it.
struct order_head {
  std::int64_t seq = 0;
  std::string order_id;
  std::string customer_id;
  order_status status = order_status::pending;
  std::int64_t deadline_us = 0;
  std::int64_t version = 0;
  std::int64_t created_us = 0;
  std::int64_t updated_us = 0;
  std::string saga;
  std::string history;  // as domain/history encodes it, without the placing
  std::string currency;
  std::int64_t total = 0;
  std::string token;
};

// What was ordered and where it goes: JSON as clients see it.
struct order_goods {
  std::string lines;
  std::string address;
};

// All of an order.
struct order_row : order_head, order_goods {
  std::int64_t subtotal = 0;
  std::int64_t shipping = 0;
  std::int64_t discount = 0;
};

// What a move writes.
struct order_change {
  order_status status = order_status::pending;
  std::string_view saga;
  std::int64_t deadline_us = 0;
  std::int64_t now_us = 0;
  const std::vector<order_status>& passed;
  order_cause by;
};

// Inserts a new order; its seq. `created_event` is given apart, because it is emitted by the row's transaction.
// `numbers`: of placed_orders; null where the store numbers rows by itself.
std::int64_t insert_order(gantry::tx& tx, const order_row& row, std::string_view created_event,
                          gantry::sequence* numbers);

// Nothing if there is no such order.
std::optional<order_row> load_order(gantry::db& db, std::string_view order_id);

// The same without its goods, which are most of it.
std::optional<order_head> load_head(gantry::db& db, std::string_view order_id);

// `seq`: of an order that there is.
order_goods load_goods(gantry::db& db, std::int64_t seq);

// The whole history of an order, the placing first.
std::vector<history_entry> load_history(gantry::db& db, const order_head& order);

// Writes what a move changes. The head must be of this transaction.
void change_order(gantry::tx& tx, const order_head& order, const order_change& change);

// The same for an order that was not read in this transaction: only if the store has it with this very history, which
// names every event that moved it. True: it had, and `order` is as it stands now.
bool change_known_order(gantry::tx& tx, order_head& order, const order_change& change);

// Sorts the newest orders by customer, for list_orders; on SQLite only, where an index is too dear for every order.
void add_customer_run(gantry::tx& tx);

// Newest first. What is empty doesn't filter.
struct order_filter {
  std::string_view customer_id;
  std::optional<order_status> status;
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
