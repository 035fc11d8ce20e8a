#include "events/publish.hpp"

#include "domain/alerts.hpp"
#include "events/schemas.hpp"
#include "store/stock.hpp"

namespace inventory {

void declare_events(gantry::setup& s) {
  s.emits(topic, "InventoryReserved", 1, schemas::order_lines);
  s.emits(topic, "InventoryRejected", 1, schemas::rejected);
  s.emits(topic, "InventoryReleased", 1, schemas::order_lines);
  s.emits(topic, "InventoryCommitted", 1, schemas::order_lines);
  s.emits(topic, "InventoryCommitFailed", 1, schemas::commit_failed);
  s.emits(topic, "StockLevelChanged", 1, schemas::stock_level);
  s.emits(topic, "LowStockAlert", 1, schemas::low_stock);
}

void tell_lines(gantry::tx& tx, std::string_view type, std::string_view order_id, std::string_view lines) {
  gantry::json_writer out;
  out.reserve(order_id.size() + lines.size() + 32);
  out.object().field("orderId", order_id).key("lines").raw(lines).end();
  tx.emit(topic, type, order_id, out);
}

void tell_rejected(gantry::tx& tx, std::string_view order_id, std::string_view reason, std::string_view shortages) {
  gantry::json_writer out;
  out.object().field("orderId", order_id).field("reason", reason).key("lines").raw(shortages).end();
  tx.emit(topic, "InventoryRejected", order_id, out);
}

void tell_commit_failed(gantry::tx& tx, std::string_view order_id, std::string_view reason) {
  gantry::json_writer out;
  out.object().field("orderId", order_id).field("reason", reason).end();
  tx.emit(topic, "InventoryCommitFailed", order_id, out);
}

std::string shortages_text(const std::vector<shortage>& shortages) {
  gantry::json_writer out;
  out.array();
  for (const shortage& each : shortages) {
    out.object().field("sku", each.sku).field("requested", each.requested).field("available", each.available).end();
  }
  out.end();
  return out.take();
}

void tell_stock(gantry::tx& tx, std::string_view sku, std::int64_t on_hand, std::int64_t reserved,
                std::string_view cause) {
  gantry::json_writer out;
  out.reserve(sku.size() + cause.size() + 96);
  out.object().field("sku", sku).field("onHand", on_hand).field("reserved", reserved);
  out.field("available", on_hand - reserved);
  if (!cause.empty()) out.field("cause", cause);
  out.end();
  tx.emit(topic, "StockLevelChanged", sku, out);
}

void tell_crossing(gantry::tx& tx, std::string_view sku, const mark& before, const mark& after) {
  switch (crossed(before.available, before.threshold, after.available, after.threshold)) {
    case crossing::none:
      return;
    case crossing::rose_above_low:
      clear_alert(tx, sku);
      return;
    case crossing::fell_to_low:
      raise_alert(tx, sku, tx.now());
      tx.emit(topic, "LowStockAlert", sku,
              {{"sku", sku}, {"available", after.available}, {"threshold", after.threshold}});
      return;
  }
}

}  // namespace inventory
