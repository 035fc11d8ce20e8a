#include "api/import.hpp"

#include <algorithm>
#include <set>

#include "api/bodies.hpp"
#include "store/categories.hpp"
#include "store/products.hpp"

namespace catalog {
namespace {

struct row_error {
  std::size_t line;
  violation what;
};

struct rows {
  std::vector<std::pair<std::size_t, product>> good;
  std::vector<row_error> bad;
  std::size_t failed = 0;  // rows; one may have several errors
};

void read_row(std::string_view text, std::size_t line, rows& to) {
  std::vector<violation> broken;
  product p;
  gantry::json_error wrong;
  if (const auto document = gantry::json_document::try_parse(text, wrong)) {
    p = read_product_body(document->root(), std::nullopt, broken);
  } else {
    broken.push_back({"", "not JSON at column " + std::to_string(wrong.column) + ": found " + wrong.found +
                              ", expected " + wrong.expected});
  }
  if (broken.empty()) {
    to.good.emplace_back(line, std::move(p));
    return;
  }
  ++to.failed;
  for (violation& each : broken) to.bad.push_back({line, std::move(each)});
}

rows read_rows(std::string_view body) {
  rows all;
  for (std::size_t line = 1; !body.empty(); ++line) {
    const std::size_t end = body.find('\n');
    std::string_view text = body.substr(0, end);
    body = end == std::string_view::npos ? std::string_view{} : body.substr(end + 1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (text.find_first_not_of(" \t") != std::string_view::npos) read_row(text, line, all);
  }
  return all;
}

struct counts {
  std::size_t created = 0;
  std::size_t updated = 0;
  std::size_t unchanged = 0;
};

void store(gantry::tx& tx, publisher& events, product p, counts& done) {
  const auto before = find_product(tx, p.sku);
  if (!before) {
    insert_product(tx, p);
    events.created(tx, p);
    ++done.created;
    return;
  }
  p.rating = before->rating;
  p.version = before->version;
  if (p == *before) {
    ++done.unchanged;
    return;
  }
  update_product(tx, *before, p);
  events.updated(tx, p);
  if (p.price != before->price) events.price_changed(tx, p);
  ++done.updated;
}

gantry::reply report(const counts& done, std::vector<row_error> errors, std::size_t failed) {
  std::stable_sort(errors.begin(), errors.end(),
                   [](const row_error& a, const row_error& b) { return a.line < b.line; });
  gantry::json_writer out;
  out.object().field("created", done.created).field("updated", done.updated).field("unchanged", done.unchanged);
  out.field("failed", failed).key("errors").array();
  for (const row_error& each : errors) {
    out.object().field("line", each.line).field("field", each.what.field).field("detail", each.what.detail).end();
  }
  out.end().end();
  return gantry::json(std::move(out));
}

}  // namespace

gantry::reply import_api::run(const gantry::request& q, gantry::context& ctx) {
  const rows read = read_rows(q.body());
  if (read.good.empty() && read.bad.empty()) return gantry::bad_request("no rows, expected a JSON object on each line");
  return ctx.write([this, read](gantry::tx& tx) -> gantry::reply {
    std::set<std::string> known;
    for (const category& each : all_categories(tx)) known.insert(each.id);
    counts done;
    std::vector<row_error> errors = read.bad;
    std::size_t failed = read.failed;
    for (const auto& [line, p] : read.good) {
      if (known.contains(p.category_id)) {
        store(tx, events_, p, done);
      } else {
        errors.push_back({line, {"categoryId", "must name a category, found " + p.category_id}});
        ++failed;
      }
    }
    return report(done, std::move(errors), failed);
  });
}

}  // namespace catalog
