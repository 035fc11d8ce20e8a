// Calls over TLS: who shows what to whom, and how a refusal is named.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "caller.hpp"
#include "service.hpp"
#include "tls_front.hpp"

namespace gantry::call {
namespace {

class TlsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = (std::filesystem::temp_directory_path() / "gantry-tls-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    const auto command = std::string("sh ") + CERTIFICATES + " " + folder;
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder); }

  static std::string pem(const std::string& name) { return folder + "/" + name + ".pem"; }
  static std::string key(const std::string& name) { return folder + "/" + name + ".key"; }

  // The catalog behind a TLS server that shows this certificate; `clients`: the authority of those it lets in.
  void serve(const std::string& certificate, const std::string& clients = {}) {
    front = std::make_unique<tls_front>(catalog.port(), pem(certificate), key(certificate),
                                        clients.empty() ? "" : pem(clients));
  }
  // A caller that shows this certificate, or none, and believes this authority.
  void call_as(const std::string& certificate, const std::string& authority = "ours") {
    remote_options o;
    o.tls.ca = pem(authority);
    if (!certificate.empty()) o.tls = {pem(certificate), key(certificate), pem(authority)};
    order = std::make_unique<caller>(o);
  }
  void place(const std::string& host = "127.0.0.1", const std::string& server_name = {}) {
    const auto done =
        order->calls->place({{"catalog", {{"b", host + ":" + std::to_string(front->port()), true, server_name}}}});
    ASSERT_TRUE(done.ok()) << done.failure().text;
  }
  void expect_refusal(const char* why, std::string_view method = "GET") {
    const auto got = order->call(method, "/p");
    EXPECT_EQ(got.status, GANTRY_UNAVAILABLE) << got.text;
    EXPECT_NE(got.text.find(why), std::string::npos) << got.text;
    EXPECT_EQ(order->figures().idle, 0U);
  }

  static inline std::string folder;
  service catalog;
  std::unique_ptr<tls_front> front;
  std::unique_ptr<caller> order;
};

TEST_F(TlsTest, BothSidesShowTheirCertificates) {
  serve("good", "ours");
  call_as("client");
  place();
  for (int i = 0; i < 20; ++i) {
    const auto got = order->call("POST", "/p", "body");
    ASSERT_EQ(got.status, GANTRY_OK) << got.text;
    EXPECT_EQ(got.reply.body, "POST /p body");
  }
  EXPECT_EQ(order->figures().connected, 1U);
}

TEST_F(TlsTest, CarriesLargeBodies) {
  serve("good", "ours");
  call_as("client");
  place();
  const std::string body(1'000'000, 'b');
  EXPECT_EQ(order->call("PUT", "/p", body).reply.body, "PUT /p " + body);
  EXPECT_EQ(order->get("/large").reply.body.size(), 3'000'000U);
}

TEST_F(TlsTest, ANameIsCheckedAsWellAsAnAddress) {
  serve("good");
  call_as("");
  place("localhost");
  EXPECT_EQ(order->get("/p").status, GANTRY_OK);
}

TEST_F(TlsTest, AServerNameStandsForTheAddress) {
  serve("elsewhere");
  call_as("");
  place("127.0.0.1", "elsewhere.example");
  EXPECT_EQ(order->get("/p").status, GANTRY_OK);
}

TEST_F(TlsTest, AnExpiredCertificateIsNamed) {
  serve("expired");
  call_as("");
  place();
  expect_refusal("its certificate has expired");
}

TEST_F(TlsTest, ACertificateForAnotherHostIsNamedWithItsNames) {
  serve("elsewhere");
  call_as("");
  place();
  expect_refusal("found elsewhere.example, expected 127.0.0.1");
  place("localhost");
  expect_refusal("found elsewhere.example, expected localhost");
}

TEST_F(TlsTest, AnUnknownAuthorityIsNamed) {
  serve("stranger");
  call_as("");
  place();
  expect_refusal("unknown authority: found /CN=strangers");
}

TEST_F(TlsTest, AClientWithoutCertificateIsToldSo) {
  serve("good", "ours");
  call_as("");
  place();
  expect_refusal("certificate required", "POST");
}

TEST_F(TlsTest, AClientOfAnotherAuthorityIsToldSo) {
  serve("good", "ours");
  call_as("stranger");
  place();
  expect_refusal("unknown ca", "POST");
}

TEST_F(TlsTest, AServerWithoutTlsIsNamed) {
  raw_server plain([](raw_server::connection& c) { c.answer("plain"); });
  call_as("");
  ASSERT_TRUE(order->calls->place({{"catalog", {{"b", "127.0.0.1:" + std::to_string(plain.port()), true, {}}}}}).ok());
  expect_refusal("does not speak TLS");
}

TEST_F(TlsTest, AServerThatEndsTheHandshakeIsNamed) {
  raw_server silent([](raw_server::connection&) {});
  call_as("");
  ASSERT_TRUE(order->calls->place({{"catalog", {{"b", "127.0.0.1:" + std::to_string(silent.port()), true, {}}}}}).ok());
  expect_refusal("TLS handshake");
}

TEST_F(TlsTest, AHandshakeEndsAtTheDeadline) {
  raw_server silent([](raw_server::connection& c) { c.hold(); });
  call_as("");
  order->timeout_us = 50'000;
  ASSERT_TRUE(order->calls->place({{"catalog", {{"b", "127.0.0.1:" + std::to_string(silent.port()), true, {}}}}}).ok());
  EXPECT_EQ(order->get("/p").status, GANTRY_TIMEOUT);
}

TEST_F(TlsTest, FilesThatCantBeUsedAreNamed) {
  const std::vector<std::pair<tls_files, std::string>> cases = {
      {{"", "", "/nowhere/ca.pem"}, "tls.ca /nowhere/ca.pem"},
      {{"/nowhere/c.pem", key("client"), pem("ours")}, "tls.cert /nowhere/c.pem"},
      {{pem("client"), "/nowhere/c.key", pem("ours")}, "tls.key /nowhere/c.key"},
      {{pem("client"), key("good"), pem("ours")}, key("good")},
      {{pem("client"), "", pem("ours")}, "expected both or none"},
  };
  for (const auto& [files, words] : cases) {
    remote_options o;
    o.tls = files;
    caller one(o);
    const auto done = one.calls->place({{"catalog", {{"b", "127.0.0.1:1", true, {}}}}});
    ASSERT_FALSE(done.ok()) << words;
    EXPECT_NE(done.failure().text.find(words), std::string::npos) << done.failure().text;
  }
}

}  // namespace
}  // namespace gantry::call
