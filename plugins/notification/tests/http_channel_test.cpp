// The HTTP provider against a server that really listens.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <future>
#include <gantry/failure.hpp>
#include <gantry/json.hpp>
#include <thread>

#include "provider/http_channel.hpp"

namespace notification {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Answers one request with a given status and keeps what it read.
class one_answer {
 public:
  explicit one_answer(std::string answer) : answer_(std::move(answer)) {
    thread_ = std::thread([this] {
      tcp::socket socket = acceptor_.accept();
      std::string read;
      asio::read_until(socket, asio::dynamic_buffer(read), "}");
      received_.set_value(read);
      boost::system::error_code ignored;
      asio::write(socket, asio::buffer(answer_), ignored);
    });
  }
  ~one_answer() { thread_.join(); }
  std::string url() const { return "http://localhost:" + std::to_string(acceptor_.local_endpoint().port()) + "/send"; }
  std::string request() { return received_.get_future().get(); }

 private:
  asio::io_context io_;
  tcp::acceptor acceptor_{io_, {asio::ip::address_v4::loopback(), 0}};
  std::string answer_;
  std::promise<std::string> received_;
  std::thread thread_;
};

const outgoing message{"n-1", "+49123", "Title", "long text", "", "Short \"text\"", 0};

gantry_status status_for(const std::string& answer) {
  one_answer server(answer);
  http_channel channel({server.url(), {}, {}, std::chrono::seconds(10)});
  try {
    channel.send(message);
  } catch (const gantry::failure& e) {
    return e.status();
  }
  return GANTRY_OK;
}

TEST(HttpChannel, PostsTheMessageWithItsIdAsIdempotencyKey) {
  one_answer server("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
  http_channel channel({server.url(), "token-1", {}, std::chrono::seconds(10)});
  channel.send(message);
  const std::string request = server.request();
  EXPECT_TRUE(request.starts_with("POST /send HTTP/1.1\r\n"));
  EXPECT_NE(request.find("Idempotency-Key: n-1\r\n"), std::string::npos);
  EXPECT_NE(request.find("Authorization: Bearer token-1\r\n"), std::string::npos);
  const std::string text = request.substr(request.find("\r\n\r\n") + 4);
  const auto body = gantry::json_document::parse(text);
  EXPECT_EQ(body.root()["to"].text(), "+49123");
  EXPECT_EQ(body.root()["text"].text(), "Short \"text\"");
}

TEST(HttpChannel, TheStatusDecidesWhetherToTryAgain) {
  EXPECT_EQ(status_for("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), GANTRY_OK);
  EXPECT_EQ(status_for("HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n"), GANTRY_RETRY);
  EXPECT_EQ(status_for("HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"), GANTRY_RETRY);
  EXPECT_EQ(status_for("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"), GANTRY_REJECT);
  EXPECT_EQ(status_for("nonsense\r\n\r\n"), GANTRY_RETRY);
}

TEST(HttpChannel, NobodyThereIsTriedLater) {
  std::string url;
  {
    asio::io_context io;
    tcp::acceptor closed(io, {asio::ip::address_v4::loopback(), 0});
    url = "http://localhost:" + std::to_string(closed.local_endpoint().port());
  }
  http_channel channel({url, {}, {}, std::chrono::seconds(10)});
  EXPECT_THROW(channel.send(message), gantry::retry_later);
}

TEST(HttpChannel, AUrlThatCantWorkIsRefusedAtTheStart) {
  for (const char* url : {"ftp://x", "http://", "https://:443", "x"}) {
    EXPECT_THROW(http_channel({url, {}, {}, std::chrono::seconds(1)}), gantry::failure) << url;
  }
}

}  // namespace
}  // namespace notification
