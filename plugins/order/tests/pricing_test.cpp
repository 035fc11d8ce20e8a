#include "domain/pricing.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "domain/placement.hpp"

namespace shop::order {
namespace {

wanted_order good_order() {
  wanted_order wanted;
  wanted.customer_id = "c-1";
  wanted.lines = {{"sku-1", 2}, {"sku-2", 1}};
  wanted.address = {"Ada", "1 Main St", "", "Berlin", "", "10115", "DE"};
  wanted.token = "tok_approve";
  wanted.currency = "EUR";
  return wanted;
}

std::vector<product_price> products() { return {{"sku-1", "Cup", 500, "EUR"}, {"sku-2", "Pot", 1999, "EUR"}}; }

std::string fields(const std::vector<defect>& defects) {
  std::string all;
  for (const defect& d : defects) all += (all.empty() ? "" : " ") + d.field;
  return all;
}

TEST(Placement, AGoodOrderHasNoDefects) { EXPECT_EQ(fields(validate(good_order())), ""); }

TEST(Placement, EveryBadFieldIsNamed) {
  wanted_order wanted = good_order();
  wanted.customer_id = "";
  wanted.lines = {{"sku 1", 0}, {"sku-2", 1001}, {"sku-2", std::nullopt}};
  wanted.address = {"", "", std::string_view("\x01", 1), "", "", "", "de"};
  wanted.token = "4111 1111 1111 1111";
  wanted.currency = "euro";
  EXPECT_EQ(fields(validate(wanted)),
            "customerId lines[0].sku lines[0].quantity lines[1].quantity lines[2].quantity lines[2].sku "
            "shippingAddress.name shippingAddress.line1 shippingAddress.line2 shippingAddress.city "
            "shippingAddress.postalCode shippingAddress.country paymentMethod.token currency");
}

TEST(Placement, TakesOneToAHundredLines) {
  wanted_order wanted = good_order();
  std::vector<std::string> skus;
  for (std::size_t i = 0; i < 101; ++i) skus.push_back("s" + std::to_string(i));
  wanted.lines.clear();
  EXPECT_EQ(fields(validate(wanted)), "lines");
  for (std::size_t i = 0; i < 100; ++i) wanted.lines.push_back({skus[i], 1});
  EXPECT_EQ(fields(validate(wanted)), "");
  wanted.lines.push_back({skus[100], 1});
  EXPECT_EQ(fields(validate(wanted)), "lines");
}

TEST(Placement, KnowsCardNumbersFromTokens) {
  EXPECT_TRUE(looks_like_card_number("4111111111111111"));
  EXPECT_TRUE(looks_like_card_number("4111-1111-1111-1111"));
  EXPECT_FALSE(looks_like_card_number("tok_4111111111111111"));
  EXPECT_FALSE(looks_like_card_number("12345678901"));
}

TEST(Pricing, SumsLinesAndAddsShipping) {
  settings config;
  config.shipping_fee = 490;
  const quotation quote = price(good_order(), products(), config, 0);
  EXPECT_EQ(quote.subtotal, 2999);
  EXPECT_EQ(quote.shipping, 490);
  EXPECT_EQ(quote.total, 3489);
  EXPECT_EQ(quote.lines[0].line_total, 1000);
  EXPECT_EQ(quote.lines[1].name, "Pot");
}

TEST(Pricing, FindsProductsInAnyOrder) {
  auto listed = products();
  std::swap(listed[0], listed[1]);
  EXPECT_EQ(price(good_order(), listed, {}, 0).total, 2999);
}

TEST(Pricing, NamesUnknownProductsAndForeignCurrencies) {
  const quotation unknown = price(good_order(), {{"sku-1", "Cup", 500, "EUR"}}, {}, 0);
  EXPECT_EQ(unknown.problem, price_problem::unknown_sku);
  EXPECT_EQ(fields(unknown.defects), "lines[1].sku");
  const quotation foreign = price(good_order(), {{"sku-1", "Cup", 500, "USD"}, {"sku-2", "Pot", 1, "EUR"}}, {}, 0);
  EXPECT_EQ(foreign.problem, price_problem::wrong_currency);
  EXPECT_EQ(fields(foreign.defects), "lines[0].sku");
}

TEST(Pricing, RefusesSumsThatOverflow) {
  const quotation quote = price(good_order(), {{"sku-1", "", INT64_MAX, "EUR"}, {"sku-2", "", 1, "EUR"}}, {}, 0);
  EXPECT_EQ(quote.problem, price_problem::too_large);
}

TEST(Pricing, VouchersTakeAPercentageOrAnAmountWhileTheyAreValid) {
  settings config;
  config.vouchers = {
      {"TEN", 10, 0, "", 0}, {"FIVER", 0, 500, "EUR", 1000}, {"ALL", 0, 99999, "", 0}, {"USD", 5, 0, "USD", 0}};
  wanted_order wanted = good_order();
  wanted.voucher = "TEN";
  EXPECT_EQ(price(wanted, products(), config, 0).discount, 299);
  wanted.voucher = "FIVER";
  EXPECT_EQ(price(wanted, products(), config, 1000).total, 2499);
  EXPECT_EQ(price(wanted, products(), config, 1001).problem, price_problem::bad_voucher);
  wanted.voucher = "ALL";
  EXPECT_EQ(price(wanted, products(), config, 0).total, 0);
  wanted.voucher = "USD";
  EXPECT_EQ(price(wanted, products(), config, 0).problem, price_problem::bad_voucher);
  wanted.voucher = "NONE";
  EXPECT_EQ(fields(price(wanted, products(), config, 0).defects), "voucher");
}

TEST(Pricing, NoVoucherMakesAnOrderCheaperThanItsShipping) {
  EXPECT_TRUE(rc::check([](std::int64_t percent, std::uint32_t a, std::uint32_t b, std::uint16_t fee) {
    settings config;
    config.shipping_fee = fee;
    config.vouchers = {{"V", 1 + std::abs(percent % 100), 0, "", 0}};
    wanted_order wanted = good_order();
    wanted.voucher = "V";
    const quotation quote = price(wanted, {{"sku-1", "", a, "EUR"}, {"sku-2", "", b, "EUR"}}, config, 0);
    RC_ASSERT(quote.defects.empty());
    RC_ASSERT(quote.discount >= 0 && quote.discount <= quote.subtotal);
    RC_ASSERT(quote.total == quote.subtotal + quote.shipping - quote.discount);
  }));
}

TEST(Durations, AreReadWithTheirUnits) {
  EXPECT_EQ(parse_duration("250ms"), std::chrono::milliseconds(250));
  EXPECT_EQ(parse_duration("15m"), std::chrono::minutes(15));
  EXPECT_EQ(parse_duration("7d"), std::chrono::hours(168));
  for (const char* bad : {"", "s", "-1s", "1.5s", "10", "10 s", "9223372036854775807d"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

}  // namespace
}  // namespace shop::order
