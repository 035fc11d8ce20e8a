// The payment plugin on a fake host: every way a payment can go.
#include <gtest/gtest.h>
#include <gantry/testing/fake_host.hpp>

#include "plugin.hpp"
#include "provider/signature.hpp"

namespace shop::payment {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view secret = "a secret of sixteen and more";

class PaymentTest : public testing::Test {
 protected:
  void SetUp() override { load(R"({"webhooks":{"secrets":{"simulator":"a secret of sixteen and more"}}})"); }
  void load(std::string_view config) {
    host_ = std::make_unique<gantry::testing::fake_host>();
    host_->load<payment_plugin>("payment", config);
  }

  void process(std::string_view token, std::int64_t amount = 1000) {
    const auto answer = host_->deliver("payment-commands", "ProcessPayment", "o-1",
                                       {{"orderId", "o-1"},
                                        {"customerId", "c-1"},
                                        {"amount", amount},
                                        {"currency", "EUR"},
                                        {"paymentMethod", {{"token", token}}}});
    EXPECT_TRUE(answer) << answer.text();
  }
  void refund() {
    const auto answer =
        host_->deliver("payment-commands", "RefundPayment", "o-1", {{"orderId", "o-1"}, {"reason", "cancelled"}});
    EXPECT_TRUE(answer) << answer.text();
  }
  gantry::call_reply ask_refund(std::string_view body, std::string_view id = "p-o-1") {
    return host_->request("POST", "/payments/" + std::string(id) + "/refund", body,
                          {{"idempotency-key", "k-" + std::to_string(++keys_)}});
  }
  gantry::call_reply call_back(const std::string& body, std::chrono::seconds age = 0s, std::string_view key = secret) {
    const std::string at = std::to_string(host_->clock().now().us / 1'000'000 - age.count());
    return host_->request("POST", "/payments/webhooks/simulator", body,
                          {{"webhook-timestamp", at}, {"webhook-signature", sign_webhook(key, at, body)}});
  }
  std::string told() {
    std::string all;
    for (const auto& e : host_->take_emitted()) all += (all.empty() ? "" : " ") + e.type;
    return all;
  }
  std::string status() { return std::string(host_->request("GET", "/payments/p-o-1").json()["status"].text()); }

  std::unique_ptr<gantry::testing::fake_host> host_;
  int keys_ = 0;
};

TEST_F(PaymentTest, ApprovedTokenIsCaptured) {
  process("tok_approve");
  EXPECT_EQ(told(), "PaymentInitiated");
  host_->run_jobs();
  ASSERT_EQ(host_->emitted().size(), 1U);
  EXPECT_EQ(host_->emitted()[0].data,
            R"({"paymentId":"p-o-1","orderId":"o-1","amount":1000,"currency":"EUR","provider":"simulator",)"
            R"("providerReference":"sim-p-o-1"})");
  const auto reply = host_->request("GET", "/payments/p-o-1");
  EXPECT_EQ(reply.json()["captured"].integer(), 1000);
  EXPECT_EQ(host_->request("GET", "/payments?orderId=o-1").json()["total"].integer(), 1);
  EXPECT_EQ(host_->request("GET", "/payments?orderId=o-2").json()["total"].integer(), 0);
  EXPECT_EQ(host_->request("GET", "/payments").status, 400);
  EXPECT_EQ(host_->request("GET", "/payments/p-o-2").status, 404);
}

TEST_F(PaymentTest, DeclinedTokenFails) {
  process("tok_decline");
  host_->run_jobs();
  EXPECT_EQ(host_->emitted().back().data,
            R"({"paymentId":"p-o-1","orderId":"o-1","code":"declined","reason":"the payment was declined"})");
  EXPECT_EQ(status(), "Failed");
}

TEST_F(PaymentTest, SlowTokenIsApprovedByCallback) {
  process("tok_slow");
  host_->run_jobs();
  EXPECT_EQ(told(), "PaymentInitiated");
  host_->advance(2s);
  host_->run_jobs();
  EXPECT_EQ(told(), "PaymentProcessed");
}

TEST_F(PaymentTest, DuplicateCallbacksHaveOneEffect) {
  process("tok_duplicate");
  host_->run_jobs();
  host_->advance(1s);
  host_->run_jobs();
  EXPECT_EQ(told(), "PaymentInitiated PaymentProcessed");
  EXPECT_EQ(host_->pending_jobs(), 0U);
}

TEST_F(PaymentTest, FaultyProviderIsTriedUntilItWorks) {
  process("tok_error");
  for (int i = 0; i < 3; ++i) {
    host_->run_jobs();
    host_->advance(1s);
  }
  EXPECT_EQ(told(), "PaymentInitiated PaymentProcessed");
}

TEST_F(PaymentTest, LostPaymentIsTakenWhenTheProviderCallsAfterAll) {
  process("tok_lost");
  host_->run_jobs();
  host_->advance(60s);
  host_->run_jobs();
  EXPECT_EQ(told(), "PaymentInitiated");
  EXPECT_EQ(call_back(R"({"paymentId":"p-o-1","outcome":"captured"})").status, 202);
  EXPECT_EQ(told(), "PaymentProcessed");
  EXPECT_EQ(call_back(R"({"paymentId":"p-o-1","outcome":"captured"})").status, 202);
  EXPECT_EQ(told(), "");
}

TEST_F(PaymentTest, LateSuccessOfACalledOffPaymentIsGivenBack) {
  process("tok_lost");
  host_->run_jobs();
  refund();
  EXPECT_EQ(told(), "PaymentInitiated PaymentRefunded");
  EXPECT_EQ(status(), "Cancelled");
  call_back(R"({"paymentId":"p-o-1","outcome":"captured","reference":"r-9"})");
  host_->run_jobs();
  EXPECT_EQ(told(), "PaymentRefunded");
  const auto payment = host_->request("GET", "/payments/p-o-1");
  EXPECT_EQ(payment.json()["status"].text(), "Refunded");
  EXPECT_EQ(payment.json()["refunded"].integer(), 1000);
}

TEST_F(PaymentTest, PaymentThatIsCalledOffInTimeIsNeverCharged) {
  process("tok_approve");
  refund();
  EXPECT_EQ(host_->pending_jobs(), 0U);
  EXPECT_EQ(told(), "PaymentInitiated PaymentRefunded");
  process("tok_approve");
  EXPECT_EQ(host_->take_emitted().back().data,
            R"({"paymentId":"p-o-1","orderId":"o-1","code":"cancelled","reason":"the payment was called off"})");
}

TEST_F(PaymentTest, AuthorisationByWebhookIsCaptured) {
  process("tok_lost");
  host_->run_jobs();
  EXPECT_EQ(call_back(R"({"paymentId":"p-o-1","outcome":"authorised","reference":"a-1"})").status, 202);
  host_->run_jobs();
  EXPECT_EQ(told(), "PaymentInitiated PaymentProcessed");
}

TEST_F(PaymentTest, TombstoneRefusesALatePayment) {
  refund();
  EXPECT_EQ(host_->take_emitted()[0].data,
            R"({"paymentId":"","orderId":"o-1","amount":0,"currency":"","refunded":0,"full":true})");
  process("tok_approve");
  EXPECT_EQ(told(), "PaymentFailed");
  EXPECT_EQ(host_->pending_jobs(), 0U);
  refund();
  EXPECT_EQ(told(), "PaymentRefunded");
}

TEST_F(PaymentTest, RepeatedCommandsAreAnsweredAlike) {
  process("tok_approve");
  process("tok_approve");
  EXPECT_EQ(told(), "PaymentInitiated");
  host_->run_jobs();
  process("tok_approve");
  EXPECT_EQ(told(), "PaymentProcessed PaymentProcessed");
  refund();
  refund();
  EXPECT_EQ(told(), "");
  EXPECT_EQ(host_->run_jobs(), 1U);
  EXPECT_EQ(host_->take_emitted()[0].data,
            R"({"paymentId":"p-o-1","orderId":"o-1","amount":1000,"currency":"EUR","refunded":1000,"full":true})");
  refund();
  EXPECT_EQ(host_->take_emitted()[0].data,
            R"({"paymentId":"p-o-1","orderId":"o-1","amount":0,"currency":"EUR","refunded":1000,"full":true})");
}

TEST_F(PaymentTest, PartialRefundsNeverExceedWhatWasCaptured) {
  process("tok_approve");
  host_->run_jobs();
  told();
  EXPECT_EQ(ask_refund(R"({"amount":400,"reason":"scratched"})").status, 202);
  EXPECT_EQ(ask_refund(R"({"amount":700})").status, 422);
  host_->run_jobs();
  EXPECT_EQ(host_->take_emitted()[0].data,
            R"({"paymentId":"p-o-1","orderId":"o-1","amount":400,"currency":"EUR","refunded":400,"full":false})");
  EXPECT_EQ(status(), "PartiallyRefunded");
  EXPECT_EQ(ask_refund("").status, 202);  // the rest
  host_->run_jobs();
  EXPECT_EQ(status(), "Refunded");
  EXPECT_EQ(ask_refund("").status, 409);
}

TEST_F(PaymentTest, BadRefundsAreRefused) {
  process("tok_decline");
  host_->run_jobs();
  EXPECT_EQ(ask_refund("").status, 409);
  EXPECT_EQ(ask_refund(R"({"amount":0})").status, 400);
  EXPECT_EQ(ask_refund(R"({"amount":"5","reason":7})").json()["errors"].size(), 2U);
  EXPECT_EQ(ask_refund("", "p-o-9").status, 404);
  EXPECT_EQ(host_->request("POST", "/payments/p-o-1/refund", "").status, 400);  // no Idempotency-Key
}

TEST_F(PaymentTest, CardNumbersAreRefusedAndKeptNowhere) {
  process("4111 1111 1111 1111");
  EXPECT_EQ(told(), "PaymentInitiated PaymentFailed");
  EXPECT_EQ(host_->pending_jobs(), 0U);
  for (const auto& row : host_->query("SELECT * FROM payments")) {
    for (const std::string& column : row) EXPECT_EQ(column.find("4111"), std::string::npos);
  }
}

TEST_F(PaymentTest, OrderThatCostsNothingNeedsNoProvider) {
  process("tok_decline", 0);
  EXPECT_EQ(told(), "PaymentInitiated PaymentProcessed");
  refund();
  EXPECT_EQ(told(), "PaymentRefunded");
  process("tok_decline", 0);
  EXPECT_EQ(told(), "PaymentFailed");
}

TEST_F(PaymentTest, WebhookNeedsAFreshSignature) {
  process("tok_lost");
  host_->run_jobs();
  const std::string body = R"({"paymentId":"p-o-1","outcome":"captured"})";
  EXPECT_EQ(call_back(body, 0s, "another secret").status, 401);
  EXPECT_EQ(call_back(body, 301s).status, 401);
  EXPECT_EQ(call_back(body, -301s).status, 401);
  EXPECT_EQ(call_back(body, 299s).status, 202);
  EXPECT_EQ(host_->request("POST", "/payments/webhooks/simulator", body).status, 401);
  EXPECT_EQ(host_->request("POST", "/payments/webhooks/http", body).status, 404);
  EXPECT_EQ(call_back(R"({"paymentId":"p-o-2","outcome":"captured"})").status, 404);
  EXPECT_EQ(call_back(R"({"paymentId":"x","outcome":"maybe"})").json()["errors"].size(), 2U);
  EXPECT_EQ(call_back("{").status, 400);
}

TEST_F(PaymentTest, GivenUpChargeFailsThePayment) {
  load(R"({"provider":"http","http":{"url":"http://127.0.0.1:1"}})");
  process("tok_1");
  for (int i = 0; i < 5; ++i) {
    host_->run_jobs();
    host_->advance(60s);
  }
  EXPECT_EQ(host_->take_emitted().back().data, R"({"paymentId":"p-o-1","orderId":"o-1","code":"provider_unavailable",)"
                                               R"("reason":"the payment provider could not be reached"})");
}

TEST_F(PaymentTest, RefundThatCanNotBePaidMayBeAskedForAgain) {
  process("tok_approve");
  host_->run_jobs();
  host_->exec("UPDATE payments SET refund_pending = 1000");
  refund();
  EXPECT_EQ(host_->pending_jobs(), 0U);  // under way
  host_->exec("UPDATE payments SET refund_pending = 0");
  refund();
  EXPECT_EQ(host_->pending_jobs(), 1U);
}

TEST_F(PaymentTest, BadConfigurationIsRefused) {
  gantry::testing::fake_host host;
  EXPECT_THROW(host.load<payment_plugin>("payment", R"({"webhooks":{"secrets":{"http":"short"}}})"),
               std::runtime_error);
  gantry::testing::fake_host other;
  EXPECT_THROW(other.load<payment_plugin>("payment", R"({"provider":"http","http":{"url":"http://"}})"),
               std::runtime_error);
}

}  // namespace
}  // namespace shop::payment
