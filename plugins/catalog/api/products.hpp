// Routes of products. Owned by the plugin. Thread: pool; write functions run on the lane.
#pragma once

#include <gantry/plugin.hpp>

#include "events/publish.hpp"
#include "store/product_cache.hpp"

namespace catalog {

class products_api {
 public:
  products_api(product_cache& cache, publisher& events) : cache_(cache), events_(events) {}

  // Which SQL to speak; before the first request.
  void set_postgres(bool postgres) { postgres_ = postgres; }

  // GET /catalog/products?query=&category=&minPrice=&maxPrice=&inStock=&sort=&page=&pageSize=: a page with facets.
  gantry::reply list(const gantry::request& q, gantry::context& ctx);

  // GET /catalog/products:batch?skus=a,b,c: {"items":[...]} in the order asked; what is unknown is left out.
  gantry::reply batch(const gantry::request& q, gantry::context& ctx);

  // GET, POST, PUT, DELETE /catalog/products[/{id}]. POST: 201, 409 when the SKU is taken. PUT: 200. A category that
  // does not exist: 422. If-Match is honoured by PUT and DELETE: 412.
  gantry::reply show(const gantry::request& q, gantry::context& ctx);
  gantry::reply create(const gantry::request& q, gantry::context& ctx);
  gantry::reply replace(const gantry::request& q, gantry::context& ctx);
  gantry::reply remove(const gantry::request& q, gantry::context& ctx);

  // PUT /catalog/products/{id}/price {"amount","currency"}: 200 with the product. GET .../prices: the history.
  gantry::reply set_price(const gantry::request& q, gantry::context& ctx);
  gantry::reply prices(const gantry::request& q, gantry::context& ctx);

  // PUT /catalog/products/{id}/images {"images":[...]} replaces, POST {"url"} appends: the product.
  gantry::reply set_images(const gantry::request& q, gantry::context& ctx);
  gantry::reply add_image(const gantry::request& q, gantry::context& ctx);

 private:
  std::vector<product_cache::found> fetch(std::span<const std::string_view> skus, gantry::context& ctx);

  // Changes one product: `change(product&, tx&)` edits it or returns why not.
  template <typename Change>
  gantry::reply edit(const gantry::request& q, gantry::context& ctx, Change change);

  product_cache& cache_;
  publisher& events_;
  bool postgres_ = false;
};

}  // namespace catalog
