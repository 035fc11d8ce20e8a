#include "catalog.hpp"

#include <fstream>
#include <sstream>

#include "api/categories.hpp"
#include "events/availability.hpp"
#include "store/demo.hpp"

namespace {

constexpr std::string_view config_schema = R"({"type":"object","additionalProperties":false,"properties":{
"demo":{"type":"boolean","default":false,"description":"fill an empty store with the demo catalogue"},
"demo_file":{"type":"string","default":"","description":"the demo catalogue's description; empty: the one built in"}}})";

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw gantry::failure(GANTRY_INVALID, "demo_file: can't read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

}  // namespace

void catalog_plugin::setup(gantry::setup& s) {
  declare_routes(s);
  s.on_batch("inventory-events", "StockLevelChanged", catalog::follow_stock);
  s.on_replay("inventory-events", catalog::forget_stock);
  catalog::publisher::declare(s);
  follow_own_events(s);
  s.config_schema(config_schema);
}

void catalog_plugin::declare_routes(gantry::setup& s) {
  const auto products = [this](auto fn) {
    return [this, fn](const gantry::request& q, gantry::context& ctx) { return (products_.*fn)(q, ctx); };
  };
  using catalog::products_api;
  s.get("/catalog/products", products(&products_api::list), gantry::may_lag);
  s.get("/catalog/products:batch", products(&products_api::batch));
  s.post("/catalog/products:import",
         [this](const gantry::request& q, gantry::context& ctx) { return import_.run(q, ctx); });
  s.post("/catalog/products", products(&products_api::create));
  s.get("/catalog/products/{id}", products(&products_api::show));
  s.put("/catalog/products/{id}", products(&products_api::replace));
  s.del("/catalog/products/{id}", products(&products_api::remove));
  s.put("/catalog/products/{id}/price", products(&products_api::set_price));
  s.get("/catalog/products/{id}/prices", products(&products_api::prices));
  s.put("/catalog/products/{id}/images", products(&products_api::set_images));
  s.post("/catalog/products/{id}/images", products(&products_api::add_image));
  s.get("/catalog/products/{id}/reviews",
        [this](const gantry::request& q, gantry::context& ctx) { return reviews_.list(q, ctx); });
  s.post("/catalog/products/{id}/reviews",
         [this](const gantry::request& q, gantry::context& ctx) { return reviews_.add(q, ctx); });

  s.get("/catalog/categories", catalog::category_tree, gantry::may_lag);
  s.post("/catalog/categories", catalog::create_category);
  s.get("/catalog/categories/{id}", catalog::show_category);
  s.put("/catalog/categories/{id}", catalog::replace_category);
  s.del("/catalog/categories/{id}", catalog::remove_category);
}

void catalog_plugin::follow_own_events(gantry::setup& s) {
  for (const char* type : {"ProductUpdated", "ProductDeleted", "PriceChanged", "ReviewAdded"}) {
    s.observe(catalog::topic, type, [this](const gantry::event* e) {
      if (e == nullptr) {
        cache_.clear();
      } else {
        cache_.changed(e->key(), e->id());
      }
    });
  }
}

void catalog_plugin::start(gantry::start_context& ctx) {
  products_.set_postgres(ctx.host().driver() == "postgres");
  const gantry::json_view config = ctx.host().config();
  if (!config["demo"].boolean()) return;
  const std::string path(config["demo_file"].text());
  const catalog::demo_description demo =
      catalog::parse_demo(path.empty() ? std::string(catalog::embedded_demo) : read_file(path));
  const std::size_t added = ctx.write([&](gantry::tx& tx) { return catalog::load_demo(tx, events_, demo); });
  if (added > 0) ctx.host().log().info("Demo catalogue loaded", {{"products", added}});
}

std::string catalog_plugin::export_state(std::uint32_t format) {
  if (format != 1) throw gantry::failure(GANTRY_UNSUPPORTED, "only format 1 is written");
  return cache_.names();
}

void catalog_plugin::import_state(std::uint32_t, std::string_view state) { cache_.want(state); }
