#include "store/demo.hpp"

#include "store/categories.hpp"
#include "store/products.hpp"

namespace catalog {
namespace {

[[noreturn]] void refuse_demo(const std::string& why) {
  throw gantry::failure(GANTRY_INVALID, "demo catalogue: " + why);
}

std::vector<std::string> read_list(const gantry::json_view& of, const std::string& name) {
  std::vector<std::string> list;
  for (const auto& each : of[name]) list.emplace_back(each.text());
  if (list.empty()) refuse_demo(name + " must be a list of texts with at least one");
  return list;
}

demo_category read_demo_category(const gantry::json_view& of, const std::string& currency) {
  demo_category out;
  out.self = {std::string(of["id"].text()), std::string(of["name"].text()), std::nullopt, 1};
  if (of["parent"].is_string()) out.self.parent = std::string(of["parent"].text());
  out.things = read_list(of, "things");
  out.price_from = of["price"]["from"].integer(-1);
  out.price_to = of["price"]["to"].integer(-1);
  std::vector<violation> broken;
  check(out.self, broken);
  check_price({out.price_from, currency}, broken);
  check_price({out.price_to, currency}, broken);
  if (out.price_to < out.price_from) broken.push_back({"price.to", "must not be below price.from"});
  if (!broken.empty()) refuse_demo("category " + out.self.id + ": " + broken[0].field + " " + broken[0].detail);
  return out;
}

}  // namespace

demo_description parse_demo(std::string_view text) {
  const auto document = gantry::json_document::parse(text);
  const gantry::json_view root = document.root();
  demo_description out;
  out.seed = static_cast<std::uint64_t>(root["seed"].integer());
  out.currency = std::string(root["currency"].text());
  out.products_per_category = static_cast<int>(root["productsPerCategory"].integer());
  if (out.products_per_category < 1 || out.products_per_category > 10'000) {
    refuse_demo("productsPerCategory must be 1..10000");
  }
  out.adjectives = read_list(root, "adjectives");
  out.materials = read_list(root, "materials");
  out.phrases = read_list(root, "phrases");
  for (const auto& each : root["categories"]) out.categories.push_back(read_demo_category(each, out.currency));
  if (out.categories.empty()) refuse_demo("categories must be a list with at least one");
  return out;
}

std::size_t load_demo(gantry::tx& tx, publisher& events, const demo_description& from) {
  if (tx.one("SELECT 1 FROM products LIMIT 1")) return 0;
  for (const demo_category& each : from.categories) {
    if (each.self.parent && !find_category(tx, *each.self.parent)) {
      refuse_demo("category " + each.self.id + ": parent " + *each.self.parent + " must come earlier in the file");
    }
    insert_category(tx, each.self);
  }
  std::vector<product> products = make_demo(from);
  for (product& each : products) {
    insert_product(tx, each);
    events.created(tx, each);
  }
  return products.size();
}

}  // namespace catalog
