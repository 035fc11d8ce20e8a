// Reservations in SQL. Owns the tables reservations, late_reservations and sweep.
//
// A row stays for good: it answers repeated commands, and tells what to put back when a confirmed order is cancelled.
// Expiry needs no index. Order ids are UUIDv7, so the primary key sorts reservations by the time of their order; a
// sweep reads from its low-water mark up to the orders that are old enough. A reservation whose id is no UUIDv7, or is
// so old that the sweep may have passed it, is listed in late_reservations as well. Every function runs inside the
// caller's transaction. Thread: lane, for what is not const.
#pragma once

#include <cstdint>
#include <gantry/plugin.hpp>
#include <gantry/recent.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/lines.hpp"
#include "domain/reservation.hpp"
#include "store/stock.hpp"

namespace inventory {

struct reservation {
  reservation_state state = reservation_state::held;
  std::string lines;                 // JSON, see lines_text; for a rejected one the shortages
  std::optional<std::string> picks;  // JSON, see picks_text
};

struct expired_reservation {
  std::string order_id;
  std::string lines;
};

class reservations {
 public:
  // `postgres`: which SQL to speak. `timeout_us`: how long a hold lasts.
  reservations(bool postgres, std::int64_t timeout_us);

  // Adds a held reservation; false when the order is known already.
  bool open(gantry::tx& tx, std::string_view order_id, std::string_view lines) const;

  // What open() has added is held, as far as this transaction goes: close() need not read it. [lane]
  void remember(std::string_view order_id, std::string_view lines);

  // Held -> committed, or held -> released; the lines. Nothing when the order is not in the state held.
  std::optional<std::string> close(gantry::tx& tx, std::string_view order_id, reservation_state to);

  std::optional<reservation> find(gantry::db& db, std::string_view order_id) const;
  void set_state(gantry::tx& tx, std::string_view order_id, reservation_state to) const;
  void reject(gantry::tx& tx, std::string_view order_id, std::string_view shortages) const;
  void remember_picks(gantry::tx& tx, std::string_view order_id, std::string_view picks) const;
  void leave_tombstone(gantry::tx& tx, std::string_view order_id) const;

  // Marks some held reservations as expired whose time is over, at most `limit` by key and `limit` late ones,
  // and moves the low-water mark. The caller gives their stock back. When `limit` or more come back there may be more.
  std::vector<expired_reservation> expire(gantry::tx& tx, std::size_t limit);

 private:
  std::string pass(gantry::tx& tx, const std::string& mark, const std::string& horizon, std::size_t limit,
                   std::vector<std::string>& due) const;
  bool may_be_passed(std::string_view order_id, gantry::instant now) const;

  bool postgres_;
  std::int64_t timeout_us_;
  std::string close_sql_;
  gantry::recent<std::string> open_{8192};  // the lines of orders that were opened last
};

// [{"sku","quantity"}], as events carry it.
std::string lines_text(const std::vector<line>& lines);
std::vector<line> parse_lines(std::string_view text);

// [{"sku","warehouseId","quantity"}]
std::string picks_text(const std::vector<foreign_pick>& picks);
std::vector<foreign_pick> parse_picks(std::string_view text);

}  // namespace inventory
