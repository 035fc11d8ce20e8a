// The endpoint behind TLS: who is let in, and that HTTP is the same there.
#include <atomic>
#include <chrono>
#include <thread>

#include "tls_fixture.hpp"

namespace gantry::http {
namespace {

using namespace std::chrono_literals;

class TlsTest : public TlsFixture {};

TEST_F(TlsTest, KnowsItsClientByItsCertificate) {
  open(shows());
  auto one = connect(as("client"));
  ASSERT_TRUE(one.shake_hands()) << one.problem;
  for (int i = 0; i < 20; ++i) {
    one.send(get("/" + std::to_string(i)));
    EXPECT_TRUE(one.receive().ends_with("GET /" + std::to_string(i) + " client "));
  }
  EXPECT_EQ(server->tls().accepted, 1U);
  EXPECT_EQ(server->tls().refused, 0U);
}

TEST_F(TlsTest, NamesAClientByItsFirstDnsNameElseByItsCommonName) {
  open(shows());
  for (const auto& [certificate, name] : {std::pair{"good", "localhost"}, std::pair{"numeric", "numeric"}}) {
    auto one = connect(as(certificate));
    ASSERT_TRUE(one.shake_hands()) << one.problem;
    one.send(get("/"));
    EXPECT_TRUE(one.receive().ends_with(std::string("GET / ") + name + " "));
  }
}

TEST_F(TlsTest, LetsInAnybodyWithoutAnAuthority) {
  open(shows("good", false));
  for (const auto* certificate : {"", "stranger"}) {
    auto one = connect(as(certificate));
    ASSERT_TRUE(one.shake_hands()) << one.problem;
    one.send(get("/"));
    EXPECT_TRUE(one.receive().ends_with("GET /  "));
  }
}

TEST_F(TlsTest, SpeaksTls12AsWell) {
  open(shows());
  auto o = as("client");
  o.newest = TLS1_2_VERSION;
  auto one = connect(o);
  ASSERT_TRUE(one.shake_hands()) << one.problem;
  one.send(get("/"));
  EXPECT_TRUE(one.receive().ends_with("GET / client "));
}

TEST_F(TlsTest, RefusesOlderTls) {
  open(shows());
  auto o = as("client");
  o.newest = TLS1_1_VERSION;
  auto one = connect(o);
  EXPECT_FALSE(one.shake_hands());
  EXPECT_EQ(next_refusal(), "it does not speak TLS 1.2 or later");
  EXPECT_NE(one.problem.find("protocol version"), std::string::npos) << one.problem;
}

TEST_F(TlsTest, AgreesOnHttp11) {
  open(shows());
  auto o = as("client");
  o.alpn = "\x02h2\x08http/1.1";
  auto one = connect(o);
  ASSERT_TRUE(one.shake_hands()) << one.problem;
  EXPECT_EQ(one.alpn(), "http/1.1");
  o.alpn = "\x02h2";
  auto other = connect(o);
  EXPECT_FALSE(other.shake_hands());
  EXPECT_EQ(next_refusal(), "it does not speak http/1.1");
}

// In TLS 1.3 a client learns only with its first answer that it was refused.
TEST_F(TlsTest, RefusesAClientWithoutCertificate) {
  open(shows());
  auto one = connect(as(""));
  one.shake_hands();
  one.send(get("/"));
  EXPECT_EQ(one.receive(), "");
  EXPECT_NE(one.problem.find("certificate required"), std::string::npos) << one.problem;
  EXPECT_EQ(next_refusal(), "it shows no certificate");
  EXPECT_EQ(server->tls().refused, 1U);
  EXPECT_EQ(server->tls().accepted, 0U);
}

TEST_F(TlsTest, RefusesAClientOfAnotherAuthority) {
  open(shows());
  auto one = connect(as("stranger"));
  one.shake_hands();
  one.send(get("/"));
  EXPECT_EQ(one.receive(), "");
  EXPECT_NE(one.problem.find("unknown ca"), std::string::npos) << one.problem;
  EXPECT_EQ(next_refusal(), "its certificate comes from an unknown authority: /CN=stranger by /CN=strangers");
}

TEST_F(TlsTest, RefusesAClientWhoseCertificateHasExpired) {
  open(shows());
  auto one = connect(as("expired"));
  one.shake_hands();
  one.send(get("/"));
  EXPECT_EQ(one.receive(), "");
  EXPECT_NE(one.problem.find("certificate expired"), std::string::npos) << one.problem;
  EXPECT_EQ(next_refusal(), "its certificate has expired: /CN=expired by /CN=ours, 2021-01-01 00:00:00Z");
}

TEST_F(TlsTest, SaysWhenAClientRefusesIt) {
  open(shows());
  auto o = as("client");
  o.ca = pem("strangers");
  auto one = connect(o);
  EXPECT_FALSE(one.shake_hands());
  EXPECT_NE(next_refusal().find("it refuses this host's certificate or TLS: "), std::string::npos);
}

TEST_F(TlsTest, CarriesLargeBodiesBothWays) {
  open(shows());
  auto one = connect(as("client"));
  ASSERT_TRUE(one.shake_hands()) << one.problem;
  const std::string body(1024 * 1024, 'b');
  for (int i = 0; i < 3; ++i) {
    one.send("PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_TRUE(one.receive().ends_with("PUT /b client " + body));
  }
  one.send("PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size() + 1) + "\r\n\r\n");
  EXPECT_TRUE(one.receive_all().starts_with("HTTP/1.1 413 "));
}

TEST_F(TlsTest, AnswersPipelinedRequests) {
  open(shows());
  auto one = connect(as("client"));
  ASSERT_TRUE(one.shake_hands()) << one.problem;
  std::string all;
  for (int i = 0; i < 200; ++i) all += get("/" + std::to_string(i));
  one.send(all);
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(one.receive().ends_with("GET /" + std::to_string(i) + " client "));
}

TEST_F(TlsTest, AnswersAClientThatSendsNoMore) {
  open(shows());
  auto one = connect(as("client"));
  ASSERT_TRUE(one.shake_hands()) << one.problem;
  one.send(get("/later"));
  one.send_no_more();
  auto answer = next_waiting();
  std::thread([&] { answer.send({200, {}, "still here"}); }).join();
  EXPECT_TRUE(one.receive_all().ends_with("still here"));
  EXPECT_TRUE(one.told_the_end());
}

TEST_F(TlsTest, AnswersAClientWhoseSocketSendsNoMore) {
  open(shows());
  auto one = connect(as("client"));
  ASSERT_TRUE(one.shake_hands()) << one.problem;
  one.send(get("/later"));
  one.client::send_no_more();
  auto answer = next_waiting();
  std::thread([&] { answer.send({200, {}, "still here"}); }).join();
  EXPECT_TRUE(one.receive_all().ends_with("still here"));
}

TEST_F(TlsTest, SaysTheEndBehindTheLastReplyAndOnIdleConnections) {
  auto o = shows();
  o.keepalive_timeout = 40ms;
  open(o);
  auto last = connect(as("client"));
  ASSERT_TRUE(last.shake_hands()) << last.problem;
  last.send("GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(last.receive_all().ends_with("GET /last client "));
  EXPECT_TRUE(last.told_the_end());
  auto idle = connect(as("client"));
  ASSERT_TRUE(idle.shake_hands()) << idle.problem;
  EXPECT_EQ(idle.receive_all(), "");
  EXPECT_TRUE(idle.told_the_end());
}

TEST_F(TlsTest, TimesOutSlowHeaders) {
  auto o = shows();
  open(o);
  auto first = connect(as("client"));  // a handshake may take as long as it does here
  ASSERT_TRUE(first.shake_hands()) << first.problem;
  first.send(get("/"));
  EXPECT_TRUE(first.receive().starts_with("HTTP/1.1 200 "));
  o.header_timeout = 300ms;
  open(o);
  auto slow = connect(as("client"));
  ASSERT_TRUE(slow.shake_hands()) << slow.problem;
  slow.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_TRUE(slow.receive_all().starts_with("HTTP/1.1 408 "));
}

TEST_F(TlsTest, ServesManyClientsOnSeveralThreads) {
  auto o = shows();
  o.threads = 3;
  open(o);
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 6; ++c) {
    clients.emplace_back([&] {
      for (int connection = 0; connection < 5; ++connection) {
        auto one = connect(as("client"));
        if (!one.shake_hands()) continue;
        for (int i = 0; i < 20; ++i) {
          one.send(get("/x"));
          if (one.receive().starts_with("HTTP/1.1 200 ")) ++answered;
        }
      }
    });
  }
  for (auto& c : clients) c.join();
  EXPECT_EQ(answered, 600);
  EXPECT_EQ(server->tls().accepted, 30U);
}

TEST_F(TlsTest, DrainsAsWithoutTls) {
  open(shows());
  auto idle = connect(as("client"));
  ASSERT_TRUE(idle.shake_hands()) << idle.problem;
  idle.send(get("/now"));
  EXPECT_TRUE(idle.receive().starts_with("HTTP/1.1 200 "));
  auto busy = connect(as("client"));
  ASSERT_TRUE(busy.shake_hands()) << busy.problem;
  busy.send(get("/later"));
  auto answer = next_waiting();
  server->stop_accepting();
  EXPECT_EQ(idle.receive_all(), "");
  auto late = connect(as("client"));
  ASSERT_TRUE(late.shake_hands()) << late.problem;
  EXPECT_TRUE(late.receive_all().starts_with("HTTP/1.1 503 "));
  answer.send({200, {}, "done"});
  EXPECT_TRUE(busy.receive_all().ends_with("done"));
}

TEST_F(TlsTest, AReplyGivenBeforeTheStopStillGoesOut) {
  open(shows());
  auto busy = connect(as("client"));
  ASSERT_TRUE(busy.shake_hands()) << busy.problem;
  busy.send(get("/later"));
  auto answer = next_waiting();
  answer.send({200, {}, "just in time"});
  server->stop();
  EXPECT_TRUE(busy.receive_all().ends_with("just in time"));
  EXPECT_TRUE(busy.told_the_end());
}

TEST_F(TlsTest, ClosesConnectionsBeyondTheLimitWithoutAHandshake) {
  auto o = shows();
  o.max_connections = 1;
  open(o);
  auto one = connect(as("client"));
  ASSERT_TRUE(one.shake_hands()) << one.problem;
  auto two = connect(as("client"));
  EXPECT_FALSE(two.shake_hands());
  one.send(get("/"));
  EXPECT_TRUE(one.receive().starts_with("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace gantry::http
