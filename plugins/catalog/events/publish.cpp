#include "events/publish.hpp"

#include "events/schemas.hpp"
#include "store/products.hpp"

namespace catalog {

void publisher::declare(gantry::setup& s) {
  s.emits(topic, "ProductCreated", 1, schemas::product);
  s.emits(topic, "ProductUpdated", 1, schemas::product);
  s.emits(topic, "ProductDeleted", 1, schemas::product_deleted);
  s.emits(topic, "PriceChanged", 1, schemas::price_changed);
  s.emits(topic, "ReviewAdded", 1, schemas::review_added);
}

void publisher::created(gantry::tx& tx, const product& p) {
  gantry::json_writer out;
  write_product(out, p);
  // The cache holds nothing of a product that was not there, so there is nothing to tell it.
  tx.emit(topic, "ProductCreated", p.sku, out);
}

void publisher::updated(gantry::tx& tx, const product& p) {
  gantry::json_writer out;
  write_product(out, p);
  publish(tx, "ProductUpdated", p.sku, out);
}

void publisher::deleted(gantry::tx& tx, std::string_view sku) {
  gantry::json_writer out;
  out.object().field("sku", sku).end();
  publish(tx, "ProductDeleted", sku, out);
}

void publisher::price_changed(gantry::tx& tx, const product& p) {
  gantry::json_writer out;
  out.object().field("sku", p.sku).key("price").object().field("amount", p.price.amount);
  out.field("currency", p.price.currency).end().field("version", p.version).end();
  publish(tx, "PriceChanged", p.sku, out);
}

void publisher::reviewed(gantry::tx& tx, const product& p, std::string_view review_id, std::string_view customer_id,
                         std::int64_t rating) {
  gantry::json_writer out;
  out.object().field("reviewId", review_id).field("sku", p.sku).field("customerId", customer_id);
  out.field("rating", rating).field("average", p.rating.average()).field("count", p.rating.count).end();
  publish(tx, "ReviewAdded", p.sku, out);
}

void publisher::publish(gantry::tx& tx, std::string_view type, std::string_view sku, const gantry::json_writer& body) {
  const std::string event_id = tx.emit(topic, type, sku, body);
  cache_.changing(sku, event_id, tx.now());
}

}  // namespace catalog
