// Orders as this plugin last left them, so that the next event of an order need not read it.
// A guess, not the truth: the transaction that left an order so may not have committed, and another host may have moved
// it since. Whoever moves an order by what is found here has the store compare (change_known_order). Owned by the
// plugin. Thread: lane.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "store/orders.hpp"

namespace shop::order {

class recent_orders {
 public:
  // Keeps the last `most` orders that were put in, or somewhat fewer.
  explicit recent_orders(std::size_t most) : half_(most / 2) {}

  // Takes the place of what was known of this order. Its number in the store (seq) is not used.
  void put(order_row order) {
    if (newer_.size() >= half_) {
      older_ = std::move(newer_);
      newer_.clear();
    }
    older_.erase(order.order_id);
    auto id = order.order_id;
    newer_.insert_or_assign(std::move(id), std::move(order));
  }

  // Null: not known. Stands until the next put or forget.
  order_row* find(const std::string& order_id) {
    for (auto* part : {&newer_, &older_}) {
      const auto found = part->find(order_id);
      if (found != part->end()) return &found->second;
    }
    return nullptr;
  }

  void forget(const std::string& order_id) {
    newer_.erase(order_id);
    older_.erase(order_id);
  }

 private:
  using orders = std::unordered_map<std::string, order_row>;

  const std::size_t half_;
  orders newer_;
  orders older_;
};

}  // namespace shop::order
