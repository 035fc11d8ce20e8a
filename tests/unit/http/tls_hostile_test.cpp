// Clients that are slow, silent, gone or talk rubbish before the endpoint knows them: they end, and hold up nobody.
#include <chrono>
#include <random>

#include "tls_fixture.hpp"

namespace gantry::http {
namespace {

using namespace std::chrono_literals;

class TlsHostileTest : public TlsFixture {};

TEST_F(TlsHostileTest, SilentClientsHoldUpNobody) {
  open(shows());
  std::vector<client> silent;
  for (int i = 0; i < 50; ++i) silent.emplace_back(server->port());
  for (int i = 0; i < 50; ++i) expect_service();
  EXPECT_EQ(server->tls().accepted, 50U);
}

TEST_F(TlsHostileTest, ASilentClientIsClosedInTheTimeOfHeaders) {
  auto o = shows();
  o.header_timeout = 40ms;
  open(o);
  client silent(server->port());
  EXPECT_EQ(silent.receive_all(), "");
  EXPECT_EQ(next_refusal(), "it did not finish the TLS handshake in time");
  client begun(server->port());
  begun.send("\x16\x03\x01");
  EXPECT_EQ(begun.receive_all(), "");
  EXPECT_EQ(next_refusal(), "it did not finish the TLS handshake in time");
}

TEST_F(TlsHostileTest, AClientThatSendsAByteNowAndThenGainsNoTime) {
  auto o = shows();
  o.header_timeout = 40ms;
  open(o);
  client one(server->port());
  one.send(std::string("\x16\x03\x01\x40\x00\x01\x00\x3F\xFC", 9));  // a hello of 16 KiB begins
  std::unique_lock lock(mutex);
  while (!happened.wait_for(lock, 1ms, [this] { return !refusals.empty(); })) one.send("x");
  EXPECT_EQ(refusals.front(), "it did not finish the TLS handshake in time");
}

TEST_F(TlsHostileTest, AHandshakeMayComeByteByByte) {
  open(shows());
  auto o = as("client");
  o.byte_by_byte = true;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    o.newest = version;
    auto one = connect(o);
    ASSERT_TRUE(one.shake_hands()) << one.problem;
    one.send(get("/slowly"));
    EXPECT_TRUE(one.receive().ends_with("GET /slowly client "));
  }
}

TEST_F(TlsHostileTest, AClientThatLeavesInTheHandshakeIsForgotten) {
  open(shows());
  {
    auto one = connect(as("client"));
    one.say_hello();
    one.hang_up();
  }
  EXPECT_NE(next_refusal().find("the TLS handshake"), std::string::npos);
  {
    auto one = connect(as("client"));
    one.say_hello();
    one.reset();
  }
  EXPECT_NE(next_refusal().find("the TLS handshake"), std::string::npos);
  {
    auto one = connect(as("client"));
    one.say_hello();
    one.client::send_no_more();
    next_refusal();
  }
  expect_service();
}

TEST_F(TlsHostileTest, PlainHttpIsToldToUseTls) {
  open(shows());
  client plain(server->port());
  plain.send(get("/p"));
  const auto answer = plain.receive_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_NE(answer.find("this address takes TLS only"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("GET /p"), std::string::npos) << "it was served";
  EXPECT_EQ(next_refusal(), "it speaks HTTP without TLS");
  expect_service();
}

TEST_F(TlsHostileTest, RubbishIsRefused) {
  open(shows());
  std::mt19937 chance(1);
  std::uniform_int_distribution<int> any(0, 255);
  for (int i = 0; i < 100; ++i) {
    std::string bytes(static_cast<std::size_t>(1 + any(chance) * 20), '\0');
    for (auto& c : bytes) c = static_cast<char>(any(chance));
    if (i % 3 == 0)
      bytes.replace(0, std::min<std::size_t>(3, bytes.size()), "\x16\x03\x01", std::min<std::size_t>(3, bytes.size()));
    client one(server->port());
    one.send(bytes);
    one.send_no_more();
    one.receive_all();
    EXPECT_NE(next_refusal(), "");
  }
  expect_service();
  EXPECT_EQ(server->tls().refused, 100U);
}

TEST_F(TlsHostileTest, RubbishInsideTheHandshakeIsRefusedWithAnAlert) {
  open(shows());
  auto one = connect(as("client"));
  one.say_hello();
  one.put(std::string(2000, '\xFF'));
  // The alert may come behind the server's last message, which ends the handshake for a client of TLS 1.3.
  if (one.shake_hands()) {
    EXPECT_EQ(one.receive_all(), "");
  }
  EXPECT_NE(one.problem, "");
  EXPECT_NE(next_refusal(), "");
  expect_service();
}

TEST_F(TlsHostileTest, RubbishBehindTheHandshakeEndsTheConnection) {
  open(shows());
  auto one = connect(as("client"));
  ASSERT_TRUE(one.shake_hands()) << one.problem;
  one.send(get("/later"));
  auto answer = next_waiting();
  // A record as TLS frames it, that nobody has encrypted.
  one.put(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
  EXPECT_EQ(one.receive_all(), "");
  EXPECT_NE(one.problem, "");
  answer.send({200, {}, "nobody reads this"});
  expect_service();
}

TEST_F(TlsHostileTest, RenegotiationIsOff) {
  open(shows());
  auto o = as("client");
  o.newest = TLS1_2_VERSION;
  auto one = connect(o);
  ASSERT_TRUE(one.shake_hands()) << one.problem;
  one.renegotiate();
  one.receive_all();
  EXPECT_NE(one.problem.find("renegotiation"), std::string::npos) << one.problem;
  expect_service();
}

TEST_F(TlsHostileTest, OneThatDoesNotReadHoldsUpNobody) {
  open(shows());
  auto lazy = connect(as("client"));
  ASSERT_TRUE(lazy.shake_hands()) << lazy.problem;
  lazy.send(get("/large"));
  for (int i = 0; i < 5; ++i) expect_service();
  EXPECT_GT(lazy.receive().size(), 8'000'000U);
}

}  // namespace
}  // namespace gantry::http
