// POST /orders: validate, ask the catalogue for prices, and write the order with its first command.
#include <functional>

#include "api/routes.hpp"
#include "api/shapes.hpp"
#include "events/publish.hpp"

namespace shop::order {
namespace {

std::string batch_target(const wanted_order& wanted) {
  std::string target = "/catalog/products:batch?skus=";
  for (const wanted_line& line : wanted.lines) {
    if (&line != &wanted.lines.front()) target += ',';
    target += line.sku;
  }
  return target;
}

std::vector<product_price> read_prices(gantry::json_view answer) {
  std::vector<product_price> products;
  const gantry::json_view items = answer["items"];
  products.reserve(items.size());
  for (const gantry::json_view item : items) {
    const gantry::json_view price = item["price"];
    products.push_back({item["sku"].text(), item["name"].text(), price["amount"].integer(), price["currency"].text()});
  }
  return products;
}

// The catalogue's answer, or why there is none.
struct prices {
  std::optional<gantry::call_reply> answer;
  std::string trouble;
};

prices ask_catalog(gantry::context& ctx, const wanted_order& wanted) {
  try {
    gantry::call_reply answer = ctx.get("catalog", batch_target(wanted));
    if (answer.status == 200) return {std::move(answer), {}};
    return {std::nullopt, "the catalogue answered " + std::to_string(answer.status)};
  } catch (const gantry::failure& failed) {
    return {std::nullopt, failed.what()};
  }
}

gantry::reply unpriced(const quotation& quote) {
  const gantry::field_errors errors = to_field_errors(quote.defects);
  switch (quote.problem) {
    case price_problem::unknown_sku:
      return gantry::unprocessable("unknown-sku", "The order names products that the catalogue does not have.", errors);
    case price_problem::wrong_currency:
      return gantry::unprocessable("wrong-currency", "All lines must be sold in the order's currency.", errors);
    case price_problem::bad_voucher:
      return gantry::unprocessable("bad-voucher", "The voucher can't be used for this order.", errors);
    case price_problem::too_large:
    case price_problem::none:
      break;
  }
  return gantry::unprocessable("total-too-large", "The order's total is beyond what can be paid.", errors);
}

// The row of a new order, but for what its first move sets.
order_row new_row(const wanted_order& wanted, const quotation& quote, const gantry::host& host) {
  order_row row;
  row.order_id = host.new_id();
  row.customer_id = wanted.customer_id;
  row.version = 1;
  row.created_us = row.updated_us = host.now().us;
  row.currency = wanted.currency;
  row.subtotal = quote.subtotal;
  row.shipping = quote.shipping;
  row.discount = quote.discount;
  row.total = quote.total;
  row.token = wanted.token;
  row.lines = lines_json(quote.lines);
  row.address = address_json(wanted.address);
  return row;
}

std::string created_event(const order_row& row) {
  gantry::json_writer out;
  out.reserve(384 + row.lines.size() + row.address.size());
  out.object().field("orderId", row.order_id).field("customerId", row.customer_id);
  out.key("lines").raw(row.lines);
  out.field("subtotal", row.subtotal).field("shipping", row.shipping).field("discount", row.discount);
  out.field("total", row.total).field("currency", row.currency);
  out.key("shippingAddress").raw(row.address);
  out.field("createdAt", gantry::instant{row.created_us}.rfc3339()).end();
  return out.take();
}

constexpr std::size_t orders_in_a_run = 2048;

// Whether this order is the last of a run of customers' orders. The id decides, not a counter: a transaction that is
// run again does the same again.
bool ends_run(std::string_view order_id) { return std::hash<std::string_view>{}(order_id) % orders_in_a_run == 0; }

// Everything that the transaction needs, made before it: the write lane only inserts and emits.
struct placement {
  order_row row;
  order_move move;
  gantry::json event;
  gantry::json command;
  gantry::json body;
  bool run_ends = false;

  gantry::reply commit(gantry::tx& tx, order_progress& progress) const {
    const std::string id = tx.emit("order-events", "OrderCreated", row.order_id, event);
    progress.place(tx, row, id);
    tx.emit(move.command->topic, move.command->type, row.order_id, command);
    set_timer(tx, row.order_id, move);
    if (run_ends) add_customer_run(tx);
    return gantry::created("/orders/" + row.order_id, body).header("etag", etag(row.version));
  }
};

}  // namespace

gantry::reply order_routes::place(const gantry::request& request, gantry::context& ctx) {
  std::vector<defect> defects;
  const wanted_order wanted = read_wanted(request.json(), defects);
  for (defect& found : validate(wanted)) defects.push_back(std::move(found));
  if (!defects.empty()) return gantry::bad_request("The order breaks the rules below.", to_field_errors(defects));

  const prices asked = ask_catalog(ctx, wanted);
  if (!asked.answer) {
    return gantry::problem(503, "catalog-unavailable", "Service unavailable",
                           "The prices can't be read now: " + asked.trouble)
        .header("retry-after", "1");
  }
  const gantry::host host = ctx.host();
  const quotation quote = price(wanted, read_prices(asked.answer->json()), flow_.config(), host.now().us);
  if (!quote.defects.empty()) return unpriced(quote);

  placement placed;
  placed.row = new_row(wanted, quote, host);
  placed.move = flow_.place(placed.row.created_us);
  placed.row.status = placed.move.after.status;
  placed.row.saga = encode(placed.move.after.saga);
  placed.row.deadline_us = placed.move.after.saga.deadline_us;
  placed.event = gantry::json::raw(created_event(placed.row));
  placed.command =
      command_json({placed.row.order_id, facts_of(placed.row, placed.row), order_status::pending, placed.move});
  placed.body = order_json(placed.row);
  placed.run_ends = host.driver() == "sqlite" && ends_run(placed.row.order_id);
  return ctx.write([this, placed = std::move(placed)](gantry::tx& tx) { return placed.commit(tx, progress_); });
}

}  // namespace shop::order
