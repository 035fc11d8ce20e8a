#include "events/emit.hpp"

namespace shop::payment {
namespace {

constexpr std::string_view initiated_schema = R"json({
  "type": "object",
  "required": ["paymentId", "orderId", "amount", "currency", "provider"],
  "properties": {
    "paymentId": {"type": "string"}, "orderId": {"type": "string"},
    "amount": {"type": "integer", "minimum": 0}, "currency": {"type": "string"}, "provider": {"type": "string"}
  }
})json";

constexpr std::string_view processed_schema = R"json({
  "type": "object",
  "required": ["paymentId", "orderId", "amount", "currency", "provider", "providerReference"],
  "properties": {
    "paymentId": {"type": "string"}, "orderId": {"type": "string"},
    "amount": {"type": "integer", "minimum": 0}, "currency": {"type": "string"}, "provider": {"type": "string"},
    "providerReference": {"type": "string"}
  }
})json";

constexpr std::string_view failed_schema = R"json({
  "type": "object",
  "required": ["paymentId", "orderId", "code", "reason"],
  "properties": {
    "paymentId": {"type": "string"}, "orderId": {"type": "string"},
    "code": {"type": "string"}, "reason": {"type": "string"}
  }
})json";

constexpr std::string_view refunded_schema = R"json({
  "type": "object",
  "required": ["paymentId", "orderId", "amount", "currency", "refunded", "full"],
  "properties": {
    "paymentId": {"type": "string"}, "orderId": {"type": "string"},
    "amount": {"type": "integer", "minimum": 0}, "currency": {"type": "string"},
    "refunded": {"type": "integer", "minimum": 0}, "full": {"type": "boolean"}
  }
})json";

gantry::json_writer begin(std::string_view payment_id, std::string_view order_id) {
  gantry::json_writer out;
  out.reserve(256);
  out.object().field("paymentId", payment_id).field("orderId", order_id);
  return out;
}

}  // namespace

void emit_initiated(gantry::tx& tx, const payment_facts& facts) {
  gantry::json_writer out = begin(facts.payment_id, facts.order_id);
  out.field("amount", facts.amount).field("currency", facts.currency).field("provider", facts.provider).end();
  tx.emit(payment_topic, "PaymentInitiated", facts.order_id, out);
}

void emit_processed(gantry::tx& tx, const payment_facts& facts, std::string_view reference) {
  gantry::json_writer out = begin(facts.payment_id, facts.order_id);
  out.field("amount", facts.amount).field("currency", facts.currency).field("provider", facts.provider);
  out.field("providerReference", reference).end();
  tx.emit(payment_topic, "PaymentProcessed", facts.order_id, out);
}

void emit_failed(gantry::tx& tx, std::string_view order_id, std::string_view payment_id, std::string_view code,
                 std::string_view reason) {
  gantry::json_writer out = begin(payment_id, order_id);
  out.field("code", code).field("reason", reason).end();
  tx.emit(payment_topic, "PaymentFailed", order_id, out);
}

void emit_refunded(gantry::tx& tx, const refund_facts& facts) {
  gantry::json_writer out = begin(facts.payment_id, facts.order_id);
  out.field("amount", facts.amount).field("currency", facts.currency);
  out.field("refunded", facts.refunded).field("full", facts.full).end();
  tx.emit(payment_topic, "PaymentRefunded", facts.order_id, out);
}

void declare_events(gantry::setup& s) {
  s.emits(payment_topic, "PaymentInitiated", 1, initiated_schema);
  s.emits(payment_topic, "PaymentProcessed", 1, processed_schema);
  s.emits(payment_topic, "PaymentFailed", 1, failed_schema);
  s.emits(payment_topic, "PaymentRefunded", 1, refunded_schema);
}

}  // namespace shop::payment
