// The SMTP client against a server that really listens: the conversation, TLS, logins, refusals and broken connections.
#include <gtest/gtest.h>

#include <algorithm>
#include <gantry/failure.hpp>

#include "smtp/dialogue.hpp"
#include "smtp/smtp_channel.hpp"
#include "smtp_server.hpp"

namespace notification {
namespace {

using testing::certificate;
using testing::make_certificate;
using testing::smtp_script;
using testing::smtp_server;
using testing::temporary_file;

const mailbox shop{"Shop", "orders@shop.example"};
using strings = std::vector<std::string>;
using script_replies = std::map<std::string, strings>;

smtp_settings plain(const smtp_server& server) {
  smtp_settings out;
  out.host = "localhost";
  out.port = server.port();
  out.security = smtp_security::none;
  out.helo = "shop.example";
  return out;
}

smtp_settings secured(const smtp_server& server, const temporary_file& ca) {
  smtp_settings out = plain(server);
  out.security = smtp_security::starttls;
  out.ca_file = ca.path();
  return out;
}

outgoing message(std::string_view id = "n-1", std::string_view text = "Hello.\n.dot\n..two\n") {
  return {id, "ada@customers.example", "Hi", text, "", "Hi", 1'767'225'600'000'000};
}

std::string reason_of(smtp_channel& channel, gantry_status expected) {
  try {
    channel.send(message());
  } catch (const gantry::failure& e) {
    EXPECT_EQ(e.status(), expected) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "the mail was accepted";
  return {};
}

TEST(Smtp, AMailArrivesWholeWithItsEnvelope) {
  smtp_server server;
  smtp_channel channel(plain(server), shop);
  channel.send(message());
  ASSERT_EQ(server.mails().size(), 1U);
  const auto mail = server.mails()[0];
  EXPECT_EQ(mail.from, "orders@shop.example");
  EXPECT_EQ(mail.to, "ada@customers.example");
  EXPECT_NE(mail.content.find("Message-ID: <n-1@shop.example>\r\n"), std::string::npos);
  EXPECT_NE(mail.content.find("\r\n\r\nHello.\r\n.dot\r\n..two\r\n"), std::string::npos);
  EXPECT_EQ(server.commands()[0], "EHLO shop.example");
}

TEST(Smtp, MailsShareAConversation) {
  smtp_server server;
  smtp_channel channel(plain(server), shop);
  for (int i = 0; i < 5; ++i) channel.send(message());
  EXPECT_EQ(server.mails().size(), 5U);
  EXPECT_EQ(server.connections(), 1U);
}

TEST(Smtp, AConnectionThatTheServerClosedMeanwhileIsReplaced) {
  smtp_script script;
  script.mails_per_connection = 1;
  smtp_server server(script);
  smtp_channel channel(plain(server), shop);
  for (int i = 0; i < 3; ++i) channel.send(message());
  EXPECT_EQ(server.mails().size(), 3U);
  EXPECT_EQ(server.connections(), 3U);
}

TEST(Smtp, AnIdleConversationIsNotUsedAgain) {
  smtp_server server;
  smtp_settings settings = plain(server);
  settings.idle = std::chrono::milliseconds(-1);
  smtp_channel channel(settings, shop);
  channel.send(message());
  channel.send(message());
  EXPECT_EQ(server.connections(), 2U);
}

TEST(Smtp, StartTlsEncryptsEverythingAfterIt) {
  const certificate cert = make_certificate("localhost");
  const temporary_file ca(cert.certificate_pem);
  smtp_server server({.tls = cert});
  smtp_channel channel(secured(server, ca), shop);
  channel.send(message());
  ASSERT_EQ(server.mails().size(), 1U);
  EXPECT_TRUE(server.mails()[0].encrypted);
  const strings commands = server.commands();
  EXPECT_EQ(strings(commands.begin(), commands.begin() + 3),
            (strings{"EHLO shop.example", "STARTTLS", "EHLO shop.example"}));
}

TEST(Smtp, TlsFromTheFirstByteWorksToo) {
  const certificate cert = make_certificate("localhost");
  const temporary_file ca(cert.certificate_pem);
  smtp_server server({.tls = cert, .tls_from_start = true});
  smtp_settings settings = secured(server, ca);
  settings.security = smtp_security::tls;
  smtp_channel channel(settings, shop);
  channel.send(message());
  ASSERT_EQ(server.mails().size(), 1U);
  EXPECT_TRUE(server.mails()[0].encrypted);
}

TEST(Smtp, ACertificateForAnotherNameIsRefused) {
  const certificate cert = make_certificate("mail.elsewhere.example");
  const temporary_file ca(cert.certificate_pem);
  smtp_server server({.tls = cert});
  smtp_channel channel(secured(server, ca), shop);
  EXPECT_NE(reason_of(channel, GANTRY_RETRY).find("TLS"), std::string::npos);
  EXPECT_TRUE(server.mails().empty());
}

TEST(Smtp, ACertificateOfNobodyKnownIsRefused) {
  const certificate cert = make_certificate("localhost");
  const temporary_file ca(make_certificate("localhost").certificate_pem);
  smtp_server server({.tls = cert});
  smtp_channel channel(secured(server, ca), shop);
  reason_of(channel, GANTRY_RETRY);
  EXPECT_TRUE(server.mails().empty());
}

TEST(Smtp, AServerWithoutStartTlsGetsNothingInPlainText) {
  const temporary_file ca(make_certificate("localhost").certificate_pem);
  smtp_server server;
  smtp_channel channel(secured(server, ca), shop);
  EXPECT_NE(reason_of(channel, GANTRY_RETRY).find("STARTTLS"), std::string::npos);
  EXPECT_EQ(server.commands(), strings{"EHLO shop.example"});
}

TEST(Smtp, WordsSlippedInBeforeTlsAreNotTakenForAnswers) {
  const certificate cert = make_certificate("localhost");
  const temporary_file ca(cert.certificate_pem);
  smtp_server server({.tls = cert, .after_starttls = "250 injected\r\n"});
  smtp_channel channel(secured(server, ca), shop);
  reason_of(channel, GANTRY_RETRY);
  EXPECT_TRUE(server.mails().empty());
}

TEST(Smtp, LogsInByEitherWay) {
  const certificate cert = make_certificate("localhost");
  const temporary_file ca(cert.certificate_pem);
  for (const std::string way : {"PLAIN LOGIN", "LOGIN"}) {
    smtp_server server({.tls = cert, .auth = way, .accepted_login = "shop:secret"});
    smtp_settings settings = secured(server, ca);
    settings.username = "shop";
    settings.password = "secret";
    smtp_channel channel(settings, shop);
    channel.send(message());
    EXPECT_EQ(server.mails().size(), 1U) << way;
  }
}

TEST(Smtp, ARefusedLoginSaysNothingAboutTheMail) {
  const certificate cert = make_certificate("localhost");
  const temporary_file ca(cert.certificate_pem);
  smtp_server server({.tls = cert, .auth = "PLAIN", .accepted_login = "shop:secret"});
  smtp_settings settings = secured(server, ca);
  settings.username = "shop";
  settings.password = "guess";
  smtp_channel channel(settings, shop);
  const std::string reason = reason_of(channel, GANTRY_RETRY);
  EXPECT_NE(reason.find("535"), std::string::npos);
  EXPECT_EQ(reason.find("guess"), std::string::npos);
}

TEST(Smtp, APasswordIsNeverSentInPlainText) {
  smtp_server server;
  smtp_settings settings = plain(server);
  settings.username = "shop";
  try {
    smtp_channel channel(settings, shop);
    FAIL();
  } catch (const gantry::failure& e) {
    EXPECT_EQ(e.status(), GANTRY_INVALID);
  }
}

TEST(Smtp, FourHundredsMayWorkLaterAndFiveHundredsNever) {
  for (const std::string word : {"MAIL", "RCPT", "DATA", "."}) {
    smtp_server server({.replies = {{word, {"451 busy", "550 never"}}}});
    smtp_channel channel(plain(server), shop);
    EXPECT_NE(reason_of(channel, GANTRY_RETRY).find("451 busy"), std::string::npos) << word;
    EXPECT_NE(reason_of(channel, GANTRY_REJECT).find("550 never"), std::string::npos) << word;
    channel.send(message());
    EXPECT_EQ(server.mails().size(), 1U) << word;
  }
}

TEST(Smtp, ARefusedMailLeavesTheConversationForTheNext) {
  smtp_server server({.replies = {{"RCPT", {"550 no such user"}}}});
  smtp_channel channel(plain(server), shop);
  reason_of(channel, GANTRY_REJECT);
  channel.send(message());
  EXPECT_EQ(server.connections(), 1U);
  const strings commands = server.commands();
  EXPECT_NE(std::ranges::find(commands, "RSET"), commands.end());
}

TEST(Smtp, AServerThatIsBusyAtTheDoorIsTriedLater) {
  smtp_server server({.replies = {{"connect", {"421 too many"}}}});
  smtp_channel channel(plain(server), shop);
  EXPECT_NE(reason_of(channel, GANTRY_RETRY).find("421"), std::string::npos);
}

TEST(Smtp, SilenceEndsInATimeout) {
  smtp_server server({.replies = {{"MAIL", {""}}}});
  smtp_settings settings = plain(server);
  settings.timeout = std::chrono::milliseconds(50);
  smtp_channel channel(settings, shop);
  reason_of(channel, GANTRY_RETRY);
}

TEST(Smtp, WhatIsNotSmtpIsSaidToBe) {
  smtp_server server({.replies = {{"connect", {"HTTP/1.1 400 Bad Request"}}}});
  smtp_channel channel(plain(server), shop);
  EXPECT_NE(reason_of(channel, GANTRY_RETRY).find("does not speak SMTP"), std::string::npos);
}

TEST(Smtp, NobodyThereIsTriedLater) {
  std::uint16_t port = 0;
  { port = smtp_server().port(); }
  smtp_settings settings;
  settings.host = "localhost";
  settings.port = port;
  settings.security = smtp_security::none;
  smtp_channel channel(settings, shop);
  reason_of(channel, GANTRY_RETRY);
}

TEST(Smtp, AnUnusableRecipientIsRefusedWithoutAskingTheServer) {
  smtp_server server;
  smtp_channel channel(plain(server), shop);
  outgoing bad = message();
  bad.to = "ada@x>\r\nRCPT TO:<eve@x";
  EXPECT_THROW(channel.send(bad), gantry::rejected);
  EXPECT_EQ(server.connections(), 0U);
}

TEST(Smtp, AnUnreadableCaFileIsRefusedAtTheStart) {
  smtp_settings settings;
  settings.host = "localhost";
  settings.ca_file = "/nowhere/ca.pem";
  EXPECT_THROW(smtp_channel(settings, shop), gantry::failure);
}

TEST(Dialogue, RepliesOfSeveralLinesEndWithASpace) {
  smtp_reply_reader reader;
  EXPECT_EQ(reader.add("250-first"), smtp_reply_reader::state::more);
  EXPECT_EQ(reader.add("250-STARTTLS"), smtp_reply_reader::state::more);
  EXPECT_EQ(reader.add("250 AUTH LOGIN PLAIN"), smtp_reply_reader::state::complete);
  const smtp_abilities can = abilities_of(reader.reply());
  EXPECT_TRUE(can.starttls);
  EXPECT_TRUE(can.auth_plain);
  EXPECT_TRUE(can.auth_login);
}

TEST(Dialogue, MalformedRepliesAreNoticed) {
  for (const char* line : {"", "25", "abc", "999 x", "250x", "150 x"}) {
    smtp_reply_reader reader;
    EXPECT_EQ(reader.add(line), smtp_reply_reader::state::malformed) << line;
  }
  smtp_reply_reader reader;
  reader.add("250-a");
  EXPECT_EQ(reader.add("550 b"), smtp_reply_reader::state::malformed);
}

TEST(Dialogue, DotsAreStuffedAndTheEndIsMarked) {
  EXPECT_EQ(dot_stuffed(".a\r\nb\r\n..c"), "..a\r\nb\r\n...c\r\n.\r\n");
  EXPECT_EQ(dot_stuffed(""), "\r\n.\r\n");
}

}  // namespace
}  // namespace notification
