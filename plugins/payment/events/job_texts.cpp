#include "events/job_texts.hpp"

namespace shop::payment {
namespace {

void put_answer(gantry::json_writer& out, const provider_answer& answer) {
  out.field("verdict", static_cast<int>(answer.verdict)).field("reference", answer.reference);
  if (!answer.code.empty()) out.field("code", answer.code).field("reason", answer.reason);
  if (answer.callbacks.empty()) return;
  out.key("callbacksUs").array();
  for (const std::chrono::microseconds delay : answer.callbacks) out.value(delay.count());
  out.end();
}

}  // namespace

std::string charge_text(const charge_payload& payload) {
  gantry::json_writer out;
  out.reserve(256);
  out.object().field("paymentId", payload.payment_id).field("orderId", payload.order_id);
  out.field("amount", payload.amount).field("currency", payload.currency).field("token", payload.token);
  if (!payload.reference.empty()) out.field("reference", payload.reference);
  out.end();
  return out.take();
}

charge_payload read_charge(gantry::json_view from) {
  return {from["paymentId"].text(), from["orderId"].text(), from["amount"].integer(),
          from["currency"].text(),  from["token"].text(),   from["reference"].text()};
}

std::string refund_text(const refund_payload& payload) {
  gantry::json_writer out;
  out.object().field("paymentId", payload.payment_id).field("orderId", payload.order_id);
  out.field("amount", payload.amount).field("currency", payload.currency).field("reference", payload.reference);
  out.field("reason", payload.reason).end();
  return out.take();
}

refund_payload read_refund(gantry::json_view from) {
  return {from["paymentId"].text(), from["orderId"].text(),   from["amount"].integer(),
          from["currency"].text(),  from["reference"].text(), from["reason"].text()};
}

std::string answer_text(const provider_answer& answer) {
  gantry::json_writer out;
  out.object();
  put_answer(out, answer);
  out.end();
  return out.take();
}

provider_answer read_answer_text(std::string_view text) {
  const auto document = gantry::json_document::parse(text);
  const gantry::json_view root = document.root();
  provider_answer answer;
  const std::int64_t verdict = root["verdict"].integer(-1);
  if (verdict < 0 || verdict > static_cast<std::int64_t>(provider_verdict::pending)) {
    throw gantry::rejected("a charge has an unknown result: " + std::string(text));
  }
  answer.verdict = static_cast<provider_verdict>(verdict);
  answer.reference = root["reference"].text();
  answer.code = root["code"].text();
  answer.reason = root["reason"].text();
  for (const gantry::json_view delay : root["callbacksUs"]) answer.callbacks.emplace_back(delay.integer());
  return answer;
}

std::string callback_text(std::string_view order_id, const provider_answer& answer) {
  gantry::json_writer out;
  out.object().field("orderId", order_id);
  put_answer(out, answer);
  out.end();
  return out.take();
}

}  // namespace shop::payment
