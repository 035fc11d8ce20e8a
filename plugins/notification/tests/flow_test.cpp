// From an event in the shop to a message that has gone, or has not.
#include <gtest/gtest.h>

#include <filesystem>
#include <gantry/testing/fake_host.hpp>

#include "domain/notice.hpp"
#include "plugin.hpp"
#include "temporary_folder.hpp"

namespace notification {
namespace {

using namespace std::chrono_literals;
using testing::temporary_folder;
using testing::text_of;

const std::string order = "0194f0c2-1111-7000-8000-00000000abcd";

class FlowTest : public ::testing::Test {
 protected:
  void start(const std::string& more = "") {
    host_.load<notification_plugin>("notification", "{\"eml_directory\":\"" + folder_.path() + "/mail\"" + more + "}");
  }

  gantry::outcome confirm(std::string_view order_id = order, std::string_view locale = "en") {
    return host_.deliver(
        "order-events", "OrderConfirmed", order_id,
        gantry::json{{"orderId", order_id},
                     {"customerId", "c-1"},
                     {"lines", gantry::json::raw(
                                   R"([{"sku":"T","name":"Tea & co","quantity":2,"unitPrice":450,"lineTotal":900}])")},
                     {"total", 900},
                     {"currency", "EUR"},
                     {"locale", locale}});
  }
  gantry::outcome refund(std::int64_t amount, std::int64_t refunded) {
    return host_.deliver("payment-events", "PaymentRefunded", order,
                         gantry::json{{"paymentId", "p-1"},
                                      {"orderId", order},
                                      {"amount", amount},
                                      {"currency", "EUR"},
                                      {"refunded", refunded},
                                      {"full", false}});
  }
  // The deliveries about the order, as clients see them; valid until the next call.
  gantry::json_view deliveries() {
    answer_ = host_.request("GET", "/notifications/deliveries?orderId=" + order);
    EXPECT_EQ(answer_.status, 200) << answer_.body;
    return answer_.json()["items"];
  }
  std::vector<std::string> types() {
    std::vector<std::string> out;
    for (const auto& e : host_.take_emitted()) out.push_back(e.type);
    return out;
  }

  temporary_folder folder_;
  gantry::testing::fake_host host_;
  gantry::call_reply answer_;
};

using strings = std::vector<std::string>;

// Takes out the soft line breaks of quoted-printable.
std::string unfolded(std::string text) {
  for (std::size_t at = text.find("=\r\n"); at != std::string::npos; at = text.find("=\r\n", at)) text.erase(at, 3);
  return text;
}

TEST_F(FlowTest, AConfirmedOrderIsToldByMailOnce) {
  start();
  ASSERT_TRUE(confirm());
  ASSERT_EQ(deliveries().size(), 1U);
  EXPECT_EQ(deliveries()[0]["status"].text(), "Pending");
  EXPECT_EQ(types(), strings{});

  EXPECT_EQ(host_.run_jobs(), 1U);
  const auto row = deliveries()[0];
  EXPECT_EQ(row["status"].text(), "Sent");
  EXPECT_EQ(row["channel"].text(), "email");
  EXPECT_EQ(row["template"].text(), "order-confirmed");
  EXPECT_EQ(row["to"].text(), "c-1@customers.example");
  const auto emitted = host_.take_emitted();
  ASSERT_EQ(emitted.size(), 1U);
  EXPECT_EQ(emitted[0].type, "NotificationSent");
  EXPECT_EQ(emitted[0].key, order);
  EXPECT_EQ(gantry::json_document::parse(emitted[0].data).root()["notificationId"].text(),
            row["notificationId"].text());

  ASSERT_EQ(folder_.files().size(), 1U);
  const std::string mail = unfolded(text_of(folder_.files()[0]));
  EXPECT_EQ(folder_.files()[0].filename(), std::string(row["notificationId"].text()) + ".eml");
  EXPECT_NE(mail.find("Message-ID: <" + std::string(row["notificationId"].text()) + "@shop.example>"),
            std::string::npos);
  EXPECT_NE(mail.find("Tea & co"), std::string::npos);
  EXPECT_NE(mail.find("Tea &amp; co"), std::string::npos);
  EXPECT_NE(mail.find("9.00 EUR"), std::string::npos);
}

TEST_F(FlowTest, AnEventThatComesAgainTellsNobodyTwice) {
  start();
  ASSERT_TRUE(confirm());
  ASSERT_TRUE(confirm());
  EXPECT_EQ(host_.run_jobs(), 1U);
  ASSERT_TRUE(confirm());
  EXPECT_EQ(host_.run_jobs(), 0U);
  EXPECT_EQ(types(), strings{"NotificationSent"});
}

TEST_F(FlowTest, TheEventsLocaleChoosesTheLanguage) {
  start();
  ASSERT_TRUE(confirm(order, "de-AT"));
  host_.run_jobs();
  EXPECT_NE(text_of(folder_.files().at(0)).find("9,00 EUR"), std::string::npos);
  ASSERT_TRUE(confirm("o-2", "fr"));
  EXPECT_EQ(host_.run_jobs(), 1U);
}

TEST_F(FlowTest, EveryNoticeOfAnOrderIsListedUnderIt) {
  start();
  ASSERT_TRUE(confirm());
  for (const auto& [topic, type, about] :
       {std::tuple{"shipping-events", "ShipmentDispatched", notice::shipment_dispatched},
        {"shipping-events", "ShipmentDelivered", notice::shipment_delivered},
        {"order-events", "OrderCancelled", notice::order_cancelled}}) {
    ASSERT_TRUE(host_.deliver(topic, type, order, gantry::json::raw(std::string(sample_of(about)))));
  }
  EXPECT_EQ(host_.run_jobs(), 4U);
  EXPECT_EQ(types(), strings(4, "NotificationSent"));
  EXPECT_EQ(deliveries().size(), 1U);
  answer_ = host_.request("GET", "/notifications/deliveries?orderId=0194f0c2-0000-7000-8000-000000000001");
  EXPECT_EQ(answer_.json()["total"].integer(), 3);
}

TEST_F(FlowTest, ARefundGoesToTheCustomerOfAnEarlierNotice) {
  start();
  ASSERT_TRUE(confirm());
  ASSERT_TRUE(refund(300, 300));
  ASSERT_TRUE(refund(200, 500));
  EXPECT_EQ(host_.run_jobs(), 3U);
  ASSERT_EQ(deliveries().size(), 3U);
  for (const auto& row : deliveries()) EXPECT_EQ(row["to"].text(), "c-1@customers.example");
}

TEST_F(FlowTest, ARefundWithoutAnEarlierNoticeAsksTheOrderService) {
  start();
  std::string asked;
  host_.on_call("order", [&](const gantry::call_request& q) {
    asked = q.target;
    return gantry::call_reply(200, gantry::json{{"customerId", "c-9"}});
  });
  ASSERT_TRUE(refund(300, 300));
  EXPECT_EQ(host_.run_jobs(), 1U);
  EXPECT_EQ(asked, "/orders/" + order);
  EXPECT_EQ(deliveries()[0]["to"].text(), "c-9@customers.example");
  EXPECT_EQ(host_.request("GET", "/notifications?customerId=c-9").json()["total"].integer(), 1);
}

TEST_F(FlowTest, WhileTheOrderServiceIsDownARefundWaits) {
  start();
  bool up = false;
  host_.on_call("order", [&](const gantry::call_request&) -> gantry::call_reply {
    if (!up) throw gantry::failure(GANTRY_UNAVAILABLE, "order is down");
    return {200, gantry::json{{"customerId", "c-9"}}};
  });
  ASSERT_TRUE(refund(300, 300));
  host_.run_jobs();
  EXPECT_EQ(deliveries()[0]["status"].text(), "Pending");
  up = true;
  host_.advance(1min);
  host_.run_jobs();
  EXPECT_EQ(deliveries()[0]["status"].text(), "Sent");
}

TEST_F(FlowTest, ARefundForAnUnknownOrderFailsForGood) {
  start();
  host_.on_call("order", [](const gantry::call_request&) { return gantry::call_reply(404, std::string("{}")); });
  ASSERT_TRUE(refund(300, 300));
  host_.run_jobs();
  EXPECT_EQ(deliveries()[0]["status"].text(), "Failed");
  EXPECT_EQ(types(), strings{"NotificationFailed"});
}

TEST_F(FlowTest, ARefundOfNothingIsToldToNobody) {
  start();
  ASSERT_TRUE(refund(0, 0));
  EXPECT_EQ(host_.run_jobs(), 0U);
  EXPECT_EQ(deliveries().size(), 0U);
}

TEST_F(FlowTest, EventsThatNameNobodyAreParked) {
  start();
  EXPECT_EQ(host_.deliver("order-events", "OrderConfirmed", order, gantry::json{{"orderId", order}}).status(),
            GANTRY_REJECT);
  EXPECT_EQ(host_.deliver("order-events", "OrderConfirmed", order, gantry::json{{"customerId", "c"}}).status(),
            GANTRY_REJECT);
  EXPECT_EQ(confirm(std::string(129, 'x')).status(), GANTRY_REJECT);
}

TEST_F(FlowTest, AnEventThatLacksWhatTheTemplateAsksForEndsAsFailed) {
  start();
  ASSERT_TRUE(
      host_.deliver("order-events", "OrderConfirmed", order, gantry::json{{"orderId", order}, {"customerId", "c-1"}}));
  host_.run_jobs();
  const auto row = deliveries()[0];
  EXPECT_EQ(row["status"].text(), "Failed");
  EXPECT_EQ(row["reason"].text(), "the event has no lines, which the template asks for");
  const auto emitted = host_.take_emitted();
  ASSERT_EQ(emitted.size(), 1U);
  EXPECT_EQ(emitted[0].type, "NotificationFailed");
  EXPECT_TRUE(folder_.files().empty());
}

TEST_F(FlowTest, AMailThatCantBeWrittenIsTriedAgain) {
  start();
  std::filesystem::create_directories(folder_.path());
  { std::ofstream(folder_.path() + "/mail") << "in the way"; }
  ASSERT_TRUE(confirm());
  host_.run_jobs();
  EXPECT_EQ(deliveries()[0]["status"].text(), "Pending");
  std::filesystem::remove(folder_.path() + "/mail");
  host_.advance(1min);
  host_.run_jobs();
  EXPECT_EQ(deliveries()[0]["status"].text(), "Sent");
}

TEST_F(FlowTest, AfterTheLastAttemptTheMailHasFailed) {
  start();
  { std::ofstream(folder_.path() + "/mail") << "in the way"; }
  ASSERT_TRUE(confirm());
  for (int i = 0; i < 40; ++i) {
    host_.run_jobs();
    host_.advance(24h);
  }
  EXPECT_EQ(deliveries()[0]["status"].text(), "Failed");
  EXPECT_EQ(types(), strings{"NotificationFailed"});
}

TEST_F(FlowTest, OneNoticeGoesOutByAllItsChannelsAndIsInTheInboxOnce) {
  start(R"(,"channels":{"order-confirmed":["email","sms","push","inapp"]},"sms":{"directory":")" + folder_.path() +
        R"(/sms"},"push":{"directory":")" + folder_.path() + R"(/push"})");
  ASSERT_TRUE(confirm());
  EXPECT_EQ(types(), strings{"NotificationSent"});  // in-app is there at once
  EXPECT_EQ(host_.run_jobs(), 3U);
  EXPECT_EQ(deliveries().size(), 4U);
  EXPECT_EQ(folder_.files().size(), 3U);
  EXPECT_EQ(host_.request("GET", "/notifications?customerId=c-1").json()["total"].integer(), 1);
}

TEST_F(FlowTest, ANoticeWithoutChannelsIsSilent) {
  start(R"(,"channels":{"order-confirmed":[]})");
  ASSERT_TRUE(confirm());
  EXPECT_EQ(deliveries().size(), 0U);
}

TEST_F(FlowTest, TheInboxShowsTheLatestFirstAndRemembersWhatWasRead) {
  start();
  ASSERT_TRUE(confirm());
  host_.advance(1min);
  ASSERT_TRUE(refund(300, 300));
  const auto inbox = host_.request("GET", "/notifications?customerId=c-1");
  ASSERT_EQ(inbox.json()["items"].size(), 2U);
  const auto first = inbox.json()["items"][0];
  EXPECT_EQ(first["template"].text(), "payment-refunded");
  EXPECT_EQ(first["title"].text(), "Refunded: 3.00 EUR");
  EXPECT_FALSE(first["read"].boolean(true));

  const std::string id(first["notificationId"].text());
  const auto read = host_.request("POST", "/notifications/" + id + "/read");
  ASSERT_EQ(read.status, 200) << read.body;
  EXPECT_TRUE(read.json()["read"].boolean());
  host_.advance(1min);
  EXPECT_EQ(host_.request("POST", "/notifications/" + id + "/read").body, read.body);
  EXPECT_EQ(host_.request("GET", "/notifications?customerId=c-1&unread=true").json()["total"].integer(), 1);
  EXPECT_EQ(host_.request("POST", "/notifications/unknown/read").status, 404);
}

TEST_F(FlowTest, TheInboxIsPaged) {
  start();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(confirm("o-" + std::to_string(i)));
  const auto second = host_.request("GET", "/notifications?customerId=c-1&page=2&pageSize=2");
  EXPECT_EQ(second.json()["items"].size(), 2U);
  EXPECT_EQ(second.json()["total"].integer(), 5);
  EXPECT_EQ(second.json()["page"].integer(), 2);
  for (const char* bad : {"?customerId=c-1&page=0", "?customerId=c-1&pageSize=101", "?customerId=c-1&page=x", ""}) {
    EXPECT_EQ(host_.request("GET", std::string("/notifications") + bad).status, 400) << bad;
  }
  EXPECT_EQ(host_.request("GET", "/notifications/deliveries").status, 400);
}

TEST_F(FlowTest, AnInboxIsCompleteAcrossEveryRunAndAfterTheLast) {
  start(R"(,"channels":{"order-confirmed":["inapp"],"payment-refunded":["email"]})");
  host_.on_call("order", [](const gantry::call_request&) {
    return gantry::call_reply(200, gantry::json{{"customerId", "c-9"}});
  });
  ASSERT_TRUE(refund(300, 300));  // whose customer is found out only below, after the first runs
  for (int i = 0; i < 9000; ++i) ASSERT_TRUE(confirm("o-" + std::to_string(i)));
  ASSERT_GT(host_.query("SELECT run FROM runs").size(), 1U);
  EXPECT_EQ(host_.request("GET", "/notifications?customerId=c-1").json()["total"].integer(), 9000);
  EXPECT_EQ(host_.request("GET", "/notifications?customerId=c-9").json()["total"].integer(), 0);
  EXPECT_EQ(host_.run_jobs(), 1U);
  EXPECT_EQ(host_.request("GET", "/notifications?customerId=c-1").json()["total"].integer(), 9000);
  const auto found = host_.request("GET", "/notifications?customerId=c-9");
  ASSERT_EQ(found.json()["total"].integer(), 1);
  EXPECT_EQ(found.json()["items"][0]["orderId"].text(), order);
}

TEST_F(FlowTest, SettingsThatCantWorkStopTheStart) { EXPECT_THROW(start(R"(,"from":"nobody")"), std::runtime_error); }

}  // namespace
}  // namespace notification
