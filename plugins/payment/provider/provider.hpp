// What a payment provider can do. The job runtime calls it, outside any transaction. Thread: pool, many at a time.
//
// Implementations throw gantry::retry_later for what may go better next time and gantry::rejected for what never will.
// Every call carries an idempotency key, so a repeated one has the effect of the first.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "domain/payment.hpp"

namespace shop::payment {

// Texts are borrowed for the call.
struct charge_request {
  std::string_view payment_id;
  std::string_view order_id;
  std::int64_t amount = 0;
  std::string_view currency;
  std::string_view token;
  std::uint32_t attempt = 1;
};

struct refund_request {
  std::string_view key;  // idempotency key
  std::string_view payment_id;
  std::string_view reference;  // of the charge
  std::int64_t amount = 0;
  std::string_view currency;
};

// What a provider answered. `callbacks` are what a simulated provider will tell later, each after its delay.
struct provider_answer {
  provider_verdict verdict = provider_verdict::pending;
  std::string reference;
  std::string code;    // of a refusal
  std::string reason;  // of a refusal, for people
  std::vector<std::chrono::microseconds> callbacks;
};

class provider {
 public:
  provider() = default;
  provider(const provider&) = delete;
  provider& operator=(const provider&) = delete;
  virtual ~provider() = default;

  virtual std::string_view name() const = 0;
  // authorised, declined, or pending: then its webhook tells.
  virtual provider_answer authorise(const charge_request& charge) = 0;
  // captured, declined or pending, for an authorisation of that reference.
  virtual provider_answer capture(const charge_request& charge, std::string_view reference) = 0;
  // Pays back; the provider's reference of the refund.
  virtual std::string refund(const refund_request& refund) = 0;
};

}  // namespace shop::payment
