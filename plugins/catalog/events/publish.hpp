// The events of catalog. One that changes what clients could have read also tells the cache, before the
// commit.
// Owned by the plugin. Thread: lane; inside the caller's transaction.
#pragma once

#include <gantry/plugin.hpp>
#include <string_view>

#include "domain/product.hpp"
#include "store/product_cache.hpp"

namespace catalog {

inline constexpr std::string_view topic = "catalog-events";

class publisher {
 public:
  explicit publisher(product_cache& cache) : cache_(cache) {}

  static void declare(gantry::setup& s);

  void created(gantry::tx& tx, const product& p);
  void updated(gantry::tx& tx, const product& p);
  void deleted(gantry::tx& tx, std::string_view sku);
  void price_changed(gantry::tx& tx, const product& p);
  void reviewed(gantry::tx& tx, const product& p, std::string_view review_id, std::string_view customer_id,
                std::int64_t rating);

 private:
  void publish(gantry::tx& tx, std::string_view type, std::string_view sku, const gantry::json_writer& body);

  product_cache& cache_;
};

}  // namespace catalog
