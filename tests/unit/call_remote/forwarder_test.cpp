// Requests that a host passes on to a process of its own.
#include "call/remote/forwarder.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "caller.hpp"
#include "raw_server.hpp"
#include "service.hpp"

namespace gantry::call {
namespace {

class ForwarderTest : public ::testing::Test {
 protected:
  void to(std::uint16_t port, forwarder_options options = {}) { to(port, options, time); }
  void to(std::uint16_t port, const forwarder_options& options, const clock& by) {
    remote_host there;
    there.name = "main~catalog";
    there.address = "127.0.0.1:" + std::to_string(port);
    there.inner_key = "the-key";
    auto made = forwarder::make(there, options, by);
    ASSERT_TRUE(made.ok()) << made.failure().text;
    way = std::move(*made);
  }

  remote_request request(std::string_view method, std::string_view target, std::string_view body = {}) const {
    remote_request out;
    out.plugin = "catalog";
    out.method = method;
    out.target = target;
    out.body = body;
    out.deadline_us = time.steady_us() + 30'000'000;
    out.host = "shop.example";
    return out;
  }

  manual_clock time;
  std::unique_ptr<forwarder> way;
};

TEST_F(ForwarderTest, ARequestArrivesAsItWasSent) {
  service there("there");
  to(there.port());
  auto what = request("POST", "/products?sort=name&x=%20", "a body");
  const gantry_field headers[] = {{{"x-mine", 6}, {"1", 1}}, {{"gantry-call", 11}, {"1", 1}}};
  what.headers = headers;
  what.correlation_id = "c-1";
  const auto answer = way->forward(what);
  EXPECT_EQ(answer.reply.status, 200);
  EXPECT_EQ(answer.reply.body, "POST /products?sort=name&x=%20 a body");
  const auto seen = there.last();
  EXPECT_EQ(http::find_header(seen.headers, "x-mine"), "1");
  EXPECT_EQ(http::find_header(seen.headers, "host"), "shop.example");
  EXPECT_EQ(http::find_header(seen.headers, "correlation-id"), "c-1");
  EXPECT_EQ(http::find_header(seen.headers, "gantry-inner-key"), "the-key");
  EXPECT_EQ(http::find_header(seen.headers, "gantry-call"), "") << "what a client writes makes no call of it";
}

TEST_F(ForwarderTest, WhatIsACallSaysSo) {
  service there;
  to(there.port());
  auto what = request("GET", "/x");
  what.caller = "order";
  way->forward(what);
  EXPECT_EQ(http::find_header(there.last().headers, "gantry-caller"), "order");
  what.caller = {};
  what.unproven_call = true;
  way->forward(what);
  EXPECT_EQ(http::find_header(there.last().headers, "gantry-caller"), "");
  EXPECT_EQ(http::find_header(there.last().headers, "gantry-call"), "1");
}

TEST_F(ForwarderTest, AnAnswerOf503ComesBackAndOpensNothing) {
  service there;
  to(there.port());
  there.answer_always(503);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(way->forward(request("GET", "/x")).reply.status, 503);
  there.answer_always(0);
  EXPECT_EQ(way->forward(request("GET", "/x")).reply.status, 200);
}

// A request that has brought the process down would do so again.
TEST_F(ForwarderTest, NoRequestIsSentTwice) {
  std::atomic<int> requests = 0;
  raw_server there([&](raw_server::connection& on) {
    while (!on.request().empty()) {
      if (++requests == 1) {
        on.answer("first");
        continue;
      }
      on.reset();
      return;
    }
  });
  to(there.port());
  EXPECT_EQ(way->forward(request("GET", "/x")).reply.body, "first");
  for (const auto* method : {"GET", "POST"}) {
    const int before = requests;
    const auto answer = way->forward(request(method, "/x"));
    EXPECT_EQ(answer.status, GANTRY_FAILED) << answer.text;
    EXPECT_EQ(requests, before + 1);
  }
}

TEST_F(ForwarderTest, WhoMaySendARequestAgainIsSaid) {
  EXPECT_TRUE(forwarder::repeatable(request("GET", "/x")));
  EXPECT_TRUE(forwarder::repeatable(request("DELETE", "/x")));
  EXPECT_FALSE(forwarder::repeatable(request("POST", "/x")));
  auto keyed = request("POST", "/x");
  const gantry_field key[] = {{{"idempotency-key", 15}, {"k", 1}}};
  keyed.headers = key;
  EXPECT_TRUE(forwarder::repeatable(keyed));
}

// Stands still, and counts how often it is looked at: between two attempts, at least once.
class asked_clock final : public clock {
 public:
  std::int64_t wall_us() const noexcept override { return now; }
  std::int64_t steady_us() const noexcept override {
    ++asked;
    return now;
  }
  static constexpr std::int64_t now = 1'000'000'000;
  mutable std::atomic<int> asked{0};
};

TEST_F(ForwarderTest, ARequestWaitsForAProcessThatIsAway) {
  bound_port port;
  const asked_clock by;
  to(port.port(), {}, by);
  std::atomic<bool> answered = false;
  remote_outcome answer;
  std::thread asking([&] {
    answer = way->forward(request("GET", "/x"));
    answered = true;
  });
  // Far more looks than one attempt has.
  while (by.asked < 200 && !answered) std::this_thread::yield();
  EXPECT_FALSE(answered);
  raw_server there(
      [](raw_server::connection& on) {
        while (!on.request().empty()) on.answer("back");
      },
      std::move(port));
  asking.join();
  EXPECT_EQ(answer.reply.body, "back");
}

TEST_F(ForwarderTest, ItWaitsForOneThatStarts) {
  std::atomic<int> requests = 0;
  raw_server there([&](raw_server::connection& on) {
    while (!on.request().empty()) {
      if (++requests < 3)
        on.send("HTTP/1.1 503 Service Unavailable\r\ngantry-starting: 1\r\ncontent-length: 0\r\n\r\n");
      else
        on.answer("ready");
    }
  });
  to(there.port());
  EXPECT_EQ(way->forward(request("GET", "/x")).reply.body, "ready");
  EXPECT_EQ(requests, 3);
}

TEST_F(ForwarderTest, OneThatStaysAwayIsWaitedForNoMore) {
  const bound_port port;
  to(port.port());
  EXPECT_EQ(way->forward_now(request("GET", "/x")).status, GANTRY_UNAVAILABLE);  // and so it is known to be away
  time.now_us += 3'000'001;
  const auto answer = way->forward(request("GET", "/x"));
  EXPECT_EQ(answer.status, GANTRY_UNAVAILABLE) << answer.text;
}

TEST_F(ForwarderTest, ADeadlineEndsTheWaiting) {
  const bound_port port;
  to(port.port());
  auto what = request("GET", "/x");
  what.deadline_us = time.steady_us();
  EXPECT_NE(way->forward(what).status, GANTRY_OK);
}

}  // namespace
}  // namespace gantry::call
