// The routes of shipping, good and bad input, and the reports of carriers.
#include <gtest/gtest.h>

#include <chrono>
#include <gantry/testing/fake_host.hpp>

#include "domain/identity.hpp"
#include "plugin.hpp"
#include "webhook/signature.hpp"

namespace shipping {
namespace {

using namespace std::chrono_literals;

const std::string order = "0194f0c2-1111-7000-8000-00000000abcd";
const std::string path = "/shipping/shipments/" + shipment_id_of(order);

constexpr std::string_view config = R"({"carriers":[
  {"id":"parcel","webhook_secret":"s3cret","rates":[{"zone":"domestic","up_to_grams":2000,"amount":490}]},
  {"id":"silent","rates":[{"zone":"domestic","up_to_grams":99000,"amount":9900}]}]})";

class RoutesTest : public testing::Test {
 protected:
  RoutesTest() { host_.load<shipping_plugin>("shipping", config); }

  void create() {
    ASSERT_TRUE(host_.deliver("shipping-commands", "CreateShipment", order,
                              gantry::json{{"orderId", order},
                                           {"customerId", "c-1"},
                                           {"lines", gantry::json::raw(R"([{"sku":"TEA-1","quantity":2}])")},
                                           {"shippingAddress", {{"country", "DE"}}}}));
    host_.take_emitted();
  }
  gantry::call_reply post(const std::string& target, std::string_view body = "{}") {
    return host_.request("POST", target, body);
  }
  std::vector<std::string> types() {
    std::vector<std::string> out;
    for (const auto& e : host_.take_emitted()) out.push_back(e.type);
    return out;
  }

  std::chrono::seconds now() { return std::chrono::seconds(host_.clock().now().us / 1'000'000); }
  gantry::call_reply report(const std::string& body, const std::string& header) {
    return host_.request("POST", "/shipping/webhooks/parcel", body, {{"gantry-signature", header}});
  }
  gantry::call_reply report(const std::string& body) { return report(body, sign(body, "s3cret", now())); }
  static std::string report_body(std::string_view event, std::string_view status) {
    return gantry::json{{"eventId", event},
                        {"reference", "parcel/" + shipment_id_of(order)},
                        {"status", status},
                        {"location", "Berlin"}}
        .text();
  }

  gantry::testing::fake_host host_;
};

using strings = std::vector<std::string>;

TEST_F(RoutesTest, AQuoteListsOffersFromTheCheapest) {
  const auto r = post("/shipping/quotes", R"({"destination":{"country":"DE"},"weightGrams":1000})");
  ASSERT_EQ(r.status, 200) << r.body;
  ASSERT_EQ(r.json()["quotes"].size(), 2U);
  EXPECT_EQ(r.json()["quotes"][0]["carrier"].text(), "parcel");
  EXPECT_EQ(r.json()["quotes"][0]["price"]["amount"].integer(), 490);
  EXPECT_EQ(r.json()["quotes"][0]["price"]["currency"].text(), "EUR");
}

TEST_F(RoutesTest, AQuoteAddsUpLines) {
  const auto r = post("/shipping/quotes",
                      R"({"destination":{"country":"DE"},"lines":[{"quantity":2,"grams":700},{"quantity":3}]})");
  ASSERT_EQ(r.status, 200) << r.body;
  EXPECT_EQ(r.json()["weightGrams"].integer(), 2900);
  EXPECT_EQ(r.json()["quotes"].size(), 1U);
}

TEST_F(RoutesTest, ABadQuoteNamesEachField) {
  const auto r = post("/shipping/quotes", R"({"destination":{"country":"Germany"},"lines":[{"quantity":0}]})");
  ASSERT_EQ(r.status, 422);
  ASSERT_EQ(r.json()["errors"].size(), 2U);
  EXPECT_EQ(r.json()["errors"][0]["field"].text(), "destination.country");
  EXPECT_EQ(r.json()["errors"][1]["field"].text(), "lines[0].quantity");
  EXPECT_EQ(post("/shipping/quotes", R"({"destination":{"country":"DE"},"weightGrams":1e99})").status, 422);
  EXPECT_EQ(post("/shipping/quotes", "{").status, 400);
}

TEST_F(RoutesTest, AnAddressIsNormalisedAndItsFaultsNamed) {
  const auto good =
      post("/shipping/addresses/validate",
           R"({"name":" Ada ","line1":"1 High St","city":"London","postalCode":"sw1a1aa","country":"gb"})");
  ASSERT_EQ(good.status, 200);
  EXPECT_TRUE(good.json()["valid"].boolean());
  EXPECT_EQ(good.json()["address"]["name"].text(), "Ada");
  EXPECT_EQ(good.json()["address"]["postalCode"].text(), "SW1A 1AA");
  const auto bad = post("/shipping/addresses/validate", R"({"name":"Ada","country":"XX"})");
  ASSERT_EQ(bad.status, 200);
  EXPECT_FALSE(bad.json()["valid"].boolean(true));
  EXPECT_EQ(bad.json()["errors"].size(), 3U);
  EXPECT_EQ(post("/shipping/addresses/validate", "[]").status, 400);
}

TEST_F(RoutesTest, AShipmentIsFoundByItsIdAndByItsOrder) {
  create();
  const auto r = host_.request("GET", path);
  ASSERT_EQ(r.status, 200);
  EXPECT_EQ(r.json()["status"].text(), "Created");
  EXPECT_EQ(r.json()["events"].size(), 1U);
  const auto list = host_.request("GET", "/shipping/shipments?orderId=" + order);
  ASSERT_EQ(list.json()["items"].size(), 1U);
  EXPECT_EQ(list.json()["items"][0].raw(), r.body);
  EXPECT_EQ(host_.request("GET", "/shipping/shipments?orderId=other").json()["total"].integer(-1), 0);
  EXPECT_EQ(host_.request("GET", "/shipping/shipments").status, 400);
  EXPECT_EQ(host_.request("GET", "/shipping/shipments/nonsense").status, 404);
}

TEST_F(RoutesTest, DispatchAndDeliverHappenOnceEach) {
  create();
  ASSERT_EQ(post(path + "/dispatch").status, 200);
  EXPECT_EQ(types(), strings{"ShipmentDispatched"});
  ASSERT_EQ(post(path + "/dispatch").status, 200);
  EXPECT_EQ(types(), strings{});
  const auto delivered = post(path + "/deliver");
  ASSERT_EQ(delivered.status, 200);
  EXPECT_EQ(delivered.json()["status"].text(), "Delivered");
  ASSERT_EQ(delivered.json()["events"].size(), 3U);
  EXPECT_EQ(delivered.json()["events"][0]["status"].text(), "Created");
  EXPECT_EQ(delivered.json()["events"][2]["status"].text(), "Delivered");
  EXPECT_EQ(types(), strings{"ShipmentDelivered"});
  EXPECT_EQ(post(path + "/deliver").status, 200);
  EXPECT_EQ(types(), strings{});
}

TEST_F(RoutesTest, StepsOutOfOrderAreRefused) {
  create();
  EXPECT_EQ(post(path + "/deliver").status, 409);
  EXPECT_EQ(post("/shipping/shipments/s-unknown/dispatch").status, 404);
  EXPECT_EQ(post("/shipping/shipments/nonsense/dispatch").status, 404);
  EXPECT_EQ(types(), strings{});
}

TEST_F(RoutesTest, TrackingIsNotedAndDrawsItsConsequences) {
  create();
  const auto r =
      post(path + "/tracking", R"({"status":"picked_up","location":"Depot \"7\"","at":"2026-01-02T03:04:05+01:00"})");
  ASSERT_EQ(r.status, 200) << r.body;
  EXPECT_EQ(r.json()["status"].text(), "Dispatched");
  EXPECT_EQ(r.json()["events"][1]["location"].text(), "Depot \"7\"");
  EXPECT_EQ(r.json()["events"][1]["at"].text(), "2026-01-02T02:04:05.000000Z");
  EXPECT_EQ(types(), (strings{"TrackingUpdated", "ShipmentDispatched"}));
  ASSERT_EQ(post(path + "/tracking", R"({"status":"delivered"})").status, 200);
  EXPECT_EQ(types(), (strings{"TrackingUpdated", "ShipmentDelivered"}));
  EXPECT_EQ(post(path + "/tracking", R"({"status":"in_transit"})").status, 409);
}

TEST_F(RoutesTest, BadTrackingNamesEachField) {
  create();
  const auto r = post(path + "/tracking", R"({"status":"teleported","at":"yesterday"})");
  ASSERT_EQ(r.status, 422);
  EXPECT_EQ(r.json()["errors"].size(), 2U);
  EXPECT_EQ(post("/shipping/shipments/s-x/tracking", R"({"status":"in_transit"})").status, 404);
}

TEST_F(RoutesTest, ASignedReportIsAppliedOnce) {
  create();
  const std::string body = report_body("e-1", "delivered");
  const auto first = report(body);
  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_TRUE(first.json()["applied"].boolean());
  EXPECT_EQ(types(), (strings{"TrackingUpdated", "ShipmentDispatched", "ShipmentDelivered"}));
  const auto again = report(body);
  EXPECT_EQ(again.status, 200);
  EXPECT_FALSE(again.json()["applied"].boolean(true));
  EXPECT_EQ(types(), strings{});
}

TEST_F(RoutesTest, AReportWithoutAFreshSignatureIsRefused) {
  create();
  const std::string body = report_body("e-1", "in_transit");
  EXPECT_EQ(host_.request("POST", "/shipping/webhooks/parcel", body).status, 401);
  EXPECT_EQ(report(body, sign(body, "guess", now())).status, 401);
  const std::string recorded = sign(body, "s3cret", now());
  host_.advance(301s);
  EXPECT_EQ(report(body, recorded).status, 401);
  EXPECT_EQ(types(), strings{});
}

TEST_F(RoutesTest, CarriersWithoutASecretSendNoReports) {
  EXPECT_EQ(post("/shipping/webhooks/silent").status, 404);
  EXPECT_EQ(post("/shipping/webhooks/unknown").status, 404);
}

TEST_F(RoutesTest, AReportAboutSomethingElseIsRefused) {
  create();
  const std::string foreign = R"({"eventId":"e","reference":"silent/s-1","status":"in_transit"})";
  EXPECT_EQ(report(foreign).status, 422);
  const std::string unknown = R"({"eventId":"e","reference":"parcel/s-1","status":"in_transit"})";
  EXPECT_EQ(report(unknown).status, 404);
  const std::string nameless = R"({"reference":"parcel/s-1","status":"in_transit"})";
  EXPECT_EQ(report(nameless).status, 422);
}

TEST_F(RoutesTest, ReceiptsAreForgottenAfterTheirTime) {
  create();
  ASSERT_EQ(report(report_body("e-1", "in_transit")).status, 200);
  host_.advance(std::chrono::hours(24 * 8));
  ASSERT_EQ(report(report_body("e-2", "in_transit")).status, 200);
  EXPECT_EQ(host_.query("SELECT event_id FROM webhook_receipt"), (std::vector<strings>{{"e-2"}}));
}

}  // namespace
}  // namespace shipping
