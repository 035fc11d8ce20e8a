// A payment provider that is reached over HTTP. Its API, all POST with a JSON body and an Idempotency-Key:
//   /authorisations {paymentId, orderId, amount, currency, token} -> {status: authorised|captured|declined|pending,
//   ...} /captures       {paymentId, reference, amount, currency}      -> {status: captured|declined|pending, ...}
//   /refunds        {paymentId, reference, amount, currency}      -> {reference}
// with reference, code and reason in the answers. 402 is a refusal; 408, 409, 425, 429 and 5xx are tried again; any
// other status is final. What is pending is told later to POST /payments/webhooks/http.
#pragma once

#include "provider/http_client.hpp"
#include "provider/provider.hpp"

namespace shop::payment {

struct http_settings {
  http_base base;
  std::string api_key;  // sent as a bearer token; may be empty
  std::chrono::microseconds timeout = std::chrono::seconds(10);
};

class http_provider final : public provider {
 public:
  explicit http_provider(http_settings settings) : settings_(std::move(settings)) {}

  std::string_view name() const override { return "http"; }
  provider_answer authorise(const charge_request& charge) override;
  provider_answer capture(const charge_request& charge, std::string_view reference) override;
  std::string refund(const refund_request& refund) override;

 private:
  http_answer send(std::string_view path, std::string_view key, const std::string& body) const;

  http_settings settings_;
};

}  // namespace shop::payment
