// Writing templates: versions, what is refused, previews, and how a save reaches the mails.
#include <gtest/gtest.h>

#include <gantry/testing/fake_host.hpp>

#include "plugin.hpp"
#include "temporary_folder.hpp"

namespace notification {
namespace {

using testing::temporary_folder;
using testing::text_of;

const std::string path = "/notifications/templates/order-confirmed";

class TemplatesTest : public ::testing::Test {
 protected:
  TemplatesTest() { host_.load<notification_plugin>("notification", "{\"eml_directory\":\"" + folder_.path() + "\"}"); }

  static std::string body(std::string_view subject, std::string_view locale = "en") {
    return gantry::json{
        {"locale", locale}, {"subject", subject}, {"text", "Hi {{customerId}}"}, {"html", ""}, {"short", "Hi"}}
        .text();
  }
  gantry::call_reply put(const std::string& what, gantry::header_list headers = {}) {
    return host_.request("PUT", path, what, std::move(headers));
  }
  // Carries the TemplateSaved events back to the plugin's observer, as the bus does.
  void relay() {
    for (const auto& e : host_.take_emitted()) {
      if (e.type != "TemplateSaved") continue;
      EXPECT_TRUE(host_.deliver(e.topic, e.type, e.key, gantry::json::raw(e.data)));
    }
  }
  std::string mail_for(const std::string& order) {
    EXPECT_TRUE(host_.deliver("order-events", "OrderConfirmed", order,
                              gantry::json{{"orderId", order},
                                           {"customerId", "c-1"},
                                           {"lines", gantry::json::raw("[]")},
                                           {"total", 1},
                                           {"currency", "EUR"}}));
    return order;
  }
  std::string sent(const std::string& order) {
    host_.run_jobs();
    for (const auto& file : folder_.files()) {
      if (file.filename().string().starts_with(order + "-")) return text_of(file);
    }
    return {};
  }

  temporary_folder folder_;
  gantry::testing::fake_host host_;
};

TEST_F(TemplatesTest, AllAreListedWithTheirVersions) {
  const auto r = host_.request("GET", "/notifications/templates");
  ASSERT_EQ(r.status, 200);
  EXPECT_EQ(r.json()["items"].size(), 10U);
  ASSERT_EQ(put(body("New")).status, 200);
  ASSERT_EQ(put(body("Nouveau", "fr")).status, 200);
  const auto after = host_.request("GET", "/notifications/templates");
  EXPECT_EQ(after.json()["items"].size(), 11U);
}

TEST_F(TemplatesTest, ASaveMakesANewVersionAndKeepsTheOld) {
  const auto first = host_.request("GET", path);
  ASSERT_EQ(first.status, 200);
  EXPECT_EQ(first.json()["version"].integer(), 1);
  EXPECT_EQ(first.header("etag"), "\"1\"");
  const auto saved = put(body("Thanks for {{orderId}}"), {{"if-match", "\"1\""}});
  ASSERT_EQ(saved.status, 200) << saved.body;
  EXPECT_EQ(saved.json()["version"].integer(), 2);
  EXPECT_EQ(host_.request("GET", path).json()["subject"].text(), "Thanks for {{orderId}}");
  EXPECT_EQ(host_.request("GET", path + "?version=1").json()["subject"].text(), first.json()["subject"].text());
  EXPECT_EQ(host_.request("GET", path + "?version=9").status, 404);
  EXPECT_EQ(host_.request("GET", path + "?version=x").status, 400);
  EXPECT_EQ(host_.request("GET", path + "?locale=fr").status, 404);
}

TEST_F(TemplatesTest, AStaleSaveIsRefused) {
  ASSERT_EQ(put(body("One")).status, 200);
  EXPECT_EQ(put(body("Two"), {{"if-match", "\"1\""}}).status, 412);
  EXPECT_EQ(host_.request("GET", path).json()["subject"].text(), "One");
}

TEST_F(TemplatesTest, AMissingVariableIsAnErrorAtSave) {
  const auto r = put(body("Dear {{firstName}}"));
  ASSERT_EQ(r.status, 422);
  ASSERT_EQ(r.json()["errors"].size(), 1U);
  EXPECT_EQ(r.json()["errors"][0]["field"].text(), "subject");
  EXPECT_NE(r.json()["errors"][0]["detail"].text().find("firstName"), std::string_view::npos);
  EXPECT_EQ(host_.request("GET", path).json()["version"].integer(), 1);
}

TEST_F(TemplatesTest, BadInputNamesEachField) {
  const auto r = put(R"({"locale":"english","subject":"","html":5})");
  ASSERT_EQ(r.status, 422);
  EXPECT_EQ(r.json()["errors"].size(), 5U);
  EXPECT_EQ(put("{").status, 400);
  EXPECT_EQ(put(body(std::string(501, 'x'))).status, 422);
  EXPECT_EQ(host_.request("PUT", "/notifications/templates/unknown", body("x")).status, 404);
  EXPECT_EQ(host_.request("GET", "/notifications/templates/unknown").status, 404);
}

TEST_F(TemplatesTest, ASaveReachesTheNextMail) {
  ASSERT_EQ(put(body("Brand new {{orderId}}")).status, 200);
  relay();
  mail_for("o-1");
  EXPECT_NE(sent("o-1").find("Subject: Brand new o-1\r\n"), std::string::npos);
}

TEST_F(TemplatesTest, AMailInFlightKeepsTheVersionItWasDecidedWith) {
  mail_for("o-1");
  ASSERT_EQ(put(body("Too late")).status, 200);
  relay();
  EXPECT_NE(sent("o-1").find("Subject: Your order o-1 is confirmed\r\n"), std::string::npos);
}

TEST_F(TemplatesTest, AfterAGapTheStoreIsReadAgain) {
  ASSERT_EQ(put(body("Unheard {{orderId}}")).status, 200);
  host_.break_observation();
  mail_for("o-1");
  EXPECT_NE(sent("o-1").find("Subject: Unheard o-1\r\n"), std::string::npos);
}

TEST_F(TemplatesTest, AnOlderSaveThatArrivesLateChangesNothing) {
  ASSERT_EQ(put(body("Two")).status, 200);
  const auto older = host_.take_emitted();
  ASSERT_EQ(put(body("Three")).status, 200);
  relay();
  ASSERT_TRUE(
      host_.deliver("notification-events", "TemplateSaved", "order-confirmed", gantry::json::raw(older.at(0).data)));
  mail_for("o-1");
  EXPECT_NE(sent("o-1").find("Subject: Three\r\n"), std::string::npos);
}

TEST_F(TemplatesTest, APreviewRendersSampleDataAndStoresNothing) {
  const auto r = host_.request("POST", path + "/preview", R"({"subject":"Total {{total|money}}"})");
  ASSERT_EQ(r.status, 200) << r.body;
  EXPECT_EQ(r.json()["subject"].text(), "Total 21.90 EUR");
  EXPECT_NE(r.json()["html"].text().find("Cup &amp; saucer"), std::string_view::npos);
  EXPECT_EQ(host_.request("GET", path).json()["version"].integer(), 1);
}

TEST_F(TemplatesTest, APreviewSaysWhatTheDataLacks) {
  const auto r = host_.request("POST", path + "/preview", R"({"data":{"orderId":"o-1"}})");
  ASSERT_EQ(r.status, 422);
  EXPECT_EQ(r.json()["errors"][0]["field"].text(), "data.lines");
  EXPECT_EQ(host_.request("POST", path + "/preview", R"({"text":"{{nope}}"})").status, 422);
  EXPECT_EQ(host_.request("POST", "/notifications/templates/unknown/preview", "{}").status, 404);
}

}  // namespace
}  // namespace notification
