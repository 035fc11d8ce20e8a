#include "provider/http_provider.hpp"

#include "gantry/failure.hpp"
#include "gantry/json.hpp"
#include "gantry/json_writer.hpp"

namespace shop::payment {
namespace {

bool may_go_better(int status) {
  return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

gantry::json_document parsed(const http_answer& answer) {
  gantry::json_error error;
  auto document = gantry::json_document::try_parse(answer.body, error);
  if (!document) throw gantry::retry_later(std::string("the provider's answer is not JSON: ") + error.what());
  return *std::move(document);
}

provider_answer read_answer(const http_answer& answer, std::string_view reference) {
  if (may_go_better(answer.status)) {
    throw gantry::retry_later("the provider answered " + std::to_string(answer.status));
  }
  const gantry::json_document document = parsed(answer);
  const gantry::json_view root = document.root();
  const std::string_view status = root["status"].text();
  provider_answer out;
  out.reference = root["reference"].text_or(reference);
  out.code = root["code"].text();
  out.reason = root["reason"].text();
  if (answer.status == 402 || status == "declined") {
    out.verdict = provider_verdict::declined;
    if (out.code.empty()) out.code = "declined";
  } else if (answer.status >= 300) {
    throw gantry::rejected("the provider answered " + std::to_string(answer.status));
  } else if (status == "authorised") {
    out.verdict = provider_verdict::authorised;
  } else if (status == "captured") {
    out.verdict = provider_verdict::captured;
  } else if (status != "pending") {
    throw gantry::rejected("the provider answered with status '" + std::string(status) +
                           "', expected authorised, captured, declined or pending");
  }
  return out;
}

}  // namespace

provider_answer http_provider::authorise(const charge_request& charge) {
  gantry::json_writer body;
  body.object().field("paymentId", charge.payment_id).field("orderId", charge.order_id).field("amount", charge.amount);
  body.field("currency", charge.currency).field("token", charge.token).end();
  return read_answer(send("/authorisations", std::string(charge.payment_id) + "-authorise", body.str()), {});
}

provider_answer http_provider::capture(const charge_request& charge, std::string_view reference) {
  gantry::json_writer body;
  body.object().field("paymentId", charge.payment_id).field("reference", reference).field("amount", charge.amount);
  body.field("currency", charge.currency).end();
  return read_answer(send("/captures", std::string(charge.payment_id) + "-capture", body.str()), reference);
}

std::string http_provider::refund(const refund_request& refund) {
  gantry::json_writer body;
  body.object().field("paymentId", refund.payment_id).field("reference", refund.reference);
  body.field("amount", refund.amount).field("currency", refund.currency).end();
  const http_answer answer = send("/refunds", refund.key, body.str());
  if (may_go_better(answer.status)) {
    throw gantry::retry_later("the provider answered " + std::to_string(answer.status));
  }
  if (answer.status >= 300) {
    throw gantry::rejected("the provider answered " + std::to_string(answer.status) + " to a refund");
  }
  const gantry::json_document document = parsed(answer);
  return std::string(document.root()["reference"].text());
}

http_answer http_provider::send(std::string_view path, std::string_view key, const std::string& body) const {
  std::vector<std::pair<std::string, std::string>> headers = {{"Idempotency-Key", std::string(key)}};
  if (!settings_.api_key.empty()) headers.emplace_back("Authorization", "Bearer " + settings_.api_key);
  return post_json(settings_.base, path, headers, body, settings_.timeout);
}

}  // namespace shop::payment
