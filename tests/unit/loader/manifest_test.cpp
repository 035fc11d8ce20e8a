#include "loader/manifest.hpp"

#include <gtest/gtest.h>

#include "loader/inspect.hpp"

namespace gantry::loader {
namespace {

constexpr const char* order =
    R"({"id":"order","version":"1.2.0","abi":"1.0","sdk":"gantry-cpp 0.1.0","buildId":"ab",)"
    R"("capabilities":{"needs":["gantry.bus/1","gantry.http/1"],"offers":["gantry.handover/1"]},)"
    R"("routes":[{"method":"POST","pattern":"/orders","idempotent":true}],)"
    R"("consumes":[{"topic":"payment-events","type":"PaymentFailed","minVersion":1,"maxVersion":2,"mode":"event",)"
    R"("start":"earliest"}],"replays":["payment-events"],)"
    R"("emits":[{"topic":"order-events","type":"OrderCreated","version":1,"schema":{"type":"object"}}],)"
    R"("calls":["catalog"],"jobs":["pay"],"timers":["step"],"sagas":["order"],"configSchema":{"type":"object"},)"
    R"("migrations":[{"number":1,"name":"orders","driver":"","sha256":"00"}]})";

std::string refusal(std::string text, const std::string& part, const std::string& other) {
  text.replace(text.find(part), part.size(), other);
  auto parsed = parse_manifest(text);
  return parsed ? "accepted" : parsed.failure().text;
}

TEST(Manifest, IsReadAndWrittenUnchanged) {
  const auto parsed = parse_manifest(order);
  ASSERT_TRUE(parsed) << parsed.failure().text;
  EXPECT_EQ(parsed->consumes.at(0).max_version, 2U);
  EXPECT_EQ(to_json(*parsed), order);
}

TEST(Manifest, WhatIsWrongIsNamedByItsPlace) {
  EXPECT_EQ(refusal(order, R"("id":"order",)", ""), "the manifest is not one: /id: found nothing, expected text");
  EXPECT_EQ(refusal(order, R"("abi":"1.0")", R"("abi":"one")"),
            "the manifest is not one: /abi: found \"one\", expected a version such as \"1.0\"");
  EXPECT_EQ(refusal(order, R"("minVersion":1)", R"("minVersion":-1)"),
            "the manifest is not one: /consumes/0/minVersion: found -1, expected a whole number from 0 to 4294967295");
  EXPECT_EQ(refusal(order, R"("mode":"event")", R"("mode":"evnt")"),
            "the manifest is not one: /consumes/0/mode: found \"evnt\", expected event or batch or observe");
  EXPECT_EQ(refusal(order, R"("calls":["catalog"])", R"("calls":"catalog")"),
            "the manifest is not one: /calls: found text, expected a list");
  EXPECT_EQ(parse_manifest("[]").failure().text,
            "the manifest is not one: the document: found a list, expected an object");
  EXPECT_FALSE(parse_manifest("{"));
}

TEST(Manifest, MembersOfNewerSdksArePassedOver) {
  EXPECT_EQ(refusal(order, R"("id":"order")", R"("new":1,"id":"order")"), "accepted");
}

TEST(Manifest, ALiarIsToldEachDifference) {
  const manifest promised = *parse_manifest(order);
  manifest declared = promised;
  EXPECT_TRUE(compare(declared, promised).empty());
  declared.routes = {{"POST", "/orders", false}};
  declared.calls.push_back("payment");
  declared.jobs.clear();
  declared.config_schema.clear();
  EXPECT_EQ(compare(declared, promised),
            (std::vector<std::string>{"declares route POST /orders, not in its manifest",
                                      "has route POST /orders (idempotent) in its manifest, but doesn't declare it",
                                      "declares calls to payment, not in its manifest",
                                      "has job pay in its manifest, but doesn't declare it",
                                      "declares configuration schema null, its manifest has {\"type\":\"object\"}"}));
}

TEST(Abi, TheSameMajorAndNoNewerMinorFits) {
  EXPECT_TRUE(check_abi("order.so", {1, 0}, {1, 4}));
  EXPECT_EQ(check_abi("order.so", {2, 1}, {1, 4}).failure().text,
            "order.so: built for ABI 2.1, this host has 1.4: rebuild the plugin or use a gantry with ABI >= 2.1");
  EXPECT_EQ(check_abi("order.so", {1, 5}, {1, 4}).failure().text,
            "order.so: built for ABI 1.5, this host has 1.4: rebuild the plugin or use a gantry with ABI >= 1.5");
  EXPECT_EQ(check_abi("order.so", {1, 5}, {2, 0}).failure().text,
            "order.so: built for ABI 1.5, this host has 2.0: rebuild the plugin");
}

}  // namespace
}  // namespace gantry::loader
