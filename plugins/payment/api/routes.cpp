#include "api/routes.hpp"

#include <charconv>

#include "provider/signature.hpp"

namespace shop::payment {
namespace {

void put_payment(gantry::json_writer& out, const payment_row& row) {
  out.object().field("paymentId", payment_id_of(row.order_id)).field("orderId", row.order_id);
  out.field("status", name_of(row.status)).field("amount", row.sums.amount).field("captured", row.sums.captured);
  out.field("refunded", row.sums.refunded).field("refundPending", row.sums.refund_pending);
  out.field("currency", row.currency).field("provider", row.provider);
  if (!row.code.empty()) out.field("code", row.code).field("reason", row.reason);
  out.field("createdAt", gantry::instant{row.created_us}.rfc3339());
  out.field("updatedAt", gantry::instant{row.updated_us}.rfc3339()).end();
}

gantry::json payment_json(const payment_row& row) {
  gantry::json_writer out;
  put_payment(out, row);
  return gantry::json(std::move(out));
}

gantry::reply no_such_payment(std::string_view id) { return gantry::not_found("no payment " + std::string(id)); }

std::optional<payment_row> find_payment(gantry::db& db, std::string_view payment_id) {
  const auto order_id = order_id_of(payment_id);
  return order_id ? load_payment(db, *order_id) : std::nullopt;
}

// The seconds since 1970 that a webhook gives; nothing if it is no number.
std::optional<std::int64_t> read_seconds(std::string_view text) {
  std::int64_t seconds = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, seconds);
  if (parsed.ec != std::errc{} || parsed.ptr != end || seconds < 0 || seconds > 99'999'999'999) return std::nullopt;
  return seconds;
}

std::optional<provider_verdict> verdict_named(std::string_view name) {
  if (name == "authorised") return provider_verdict::authorised;
  if (name == "captured") return provider_verdict::captured;
  if (name == "declined") return provider_verdict::declined;
  return std::nullopt;
}

gantry::reply unauthorised(std::string_view detail) {
  return gantry::problem(401, "bad-signature", "Unauthorized", detail);
}

}  // namespace

gantry::reply payment_routes::get(const gantry::request& request, gantry::context& ctx) {
  const auto row = find_payment(ctx.read(), request.path("id"));
  return row ? gantry::ok(payment_json(*row)) : no_such_payment(request.path("id"));
}

gantry::reply payment_routes::list(const gantry::request& request, gantry::context& ctx) {
  const auto order_id = request.query("orderId");
  if (!order_id || order_id->empty()) {
    return gantry::bad_request("The query breaks the rules below.", {{"orderId", "is needed"}});
  }
  const auto row = load_payment(ctx.read(), *order_id);
  gantry::json_writer out;
  out.object().key("items").array();
  if (row) put_payment(out, *row);
  out.end().field("page", 1).field("pageSize", 20).field("total", row ? 1 : 0).end();
  return gantry::json(std::move(out));
}

gantry::reply payment_routes::refund(const gantry::request& request, gantry::context& ctx) {
  std::optional<std::int64_t> amount;
  std::string reason = "refunded by the shop";
  if (!request.body().empty()) {
    const gantry::json_view body = request.json();
    gantry::field_errors errors;
    if (const gantry::json_view given = body["amount"]; given) {
      if (!given.is_int() || given.integer() < 1) errors.push_back({"amount", "must be an integer of 1 or more"});
      amount = given.integer();
    }
    if (const gantry::json_view given = body["reason"]; given) {
      if (!given.is_string() || given.text().size() > 200) errors.push_back({"reason", "must be up to 200 bytes"});
      reason = given.text();
    }
    if (!errors.empty()) return gantry::bad_request("The refund breaks the rules below.", errors);
  }
  return ctx.write([this, &request, amount, reason](gantry::tx& tx) -> gantry::reply {
    auto row = find_payment(tx, request.path("id"));
    if (!row) return no_such_payment(request.path("id"));
    const std::int64_t left = row->sums.refundable();
    if (left == 0) {
      return gantry::conflict("nothing-to-refund", "The payment is " + std::string(name_of(row->status)) +
                                                       ": nothing is left to give back.");
    }
    const std::int64_t wanted = amount.value_or(left);
    if (wanted > left) {
      return gantry::unprocessable(
          "refund-too-large", "A refund can't be more than what was captured and not given back.",
          {{"amount", "must be 1.." + std::to_string(left) + ", found " + std::to_string(wanted)}});
    }
    cashier_.begin_refund(tx, *row, wanted, reason);
    return gantry::accepted(payment_json(*row));
  });
}

gantry::reply payment_routes::webhook(const gantry::request& request, gantry::context& ctx) {
  const auto secret = webhooks_.secrets.find(request.path("provider"));
  if (secret == webhooks_.secrets.end()) {
    return gantry::not_found("no webhook for provider " + std::string(request.path("provider")));
  }
  const std::string_view timestamp = request.header("webhook-timestamp").value_or("");
  const std::string_view signature = request.header("webhook-signature").value_or("");
  const auto seconds = read_seconds(timestamp);
  if (!seconds || !verify_webhook(secret->second, timestamp, request.body(), signature)) {
    return unauthorised("webhook-signature must be the HMAC-SHA256 of \"<webhook-timestamp>.<body>\"");
  }
  const std::int64_t off_us = ctx.host().now().us - *seconds * 1'000'000;
  if (off_us > webhooks_.window.count() || off_us < -webhooks_.window.count()) {
    return unauthorised("webhook-timestamp is outside the window");
  }
  const gantry::json_view body = request.json();
  const auto verdict = verdict_named(body["outcome"].text());
  const auto order_id = order_id_of(body["paymentId"].text());
  gantry::field_errors errors;
  if (!verdict) errors.push_back({"outcome", "must be authorised, captured or declined"});
  if (!order_id) errors.push_back({"paymentId", "must be the id of a payment"});
  if (!errors.empty()) return gantry::bad_request("The message breaks the rules below.", errors);

  provider_answer answer;
  answer.verdict = *verdict;
  answer.reference = body["reference"].text();
  answer.code = body["code"].text_or("declined");
  answer.reason = body["reason"].text_or("the payment was declined");
  return ctx.write([this, order_id = *order_id, answer](gantry::tx& tx) -> gantry::reply {
    if (!cashier_.settle_payment(tx, order_id, answer)) return no_such_payment(payment_id_of(order_id));
    return gantry::accepted(gantry::json{{"received", true}});
  });
}

}  // namespace shop::payment
