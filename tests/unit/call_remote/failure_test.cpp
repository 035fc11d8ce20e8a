// Calls to servers that break off, drip, talk nonsense or say nothing.
#include <gtest/gtest.h>

#include <future>

#include "caller.hpp"
#include "raw_server.hpp"

namespace gantry::call {
namespace {

using connection = raw_server::connection;

// Answers the first request of its first connection and drops the second one unread; answers all on the next
// connection.
void go_stale(connection& c) {
  if (c.request().empty()) return;
  c.answer("first");
  if (c.number_of_connection == 1) {
    c.request();
    return;
  }
  while (!c.request().empty()) c.answer("again");
}

TEST(StaleConnectionTest, IsReplacedOnceForAGet) {
  raw_server server(go_stale);
  caller order;
  order.place({server.port()});
  EXPECT_EQ(order.get("/p").reply.body, "first");
  const auto got = order.get("/p");
  EXPECT_EQ(got.status, GANTRY_OK) << got.text;
  EXPECT_EQ(got.reply.body, "first");
  EXPECT_EQ(server.accepted(), 2U);
  EXPECT_EQ(order.figures().failures, 0U) << "a closed connection is no failure of the host";
}

TEST(StaleConnectionTest, IsReplacedForAPostWithAnIdempotencyKey) {
  raw_server server(go_stale);
  caller order;
  order.place({server.port()});
  order.get("/p");
  EXPECT_EQ(order.call("POST", "/p", "x", {{"Idempotency-Key", "k"}}).status, GANTRY_OK);
  EXPECT_EQ(server.accepted(), 2U);
}

TEST(StaleConnectionTest, IsNotReplacedForAPostThatMayHaveBeenDone) {
  raw_server server(go_stale);
  caller order;
  order.place({server.port()});
  order.get("/p");
  const auto got = order.call("POST", "/p", "x");
  EXPECT_EQ(got.status, GANTRY_FAILED);
  EXPECT_NE(got.text.find("not known whether"), std::string::npos) << got.text;
  EXPECT_EQ(server.accepted(), 1U);
}

TEST(StaleConnectionTest, IsSeenBeforeAPostIsSent) {
  std::promise<void> closed;
  raw_server server([&](connection& c) {
    c.request();
    c.answer("once");
    c.close();
    if (c.number_of_connection == 1) closed.set_value();
  });
  caller order;
  order.place({server.port()});
  order.get("/p");
  closed.get_future().wait();
  const auto got = order.call("POST", "/p", "x");
  EXPECT_EQ(got.status, GANTRY_OK) << got.text;
  EXPECT_EQ(server.accepted(), 2U);
}

TEST(StaleConnectionTest, IsGivenUpAfterOneMoreTry) {
  raw_server server([](connection& c) { c.request(); });
  caller order;
  order.place({server.port()});
  const auto got = order.get("/p");
  EXPECT_EQ(got.status, GANTRY_FAILED) << got.text;
  EXPECT_EQ(server.accepted(), 2U);
}

TEST(LostAnswerTest, IsAskedForAtAnotherReplica) {
  raw_server breaks([](connection& c) {
    c.request();
    c.reset();
  });
  raw_server works([](connection& c) {
    while (!c.request().empty()) c.answer("works");
  });
  caller order;
  order.place({breaks.port(), works.port()});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(order.get("/p").reply.body, "works");
  EXPECT_EQ(breaks.accepted(), 1U);
}

TEST(LostAnswerTest, IsNotAskedForAgainOnceItHasBegun) {
  raw_server server([](connection& c) {
    c.request();
    c.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
  });
  caller order;
  order.place({server.port()});
  const auto got = order.get("/p");
  EXPECT_EQ(got.status, GANTRY_FAILED);
  EXPECT_NE(got.text.find("cut short"), std::string::npos) << got.text;
  EXPECT_EQ(server.accepted(), 1U);
}

class DeadlineTest : public testing::Test {
 protected:
  DeadlineTest() { order.timeout_us = 50'000; }
  void expect_timeout(const char* doing) {
    const auto got = order.get("/p");
    EXPECT_EQ(got.status, GANTRY_TIMEOUT) << got.text;
    EXPECT_NE(got.text.find(doing), std::string::npos) << got.text;
    EXPECT_EQ(order.figures().open, 0U) << "the connection must not be used again";
  }
  caller order;
};

TEST_F(DeadlineTest, EndsAConnectThatIsNotAnswered) {
  bound_port full;
  full.listen(0);
  // Connections that nobody accepts, until the system answers no more.
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(full.port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::connect(fillers.back(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
  order.place({full.port()});
  expect_timeout("connecting");
  for (const int fd : fillers) ::close(fd);
}

TEST_F(DeadlineTest, EndsTheWaitForAnAnswer) {
  raw_server server([](connection& c) {
    c.request();
    c.hold();
  });
  order.place({server.port()});
  expect_timeout("waiting for the answer");
}

TEST_F(DeadlineTest, EndsABodyThatStops) {
  raw_server server([](connection& c) {
    c.request();
    c.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    c.hold();
  });
  order.place({server.port()});
  expect_timeout("the answer arrived");
}

TEST_F(DeadlineTest, EndsAnAnswerThatDrips) {
  raw_server server([](connection& c) {
    c.request();
    c.send("HTTP/1.1 200 OK\r\n");
    while (c.send("x: y\r\n") && !c.stopping()) std::this_thread::yield();
  });
  remote_options wide;
  wide.max_headers = 1'000'000'000;
  order.calls = make_remote_calls(wide, system_clock());
  order.place({server.port()});
  expect_timeout("the answer arrived");
}

TEST_F(DeadlineTest, EndsARequestThatIsNotRead) {
  raw_server server([](connection& c) { c.hold(); });
  order.place({server.port()});
  const auto got = order.call("PUT", "/p", std::string(64'000'000, 'x'));
  EXPECT_EQ(got.status, GANTRY_TIMEOUT);
  EXPECT_NE(got.text.find("sending"), std::string::npos) << got.text;
}

TEST_F(DeadlineTest, RefusesACallThatComesTooLate) {
  raw_server server([](connection& c) { c.request(); });
  order.place({server.port()});
  order.timeout_us = 0;
  EXPECT_EQ(order.get("/p").status, GANTRY_TIMEOUT);
  EXPECT_EQ(server.accepted(), 0U);
}

TEST(BlackHoleTest, CostsOneConnectTimeoutAndTheOthersAnswer) {
  bound_port full;
  full.listen(0);
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(full.port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::connect(fillers.back(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
  raw_server works([](connection& c) {
    while (!c.request().empty()) c.answer("works");
  });
  remote_options quick;
  quick.connect_timeout_us = 20'000;
  caller order(quick);
  order.place({full.port(), works.port()});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(order.call("POST", "/p").reply.body, "works");
  for (const int fd : fillers) ::close(fd);
}

TEST(BadAnswerTest, IsNamed) {
  raw_server server([](connection& c) {
    c.request();
    c.send("220 mail.example ESMTP\r\n\r\n");
  });
  caller order;
  order.place({server.port()});
  const auto got = order.get("/p");
  EXPECT_EQ(got.status, GANTRY_FAILED);
  EXPECT_NE(got.text.find("not HTTP/1.1"), std::string::npos) << got.text;
}

TEST(BadAnswerTest, IsBounded) {
  raw_server server([](connection& c) {
    c.request();
    if (c.number_of_connection == 1) {
      c.send("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n");
    } else {
      c.send("HTTP/1.1 200 OK\r\nx: " + std::string(100'000, 'x'));
    }
    c.hold();
  });
  caller order;
  order.place({server.port()});
  EXPECT_EQ(order.get("/p").status, GANTRY_TOO_LARGE);
  EXPECT_EQ(order.get("/p").status, GANTRY_TOO_LARGE);
}

TEST(BadAnswerTest, SentUnaskedDoesNotReachTheNextCall) {
  raw_server server([](connection& c) {
    c.request();
    c.send("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged");
    c.request();
  });
  caller order;
  order.place({server.port()});
  EXPECT_EQ(order.get("/p").reply.body, "a");
  EXPECT_EQ(order.get("/p").reply.body, "a");
  EXPECT_EQ(server.accepted(), 2U);
}

}  // namespace
}  // namespace gantry::call
