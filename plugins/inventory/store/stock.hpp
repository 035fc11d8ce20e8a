// Stock in SQL: levels, shelves and alerts. Owns the tables stock, shelves, warehouses and alerts.
// Every function runs inside the caller's transaction or snapshot.
#pragma once

#include <cstdint>
#include <gantry/plugin.hpp>
#include <gantry/recent.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/lines.hpp"
#include "domain/picks.hpp"

namespace inventory {

struct level {
  std::string sku;
  std::int64_t on_hand = 0;
  std::int64_t reserved = 0;
  std::string home;
  std::int64_t home_on_hand = 0;
  std::optional<std::int64_t> low_at;  // the SKU's own threshold
  std::int64_t version = 0;

  std::int64_t available() const { return on_hand - reserved; }
};

// What is left after a change of one row.
struct remaining {
  std::int64_t on_hand = 0;
  std::int64_t reserved = 0;
  std::optional<std::int64_t> low_at;

  std::int64_t available() const { return on_hand - reserved; }
};

// What this plugin remembers of stock rows, so that holding and taking need not read them. Where other hosts change the
// same rows all the time it would be wrong more often than right, and nothing is remembered. Thread: lane.
class known_stock {
 public:
  explicit known_stock(bool shared_store) : shared_(shared_store) {}

  // Null: the store must be asked.
  level* find(std::string_view sku) { return shared_ ? nullptr : levels_.find(sku); }
  bool shared_store() const { return shared_; }
  void put(level now) {
    if (!shared_) levels_.put(now.sku, now);
  }

 private:
  bool shared_;
  gantry::recent<level> levels_{4096};
};

std::optional<level> find_level(gantry::db& db, std::string_view sku);

// The home warehouse first, then the others by name.
std::vector<shelf> find_shelves(gantry::db& db, const level& of);

// Holds `quantity` if it is available; nothing otherwise, also for an unknown SKU.
std::optional<remaining> hold(gantry::tx& tx, const line& what, known_stock& known);

// Gives a hold back.
remaining unhold(gantry::tx& tx, const line& what);

// Takes held goods away. Appends to `picks` what other warehouses than the home one had to give.
struct foreign_pick {
  std::string sku;
  pick from;
};
remaining take(gantry::tx& tx, const line& what, std::vector<foreign_pick>& picks, known_stock& known);

// Returns goods that were taken; the part that `picks` names goes back to where it came from.
remaining put_back(gantry::tx& tx, const line& what, const std::vector<foreign_pick>& picks);

// Makes the stock of a SKU exactly this: `shelves[0]` becomes its home. False, with nothing changed, when more is
// reserved than this holds. Creates the row when the SKU is new.
bool set_level(gantry::tx& tx, std::string_view sku, const std::vector<shelf>& shelves,
               std::optional<std::int64_t> low_at);

// Adds `delta` (may be negative) to one warehouse. False, with nothing changed, when that warehouse holds too little or
// more is reserved than would be left. The SKU must exist.
bool adjust_shelf(gantry::tx& tx, const level& of, std::string_view warehouse, std::int64_t delta);

// Moves goods between warehouses; the total stays. False, with nothing changed, when `from` holds too little.
bool move_goods(gantry::tx& tx, const level& of, std::string_view from, std::string_view to, std::int64_t quantity);

void raise_alert(gantry::tx& tx, std::string_view sku, gantry::instant now);
void clear_alert(gantry::tx& tx, std::string_view sku);

bool has_warehouse(gantry::db& db, std::string_view id);

}  // namespace inventory
