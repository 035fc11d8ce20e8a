// How an endpoint ends: requests in progress are answered, everything else goes.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "client.hpp"
#include "http/endpoint.hpp"

namespace gantry::http {
namespace {

class DrainTest : public testing::Test {
 protected:
  DrainTest() {
    auto opened = open_endpoint({}, [this](request&& asked, responder&& to) {
      if (asked.target == "/large") return to.send({200, {}, std::string(16'000'000, 'x')});
      if (asked.target != "/later") return to.send({200, {}, "now"});
      const std::lock_guard lock(mutex);
      waiting = std::move(to);
      arrived.notify_all();
    });
    server = std::move(*opened);
  }

  responder take_waiting() {
    std::unique_lock lock(mutex);
    arrived.wait(lock, [this] { return waiting.has_value(); });
    auto one = std::move(*waiting);
    waiting.reset();
    return one;
  }

  // Until so many exchanges wait for their client, and so many for the handler.
  void await(std::size_t with_client, std::size_t handled) const {
    for (;;) {
      const auto now = server->in_progress();
      if (now.with_client == with_client && now.handled == handled) return;
      std::this_thread::yield();
    }
  }

  std::mutex mutex;
  std::condition_variable arrived;
  std::optional<responder> waiting;
  std::unique_ptr<endpoint> server;
};

const std::string now = "GET /now HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string later = "GET /later HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(DrainTest, ClosesIdleConnectionsAndFinishesRequests) {
  client idle(server->port());
  idle.send(now);
  EXPECT_TRUE(idle.receive().ends_with("now"));
  client busy(server->port());
  busy.send(later);
  auto answer = take_waiting();
  server->stop_accepting();
  EXPECT_EQ(idle.receive_all(), "");
  await(0, 1);
  answer.send({200, {}, "done"});
  const auto last = busy.receive_all();
  EXPECT_TRUE(last.ends_with("done"));
  EXPECT_NE(last.find("connection: close"), std::string::npos);
  EXPECT_TRUE(server->in_progress().none());
}

TEST_F(DrainTest, AClientThatDoesNotReadItsReplyIsCutOff) {
  client reader(server->port());
  reader.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
  await(1, 0);
  server->stop_accepting();
  await(1, 0);
  server->hang_up();
  await(0, 0);
  EXPECT_LT(reader.receive_all().size(), 16'000'000U);
}

TEST_F(DrainTest, ARequestThatIsHalfSentHasItsTimeAndIsCutOff) {
  client head(server->port());
  head.send("GET /now HTTP/1.1\r\nHo");
  client body(server->port());
  body.send("POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345");
  await(2, 0);
  server->stop_accepting();
  body.send("67890");
  EXPECT_TRUE(body.receive_all().ends_with("now"));
  await(1, 0);
  server->hang_up();
  EXPECT_EQ(head.receive_all(), "");
  await(0, 0);
}

TEST_F(DrainTest, HangingUpLeavesRequestsThatAreHandled) {
  client busy(server->port());
  busy.send(later);
  auto answer = take_waiting();
  server->stop_accepting();
  server->hang_up();
  client late(server->port());
  late.send(now);
  EXPECT_TRUE(late.receive_all().starts_with("HTTP/1.1 503 "));
  await(0, 1);
  answer.send({200, {}, "done"});
  EXPECT_TRUE(busy.receive_all().ends_with("done"));
}

TEST_F(DrainTest, AConnectionWhoseReplyWasOnItsWayEndsBehindIt) {
  client reader(server->port());
  reader.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
  await(1, 0);
  server->stop_accepting();
  EXPECT_GT(reader.receive_all().size(), 16'000'000U);  // its end comes although the reply did not announce it
  await(0, 0);
}

TEST_F(DrainTest, TellsNewConnectionsToGoElsewhere) {
  server->stop_accepting();
  client late(server->port());
  late.send(now);
  const auto answer = late.receive_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 "));
  EXPECT_NE(answer.find("retry-after"), std::string::npos);
}

TEST_F(DrainTest, DropsRepliesThatComeAfterTheStop) {
  client busy(server->port());
  busy.send(later);
  auto answer = take_waiting();
  server->stop();
  EXPECT_FALSE(answer.wanted());
  EXPECT_EQ(busy.receive_all(), "");
  answer.send({200, {}, "too late"});
}

TEST_F(DrainTest, AReplyGivenBeforeTheStopStillGoesOut) {
  client busy(server->port());
  busy.send(later);
  auto answer = take_waiting();
  answer.send({200, {}, "just in time"});
  server->stop();
  EXPECT_TRUE(busy.receive_all().ends_with("just in time"));
}

TEST_F(DrainTest, RepliesMayOutliveTheEndpoint) {
  client busy(server->port());
  busy.send(later);
  auto answer = take_waiting();
  server.reset();
  answer.send({200, {}, "too late"});
}

TEST_F(DrainTest, StopsTwiceAndWhileOthersAnswer) {
  client busy(server->port());
  busy.send(later);
  auto answer = take_waiting();
  std::thread other([&] { answer.send({200, {}, "racing"}); });
  server->stop();
  server->stop();
  other.join();
}

}  // namespace
}  // namespace gantry::http
