// The providers by themselves; the HTTP one against a real server on the loopback interface.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "gantry/failure.hpp"
#include "provider/http_provider.hpp"
#include "provider/signature.hpp"
#include "provider/simulator.hpp"

namespace shop::payment {
namespace {

charge_request charge_of(std::string_view token, std::uint32_t attempt = 1) {
  return {"pay-1", "o-1", 100, "EUR", token, attempt};
}

TEST(Simulator, DecidesByTheToken) {
  simulator sim{simulator_settings{}};
  EXPECT_EQ(sim.authorise(charge_of("tok_approve")).verdict, provider_verdict::authorised);
  EXPECT_EQ(sim.authorise(charge_of("tok_decline")).verdict, provider_verdict::declined);
  EXPECT_EQ(sim.authorise(charge_of("tok_slow")).callbacks.size(), 1U);
  EXPECT_EQ(sim.authorise(charge_of("tok_lost")).callbacks.size(), 0U);
  EXPECT_EQ(sim.authorise(charge_of("tok_duplicate")).callbacks.size(), 2U);
  EXPECT_THROW(sim.authorise(charge_of("tok_error", 1)), gantry::retry_later);
  EXPECT_THROW(sim.authorise(charge_of("tok_error", 2)), gantry::retry_later);
  EXPECT_EQ(sim.authorise(charge_of("tok_error", 3)).verdict, provider_verdict::authorised);
  EXPECT_EQ(sim.capture(charge_of("tok_approve"), "ref").reference, "ref");
}

TEST(Simulator, ApprovesTheShareThatWasChosenAndAlwaysTheSame) {
  simulator_settings settings;
  settings.approve_ratio = 0.7;
  simulator sim(settings);
  int approved = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::string id = "payment-" + std::to_string(i);
    charge_request charge = charge_of("tok_approve");
    charge.payment_id = id;
    const auto first = sim.authorise(charge).verdict;
    EXPECT_EQ(first, sim.authorise(charge).verdict);
    if (first == provider_verdict::authorised) ++approved;
  }
  EXPECT_NEAR(approved, 7000, 300);
}

TEST(Signature, IsTheKnownHmac) {
  EXPECT_EQ(sign_webhook("a secret of the shop", "1700000000", "{}"),
            "4e7b5deb0502d0a3cf9655593efc0f19ca00de7f63ffb3bb78c6478397322703");
}

TEST(Signature, ChangesWithEveryPart) {
  const std::string signature = sign_webhook("a secret of the shop", "1700000000", "{}");
  EXPECT_TRUE(verify_webhook("a secret of the shop", "1700000000", "{}", signature));
  EXPECT_FALSE(verify_webhook("another secret", "1700000000", "{}", signature));
  EXPECT_FALSE(verify_webhook("a secret of the shop", "1700000001", "{}", signature));
  EXPECT_FALSE(verify_webhook("a secret of the shop", "1700000000", "{ }", signature));
  EXPECT_FALSE(verify_webhook("a secret of the shop", "1700000000", "{}", signature.substr(1)));
  EXPECT_FALSE(verify_webhook("a secret of the shop", "1700000000", "{}", ""));
}

TEST(HttpBase, IsReadInItsParts) {
  const http_base base = parse_base("https://pay.example:8443/v1/");
  EXPECT_TRUE(base.tls);
  EXPECT_EQ(base.host, "pay.example");
  EXPECT_EQ(base.port, "8443");
  EXPECT_EQ(base.path, "/v1");
  EXPECT_EQ(parse_base("http://pay.example").port, "80");
  for (const char* bad : {"", "pay.example", "ftp://x", "http://", "http://:80", "http://x:"}) {
    EXPECT_THROW(parse_base(bad), std::invalid_argument) << bad;
  }
}

// Answers one request on the loopback interface with a fixed text, and keeps what it was sent.
class one_answer {
 public:
  explicit one_answer(std::string answer) : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    server_ = std::thread([this] { serve(); });
  }
  one_answer(const one_answer&) = delete;
  one_answer& operator=(const one_answer&) = delete;
  ~one_answer() {
    if (server_.joinable()) server_.join();
    close(listener_);
  }

  http_settings settings() const {
    http_settings s;
    s.base = parse_base("http://127.0.0.1:" + std::to_string(port_) + "/v1");
    s.api_key = "key";
    s.timeout = std::chrono::seconds(20);
    return s;
  }
  std::string request() {
    server_.join();
    return received_;
  }

 private:
  void serve() {
    const int peer = accept(listener_, nullptr, nullptr);
    char chunk[4096];
    while (received_.find("\r\n\r\n") == std::string::npos || !received_.ends_with('}')) {
      const ssize_t got = read(peer, chunk, sizeof chunk);
      if (got <= 0) break;
      received_.append(chunk, static_cast<std::size_t>(got));
    }
    const std::string head = answer_.substr(0, 3);
    const std::string body = answer_.substr(4);
    const std::string out = "HTTP/1.1 " + head + " Status\r\nContent-Type: application/json\r\nContent-Length: " +
                            std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
    if (answer_ != "000 ") {
      EXPECT_EQ(write(peer, out.data(), out.size()), static_cast<ssize_t>(out.size()));
    }
    close(peer);
  }

  std::string answer_;
  std::string received_;
  int listener_;
  std::uint16_t port_ = 0;
  std::thread server_;
};

TEST(HttpProvider, AuthorisesWithAnIdempotencyKey) {
  one_answer server(R"(201 {"status":"authorised","reference":"r-1"})");
  http_provider provider(server.settings());
  const provider_answer answer = provider.authorise(charge_of("tok_1"));
  EXPECT_EQ(answer.verdict, provider_verdict::authorised);
  EXPECT_EQ(answer.reference, "r-1");
  const std::string request = server.request();
  EXPECT_TRUE(request.starts_with("POST /v1/authorisations HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("Idempotency-Key: pay-1-authorise\r\n"), std::string::npos);
  EXPECT_NE(request.find("Authorization: Bearer key\r\n"), std::string::npos);
  EXPECT_TRUE(
      request.ends_with(R"({"paymentId":"pay-1","orderId":"o-1","amount":100,"currency":"EUR","token":"tok_1"})"));
}

TEST(HttpProvider, ReadsRefusalsAndTrouble) {
  {
    one_answer server(R"(402 {"code":"no_funds","reason":"not enough"})");
    http_provider provider(server.settings());
    const provider_answer answer = provider.authorise(charge_of("tok_1"));
    EXPECT_EQ(answer.verdict, provider_verdict::declined);
    EXPECT_EQ(answer.code, "no_funds");
  }
  {
    one_answer server(R"(200 {"status":"captured"})");
    http_provider provider(server.settings());
    EXPECT_EQ(provider.capture(charge_of("tok_1"), "r-1").reference, "r-1");
  }
  {
    one_answer server("503 {}");
    http_provider provider(server.settings());
    EXPECT_THROW(provider.authorise(charge_of("tok_1")), gantry::retry_later);
  }
  {
    one_answer server("404 {}");
    http_provider provider(server.settings());
    EXPECT_THROW(provider.authorise(charge_of("tok_1")), gantry::rejected);
  }
  {
    one_answer server("000 ");  // hangs up
    http_provider provider(server.settings());
    EXPECT_THROW(provider.authorise(charge_of("tok_1")), gantry::retry_later);
  }
}

TEST(HttpProvider, UnreachableIsTriedLater) {
  http_settings settings;
  settings.base = parse_base("http://127.0.0.1:1");
  http_provider provider(settings);
  EXPECT_THROW(provider.refund({"k", "pay-1", "r-1", 5, "EUR"}), gantry::retry_later);
}

}  // namespace
}  // namespace shop::payment
