#include "api/products.hpp"

#include <unordered_map>

#include "api/bodies.hpp"
#include "store/categories.hpp"
#include "store/products.hpp"

namespace catalog {
namespace {

constexpr std::size_t warmed_at_once = 64;

constexpr std::size_t max_batch = 200;

gantry::reply no_product(std::string_view sku) { return gantry::not_found("there is no product " + std::string(sku)); }

gantry::reply no_category(const product& p) {
  return gantry::unprocessable("unknown-category", "there is no category " + p.category_id,
                               {{"categoryId", "must name a category, found " + p.category_id}});
}

gantry::reply show_product(const product& p, int status = 200) {
  return gantry::reply(status, gantry::json::raw(product_text(p))).header("etag", etag(p.version));
}

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> parts;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view part = list.substr(0, comma);
    if (!part.empty()) parts.push_back(part);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
  return parts;
}

}  // namespace

std::vector<product_cache::found> products_api::fetch(std::span<const std::string_view> skus, gantry::context& ctx) {
  std::vector<product_cache::found> all = cache_.find(skus);
  std::vector<std::string_view> missing;
  for (std::size_t i = 0; i < skus.size(); ++i) {
    if (!all[i]) missing.push_back(skus[i]);
  }
  // What the generation before this one had in memory comes along, a few products with each read.
  const std::vector<std::string> wanted = cache_.take_wanted(warmed_at_once);
  missing.insert(missing.end(), wanted.begin(), wanted.end());
  if (missing.empty()) return all;

  const std::uint64_t since = cache_.epoch();
  std::unordered_map<std::string, product_cache::found> loaded;
  for (const product& p : find_products(ctx.read(), missing)) {
    auto made = std::make_shared<const product_cache::entry>(product_cache::entry{product_text(p), p.version});
    cache_.put(p.sku, made, since, ctx.host().now());
    loaded.insert_or_assign(p.sku, std::move(made));
  }
  for (std::size_t i = 0; i < skus.size(); ++i) {
    if (all[i]) continue;
    const auto at = loaded.find(std::string(skus[i]));
    if (at != loaded.end()) all[i] = at->second;
  }
  return all;
}

gantry::reply products_api::batch(const gantry::request& q, gantry::context& ctx) {
  const std::vector<std::string_view> skus = split(q.query("skus").value_or(""));
  if (skus.empty() || skus.size() > max_batch) {
    return refuse("the list of SKUs is not valid",
                  {{"skus", "must name 1 to " + std::to_string(max_batch) + " SKUs separated by commas, found " +
                                std::to_string(skus.size())}});
  }
  const auto all = fetch(skus, ctx);
  std::size_t bytes = 16;
  for (const auto& each : all) bytes += each ? each->text.size() + 1 : 0;
  std::string out;
  out.reserve(bytes);
  out += R"({"items":[)";
  for (const auto& each : all) {
    if (!each) continue;
    if (out.back() != '[') out += ',';
    out += each->text;
  }
  out += "]}";
  return gantry::json::raw(std::move(out));
}

gantry::reply products_api::show(const gantry::request& q, gantry::context& ctx) {
  const std::string_view sku = q.path("id");
  const auto found = fetch({&sku, 1}, ctx).front();
  if (!found) return no_product(sku);
  return gantry::reply(200, gantry::json::raw(found->text)).header("etag", etag(found->version));
}

gantry::reply products_api::create(const gantry::request& q, gantry::context& ctx) {
  std::vector<violation> broken;
  const product wanted = read_product_body(q.json(), std::nullopt, broken);
  if (!broken.empty()) return refuse("the product is not valid", broken);
  return ctx.write([this, wanted](gantry::tx& tx) -> gantry::reply {
    product p = wanted;
    if (!find_category(tx, p.category_id)) return no_category(p);
    if (!insert_product(tx, p)) return gantry::conflict("sku-exists", "there is a product " + p.sku + " already");
    events_.created(tx, p);
    return show_product(p, 201).header("location", "/catalog/products/" + p.sku);
  });
}

template <typename Change>
gantry::reply products_api::edit(const gantry::request& q, gantry::context& ctx, Change change) {
  return ctx.write([this, &q, change = std::move(change)](gantry::tx& tx) -> gantry::reply {
    const auto before = find_product(tx, q.path("id"));
    if (!before) return no_product(q.path("id"));
    if (is_stale(q.header("if-match"), before->version)) {
      return gantry::precondition_failed("the product has version " + std::to_string(before->version));
    }
    product p = *before;
    if (std::optional<gantry::reply> refused = change(p, tx)) return std::move(*refused);
    if (p == *before) return show_product(p);
    update_product(tx, *before, p);
    product without_price = p;
    without_price.price = before->price;
    without_price.version = before->version;
    if (without_price != *before) events_.updated(tx, p);
    if (p.price != before->price) events_.price_changed(tx, p);
    return show_product(p);
  });
}

gantry::reply products_api::replace(const gantry::request& q, gantry::context& ctx) {
  std::vector<violation> broken;
  const product wanted = read_product_body(q.json(), q.path("id"), broken);
  if (!broken.empty()) return refuse("the product is not valid", broken);
  return edit(q, ctx, [wanted](product& p, gantry::tx& tx) -> std::optional<gantry::reply> {
    if (!find_category(tx, wanted.category_id)) return no_category(wanted);
    p.name = wanted.name;
    p.description = wanted.description;
    p.category_id = wanted.category_id;
    p.price = wanted.price;
    p.images = wanted.images;
    return std::nullopt;
  });
}

gantry::reply products_api::remove(const gantry::request& q, gantry::context& ctx) {
  return ctx.write([this, &q](gantry::tx& tx) -> gantry::reply {
    const auto before = find_product(tx, q.path("id"));
    if (!before) return no_product(q.path("id"));
    if (is_stale(q.header("if-match"), before->version)) {
      return gantry::precondition_failed("the product has version " + std::to_string(before->version));
    }
    erase_product(tx, *before);
    events_.deleted(tx, before->sku);
    return gantry::no_content();
  });
}

gantry::reply products_api::set_price(const gantry::request& q, gantry::context& ctx) {
  std::vector<violation> broken;
  const money price = read_price(q.json(), broken);
  if (broken.empty()) check_price(price, broken);
  if (!broken.empty()) return refuse("the price is not valid", broken);
  return edit(q, ctx, [price](product& p, gantry::tx&) -> std::optional<gantry::reply> {
    p.price = price;
    return std::nullopt;
  });
}

gantry::reply products_api::prices(const gantry::request& q, gantry::context& ctx) {
  std::vector<violation> broken;
  const page asked = read_page(q, broken);
  if (!broken.empty()) return refuse("the page is not valid", broken);
  gantry::db& db = ctx.read();
  const std::int64_t total = db.one("SELECT COUNT(*) FROM prices WHERE sku = $1", q.path("id"))->get<std::int64_t>(0);
  if (total == 0) return no_product(q.path("id"));
  gantry::json_writer out;
  out.object().key("items").array();
  for (const auto& row : db.query("SELECT version, amount, currency, valid_from FROM prices WHERE sku = $1 "
                                  "ORDER BY version DESC LIMIT $2 OFFSET $3",
                                  q.path("id"), asked.size, asked.offset())) {
    out.object().field("version", row.get<std::int64_t>(0)).field("amount", row.get<std::int64_t>(1));
    out.field("currency", row.get<std::string_view>(2));
    out.field("validFrom", row.get<gantry::instant>(3).rfc3339()).end();
  }
  out.end().field("page", asked.number).field("pageSize", asked.size).field("total", total).end();
  return gantry::json(std::move(out));
}

gantry::reply products_api::set_images(const gantry::request& q, gantry::context& ctx) {
  std::vector<violation> broken;
  const gantry::json_view list = q.json()["images"];
  if (!list.exists()) broken.push_back({"images", "must be a list of addresses, found nothing"});
  const std::vector<std::string> images = read_images(list, broken);
  check_images(images, broken);
  if (!broken.empty()) return refuse("the images are not valid", broken);
  return edit(q, ctx, [images](product& p, gantry::tx&) -> std::optional<gantry::reply> {
    p.images = images;
    return std::nullopt;
  });
}

gantry::reply products_api::add_image(const gantry::request& q, gantry::context& ctx) {
  std::vector<violation> broken;
  const std::string url = read_text(q.json(), "url", broken);
  std::vector<violation> bad_address;
  check_images({url}, bad_address);
  if (broken.empty() && !bad_address.empty()) broken.push_back({"url", bad_address.front().detail});
  if (!broken.empty()) return refuse("the image is not valid", broken);
  return edit(q, ctx, [url](product& p, gantry::tx&) -> std::optional<gantry::reply> {
    if (p.images.size() >= max_images) {
      return gantry::conflict("too-many-images", "a product has at most " + std::to_string(max_images) + " images");
    }
    p.images.push_back(url);
    return std::nullopt;
  });
}

}  // namespace catalog
