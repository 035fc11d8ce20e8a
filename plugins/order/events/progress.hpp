// The handlers that move orders on: events of the other services, the saga's timer, and what operators see of it.
// Owned by the plugin. Thread: as each function says; the object itself is shared.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "domain/flow.hpp"
#include "events/publish.hpp"
#include "gantry/plugin.hpp"
#include "gantry/recent.hpp"
#include "gantry/sequence.hpp"
#include "store/orders.hpp"

namespace shop::order {

class order_progress {
 public:
  // The flow must outlive this.
  order_progress(const order_flow& flow, gantry::host host) : flow_(flow), host_(host) {
    if (host.driver() == "postgres") numbers_.emplace("pg_get_serial_sequence('placed_orders', 'seq')");
  }

  // Writes a new order, and remembers it: the next event finds it without a read. [lane]
  void place(gantry::tx& tx, const order_row& placed, std::string_view created_event) {
    const auto seq = insert_order(tx, placed, created_event, numbers_ ? &*numbers_ : nullptr);
    if (is_worth_remembering(placed)) recent_.put(placed.order_id, placed).seq = seq;
  }

  // An event of inventory, payment or shipping. [lane]
  gantry::outcome on_event(const gantry::event& event, gantry::tx& tx);

  // The timer of an order has fired. [lane]
  void on_timer(std::string_view order_id, gantry::tx& tx);

  // Calls off an order that a customer no longer wants; what came of it. The row is that of this transaction. [lane]
  order_move cancel(gantry::tx& tx, order_head& order, std::string_view reason, std::string_view cause_id);

  // Arms the timers of all orders that wait for one. [main]
  void restore(gantry::db& db, const gantry::rearm_fn& rearm) const;

  // The saga of an order, for operators. [pool]
  std::optional<gantry::json> describe(gantry::db& db, std::string_view order_id) const;

 private:
  gantry::outcome move_on(const gantry::event& event, const order_head& order, const order_flow::usual_move* usual,
                          const order_goods* goods, gantry::tx& tx);
  // Whether the order stood where an order without trouble stands, and is moved.
  static bool follow_usual_path(const gantry::event& event, const order_head& order,
                                const order_flow::usual_move* usual, const order_goods* goods, gantry::tx& tx);
  // The same by what is remembered of the order; false also if the store has it otherwise.
  bool follow_remembered(const gantry::event& event, const order_flow::usual_move& usual, gantry::tx& tx);
  std::optional<standing> standing_of(const order_head& order) const;
  void store(gantry::tx& tx, const order_head& order, const order_move& move, const order_cause& by);
  // `goods`: of this order, when they were read with it.
  static void write(gantry::tx& tx, const order_head& order, const order_move& move, const order_change& change,
                    const order_goods* goods = nullptr);
  // What comes with a move of an order that had this status and deadline: events, the next command, the timer.
  static void tell(gantry::tx& tx, const publication& what, std::int64_t deadline_before_us, std::int64_t deadline_us);
  static void note_finished(gantry::tx& tx, std::string_view order_id, const order_move& move);

  // Orders of a hundred lines are read instead: what is remembered is at most some 16 MB.
  static bool is_worth_remembering(const order_row& order) {
    return order.lines.size() + order.address.size() <= most_goods_remembered;
  }

  static constexpr std::size_t most_remembered = 4096;
  static constexpr std::size_t most_goods_remembered = 3072;

  const order_flow& flow_;
  gantry::host host_;
  gantry::recent<order_row> recent_{most_remembered};
  std::optional<gantry::sequence> numbers_;  // of placed_orders; none where the store numbers rows by itself
};

}  // namespace shop::order
