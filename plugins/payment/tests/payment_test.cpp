#include "domain/payment.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace shop::payment {
namespace {

TEST(PaymentId, FollowsFromTheOrderAndLeadsBack) {
  const std::string order = "01890a5d-ac96-774b-bcce-b302099a8057";
  EXPECT_EQ(payment_id_of(order), "01890a5d-ac96-774b-bcce-b302099a805f");
  EXPECT_EQ(order_id_of(payment_id_of(order)), order);
  EXPECT_EQ(payment_id_of("o-1"), "p-o-1");
  EXPECT_EQ(order_id_of("p-o-1"), "o-1");
  EXPECT_FALSE(order_id_of("o-1"));
  EXPECT_FALSE(order_id_of("p-"));
  EXPECT_FALSE(order_id_of("p-" + order));
}

TEST(PaymentId, NeverMeetsThatOfAnotherOrder) {
  EXPECT_TRUE(rc::check(
      [](const std::string& order) { RC_ASSERT(order.empty() || order_id_of(payment_id_of(order)) == order); }));
}

TEST(Settle, OnlyAnOpenPaymentIsTaken) {
  using enum payment_status;
  EXPECT_EQ(settle(initiated, provider_verdict::captured), settlement::take);
  EXPECT_EQ(settle(initiated, provider_verdict::declined), settlement::fail);
  EXPECT_EQ(settle(initiated, provider_verdict::pending), settlement::await);
  EXPECT_EQ(settle(initiated, provider_verdict::authorised), settlement::capture);
  for (const auto status : {captured, partially_refunded, refunded}) {
    for (const auto verdict : {provider_verdict::authorised, provider_verdict::captured, provider_verdict::declined,
                               provider_verdict::pending}) {
      EXPECT_EQ(settle(status, verdict), settlement::ignore);
    }
  }
}

TEST(Settle, MoneyThatComesAfterGivingUpIsGivenBack) {
  EXPECT_EQ(settle(payment_status::failed, provider_verdict::captured), settlement::give_back);
  EXPECT_EQ(settle(payment_status::cancelled, provider_verdict::captured), settlement::give_back);
  EXPECT_EQ(settle(payment_status::cancelled, provider_verdict::declined), settlement::ignore);
  EXPECT_EQ(settle(payment_status::cancelled, provider_verdict::authorised), settlement::ignore);
}

TEST(Refund, IsPlannedFromWhatIsLeft) {
  using enum payment_status;
  EXPECT_EQ(plan_refund(initiated, {100, 0, 0, 0}, {}).kind, refund_kind::call_off);
  EXPECT_EQ(plan_refund(failed, {100, 0, 0, 0}, {}).kind, refund_kind::nothing);
  EXPECT_EQ(plan_refund(captured, {100, 100, 0, 0}, {}).amount, 100);
  EXPECT_EQ(plan_refund(captured, {100, 100, 0, 0}, 40).amount, 40);
  EXPECT_EQ(plan_refund(partially_refunded, {100, 100, 40, 0}, 90).amount, 60);
  EXPECT_EQ(plan_refund(captured, {100, 100, 0, 100}, {}).kind, refund_kind::under_way);
  EXPECT_EQ(plan_refund(refunded, {100, 100, 100, 0}, {}).kind, refund_kind::done_before);
}

TEST(Refund, NeverExceedsWhatWasCaptured) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint16_t>& wishes, std::uint16_t paid) {
    amounts sums{paid, paid, 0, 0};
    for (const std::uint16_t wish : wishes) {
      const refund_plan plan = plan_refund(payment_status::captured, sums, wish);
      sums.refund_pending += plan.amount;
      RC_ASSERT(sums.refunded + sums.refund_pending <= sums.captured);
      if (wish % 2 == 0) {
        sums.refunded += sums.refund_pending;
        sums.refund_pending = 0;
      }
    }
  }));
}

TEST(CardNumbers, AreToldFromTokens) {
  EXPECT_TRUE(looks_like_card_number("5500 0000 0000 0004"));
  EXPECT_TRUE(looks_like_card_number("340000000000009"));
  EXPECT_FALSE(looks_like_card_number("tok_approve"));
  EXPECT_FALSE(looks_like_card_number("12345678901234567890"));
}

}  // namespace
}  // namespace shop::payment
