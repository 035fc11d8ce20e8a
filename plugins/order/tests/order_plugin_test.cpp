// The order plugin on a fake host: every way an order can go.
#include <gtest/gtest.h>
#include <gantry/testing/fake_host.hpp>

#include "plugin.hpp"

namespace shop::order {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view good_body = R"json({
  "customerId": "c-1", "lines": [{"sku": "cup", "quantity": 2}, {"sku": "pot", "quantity": 1}],
  "shippingAddress": {"name": "Ada", "line1": "1 Main St", "city": "Berlin", "postalCode": "10115", "country": "DE"},
  "paymentMethod": {"token": "tok_approve"}, "currency": "EUR"})json";

class OrderTest : public testing::Test {
 protected:
  void SetUp() override { load("{}"); }

  void load(std::string_view config) {
    host_ = std::make_unique<gantry::testing::fake_host>();
    host_->load<order_plugin>("order", config);
    catalog_sells(R"({"items":[{"sku":"cup","name":"Cup","price":{"amount":500,"currency":"EUR"}},
                     {"sku":"pot","name":"Pot","price":{"amount":1999,"currency":"EUR"}}]})");
  }
  void catalog_sells(std::string items) {
    host_->on_call("catalog", [this, items](const gantry::call_request& call) {
      asked_ = call.target;
      return gantry::call_reply(200, items);
    });
  }

  gantry::call_reply post(std::string_view path, std::string_view body, gantry::header_list headers = {}) {
    headers.emplace_back("idempotency-key", "key-" + std::to_string(++keys_));
    return host_->request("POST", path, body, std::move(headers));
  }
  std::string place(std::string_view body = good_body) {
    const auto reply = post("/orders", body);
    EXPECT_EQ(reply.status, 201) << reply.body;
    order_id_ = reply.json()["orderId"].text();
    return order_id_;
  }
  // Delivers an event of another service about the order that was placed last, on the topic of that service.
  void event(std::string_view type, const gantry::json& body = gantry::json::object()) {
    const std::string topic = type.starts_with("Inventory") ? "inventory-events"
                              : type.starts_with("Payment") ? "payment-events"
                                                            : "shipping-events";
    const gantry::outcome answer = host_->deliver(topic, type, order_id_, body);
    EXPECT_TRUE(answer) << type << ": " << answer.text();
  }
  void events(std::initializer_list<const char*> types) {
    for (const char* type : types) event(type);
  }
  void time_out() {
    const auto due = host_->timer("saga", order_id_);
    ASSERT_TRUE(due);
    host_->advance(*due - host_->clock().now());
  }
  std::string status() { return std::string(host_->request("GET", "/orders/" + order_id_).json()["status"].text()); }
  std::string reason() { return std::string(host_->request("GET", "/orders/" + order_id_).json()["reason"].text()); }
  // The types of what was emitted since the last look.
  std::string told() {
    std::string all;
    for (const auto& e : host_->take_emitted()) {
      EXPECT_EQ(e.key, order_id_);
      all += (all.empty() ? "" : " ") + e.type;
    }
    return all;
  }
  std::string history() { return host_->request("GET", "/orders/" + order_id_ + "/history").body; }
  // Gives the order that was placed last the progress of another one.
  void becomes_like(const std::string& other) {
    const std::string seq = "(SELECT seq FROM placed_orders WHERE order_id = '";
    host_->exec(
        "UPDATE order_progress SET (status, version, deadline_us, saga, history) = (SELECT status, version, "
        "deadline_us, saga, history FROM order_progress WHERE seq = " +
        seq + other + "')) WHERE seq = " + seq + order_id_ + "')");
  }
  bool armed() { return host_->timer("saga", order_id_).has_value(); }

  std::unique_ptr<gantry::testing::fake_host> host_;
  std::string order_id_;
  std::string asked_;
  int keys_ = 0;
};

TEST_F(OrderTest, PlacingAnOrderReservesItsStock) {
  const auto reply = post("/orders", good_body);
  ASSERT_EQ(reply.status, 201) << reply.body;
  order_id_ = reply.json()["orderId"].text();
  EXPECT_EQ(reply.header("location"), "/orders/" + order_id_);
  EXPECT_EQ(reply.json()["status"].text(), "Pending");
  EXPECT_EQ(reply.json()["total"].integer(), 2999);
  EXPECT_EQ(reply.json()["version"].integer(), 1);
  EXPECT_EQ(asked_, "/catalog/products:batch?skus=cup,pot");
  const auto emitted = host_->emitted();
  ASSERT_EQ(emitted.size(), 2U);
  EXPECT_EQ(emitted[0].type, "OrderCreated");
  EXPECT_EQ(emitted[1].topic, "inventory-commands");
  EXPECT_EQ(emitted[1].data,
            R"({"orderId":")" + order_id_ + R"(","lines":[{"sku":"cup","quantity":2},{"sku":"pot","quantity":1}]})");
  EXPECT_EQ(*host_->timer("saga", order_id_), host_->clock().now() + 30s);
}

TEST_F(OrderTest, WhatIsReadIsWhatWasAnswered) {
  const auto placed = post("/orders", good_body);
  const auto read = host_->request("GET", "/orders/" + std::string(placed.json()["orderId"].text()));
  EXPECT_EQ(read.body, placed.body);
  EXPECT_EQ(read.header("etag"), "\"1\"");
  const auto again = host_->request("GET", "/orders/" + std::string(placed.json()["orderId"].text()), "",
                                    {{"if-none-match", "\"1\""}});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(host_->request("GET", "/orders/none").status, 404);
}

TEST_F(OrderTest, UntroubledOrderIsConfirmedShippedDeliveredAndCompleted) {
  place();
  told();
  event("InventoryReserved");
  EXPECT_EQ(told(), "OrderStatusUpdated ProcessPayment");
  event("PaymentProcessed");
  EXPECT_EQ(told(), "OrderStatusUpdated CreateShipment");
  event("ShipmentCreated");
  EXPECT_EQ(told(), "CommitInventory");
  event("InventoryCommitted");
  EXPECT_EQ(told(), "OrderConfirmed");
  EXPECT_EQ(status(), "Confirmed");
  EXPECT_FALSE(armed());
  event("ShipmentDispatched");
  EXPECT_EQ(told(), "OrderStatusUpdated");
  EXPECT_EQ(status(), "Shipped");
  event("ShipmentDelivered");
  EXPECT_EQ(told(), "OrderStatusUpdated OrderCompleted");
  EXPECT_EQ(status(), "Completed");

  const auto history = host_->request("GET", "/orders/" + order_id_ + "/history");
  std::string passed;
  for (const auto entry : history.json()) passed += std::string(entry["status"].text()) + " ";
  EXPECT_EQ(passed, "Pending Reserved Paid Paid Confirmed Shipped Delivered Completed ");
  EXPECT_EQ(history.json()[0]["cause"].text(), "request");
  EXPECT_EQ(history.json()[1]["cause"].text(), "InventoryReserved");
  EXPECT_EQ(history.json()[7]["cause"].text(), "ShipmentDelivered");
  EXPECT_EQ(history.json()[6]["eventId"].text(), history.json()[7]["eventId"].text());
  EXPECT_NE(history.json()[5]["eventId"].text(), history.json()[6]["eventId"].text());
}

// What the plugin remembers of an order is not what counts: another host, or a transaction that was rolled back, may
// have left it otherwise.
TEST_F(OrderTest, OrderThatAnotherHostCancelledIsNotMovedByWhatIsRemembered) {
  place();
  event("InventoryReserved");
  event("PaymentFailed");
  event("InventoryReleased");
  ASSERT_EQ(status(), "Cancelled");
  const std::string cancelled = order_id_;
  place();
  event("InventoryReserved");
  becomes_like(cancelled);
  host_->take_emitted();
  event("PaymentProcessed");
  EXPECT_EQ(told(), "RefundPayment");
  EXPECT_EQ(status(), "Cancelled");
}

TEST_F(OrderTest, HistoryThatAnotherHostWroteIsKept) {
  place();
  event("InventoryReserved");
  const std::string other = order_id_;
  place();
  event("InventoryReserved");
  becomes_like(other);
  const std::string before = history();
  event("PaymentProcessed");
  EXPECT_EQ(status(), "Paid");
  EXPECT_TRUE(history().starts_with(before.substr(0, before.size() - 1))) << history();
  EXPECT_NE(history(), before);
}

TEST_F(OrderTest, CommandsSayWhatTheOthersNeed) {
  place();
  host_->take_emitted();
  event("InventoryReserved");
  EXPECT_EQ(host_->take_emitted()[1].data,
            R"({"orderId":")" + order_id_ +
                R"(","customerId":"c-1","amount":2999,"currency":"EUR","paymentMethod":{"token":"tok_approve"}})");
  event("PaymentProcessed");
  EXPECT_EQ(
      host_->take_emitted()[1].data,
      R"({"orderId":")" + order_id_ +
          R"(","customerId":"c-1","lines":[{"sku":"cup","quantity":2},{"sku":"pot","quantity":1}],)" +
          R"("shippingAddress":{"name":"Ada","line1":"1 Main St","city":"Berlin","postalCode":"10115","country":"DE"}})");
}

TEST_F(OrderTest, MissingStockCancelsAtOnce) {
  place();
  told();
  event("InventoryRejected", {{"reason", "out of stock"}});
  EXPECT_EQ(told(), "OrderCancelled");
  EXPECT_EQ(status(), "Cancelled");
  EXPECT_EQ(reason(), "InventoryRejected: out of stock");
  EXPECT_FALSE(armed());
}

TEST_F(OrderTest, DeclinedPaymentReleasesTheStock) {
  place();
  event("InventoryReserved");
  told();
  event("PaymentFailed", {{"code", "declined"}, {"reason", "no money"}});
  EXPECT_EQ(told(), "OrderStatusUpdated ReleaseInventory");
  EXPECT_EQ(status(), "Cancelling");
  event("InventoryReleased");
  EXPECT_EQ(told(), "OrderCancelled");
  EXPECT_EQ(reason(), "PaymentFailed: declined: no money");
}

TEST_F(OrderTest, FailedShipmentRefundsAndReleases) {
  place();
  events({"InventoryReserved", "PaymentProcessed"});
  told();
  event("ShipmentFailed", {{"reason", "no carrier"}});
  event("PaymentRefunded", {{"full", true}});
  event("InventoryReleased");
  EXPECT_EQ(told(), "OrderStatusUpdated RefundPayment ReleaseInventory OrderCancelled");
  EXPECT_EQ(status(), "Cancelled");
}

TEST_F(OrderTest, LostReservationAtCommitUndoesEverything) {
  place();
  events({"InventoryReserved", "PaymentProcessed", "ShipmentCreated"});
  told();
  events({"InventoryCommitFailed", "ShipmentCancelled", "PaymentRefunded", "InventoryReleased"});
  EXPECT_EQ(told(), "OrderStatusUpdated CancelShipment RefundPayment ReleaseInventory OrderCancelled");
}

TEST_F(OrderTest, SilentPaymentTimesOutAndIsRefundedInDoubt) {
  place();
  event("InventoryReserved");
  told();
  EXPECT_EQ(*host_->timer("saga", order_id_), host_->clock().now() + 60s);
  time_out();
  EXPECT_EQ(told(), "OrderStatusUpdated RefundPayment");
  events({"PaymentRefunded", "InventoryReleased"});
  EXPECT_EQ(reason(), "pay timed out");
  EXPECT_EQ(status(), "Cancelled");
  told();
  event("PaymentProcessed");  // late
  EXPECT_EQ(told(), "RefundPayment");
  EXPECT_EQ(status(), "Cancelled");
  EXPECT_TRUE(armed());
  event("PaymentRefunded");
  EXPECT_EQ(told(), "");
  EXPECT_FALSE(armed());
}

TEST_F(OrderTest, CompensationThatNobodyAnswersNeedsAttention) {
  place();
  event("InventoryReserved");
  event("PaymentFailed");
  told();
  for (int i = 0; i < 4; ++i) time_out();
  EXPECT_EQ(told(), "ReleaseInventory ReleaseInventory ReleaseInventory ReleaseInventory");
  time_out();
  EXPECT_EQ(status(), "NeedsAttention");
  EXPECT_EQ(told(), "OrderStatusUpdated");
  EXPECT_FALSE(armed());
  EXPECT_EQ(host_->log().back().level, GANTRY_LOG_ERROR);
  EXPECT_EQ(post("/orders/" + order_id_ + "/cancel", "").status, 409);
  event("InventoryReleased");
  EXPECT_EQ(status(), "Cancelled");
}

TEST_F(OrderTest, DuplicatesAndStrayEventsChangeNothing) {
  place();
  event("InventoryReserved");
  told();
  const auto before = host_->query("SELECT * FROM orders");
  events({"InventoryReserved", "ShipmentCreated", "InventoryCommitted", "InventoryReleased", "PaymentRefunded"});
  EXPECT_EQ(told(), "");
  EXPECT_EQ(host_->query("SELECT * FROM orders"), before);
  order_id_ = "of-another-shop";
  event("InventoryReserved");
}

TEST_F(OrderTest, PartialRefundDoesNotCountAsCompensation) {
  place();
  events({"InventoryReserved", "PaymentProcessed", "ShipmentFailed"});
  event("PaymentRefunded", {{"amount", 1}, {"full", false}});
  EXPECT_EQ(status(), "Cancelling");
  told();
  event("PaymentRefunded", {{"amount", 2998}, {"full", true}});
  EXPECT_EQ(told(), "ReleaseInventory");
}

TEST_F(OrderTest, CancelUndoesWhateverIsDoneAtEveryStage) {
  struct stage {
    std::vector<const char*> before;
    std::string undone;
    std::vector<const char*> answers;
  };
  const std::vector<stage> stages = {
      {{}, "OrderStatusUpdated ReleaseInventory", {"InventoryReleased"}},
      {{"InventoryReserved"}, "OrderStatusUpdated RefundPayment", {"PaymentRefunded", "InventoryReleased"}},
      {{"InventoryReserved", "PaymentProcessed"},
       "OrderStatusUpdated CancelShipment",
       {"ShipmentCancelled", "PaymentRefunded", "InventoryReleased"}},
      {{"InventoryReserved", "PaymentProcessed", "ShipmentCreated", "InventoryCommitted"},
       "OrderStatusUpdated CancelShipment",
       {"ShipmentCancelled", "PaymentRefunded", "InventoryReleased"}},
  };
  for (const stage& s : stages) {
    place();
    for (const char* type : s.before) event(type);
    told();
    const auto reply = post("/orders/" + order_id_ + "/cancel", R"({"reason":"too slow"})");
    EXPECT_EQ(reply.status, 202) << reply.body;
    EXPECT_EQ(reply.json()["status"].text(), "Cancelling");
    EXPECT_EQ(reply.body, host_->request("GET", "/orders/" + order_id_).body);
    EXPECT_EQ(told(), s.undone);
    for (const char* type : s.answers) event(type);
    EXPECT_EQ(status(), "Cancelled");
    EXPECT_EQ(reason(), "too slow");
    EXPECT_FALSE(armed());
    told();
  }
}

TEST_F(OrderTest, CancelIsTooLateOnceTheParcelHasLeft) {
  place();
  events({"InventoryReserved", "PaymentProcessed", "ShipmentCreated", "InventoryCommitted", "ShipmentDispatched"});
  const auto reply = post("/orders/" + order_id_ + "/cancel", "");
  EXPECT_EQ(reply.status, 409);
  EXPECT_EQ(reply.json()["type"].text(), "/problems/order-not-cancellable");
  EXPECT_EQ(status(), "Shipped");
}

TEST_F(OrderTest, DispatchThatOvertakesACancelCallsItOff) {
  place();
  events({"InventoryReserved", "PaymentProcessed", "ShipmentCreated", "InventoryCommitted"});
  EXPECT_EQ(post("/orders/" + order_id_ + "/cancel", "").status, 202);
  told();
  event("ShipmentDispatched");
  EXPECT_EQ(told(), "OrderStatusUpdated");
  EXPECT_EQ(status(), "Shipped");
  EXPECT_EQ(reason(), "");
  EXPECT_FALSE(armed());
}

TEST_F(OrderTest, CancelKeepsToTheVersionThatTheClientSaw) {
  place();
  EXPECT_EQ(post("/orders/" + order_id_ + "/cancel", "", {{"if-match", "\"7\""}}).status, 412);
  EXPECT_EQ(post("/orders/" + order_id_ + "/cancel", "", {{"if-match", "\"1\""}}).status, 202);
  EXPECT_EQ(post("/orders/" + order_id_ + "/cancel", "").status, 202);  // once more does no harm
  EXPECT_EQ(post("/orders/none/cancel", "").status, 404);
  EXPECT_EQ(post("/orders/" + order_id_ + "/cancel", R"({"reason":1})").status, 400);
}

TEST_F(OrderTest, BadInputIsRefusedWithEveryField) {
  struct bad {
    std::string body;
    std::string field;
  };
  const std::string good(good_body);
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string body = good;
    return body.replace(body.find(from), from.size(), to);
  };
  for (const bad& b : std::vector<bad>{{with("\"c-1\"", "7"), "customerId"},
                                       {with("\"quantity\": 2", "\"quantity\": 0"), "lines[0].quantity"},
                                       {with("\"quantity\": 2", "\"quantity\": 1.5"), "lines[0].quantity"},
                                       {with("\"quantity\": 2", "\"quantity\": \"2\""), "lines[0].quantity"},
                                       {with("\"sku\": \"pot\"", "\"sku\": \"cup\""), "lines[1].sku"},
                                       {with("\"sku\": \"pot\"", "\"sku\": \"a,b\""), "lines[1].sku"},
                                       {with("\"DE\"", "\"Germany\""), "shippingAddress.country"},
                                       {with("\"line1\"", "\"line2\": 5, \"line1\""), "shippingAddress.line2"},
                                       {with("tok_approve", "4111111111111111"), "paymentMethod.token"},
                                       {with("\"EUR\"", "\"eur\""), "currency"},
                                       {R"({"customerId":"c"})", "lines"},
                                       {"[]", "customerId"}}) {
    const auto reply = post("/orders", b.body);
    EXPECT_EQ(reply.status, 400) << b.body;
    bool named = false;
    for (const auto error : reply.json()["errors"]) {
      if (error["field"].text() == b.field) named = true;
    }
    EXPECT_TRUE(named) << b.field << " in " << reply.body;
  }
  EXPECT_EQ(post("/orders", "{\"customerId\":").status, 400);
  EXPECT_EQ(host_->request("POST", "/orders", good_body).status, 400);  // no Idempotency-Key
  EXPECT_TRUE(host_->emitted().empty());
  EXPECT_TRUE(host_->query("SELECT * FROM orders").empty());
}

TEST_F(OrderTest, UnknownProductsAreNamed) {
  catalog_sells(R"({"items":[{"sku":"cup","name":"Cup","price":{"amount":500,"currency":"EUR"}}]})");
  const auto reply = post("/orders", good_body);
  EXPECT_EQ(reply.status, 422);
  EXPECT_EQ(reply.json()["type"].text(), "/problems/unknown-sku");
  EXPECT_EQ(reply.json()["errors"][0]["field"].text(), "lines[1].sku");
}

TEST_F(OrderTest, WithoutTheCatalogueNoOrderIsTaken) {
  host_->on_call("catalog", [](const gantry::call_request&) -> gantry::call_reply {
    throw gantry::failure(GANTRY_UNAVAILABLE, "catalog is down");
  });
  const auto reply = post("/orders", good_body);
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.header("retry-after"), "1");
  host_->on_call("catalog", [](const gantry::call_request&) { return gantry::call_reply(500, "{}"); });
  EXPECT_EQ(post("/orders", good_body).status, 503);
}

TEST_F(OrderTest, VouchersAndShippingChangeTheTotal) {
  load(R"({"shipping_fee":490,"vouchers":[{"code":"TEN","percentOff":10},
          {"code":"OLD","amountOff":100,"validUntil":"2020-01-01T00:00:00Z"}]})");
  std::string body(good_body);
  body.insert(1, R"("voucher":"TEN",)");
  const auto reply = post("/orders", body);
  ASSERT_EQ(reply.status, 201) << reply.body;
  EXPECT_EQ(reply.json()["discount"].integer(), 299);
  EXPECT_EQ(reply.json()["total"].integer(), 2999 + 490 - 299);
  body.replace(body.find("TEN"), 3, "OLD");
  EXPECT_EQ(post("/orders", body).status, 422);
  body.replace(body.find("OLD"), 3, "NIX");
  EXPECT_EQ(post("/orders", body).json()["errors"][0]["field"].text(), "voucher");
}

TEST_F(OrderTest, OrdersOfACustomerAreListedNewestFirst) {
  const std::string first = place();
  host_->advance(1s);
  const std::string second = place();
  event("InventoryRejected");
  const auto all = host_->request("GET", "/orders?customerId=c-1&pageSize=1");
  EXPECT_EQ(all.json()["total"].integer(), 2);
  EXPECT_EQ(all.json()["items"].size(), 1U);
  EXPECT_EQ(all.json()["items"][0]["orderId"].text(), second);
  const auto pending = host_->request("GET", "/orders?customerId=c-1&status=Pending");
  EXPECT_EQ(pending.json()["total"].integer(), 1);
  EXPECT_EQ(pending.json()["items"][0]["orderId"].text(), first);
  EXPECT_EQ(host_->request("GET", "/orders?status=Cancelled").json()["total"].integer(), 1);
  EXPECT_EQ(host_->request("GET", "/orders?customerId=c-2").json()["total"].integer(), 0);
  EXPECT_EQ(host_->request("GET", "/orders?status=Gone&page=0&pageSize=101").json()["errors"].size(), 3U);
}

TEST_F(OrderTest, OrdersOfACustomerAreFoundInEveryRunAndAfterTheLast) {
  std::vector<std::string> mine;
  const std::string other_body = std::string(good_body).replace(good_body.find("c-1"), 3, "c-2");
  for (int i = 0; i < 9000; ++i) {
    const bool is_mine = i % 900 == 0 || i == 8999;
    place(is_mine ? good_body : std::string_view(other_body));
    if (is_mine) mine.push_back(order_id_);
    host_->take_emitted();
  }
  EXPECT_FALSE(host_->query("SELECT run FROM runs").empty());
  const auto found = host_->request("GET", "/orders?customerId=c-1&pageSize=100");
  EXPECT_EQ(found.json()["total"].integer(), 11);
  std::vector<std::string> listed;
  for (const auto order : found.json()["items"]) listed.emplace(listed.begin(), order["orderId"].text());
  EXPECT_EQ(listed, mine);
  EXPECT_EQ(host_->request("GET", "/orders?customerId=c-2").json()["total"].integer(), 8989);
}

TEST_F(OrderTest, RestartArmsEveryOpenOrderAgain) {
  const std::string open = place();
  const std::string done = place();
  event("InventoryRejected");
  host_->restore_timers();
  EXPECT_TRUE(host_->timer("saga", open));
  EXPECT_FALSE(host_->timer("saga", done));
}

TEST_F(OrderTest, RestartFindsOrdersThatWereReopenedBelowTheMark) {
  place();
  events({"InventoryReserved", "PaymentProcessed", "ShipmentCreated", "InventoryCommitted"});
  host_->exec("UPDATE order_marks SET order_id = 'ffffffff-ffff-7fff-bfff-ffffffffffff'");
  EXPECT_EQ(post("/orders/" + order_id_ + "/cancel", "").status, 202);
  host_->restore_timers();
  EXPECT_TRUE(armed());
}

TEST_F(OrderTest, MarkOfOpenOrdersRisesButNeverAboveAnOpenOne) {
  const std::string open = place();
  host_->advance(1s);
  // Many orders, so that some of their ids are among those that raise the mark.
  for (int i = 0; i < 6000; ++i) {
    place();
    event("InventoryRejected");
    host_->take_emitted();
  }
  host_->clock().advance(61s);
  for (int i = 0; i < 6000; ++i) {
    place();
    event("InventoryRejected");
    host_->take_emitted();
  }
  EXPECT_EQ(host_->query("SELECT order_id FROM order_marks")[0][0], open);
  host_->restore_timers();
  EXPECT_TRUE(host_->timer("saga", open));
}

TEST_F(OrderTest, OperatorsSeeTheSaga) {
  place();
  event("InventoryReserved");
  const auto text = host_->describe_saga("order", order_id_);
  ASSERT_TRUE(text);
  const auto saga = gantry::json_document::parse(*text);
  EXPECT_EQ(saga.root()["state"].text(), "Reserved");
  EXPECT_EQ(saga.root()["step"].text(), "pay");
  EXPECT_EQ(saga.root()["steps"]["reserve"].text(), "done");
  EXPECT_EQ(saga.root()["history"].size(), 2U);
  EXPECT_FALSE(host_->describe_saga("order", "none"));
}

TEST_F(OrderTest, DelayedCompletionSurvivesARestart) {
  load(R"({"completion_delay":"1h"})");
  place();
  events({"InventoryReserved", "PaymentProcessed", "ShipmentCreated", "InventoryCommitted", "ShipmentDispatched",
          "ShipmentDelivered"});
  EXPECT_EQ(status(), "Delivered");
  host_->exec("UPDATE order_marks SET order_id = 'ffffffff-ffff-7fff-bfff-ffffffffffff'");
  host_->restore_timers();
  told();
  host_->advance(1h);
  EXPECT_EQ(status(), "Completed");
  EXPECT_EQ(told(), "OrderCompleted");
}

TEST_F(OrderTest, BadConfigurationIsRefusedWithItsReason) {
  gantry::testing::fake_host host;
  EXPECT_THROW(host.load<order_plugin>("order", R"({"timeouts":{"pay":"soon"}})"), std::runtime_error);
  gantry::testing::fake_host other;
  EXPECT_THROW(other.load<order_plugin>("order", R"({"vouchers":[{"code":"X"}]})"), std::runtime_error);
}

}  // namespace
}  // namespace shop::order
