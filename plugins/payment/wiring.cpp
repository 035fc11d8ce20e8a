#include "api/config.hpp"
#include "events/emit.hpp"
#include "events/job_texts.hpp"
#include "plugin.hpp"

namespace shop::payment {

using gantry::context;
using gantry::request;

void payment_plugin::setup(gantry::setup& s) {
  s.config_schema(config_schema);
  s.get("/payments", [this](const request& q, context& c) { return routes_->list(q, c); });
  s.get("/payments/{id}", [this](const request& q, context& c) { return routes_->get(q, c); });
  s.post(
      "/payments/{id}/refund", [this](const request& q, context& c) { return routes_->refund(q, c); },
      gantry::idempotent);
  s.post("/payments/webhooks/{provider}", [this](const request& q, context& c) { return routes_->webhook(q, c); });
  declare_events(s);
  s.on("payment-commands", "ProcessPayment",
       [this](const gantry::event& e, gantry::tx& tx) { return cashier_->process(e, tx); });
  s.on("payment-commands", "RefundPayment",
       [this](const gantry::event& e, gantry::tx& tx) { return cashier_->refund(e, tx); });
  declare_jobs(s);
}

void payment_plugin::start(gantry::start_context& ctx) {
  const gantry::json_view config = ctx.host().config();
  cashier_.emplace(make_provider(config), ctx.host());
  routes_.emplace(*cashier_, read_webhooks(config));
}

void payment_plugin::declare_jobs(gantry::setup& s) {
  using gantry::job;
  using gantry::tx;
  gantry::job_options charge;
  charge.max_attempts = 5;
  s.job(
      charge_job, [this](const job& j, context& c) { return cashier_->run_charge(j, c); },
      [this](const job& j, std::string_view result, tx& t) { cashier_->charge_done(j, result, t); },
      [this](const job& j, std::string_view error, tx& t) { cashier_->charge_failed(j, error, t); }, charge);
  s.job(
      callback_job, [this](const job& j, context& c) { return cashier_->run_callback(j, c); },
      [this](const job&, std::string_view result, tx& t) {
        const auto document = gantry::json_document::parse(result);
        cashier_->settle_payment(t, document.root()["orderId"].text(), read_answer_text(result));
      });
  gantry::job_options refund;
  refund.max_attempts = 8;
  s.job(
      refund_job, [this](const job& j, context& c) { return cashier_->run_refund(j, c); },
      [this](const job& j, std::string_view result, tx& t) { cashier_->refund_done(j, result, t); },
      [this](const job& j, std::string_view error, tx& t) { cashier_->refund_failed(j, error, t); }, refund);
}

}  // namespace shop::payment
