// A payment provider that runs in this process and decides by the token: for tests, demos and benchmarks.
//
// tok_approve approves; tok_decline declines; tok_slow approves by a callback after `slow_delay`; tok_lost never calls
// back; tok_duplicate calls back twice; tok_error fails twice and approves at the third attempt. Any other token is
// approved with probability `approve_ratio`, decided by the payment's id, so that every attempt decides alike.
#pragma once

#include "provider/provider.hpp"

namespace shop::payment {

struct simulator_settings {
  double approve_ratio = 1.0;                                               // 0 to 1; also for tok_approve
  std::chrono::microseconds delay{};                                        // more than 0: approvals come by callback
  std::chrono::microseconds slow_delay = std::chrono::seconds(2);           // of tok_slow
  std::chrono::microseconds duplicate_gap = std::chrono::milliseconds(50);  // between the callbacks of tok_duplicate
};

class simulator final : public provider {
 public:
  explicit simulator(const simulator_settings& settings) : settings_(settings) {}

  std::string_view name() const override { return "simulator"; }
  provider_answer authorise(const charge_request& charge) override;
  provider_answer capture(const charge_request& charge, std::string_view reference) override;
  std::string refund(const refund_request& refund) override;

 private:
  simulator_settings settings_;
};

}  // namespace shop::payment
