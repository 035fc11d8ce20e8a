// The commands of the order saga, and the expiry of reservations.
//
// A command for an order that is already in the state it asks for is answered with the same event again.
// Owned by the plugin, made by start(). Thread: lane.
#pragma once

#include <cstdint>
#include <gantry/plugin.hpp>
#include <string_view>

#include "store/reservations.hpp"

namespace inventory {

class commands {
 public:
  // `low_at`: the threshold of SKUs that have none of their own.
  commands(bool postgres, std::int64_t timeout_us, std::int64_t low_at)
      : reservations_(postgres, timeout_us), stock_(postgres), low_at_(low_at) {}

  gantry::outcome reserve(const gantry::event& e, gantry::tx& tx);
  gantry::outcome release(const gantry::event& e, gantry::tx& tx);
  gantry::outcome commit(const gantry::event& e, gantry::tx& tx);

  // Releases reservations whose time is over; true when there may be more to release now.
  bool sweep(gantry::tx& tx);

 private:
  void try_to_hold(gantry::tx& tx, std::string_view order_id, const std::vector<line>& lines, std::string_view text);
  void answer_again(gantry::tx& tx, std::string_view order_id) const;
  void give_back(gantry::tx& tx, const std::vector<line>& lines) const;
  void return_goods(gantry::tx& tx, const reservation& of) const;
  void after_hold(gantry::tx& tx, const line& what, const remaining& now) const;
  void after_return(gantry::tx& tx, const line& what, const remaining& now) const;

  reservations reservations_;
  known_stock stock_;
  std::int64_t low_at_;
};

}  // namespace inventory
