// The template language: rendering, escaping, and what is refused at save.
#include <gtest/gtest.h>

#include "domain/message_template.hpp"
#include "domain/template_text.hpp"

namespace notification {
namespace {

std::string render(std::string_view source, std::string_view event, escape how = escape::html,
                   notice about = notice::order_confirmed, std::string_view locale = "en") {
  std::vector<template_fault> faults;
  const auto compiled = template_text::compile(source, how, variables_of(about), faults);
  if (!compiled) return "fault: " + faults.front().text;
  const auto document = gantry::json_document::parse(event);
  std::string out;
  std::string missing;
  if (!compiled->render(document.root(), money_style_of(locale), out, missing)) return "missing: " + missing;
  return out;
}

std::vector<template_fault> faults_of(std::string_view source) {
  std::vector<template_fault> faults;
  template_text::compile(source, escape::html, variables_of(notice::order_confirmed), faults);
  return faults;
}

TEST(Template, FillsInVariables) {
  EXPECT_EQ(render("Order {{orderId}} of {{ customerId }}.", R"({"orderId":"o-1","customerId":"c-1"})"),
            "Order o-1 of c-1.");
}

TEST(Template, MoneyIsWrittenForItsCurrencyAndLocale) {
  EXPECT_EQ(render("{{total|money}}", R"({"total":123456,"currency":"EUR"})"), "1234.56 EUR");
  EXPECT_EQ(
      render("{{total|money}}", R"({"total":5,"currency":"EUR"})", escape::plain, notice::order_confirmed, "de-AT"),
      "0,05 EUR");
  EXPECT_EQ(render("{{total|money}}", R"({"total":1500,"currency":"JPY"})"), "1500 JPY");
  EXPECT_EQ(render("{{total|money}}", R"({"total":1500,"currency":"KWD"})"), "1.500 KWD");
  EXPECT_EQ(format_money(-5, "EUR", {}), "-0.05 EUR");
  EXPECT_EQ(format_money(INT64_MIN, "JPY", {}), "-9223372036854775808 JPY");
}

TEST(Template, ListsRepeatTheirSectionAndSeeOuterNames) {
  EXPECT_EQ(render("{{#lines}}{{quantity}}x{{name}} {{lineTotal|money}} of {{orderId}};{{/lines}}",
                   R"({"orderId":"o","currency":"EUR","lines":[{"name":"Tea","quantity":2,"lineTotal":900},)"
                   R"({"name":"Cup","quantity":1,"lineTotal":100}]})"),
            "2xTea 9.00 EUR of o;1xCup 1.00 EUR of o;");
  EXPECT_EQ(render("<{{#lines}}x{{/lines}}>", R"({"lines":[]})"), "<>");
}

TEST(Template, BooleansShowTheirSectionOrNot) {
  EXPECT_EQ(render("{{#full}}all{{/full}}", R"({"full":true})", escape::html, notice::payment_refunded), "all");
  EXPECT_EQ(render("{{#full}}all{{/full}}", R"({"full":false})", escape::html, notice::payment_refunded), "");
}

TEST(Template, WhatCustomersTypeCantBecomeHtml) {
  EXPECT_EQ(render("{{customerId}}", R"({"customerId":"<script>\"'&"})"), "&lt;script&gt;&quot;&#39;&amp;");
}

TEST(Template, WhatCustomersTypeCantBecomeAHeader) {
  EXPECT_EQ(render("{{customerId}}", R"({"customerId":"a\r\nBcc: eve"})", escape::line), "a  Bcc: eve");
  EXPECT_EQ(render("{{customerId}}", R"({"customerId":"a\u0000b\nc<"})", escape::plain), "ab\nc<");
}

TEST(Template, AMissingVariableIsNamed) {
  EXPECT_EQ(render("{{orderId}}", "{}"), "missing: orderId");
  EXPECT_EQ(render("{{total|money}}", R"({"total":1})"), "missing: currency");
  EXPECT_EQ(render("{{#lines}}{{sku}}{{/lines}}", R"({"lines":[{}]})"), "missing: sku");
}

TEST(Template, AnUnknownVariableIsAnErrorThatSaysWhereAndWhatThereIs) {
  const auto faults = faults_of("one\n  {{nope}}");
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].line, 2U);
  EXPECT_EQ(faults[0].column, 3U);
  EXPECT_NE(faults[0].text.find("\"nope\""), std::string::npos);
  EXPECT_NE(faults[0].text.find("orderId"), std::string::npos);
}

TEST(Template, EverythingMalformedIsRefused) {
  for (const char* source :
       {"{{orderId", "{{#lines}}", "{{/lines}}", "{{#lines}}{{/total}}", "{{lines}}", "{{#orderId}}{{/orderId}}",
        "{{orderId|money}}", "{{total|upper}}", "{{sku}}", "{{}}", "{{{orderId}}}"}) {
    EXPECT_FALSE(faults_of(source).empty()) << source;
  }
}

TEST(Template, AllFaultsAreReportedAtOnce) { EXPECT_EQ(faults_of("{{a}} {{b}} {{orderId}}").size(), 2U); }

TEST(BuiltIn, EveryNoticeHasTemplatesThatCompileAndRenderItsSample) {
  int count = 0;
  for (built_in_template& entry : built_in_templates()) {
    std::vector<template_error> errors;
    const auto compiled = message_template::compile(entry.about, entry.locale, 1, entry.source, errors);
    ASSERT_TRUE(compiled) << name_of(entry.about) << ": " << errors.front().text;
    const auto sample = gantry::json_document::parse(sample_of(entry.about));
    std::string missing;
    const auto message = compiled->render(sample.root(), missing);
    ASSERT_TRUE(message) << name_of(entry.about) << " lacks " << missing;
    EXPECT_FALSE(message->subject.empty());
    EXPECT_FALSE(message->brief.empty());
    EXPECT_EQ(message->html.find("{{"), std::string::npos);
    ++count;
  }
  EXPECT_EQ(count, 10);
}

TEST(MessageTemplate, NamesThePartThatIsWrong) {
  std::vector<template_error> errors;
  EXPECT_FALSE(message_template::compile(notice::order_confirmed, "en", 1, {"{{x}}", "ok", "{{y}}", "ok"}, errors));
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0].field, "subject");
  EXPECT_EQ(errors[1].field, "html");
}

TEST(Locale, HasALanguageAndMaybeACountry) {
  EXPECT_TRUE(is_locale("de"));
  EXPECT_TRUE(is_locale("de-AT"));
  for (const char* text : {"", "d", "DE", "de_AT", "de-at", "deu", "../x"}) EXPECT_FALSE(is_locale(text)) << text;
}

}  // namespace
}  // namespace notification
