// Calls to real endpoints.
#include "call/remote/remote_calls.hpp"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "caller.hpp"
#include "raw_server.hpp"
#include "service.hpp"

namespace gantry::call {
namespace {

std::string header(const header_list& all, std::string_view name) {
  for (const auto& [n, v] : all)
    if (n == name) return v;
  return {};
}

TEST(RemoteCallsTest, BringARequestThereAndTheReplyBack) {
  service catalog("a");
  caller order;
  order.place({catalog.port()});
  const auto got = order.call("POST", "/products?x=1", R"({"sku":"1"})");
  ASSERT_EQ(got.status, GANTRY_OK) << got.text;
  EXPECT_EQ(got.reply.status, 200);
  EXPECT_EQ(got.reply.body, R"(POST /products?x=1 {"sku":"1"})");
  EXPECT_EQ(header(got.reply.headers, "x-from"), "a");
}

TEST(RemoteCallsTest, PassOnDeadlineTraceAndCaller) {
  service catalog;
  caller order;
  order.place({catalog.port()});
  order.timeout_us = 5'000'000;
  ASSERT_EQ(order.call("GET", "/p", {}, {{"Accept-Language", "de"}, {"Host", "evil"}}).status, GANTRY_OK);
  const auto seen = catalog.last();
  EXPECT_EQ(http::find_header(seen.headers, "correlation-id"), "c-1");
  EXPECT_EQ(http::find_header(seen.headers, "traceparent"), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(http::find_header(seen.headers, "gantry-caller"), "order");
  EXPECT_EQ(http::find_header(seen.headers, "accept-language"), "de");
  EXPECT_EQ(http::find_header(seen.headers, "host"), "127.0.0.1:" + std::to_string(catalog.port()));
  const auto left = std::stoll(std::string(http::find_header(seen.headers, "gantry-deadline-ms")));
  EXPECT_GT(left, 0);
  EXPECT_LE(left, 5000);
}

TEST(RemoteCallsTest, KeepTheConnection) {
  service catalog;
  caller order;
  order.place({catalog.port()});
  for (int i = 0; i < 100; ++i) ASSERT_EQ(order.get("/p").status, GANTRY_OK);
  const auto seen = order.figures();
  EXPECT_EQ(seen.connected, 1U);
  EXPECT_EQ(seen.reused, 99U);
  EXPECT_EQ(seen.open, 1U);
  EXPECT_EQ(seen.idle, 1U);
}

TEST(RemoteCallsTest, LetProblemsThrough) {
  service catalog;
  caller order;
  order.place({catalog.port()});
  for (const int status : {204, 404, 409, 500, 503}) {
    const auto got = order.get("/status/" + std::to_string(status));
    ASSERT_EQ(got.status, GANTRY_OK) << got.text;
    EXPECT_EQ(got.reply.status, status);
    EXPECT_EQ(got.reply.body, status == 204 ? "" : R"({"title":"t"})");
    EXPECT_EQ(header(got.reply.headers, "content-type"), "application/problem+json");
  }
}

TEST(RemoteCallsTest, CarryLargeBodiesBothWays) {
  service catalog;
  caller order;
  order.place({catalog.port()});
  const std::string body(1024 * 1024, 'b');
  EXPECT_EQ(order.call("PUT", "/b", body).reply.body, "PUT /b " + body);
  EXPECT_EQ(order.get("/large").reply.body.size(), 3'000'000U);
  EXPECT_EQ(order.call("HEAD", "/large").reply.body, "");
  EXPECT_EQ(order.get("/p").reply.body, "GET /p ");
  EXPECT_EQ(order.figures().connected, 1U);
}

TEST(RemoteCallsTest, ReadTheRefusalOfABodyThatIsTooLarge) {
  service catalog;
  caller order;
  order.place({catalog.port()});
  const auto got = order.call("PUT", "/b", std::string(5'000'000, 'b'));
  ASSERT_EQ(got.status, GANTRY_OK) << got.text;
  EXPECT_EQ(got.reply.status, 413);
  EXPECT_EQ(order.get("/p").reply.status, 200);
}

TEST(RemoteCallsTest, TakeTheReplicasInTurn) {
  service a("a"), b("b");
  caller order;
  order.place({a.port(), b.port()});
  std::map<std::string, int> seen;
  for (int i = 0; i < 10; ++i) ++seen[header(order.get("/p").reply.headers, "x-from")];
  EXPECT_EQ(seen["a"], 5);
  EXPECT_EQ(seen["b"], 5);
}

TEST(RemoteCallsTest, UseTheOthersWhileOneIsDownAndComeBackToIt) {
  manual_clock time;
  service a("a");
  bound_port down;
  const auto port = down.port();
  caller order({}, time);
  order.place({a.port(), port});
  // Nothing listens: also a POST is safe to send elsewhere.
  for (int i = 0; i < 10; ++i) EXPECT_EQ(header(order.call("POST", "/p").reply.headers, "x-from"), "a");
  EXPECT_TRUE(order.figures(1).paused);
  EXPECT_EQ(order.figures(1).failures, 1U) << "it was asked again during its pause";
  raw_server b(
      [](raw_server::connection& c) {
        while (!c.request().empty()) c.answer("b");
      },
      std::move(down));
  time.now_us += 1'000'000;
  std::string bodies;
  for (int i = 0; i < 4; ++i) bodies += order.get("/p").reply.body == "b" ? "b" : "a";
  EXPECT_NE(bodies.find('b'), std::string::npos);
  EXPECT_EQ(order.figures(1).failures, 0U);
}

TEST(RemoteCallsTest, AskAnotherReplicaWhenOneIsNotReady) {
  service a("a"), b("b");
  a.answer_always(503);
  caller order;
  order.place({a.port(), b.port()});
  for (int i = 0; i < 6; ++i) EXPECT_EQ(header(order.get("/p").reply.headers, "x-from"), "b");
  b.answer_always(503);
  const auto got = order.get("/p");
  EXPECT_EQ(got.status, GANTRY_OK);
  EXPECT_EQ(got.reply.status, 503) << "none is ready: the last answer is the callers";
}

TEST(RemoteCallsTest, DoNotRepeatAPostThatWasAnsweredWithUnavailable) {
  service a("a"), b("b");
  a.answer_always(503);
  caller order;
  order.place({a.port(), b.port()});
  EXPECT_EQ(order.call("POST", "/p").reply.status, 503);
}

TEST(RemoteCallsTest, OpenTheBreakerAndProbeItLater) {
  manual_clock time;
  bound_port down;
  caller order({}, time);
  order.place({down.port()});
  for (int i = 0; i < 5; ++i) {
    const auto got = order.get("/p");
    EXPECT_EQ(got.status, GANTRY_UNAVAILABLE);
    EXPECT_NE(got.text.find("Connection refused"), std::string::npos) << got.text;
    EXPECT_NE(got.text.find("catalog on host a (127.0.0.1:"), std::string::npos) << got.text;
  }
  EXPECT_TRUE(order.figures().breaker_open);
  EXPECT_NE(order.get("/p").text.find("breaker"), std::string::npos);
  time.now_us += 30'000'000;
  EXPECT_NE(order.get("/p").text.find("Connection refused"), std::string::npos) << "one call is let through";
  EXPECT_NE(order.get("/p").text.find("breaker"), std::string::npos);
  time.now_us += 30'000'000;
  raw_server back(
      [](raw_server::connection& c) {
        while (!c.request().empty()) c.answer("back");
      },
      std::move(down));
  EXPECT_EQ(order.get("/p").reply.body, "back");
  EXPECT_EQ(order.get("/p").reply.body, "back");
}

TEST(RemoteCallsTest, CountAnswersOf500AsFailuresOfThatHostAlone) {
  manual_clock time;
  service a("a"), b("b");
  a.answer_always(500);
  caller order({}, time);
  order.place({a.port(), b.port()});
  for (int i = 0; i < 10; ++i) order.get("/p");
  EXPECT_TRUE(order.figures(0).breaker_open);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(header(order.get("/p").reply.headers, "x-from"), "b");
}

TEST(RemoteCallsTest, SayThatNoHostRunsAPlugin) {
  caller order;
  EXPECT_EQ(order.get("/p").status, GANTRY_UNAVAILABLE);
  EXPECT_FALSE(order.calls->knows("catalog"));
}

TEST(RemoteCallsTest, RefuseAnAddressThatIsNone) {
  caller order;
  service catalog;
  order.place({catalog.port()});
  const auto done = order.calls->place({{"catalog", {{"x", "nowhere", false, {}}}}});
  ASSERT_FALSE(done.ok());
  EXPECT_NE(done.failure().text.find("host x"), std::string::npos);
  EXPECT_EQ(order.get("/p").status, GANTRY_OK) << "the old placement stays";
}

TEST(RemoteCallsTest, KeepConnectionsAndBreakersOfHostsThatStay) {
  service a("a"), b("b");
  caller order;
  order.place({a.port()});
  order.get("/status/500");
  order.place({a.port(), b.port()});
  EXPECT_EQ(order.figures(0).failures, 1U);
  EXPECT_EQ(order.figures(0).connected, 1U);
  for (int i = 0; i < 4; ++i) order.get("/p");
  EXPECT_EQ(order.figures(0).connected, 1U);
}

TEST(RemoteCallsTest, ResolveNames) {
  service catalog;
  caller order;
  ASSERT_TRUE(
      order.calls->place({{"catalog", {{"a", "localhost:" + std::to_string(catalog.port()), false, {}}}}}).ok());
  EXPECT_EQ(order.get("/p").reply.status, 200);
}

TEST(RemoteCallsTest, ServeManyThreads) {
  service a("a"), b("b");
  remote_options few;
  few.max_connections = 3;
  caller order(few);
  order.place({a.port(), b.port()});
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const auto path = "/" + std::to_string(t) + "/" + std::to_string(i);
        if (order.get(path).reply.body == "GET " + path + " ") ++good;
        if (i % 50 == 0) order.calls->close_idle();
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(good, 1600);
  for (const auto& f : order.calls->figures()) {
    EXPECT_LE(f.connected, 3U);
    EXPECT_EQ(f.open, f.idle);
    EXPECT_EQ(f.waiting, 0U);
  }
}

TEST(RemoteCallsTest, ChangePlacesWhileCallsRun) {
  service a("a"), b("b");
  caller order;
  order.place({a.port()});
  std::atomic<bool> over{false};
  std::atomic<int> bad{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      while (!over)
        if (order.get("/p").reply.status != 200) ++bad;
    });
  for (int i = 0; i < 50; ++i) order.place({i % 2 == 0 ? b.port() : a.port()});
  over = true;
  for (auto& t : threads) t.join();
  EXPECT_EQ(bad, 0);
}

}  // namespace
}  // namespace gantry::call
