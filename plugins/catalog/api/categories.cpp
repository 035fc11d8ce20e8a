#include "api/categories.hpp"

#include "api/bodies.hpp"
#include "store/categories.hpp"

namespace catalog {
namespace {

void write_fields(gantry::json_writer& out, const category& c) {
  out.object().field("categoryId", c.id).field("name", c.name).field("parentId", c.parent).field("version", c.version);
}

void write_children(gantry::json_writer& out, const std::vector<category>& tree,
                    std::optional<std::string_view> parent) {
  out.array();
  for (const std::size_t i : children_of(tree, parent)) {
    write_fields(out, tree[i]);
    out.key("children");
    write_children(out, tree, tree[i].id);
    out.end();
  }
  out.end();
}

gantry::reply show(const category& c, int status = 200) {
  gantry::json_writer out;
  write_fields(out, c);
  out.end();
  return gantry::reply(status, gantry::json(std::move(out))).header("etag", etag(c.version));
}

gantry::reply no_category(std::string_view id) { return gantry::not_found("there is no category " + std::string(id)); }

gantry::reply stale(const category& c) {
  return gantry::precondition_failed("the category has version " + std::to_string(c.version));
}

category read_category(const gantry::json_view& body, std::optional<std::string_view> id,
                       std::vector<violation>& broken) {
  category c;
  c.id = read_text(body, "categoryId", broken, id);
  if (id && c.id != *id)
    broken.push_back({"categoryId", "must be " + std::string(*id) + " as in the path, found " + c.id});
  c.name = read_text(body, "name", broken);
  if (body["parentId"].exists() && !body["parentId"].is_null()) c.parent = read_text(body, "parentId", broken);
  if (broken.empty()) check(c, broken);
  return c;
}

std::optional<gantry::reply> refuse_place(gantry::tx& tx, const category& c) {
  if (!c.parent) return std::nullopt;
  const std::string why = refuse_parent(all_categories(tx), c.id, *c.parent);
  if (why.empty()) return std::nullopt;
  return gantry::unprocessable("bad-parent", why, {{"parentId", why}});
}

}  // namespace

gantry::reply category_tree(const gantry::request&, gantry::context& ctx) {
  gantry::json_writer out;
  out.object().key("items");
  write_children(out, all_categories(ctx.read()), std::nullopt);
  out.end();
  return gantry::json(std::move(out));
}

gantry::reply show_category(const gantry::request& q, gantry::context& ctx) {
  const auto found = find_category(ctx.read(), q.path("id"));
  return found ? show(*found) : no_category(q.path("id"));
}

gantry::reply create_category(const gantry::request& q, gantry::context& ctx) {
  std::vector<violation> broken;
  category c = read_category(q.json(), std::nullopt, broken);
  if (!broken.empty()) return refuse("the category is not valid", broken);
  c.version = 1;
  return ctx.write([c](gantry::tx& tx) -> gantry::reply {
    if (find_category(tx, c.id)) return gantry::conflict("category-exists", "there is a category " + c.id + " already");
    if (auto refused = refuse_place(tx, c)) return std::move(*refused);
    insert_category(tx, c);
    return show(c, 201).header("location", "/catalog/categories/" + c.id);
  });
}

gantry::reply replace_category(const gantry::request& q, gantry::context& ctx) {
  std::vector<violation> broken;
  const category wanted = read_category(q.json(), q.path("id"), broken);
  if (!broken.empty()) return refuse("the category is not valid", broken);
  return ctx.write([&q, wanted](gantry::tx& tx) -> gantry::reply {
    const auto before = find_category(tx, wanted.id);
    if (!before) return no_category(wanted.id);
    if (is_stale(q.header("if-match"), before->version)) return stale(*before);
    if (auto refused = refuse_place(tx, wanted)) return std::move(*refused);
    category c = wanted;
    c.version = before->version;
    update_category(tx, c);
    return show(c);
  });
}

gantry::reply remove_category(const gantry::request& q, gantry::context& ctx) {
  return ctx.write([&q](gantry::tx& tx) -> gantry::reply {
    const auto before = find_category(tx, q.path("id"));
    if (!before) return no_category(q.path("id"));
    if (is_stale(q.header("if-match"), before->version)) return stale(*before);
    if (is_in_use(tx, before->id)) {
      return gantry::conflict("category-in-use", "categories or products hang on " + before->id);
    }
    erase_category(tx, before->id);
    return gantry::no_content();
  });
}

}  // namespace catalog
