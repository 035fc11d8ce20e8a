#include "call/remote/reply_reader.hpp"

#include <gtest/gtest.h>

namespace gantry::call {
namespace {

using state = reply_reader::state;

constexpr reply_reader::limits small{1000, 500};

// Feeds the bytes whole, and byte by byte; both must end alike.
void expect_reply(const std::string& bytes, const std::string& body, bool keeps, bool head_only = false) {
  reply_reader whole(head_only, small);
  ASSERT_EQ(whole.feed(bytes), state::complete) << bytes << whole.failure().text;
  EXPECT_EQ(whole.keeps_connection(), keeps) << bytes;
  EXPECT_EQ(whole.take().body, body);
  reply_reader slow(head_only, small);
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i)
    ASSERT_EQ(slow.feed({&bytes[i], 1}), state::more) << bytes << " at " << i;
  ASSERT_EQ(slow.feed({&bytes.back(), 1}), state::complete) << bytes;
  EXPECT_EQ(slow.take().body, body);
}

void expect_failure(const std::string& bytes, errc code) {
  reply_reader whole(false, small);
  const auto at = whole.feed(bytes);
  if (at == state::more) {
    ASSERT_EQ(whole.end(), state::failed) << bytes;
  } else {
    ASSERT_EQ(at, state::failed) << bytes;
  }
  EXPECT_EQ(whole.failure().code, code) << whole.failure().text;
}

TEST(ReplyReaderTest, ReadsBodiesHoweverTheyAreFramed) {
  expect_reply("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello", true);
  expect_reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nt: v\r\n\r\n",
               "hello", true);
  expect_reply("HTTP/1.1 204 No Content\r\n\r\n", "", true);
  expect_reply("HTTP/1.1 304 Not Modified\r\n\r\n", "", true);
  expect_reply("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", "", true, true);
  expect_reply("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx", "x", false);
  expect_reply("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", "x", false);
}

TEST(ReplyReaderTest, ReadsABodyThatLastsUntilTheEnd) {
  reply_reader one(false, small);
  EXPECT_EQ(one.feed("HTTP/1.1 200 OK\r\n\r\nhel"), state::more);
  EXPECT_EQ(one.feed("lo"), state::more);
  EXPECT_EQ(one.end(), state::complete);
  EXPECT_FALSE(one.keeps_connection());
  EXPECT_EQ(one.take().body, "hello");
}

TEST(ReplyReaderTest, SkipsInterimReplies) {
  expect_reply(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: "
      "1\r\n\r\nx",
      "x", true);
  std::string endless;
  for (int i = 0; i < 20; ++i) endless += "HTTP/1.1 100 Continue\r\n\r\n";
  expect_failure(endless, errc::corrupt);
  expect_failure("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", errc::corrupt);
}

TEST(ReplyReaderTest, HandsOutHeadersInLowerCaseWithoutTheConnections) {
  reply_reader one(false, small);
  ASSERT_EQ(one.feed("HTTP/1.1 201 Created\r\nContent-Type: a/b\r\nLocation:  /x \r\nDate: d\r\nKeep-Alive: y\r\n"
                     "Content-Length: 0\r\n\r\n"),
            state::complete);
  const auto got = one.take();
  EXPECT_EQ(got.status, 201);
  const std::vector<std::pair<std::string, std::string>> expected = {{"content-type", "a/b"}, {"location", "/x"}};
  EXPECT_EQ(got.headers, expected);
}

TEST(ReplyReaderTest, RefusesWhatMayBeFramedInTwoWays) {
  for (const auto* bytes :
       {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\ncontent-length: 0\n\n", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n"})
    expect_failure(bytes, errc::corrupt);
}

TEST(ReplyReaderTest, NoticesThatAReplyIsCutShort) {
  for (const auto* bytes : {"HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
                            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n"})
    expect_failure(bytes, errc::corrupt);
}

TEST(ReplyReaderTest, IsBounded) {
  expect_failure("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n", errc::too_large);
  expect_failure(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n",
      errc::too_large);
  expect_failure("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x'), errc::too_large);
  expect_failure("HTTP/1.1 200 OK\r\nx: " + std::string(600, 'x') + "\r\n\r\n", errc::too_large);
  expect_failure("HTTP/1.1 200 OK\r\nx: " + std::string(600, 'x'), errc::too_large);
}

TEST(ReplyReaderTest, DropsTrailers) {
  reply_reader one(false, small);
  ASSERT_EQ(one.feed("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nset-cookie: y\r\n\r\n"),
            state::complete);
  EXPECT_TRUE(one.take().headers.empty());
}

TEST(ReplyReaderTest, BoundsTheLinesBetweenChunks) {
  const std::string head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  expect_failure(head + "1;" + std::string(600, 'x'), errc::too_large);
  expect_failure(head + "0\r\nt: " + std::string(600, 'x'), errc::too_large);
}

TEST(ReplyReaderTest, DoesNotKeepAConnectionWithMoreThanTheReply) {
  reply_reader one(false, small);
  ASSERT_EQ(one.feed("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n"), state::complete);
  EXPECT_FALSE(one.keeps_connection());
}

}  // namespace
}  // namespace gantry::call
