// How an order moves: its saga, its status, and what each signal makes of both. Pure. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/settings.hpp"
#include "domain/status.hpp"
#include "gantry/saga.hpp"

namespace shop::order {

inline constexpr std::size_t step_reserve = 0;
inline constexpr std::size_t step_pay = 1;
inline constexpr std::size_t step_ship = 2;
inline constexpr std::size_t step_commit = 3;
inline constexpr std::size_t step_count = 4;

// The table of the order saga.
gantry::saga_definition order_saga(const settings& config);

// Where an order stands.
struct standing {
  order_status status = order_status::pending;
  gantry::saga_state saga;
};

// What one signal changes.
struct order_move {
  standing after;
  std::vector<order_status> passed;  // the statuses for the history, in order; the first may be the one it had
  std::optional<gantry::saga_command> command;
  gantry::saga_timer timer = gantry::saga_timer::keep;
  std::chrono::microseconds delay{};
  bool applied = false;    // false: nothing to store
  bool refused = false;    // a cancel that comes too late
  bool confirmed = false;  // the last step has just succeeded
};

// Moves of one order under one configuration. Immutable after construction.
class order_flow {
 public:
  explicit order_flow(settings config);

  const settings& config() const { return config_; }
  const gantry::saga_definition& saga() const { return saga_; }

  // A new order: Pending, with the first command.
  order_move place(std::int64_t now_us) const;

  // An event of another service. `reason` is what a failure gave.
  order_move on_event(const standing& before, std::string_view type, std::int64_t now_us,
                      std::string_view reason = {}) const;

  // The order's timer has fired: a step timed out, or the time from delivery to Completed has passed.
  order_move on_timer(const standing& before, std::int64_t now_us) const;

  // The customer calls the order off.
  order_move cancel(const standing& before, std::string_view reason, std::int64_t now_us) const;

  // An order that nothing goes wrong with meets each event in the same standing, so its move, and how it is written
  // down, are known beforehand.
  struct usual_move {
    std::string_view event_type;
    std::string saga_before;  // as encode() writes it
    std::string saga_after;
    order_status status_before = order_status::pending;
    order_move move;  // deadlines in it count from 0
  };
  // The usual move for this type of event; null if there is none.
  const usual_move* usual(std::string_view event_type) const;

 private:
  order_move follow(const standing& before, const gantry::saga_signal& signal) const;
  void deliver(order_move& move, std::int64_t now_us) const;
  void complete(order_move& move, std::int64_t now_us) const;

  settings config_;
  gantry::saga_definition saga_;
  std::vector<usual_move> usual_;
};

}  // namespace shop::order
