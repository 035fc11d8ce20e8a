#include "api/routes.hpp"

#include <charconv>

#include "api/shapes.hpp"
#include "domain/history.hpp"

namespace shop::order {
namespace {

gantry::reply no_such_order(std::string_view id) { return gantry::not_found("no order " + std::string(id)); }

// A query parameter as a number of 1..max; `otherwise` if absent; 0 if it is not one.
std::int64_t page_number(const gantry::request& request, std::string_view name, std::int64_t otherwise,
                         std::int64_t max) {
  const auto text = request.query(name);
  if (!text) return otherwise;
  std::int64_t value = 0;
  const char* const end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, value);
  return parsed.ec == std::errc{} && parsed.ptr == end && value >= 1 && value <= max ? value : 0;
}

// Whether a condition that the client gave holds for this version.
bool matches(std::optional<std::string_view> condition, std::int64_t version) {
  return !condition || *condition == "*" || *condition == etag(version);
}

}  // namespace

gantry::reply order_routes::get(const gantry::request& request, gantry::context& ctx) {
  const auto row = load_order(ctx.read(), request.path("id"));
  if (!row) return no_such_order(request.path("id"));
  const auto known = request.header("if-none-match");
  if (known && matches(known, row->version)) return gantry::reply(304).header("etag", etag(row->version));
  return gantry::ok(order_json(*row)).header("etag", etag(row->version));
}

gantry::reply order_routes::list(const gantry::request& request, gantry::context& ctx) {
  const std::int64_t page = page_number(request, "page", 1, 1'000'000);
  const std::int64_t page_size = page_number(request, "pageSize", 20, 100);
  const std::string_view status = request.query("status").value_or("");
  const order_filter filter{request.query("customerId").value_or(""), status_named(status)};
  gantry::field_errors errors;
  if (page == 0) errors.push_back({"page", "must be an integer from 1 to 1000000"});
  if (page_size == 0) errors.push_back({"pageSize", "must be an integer from 1 to 100"});
  if (!status.empty() && !filter.status) {
    errors.push_back({"status", "is no status of an order: " + std::string(status)});
  }
  if (!errors.empty()) return gantry::bad_request("The query breaks the rules below.", errors);

  gantry::json_writer out;
  out.object().key("items").array();
  for (const order_row& row : list_orders(ctx.read(), filter, page_size, (page - 1) * page_size)) put_order(out, row);
  out.end().field("page", page).field("pageSize", page_size).field("total", count_orders(ctx.read(), filter)).end();
  return gantry::json(std::move(out));
}

gantry::reply order_routes::history(const gantry::request& request, gantry::context& ctx) {
  const auto row = load_order(ctx.read(), request.path("id"));
  if (!row) return no_such_order(request.path("id"));
  gantry::json_writer out;
  out.array();
  for (const history_entry& entry : load_history(ctx.read(), *row)) {
    out.object().field("status", name_of(entry.status)).field("at", gantry::instant{entry.at_us}.rfc3339());
    out.field("cause", entry.cause);
    entry.event_id.empty() ? out.key("eventId").null() : out.field("eventId", entry.event_id);
    out.end();
  }
  out.end();
  return gantry::json(std::move(out));
}

gantry::reply order_routes::cancel(const gantry::request& request, gantry::context& ctx) {
  std::string reason = "cancelled by the customer";
  if (!request.body().empty()) {
    const gantry::json_view given = request.json()["reason"];
    if (given && (!given.is_string() || given.text().empty() || given.text().size() > 200)) {
      return gantry::bad_request("The request breaks the rules below.",
                                 {{"reason", "must be a text of 1 to 200 bytes"}});
    }
    if (given) reason = given.text();
  }
  return ctx.write([this, &request, reason](gantry::tx& tx) -> gantry::reply {
    auto row = load_order(tx, request.path("id"));
    if (!row) return no_such_order(request.path("id"));
    if (!matches(request.header("if-match"), row->version)) {
      return gantry::precondition_failed("the order is at version " + std::to_string(row->version));
    }
    const order_move move = progress_.cancel(tx, *row, reason, request.correlation_id());
    if (move.refused) {
      return gantry::conflict("order-not-cancellable",
                              "The order is " + std::string(name_of(row->status)) + ": it can't be called off.");
    }
    const bool ended = move.after.status == order_status::cancelled;
    return gantry::reply(ended ? 200 : 202, order_json(*row)).header("etag", etag(row->version));
  });
}

}  // namespace shop::order
