// Which ids notifications get, and whom they go to.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "config/settings.hpp"
#include "domain/notice.hpp"

namespace notification {
namespace {

const std::string order = "0194f0c2-1111-7000-8000-00000000abcd";
constexpr std::array channels = {channel_kind::email, channel_kind::sms, channel_kind::push, channel_kind::inapp};

TEST(Notice, EveryNoticeAboutAnOrderHasAnIdOfItsOwnInTheOrdersRange) {
  for (const std::string& id : {order, std::string("o-1"), std::string("a b/<c>_\r\n")}) {
    std::set<std::string> seen;
    const id_range range = notifications_of(id);
    for (const notice about : all_notices) {
      for (const channel_kind channel : channels) {
        for (const std::int64_t ordinal : {0, 1, 900, 123456789}) {
          const std::string made = notification_id(id, about, channel, ordinal);
          EXPECT_TRUE(seen.insert(made).second);
          EXPECT_LE(range.first, made);
          EXPECT_LE(made, range.last);
          EXPECT_EQ(made, notification_id(id, about, channel, ordinal));
        }
      }
    }
  }
}

TEST(Notice, TheIdOfAUuidIsAUuidOfTheSameTime) {
  const std::string made = notification_id(order, notice::order_confirmed, channel_kind::email);
  EXPECT_EQ(made.size(), 36U);
  EXPECT_EQ(made.substr(0, 24), order.substr(0, 24));
  EXPECT_NE(made, order);
}

TEST(Notice, AnIdIsSafeInAFileNameAndAHeader) {
  const std::string made = notification_id("../a b\r\n<x>", notice::order_confirmed, channel_kind::email);
  EXPECT_EQ(made.find_first_of("/ \r\n<>"), std::string::npos);
}

TEST(Notice, OrdersThatLookAlikeHaveDifferentIds) {
  EXPECT_NE(notification_id("a b", notice::order_confirmed, channel_kind::email),
            notification_id("a_20b", notice::order_confirmed, channel_kind::email));
}

TEST(Notice, NamesAreReadBack) {
  for (const notice about : all_notices) EXPECT_EQ(notice_of(name_of(about)), about);
  for (const channel_kind channel : channels) EXPECT_EQ(channel_of(name_of(channel)), channel);
  EXPECT_FALSE(notice_of("order_confirmed"));
  EXPECT_FALSE(channel_of("fax"));
}

TEST(Recipient, FillsInThePatternAndDropsWhatWouldChangeAnAddress) {
  EXPECT_EQ(recipient_of("{customerId}@customers.example", "c-1"), "c-1@customers.example");
  EXPECT_EQ(recipient_of("{customerId}@customers.example", "eve@evil.example, x"),
            "eveevil.examplex@customers.example");
  EXPECT_EQ(recipient_of("all@shop.example", "c-1"), "all@shop.example");
}

TEST(Settings, DefaultsSendMailIntoFiles) {
  const settings config = read_settings({});
  EXPECT_FALSE(config.smtp);
  EXPECT_EQ(config.eml_directory, "data/mail");
  for (const notice about : all_notices) {
    EXPECT_EQ(config.channels_of(about), std::vector<channel_kind>{channel_kind::email});
  }
}

TEST(Settings, WhatCantWorkIsRefusedAndNamed) {
  const std::pair<const char*, const char*> bad[] = {
      {R"({"from":"nobody"})", "from"},
      {R"({"default_locale":"deutsch"})", "default_locale"},
      {R"({"channels":{"order-confirmed":["fax"]}})", "order-confirmed"}};
  for (const auto& [text, named] : bad) {
    const auto document = gantry::json_document::parse(text);
    try {
      read_settings(document.root());
      ADD_FAILURE() << text;
    } catch (const gantry::failure& e) {
      EXPECT_NE(std::string(e.what()).find(named), std::string::npos) << e.what();
    }
  }
}

TEST(Settings, SmtpAndProvidersAreRead) {
  const auto document = gantry::json_document::parse(
      R"({"smtp":{"host":"mail","port":25,"security":"none"},)"
      R"("sms":{"url":"http://sms.example/","recipient":"+{customerId}"}})");
  const settings config = read_settings(document.root());
  ASSERT_TRUE(config.smtp);
  EXPECT_EQ(config.smtp->port, 25);
  EXPECT_EQ(config.smtp->security, smtp_security::none);
  ASSERT_TRUE(config.sms.provider);
  EXPECT_EQ(config.recipient_in(channel_kind::sms, "49"), "+49");
  EXPECT_FALSE(config.push.provider);
}

}  // namespace
}  // namespace notification
