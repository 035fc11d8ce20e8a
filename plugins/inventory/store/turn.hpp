// One transaction at a time changes stock.
//
// SQLite has one writer, so there is nothing to do. On PostgreSQL several lanes and replicas write at once: a batch of
// orders touches many SKUs in the order of its events, and two batches could wait for each other until the deadlock
// detector ends one of them. Each command therefore takes one advisory transaction lock before it touches a stock row;
// within an order, SKUs are touched in the order of their names. The commands of every order take the lock inside the
// first statement that needs it, which a statement that finds no row does not reach.
#pragma once

#include <gantry/plugin.hpp>
#include <string>
#include <string_view>

namespace inventory {

// An UPDATE that takes the turn before it locks its row: `after` is its WHERE clause and what follows.
inline std::string in_turn(std::string_view update, bool postgres, std::string_view after) {
  std::string text(update);
  if (postgres) text += " FROM (SELECT pg_advisory_xact_lock(7215, 1)) AS turn";
  return text.append(after);
}

// Takes the turn by a statement of its own; for what is not a hot path.
inline void take_turn(gantry::tx& tx, bool postgres) {
  if (postgres) tx.one("SELECT 1 FROM (SELECT pg_advisory_xact_lock(7215, 1)) AS turn");
}

}  // namespace inventory
