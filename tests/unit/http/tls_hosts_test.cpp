// Host to host: the remote calls of one against the endpoint of another, both showing their certificates.
#include <gtest/gtest.h>

#include "../call_remote/caller.hpp"
#include "../call_remote/service.hpp"
#include "tls_fixture.hpp"

namespace gantry::call {
namespace {

class TlsHostsTest : public http::TlsFixture {
 protected:
  void serve(const std::string& certificate) { catalog = std::make_unique<service>("catalog", shows(certificate)); }
  void call_as(const std::string& certificate) {
    remote_options o;
    o.tls.ca = pem("ours");
    if (!certificate.empty()) o.tls = {pem(certificate), key(certificate), pem("ours")};
    order = std::make_unique<caller>(o);
    const auto done =
        order->calls->place({{"catalog", {{"b", "127.0.0.1:" + std::to_string(catalog->port()), true, {}}}}});
    ASSERT_TRUE(done.ok()) << done.failure().text;
  }

  std::unique_ptr<service> catalog;
  std::unique_ptr<caller> order;
};

TEST_F(TlsHostsTest, BothShowTheirCertificates) {
  serve("good");
  call_as("client");
  for (int i = 0; i < 20; ++i) {
    const auto got = order->call("POST", "/p", "body");
    ASSERT_EQ(got.status, GANTRY_OK) << got.text;
    EXPECT_EQ(got.reply.body, "POST /p body");
  }
  EXPECT_EQ(catalog->last().peer, "client");
  EXPECT_EQ(order->figures().connected, 1U);
  EXPECT_EQ(catalog->endpoint().tls().accepted, 1U);
}

TEST_F(TlsHostsTest, LargeBodiesPass) {
  serve("good");
  call_as("client");
  const std::string body(1024 * 1024, 'b');
  EXPECT_EQ(order->call("PUT", "/p", body).reply.body, "PUT /p " + body);
  EXPECT_EQ(order->get("/large").reply.body.size(), 3'000'000U);
}

TEST_F(TlsHostsTest, ACallerWithoutCertificateIsToldSo) {
  serve("good");
  call_as("");
  const auto got = order->call("POST", "/p");
  EXPECT_EQ(got.status, GANTRY_UNAVAILABLE) << got.text;
  EXPECT_NE(got.text.find("certificate required"), std::string::npos) << got.text;
  EXPECT_EQ(next_refusal(), "it shows no certificate");
  EXPECT_EQ(catalog->last().method, "") << "a request got through";
}

TEST_F(TlsHostsTest, ACallerOfAnotherAuthorityIsToldSo) {
  serve("good");
  call_as("stranger");
  const auto got = order->call("POST", "/p");
  EXPECT_EQ(got.status, GANTRY_UNAVAILABLE) << got.text;
  EXPECT_NE(got.text.find("unknown ca"), std::string::npos) << got.text;
}

TEST_F(TlsHostsTest, ACallerRefusesAHostOfAnotherName) {
  serve("elsewhere");
  call_as("client");
  const auto got = order->call("POST", "/p");
  EXPECT_EQ(got.status, GANTRY_UNAVAILABLE) << got.text;
  EXPECT_NE(got.text.find("found elsewhere.example, expected 127.0.0.1"), std::string::npos) << got.text;
  EXPECT_NE(next_refusal().find("it refuses this host's certificate"), std::string::npos);
}

TEST_F(TlsHostsTest, ACallerWhoseCertificateHasExpiredIsToldSo) {
  serve("good");
  call_as("expired");
  const auto got = order->call("POST", "/p");
  EXPECT_EQ(got.status, GANTRY_UNAVAILABLE) << got.text;
  EXPECT_NE(got.text.find("certificate expired"), std::string::npos) << got.text;
}

TEST_F(TlsHostsTest, CallsInProgressAreAnsweredWhenTheHostDrains) {
  serve("good");
  call_as("client");
  std::thread later([&] { EXPECT_EQ(order->get("/later").reply.body, "later"); });
  catalog->wait_for_later(1);
  catalog->endpoint().stop_accepting();
  catalog->answer_later();
  later.join();
}

}  // namespace
}  // namespace gantry::call
