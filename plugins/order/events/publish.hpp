// Turns a move of an order into events and commands. Thread: lane.
#pragma once

#include <cstdint>
#include <string_view>

#include "domain/flow.hpp"
#include "store/orders.hpp"

namespace shop::order {

// What the events of a move tell about the order. Borrowed.
struct order_facts {
  std::string_view customer_id;
  std::string_view currency;
  std::int64_t total = 0;
  std::string_view token;
  std::string_view lines;
  std::string_view address;
};
order_facts facts_of(const order_head& order, const order_goods& goods);

// Whether an event or the command of this move tells of the goods.
bool tells_goods(const order_move& move);

// What the events of one move are about.
struct publication {
  std::string_view order_id;
  order_facts facts;
  order_status status_before;
  const order_move& move;
};

// The data of the move's command; the move must have one.
gantry::json command_json(const publication& what);

// Emits what the move tells others: an event for each change of status, and the saga's next command.
void publish(gantry::tx& tx, const publication& what);

// Arms or disarms the order's timer as the move says. Its delay counts from when the command was acknowledged.
void set_timer(gantry::tx& tx, std::string_view order_id, const order_move& move);

inline constexpr std::string_view saga_timer_kind = "saga";

}  // namespace shop::order
