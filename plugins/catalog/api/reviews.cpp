#include "api/reviews.hpp"

#include "api/bodies.hpp"
#include "store/products.hpp"

namespace catalog {
namespace {

gantry::reply no_product(std::string_view sku) { return gantry::not_found("there is no product " + std::string(sku)); }

review read_review(const gantry::json_view& body, std::vector<violation>& broken) {
  review r;
  r.customer_id = read_text(body, "customerId", broken);
  r.rating = body["rating"].integer(0);
  check_rating(r.rating, broken);
  r.title = read_text(body, "title", broken, "");
  r.body = read_text(body, "text", broken, "");
  if (broken.empty() && (r.customer_id.empty() || r.customer_id.size() > 64)) {
    broken.push_back({"customerId", "must be 1 to 64 bytes long"});
  }
  if (r.title.size() > 200) broken.push_back({"title", "must be at most 200 bytes long"});
  if (r.body.size() > 10'000) broken.push_back({"text", "must be at most 10000 bytes long"});
  return r;
}

}  // namespace

gantry::reply reviews_api::list(const gantry::request& q, gantry::context& ctx) {
  std::vector<violation> broken;
  const page asked = read_page(q, broken);
  if (!broken.empty()) return refuse("the page is not valid", broken);
  gantry::db& db = ctx.read();
  const auto of = find_product(db, q.path("id"));
  if (!of) return no_product(q.path("id"));
  gantry::json_writer out;
  out.object().key("items").array();
  for (const auto& row : db.query("SELECT review_id, customer_id, rating, title, body, created_at FROM reviews "
                                  "WHERE sku = $1 ORDER BY created_at DESC, review_id DESC LIMIT $2 OFFSET $3",
                                  of->sku, asked.size, asked.offset())) {
    out.object().field("reviewId", row.get<std::string_view>(0)).field("customerId", row.get<std::string_view>(1));
    out.field("rating", row.get<std::int64_t>(2)).field("title", row.get<std::string_view>(3));
    out.field("text", row.get<std::string_view>(4));
    out.field("createdAt", row.get<gantry::instant>(5).rfc3339()).end();
  }
  out.end().field("page", asked.number).field("pageSize", asked.size).field("total", of->rating.count);
  out.field("average", of->rating.average()).end();
  return gantry::json(std::move(out));
}

gantry::reply reviews_api::add(const gantry::request& q, gantry::context& ctx) {
  std::vector<violation> broken;
  review r = read_review(q.json(), broken);
  if (!broken.empty()) return refuse("the review is not valid", broken);
  r.id = ctx.host().new_id();
  return ctx.write([this, &q, r](gantry::tx& tx) -> gantry::reply {
    const auto before = find_product(tx, q.path("id"));
    if (!before) return no_product(q.path("id"));
    if (!insert_review(tx, before->sku, r)) {
      return gantry::conflict("already-reviewed", "customer " + r.customer_id + " has reviewed " + before->sku);
    }
    product p = *before;
    p.rating.sum += r.rating;
    p.rating.count += 1;
    update_product(tx, *before, p);
    events_.reviewed(tx, p, r.id, r.customer_id, r.rating);
    return gantry::created("/catalog/products/" + p.sku + "/reviews", {{"reviewId", r.id},
                                                                       {"customerId", r.customer_id},
                                                                       {"rating", r.rating},
                                                                       {"title", r.title},
                                                                       {"text", r.body},
                                                                       {"createdAt", tx.now().rfc3339()}});
  });
}

}  // namespace catalog
