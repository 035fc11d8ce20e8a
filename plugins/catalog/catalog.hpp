// Catalog: products, categories, prices, images, reviews, search. See README.md.
// Handlers run on lanes and request workers, side by side; the cache guards itself, nothing else changes after start().
#pragma once

#include <gantry/plugin.hpp>

#include "api/import.hpp"
#include "api/products.hpp"
#include "api/reviews.hpp"
#include "events/publish.hpp"
#include "store/product_cache.hpp"

class catalog_plugin : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override;
  void start(gantry::start_context& ctx) override;

 private:
  void declare_routes(gantry::setup& s);
  void follow_own_events(gantry::setup& s);

  catalog::product_cache cache_;
  catalog::publisher events_{cache_};
  catalog::products_api products_{cache_, events_};
  catalog::reviews_api reviews_{events_};
  catalog::import_api import_{events_};
};
