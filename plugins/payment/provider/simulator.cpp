#include "provider/simulator.hpp"

#include "gantry/failure.hpp"

namespace shop::payment {
namespace {

// A number from 0 to 1 that follows from the id alone.
double share_of(std::string_view payment_id) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : payment_id) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211ULL;
  }
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  return static_cast<double>(hash >> 11) / static_cast<double>(1ULL << 53);
}

provider_answer verdict_of(provider_verdict verdict, const charge_request& charge) {
  provider_answer answer;
  answer.verdict = verdict;
  answer.reference = std::string("sim-").append(charge.payment_id);
  return answer;
}

provider_answer declined(const charge_request& charge) {
  provider_answer answer = verdict_of(provider_verdict::declined, charge);
  answer.code = "declined";
  answer.reason = "the payment was declined";
  return answer;
}

provider_answer later(const charge_request& charge, std::vector<std::chrono::microseconds> callbacks) {
  provider_answer answer = verdict_of(provider_verdict::pending, charge);
  answer.callbacks = std::move(callbacks);
  return answer;
}

}  // namespace

provider_answer simulator::authorise(const charge_request& charge) {
  if (charge.token == "tok_decline") return declined(charge);
  if (charge.token == "tok_slow") return later(charge, {settings_.slow_delay});
  if (charge.token == "tok_lost") return later(charge, {});
  if (charge.token == "tok_duplicate") {
    return later(charge, {settings_.delay, settings_.delay + settings_.duplicate_gap});
  }
  if (charge.token == "tok_error" && charge.attempt < 3) {
    throw gantry::retry_later("the simulated provider is out of order at attempt " + std::to_string(charge.attempt));
  }
  if (share_of(charge.payment_id) >= settings_.approve_ratio) return declined(charge);
  if (settings_.delay.count() > 0) return later(charge, {settings_.delay});
  return verdict_of(provider_verdict::authorised, charge);
}

provider_answer simulator::capture(const charge_request& charge, std::string_view reference) {
  provider_answer answer = verdict_of(provider_verdict::captured, charge);
  answer.reference = reference;
  return answer;
}

std::string simulator::refund(const refund_request& refund) { return std::string("simr-").append(refund.key); }

}  // namespace shop::payment
