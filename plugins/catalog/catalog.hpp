// Catalog: products, categories, prices, images, reviews, search. See README.md.
// Handlers run on lanes and request workers, side by side; the cache guards itself, nothing else changes after start().
#pragma once

#include <gantry/plugin.hpp>

#include "api/import.hpp"
#include "api/products.hpp"
#include "api/reviews.hpp"
#include "events/publish.hpp"
#include "store/product_cache.hpp"

class catalog_plugin : public gantry::plugin, public gantry::handover {
 public:
  void setup(gantry::setup& s) override;
  void start(gantry::start_context& ctx) override;

  // Format 1: the SKUs of the products in the cache, a line for each.
  std::string export_state(std::uint32_t format) override;
  void import_state(std::uint32_t format, std::string_view state) override;

 private:
  void declare_routes(gantry::setup& s);
  void follow_own_events(gantry::setup& s);

  catalog::product_cache cache_;
  catalog::publisher events_{cache_};
  catalog::products_api products_{cache_, events_};
  catalog::reviews_api reviews_{events_};
  catalog::import_api import_{events_};
};
