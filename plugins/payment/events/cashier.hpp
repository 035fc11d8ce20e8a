// Moves payments on: commands of the order saga, the provider's answers, refunds. Owned by the plugin; shared by all
// workers. Thread: as each function says.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "events/emit.hpp"
#include "gantry/plugin.hpp"
#include "provider/provider.hpp"
#include "store/payments.hpp"

namespace shop::payment {

inline constexpr std::string_view charge_job = "charge";
inline constexpr std::string_view callback_job = "callback";
inline constexpr std::string_view refund_job = "refund";

class cashier {
 public:
  cashier(std::unique_ptr<provider> provider, gantry::host host) : provider_(std::move(provider)), host_(host) {}

  std::string_view provider_name() const { return provider_->name(); }

  // ProcessPayment of the order saga. [lane]
  gantry::outcome process(const gantry::event& event, gantry::tx& tx);
  // RefundPayment of the order saga. [lane]
  gantry::outcome refund(const gantry::event& event, gantry::tx& tx);

  // Job "charge": authorises and captures; or captures, when its payload names an authorisation. [pool]
  std::string run_charge(const gantry::job& job, gantry::context& ctx);
  void charge_done(const gantry::job& job, std::string_view result, gantry::tx& tx);
  void charge_failed(const gantry::job& job, std::string_view error, gantry::tx& tx);

  // Job "callback": what a simulated provider tells later. [pool]
  std::string run_callback(const gantry::job& job, gantry::context& ctx);

  // Job "refund". [pool]
  std::string run_refund(const gantry::job& job, gantry::context& ctx);
  void refund_done(const gantry::job& job, std::string_view result, gantry::tx& tx);
  void refund_failed(const gantry::job& job, std::string_view error, gantry::tx& tx);

  // What the provider's answer makes of a payment; false if there is no such payment. [lane]
  bool settle_payment(gantry::tx& tx, std::string_view order_id, const provider_answer& answer);

  // Sets `amount` apart and schedules its refund. The row is that of this transaction. [lane]
  void begin_refund(gantry::tx& tx, payment_row& row, std::int64_t amount, std::string_view reason);

 private:
  void answer_again(gantry::tx& tx, std::string_view order_id);
  void call_off(gantry::tx& tx, payment_row& row);

  std::unique_ptr<provider> provider_;
  gantry::host host_;
};

}  // namespace shop::payment
