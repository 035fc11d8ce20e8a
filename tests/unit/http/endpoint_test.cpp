#include "http/endpoint.hpp"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>

#include "client.hpp"
#include "http/problem.hpp"

namespace gantry::http {
namespace {

using namespace std::chrono_literals;

class EndpointTest : public testing::Test {
 protected:
  // Echoes method, target and body; requests for /later wait in `waiting` for their test.
  void open(endpoint_options options = {}) {
    auto opened = open_endpoint(options, [this](request&& asked, responder&& to) {
      if (asked.target == "/throw") throw std::runtime_error("broken");
      if (asked.target == "/drop") return;
      if (asked.target == "/wide") return to.send({200, {}, std::string(300'000, 'x')});
      if (asked.target == "/large") return to.send({200, {}, std::string(8'000'000, 'x')});
      if (asked.target == "/later") {
        const std::lock_guard lock(mutex);
        waiting.push_back(std::move(to));
        arrived.notify_all();
        return;
      }
      to.send({200, {}, asked.method + " " + asked.target + " " + asked.remote + " " + asked.body});
    });
    ASSERT_TRUE(opened.ok()) << opened.failure().text;
    server = std::move(*opened);
  }

  responder next_waiting() {
    std::unique_lock lock(mutex);
    arrived.wait(lock, [this] { return !waiting.empty(); });
    auto one = std::move(waiting.front());
    waiting.erase(waiting.begin());
    return one;
  }

  static std::string get(std::string_view target, std::string_view more = "") {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(more) + "\r\n";
  }

  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<responder> waiting;
  std::unique_ptr<endpoint> server;
};

TEST_F(EndpointTest, AnswersManyRequestsOnOneConnection) {
  open();
  client one(server->port());
  for (int i = 0; i < 100; ++i) {
    one.send(get("/" + std::to_string(i)));
    EXPECT_TRUE(one.receive().ends_with("GET /" + std::to_string(i) + " 127.0.0.1 "));
  }
}

TEST_F(EndpointTest, AnswersPipelinedRequests) {
  open();
  client one(server->port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += get("/" + std::to_string(i));
  one.send(all);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(one.receive().ends_with("GET /" + std::to_string(i) + " 127.0.0.1 "));
}

TEST_F(EndpointTest, ARequestBehindAReplyThatWentAtOnceIsAnswered) {
  open();
  for (int i = 0; i < 20; ++i) {
    client one(server->port());
    one.send(get("/wide") + get("/after", "Connection: close\r\n"));
    EXPECT_NE(one.receive_all().find("GET /after"), std::string::npos);
  }
}

TEST_F(EndpointTest, ClosesWhenTheClientAsksForIt) {
  open();
  client one(server->port());
  one.send(get("/", "Connection: close\r\n"));
  EXPECT_NE(one.receive_all().find("connection: close"), std::string::npos);
}

TEST_F(EndpointTest, TakesABodyOfTheGreatestSizeAndRefusesOneMore) {
  open();
  const std::string body(1024 * 1024, 'b');
  client one(server->port());
  one.send("PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_TRUE(one.receive().ends_with(" " + body));
  client other(server->port());
  other.send("PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size() + 1) + "\r\n\r\n" + body +
             "b");
  EXPECT_TRUE(other.receive_all().starts_with("HTTP/1.1 413 "));
}

TEST_F(EndpointTest, RefusesTwoGigabytesBeforeTheyCome) {
  open();
  client one(server->port());
  one.send("PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 2147483648\r\n\r\n");
  EXPECT_TRUE(one.receive().starts_with("HTTP/1.1 413 "));
}

TEST_F(EndpointTest, AnswersAHalfClosedClient) {
  open();
  client one(server->port());
  one.send(get("/later"));
  one.send_no_more();
  auto answer = next_waiting();
  std::thread([&] { answer.send({200, {}, "still here"}); }).join();
  EXPECT_TRUE(one.receive_all().ends_with("still here"));
}

TEST_F(EndpointTest, AnswersFromAnotherThread) {
  open();
  client one(server->port());
  one.send(get("/later") + get("/after"));
  auto answer = next_waiting();
  EXPECT_EQ(server->in_progress().handled, 1U);
  EXPECT_TRUE(answer.wanted());
  std::thread([&] { answer.send({201, {{"location", "/x"}}, "made"}); }).join();
  EXPECT_TRUE(one.receive().ends_with("made"));
  EXPECT_NE(one.receive().find("GET /after"), std::string::npos);
}

TEST_F(EndpointTest, AnswersExactlyOnce) {
  open();
  client one(server->port());
  one.send(get("/later"));
  auto answer = next_waiting();
  answer.send({200, {}, "first"});
  answer.send({200, {}, "second"});
  EXPECT_TRUE(one.receive().ends_with("first"));
  one.send(get("/next"));
  EXPECT_NE(one.receive().find("GET /next"), std::string::npos);
}

TEST_F(EndpointTest, AnswersForHandlersThatDoNot) {
  open();
  client one(server->port());
  for (const auto* target : {"/throw", "/drop"}) {
    one.send(get(target));
    const auto answer = one.receive();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
    EXPECT_NE(answer.find("application/problem+json"), std::string::npos);
  }
}

TEST_F(EndpointTest, DropsRepliesForClientsThatLeft) {
  open();
  {
    client one(server->port());
    one.send(get("/later"));
    auto answer = next_waiting();
    one.hang_up();
    answer.send({200, {}, "nobody reads this"});
  }
  // Its descriptor may serve another connection now, which must not get that reply.
  client other(server->port());
  other.send(get("/other"));
  EXPECT_NE(other.receive().find("GET /other"), std::string::npos);
}

TEST_F(EndpointTest, OneClientThatDoesNotReadDoesNotHoldUpOthers) {
  open();
  client lazy(server->port());
  lazy.send(get("/large"));
  client other(server->port());
  for (int i = 0; i < 20; ++i) {
    other.send(get("/quick"));
    EXPECT_NE(other.receive().find("GET /quick"), std::string::npos);
  }
  EXPECT_GT(lazy.receive().size(), 8'000'000U);
}

TEST_F(EndpointTest, TimesOutSlowHeadersAndBodies) {
  open({.header_timeout = 40ms, .body_timeout = 40ms, .keepalive_timeout = 60s});
  client head(server->port());
  head.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_TRUE(head.receive_all().starts_with("HTTP/1.1 408 "));
  client body(server->port());
  body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(body.receive_all().starts_with("HTTP/1.1 408 "));
}

TEST_F(EndpointTest, ClosesIdleConnectionsWithoutAWord) {
  open({.keepalive_timeout = 40ms});
  client never(server->port());
  EXPECT_EQ(never.receive_all(), "");
  client once(server->port());
  once.send(get("/a"));
  EXPECT_TRUE(once.receive().starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(once.receive_all(), "");
}

TEST_F(EndpointTest, LetsAHandlerTakeLongerThanTheTimeouts) {
  open({.header_timeout = 20ms, .body_timeout = 20ms, .keepalive_timeout = 20ms});
  client one(server->port());
  one.send(get("/later"));
  auto answer = next_waiting();
  // Another connection's life, from accept to timeout, passes meanwhile.
  EXPECT_EQ(client(server->port()).receive_all(), "");
  answer.send({200, {}, "patient"});
  EXPECT_TRUE(one.receive().ends_with("patient"));
}

TEST_F(EndpointTest, RefusesConnectionsBeyondTheLimit) {
  open({.max_connections = 2});
  client one(server->port());
  client two(server->port());
  for (auto* known : {&one, &two}) {
    known->send(get("/"));
    EXPECT_TRUE(known->receive().starts_with("HTTP/1.1 200 "));
  }
  client three(server->port());
  EXPECT_TRUE(three.receive_all().starts_with("HTTP/1.1 503 "));
}

TEST_F(EndpointTest, ServesFromSeveralThreads) {
  open({.threads = 3});
  std::vector<std::thread> clients;
  std::atomic<int> answered{0};
  for (int c = 0; c < 6; ++c) {
    clients.emplace_back([&] {
      client one(server->port());
      for (int i = 0; i < 100; ++i) {
        one.send(get("/x"));
        if (one.receive().starts_with("HTTP/1.1 200 ")) ++answered;
      }
    });
  }
  for (auto& c : clients) c.join();
  EXPECT_EQ(answered, 600);
}

TEST_F(EndpointTest, SaysWhichAddressIsTaken) {
  open();
  const auto again = open_endpoint({.port = server->port()}, [](request&&, responder&&) {});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.failure().code, errc::conflict);
  EXPECT_NE(again.failure().text.find("127.0.0.1:" + std::to_string(server->port())), std::string::npos);
}

TEST_F(EndpointTest, RefusesAnAddressThatIsNone) {
  const auto opened = open_endpoint({.address = "example"}, [](request&&, responder&&) {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.failure().code, errc::invalid);
}

TEST_F(EndpointTest, ListensOnIpv6) {
  auto opened = open_endpoint({.address = "::1"}, [](request&&, responder&& to) { to.send({}); });
  if (!opened.ok() && opened.failure().code == errc::io) GTEST_SKIP() << opened.failure().text;
  ASSERT_TRUE(opened.ok());
  EXPECT_NE((*opened)->port(), 0);
}

}  // namespace
}  // namespace gantry::http
