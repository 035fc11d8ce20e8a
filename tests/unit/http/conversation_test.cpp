#include "http/conversation.hpp"

#include <gtest/gtest.h>

#include <random>

namespace gantry::http {
namespace {

using phase = conversation::phase;

class ConversationTest : public testing::Test {
 protected:
  // Feeds the bytes and answers each request with its own method, target and body; gives back all requests.
  std::vector<request> exchange_all(std::string_view bytes) {
    talk.feed(bytes);
    std::vector<request> seen;
    while (auto next = talk.next()) {
      seen.push_back(std::move(*next));
      talk.answer({200, {}, "ok"}, false);
    }
    return seen;
  }

  std::string take_output() {
    std::string all;
    while (!talk.output().empty()) {
      const auto part = talk.output();
      all += part;
      talk.sent(part.size());
    }
    return all;
  }

  // The status of the answer to a request that must not reach the handler.
  int refusal_of(std::string_view bytes) {
    conversation one({.max_body = 1000, .max_headers = 1000});
    one.feed(bytes);
    if (one.next()) return 0;
    const auto out = one.output();
    if (!out.starts_with("HTTP/1.1 ")) return -1;
    EXPECT_EQ(one.now(), phase::closing);
    EXPECT_NE(out.find("application/problem+json"), std::string_view::npos);
    EXPECT_NE(out.find("connection: close\r\n"), std::string_view::npos);
    return std::stoi(std::string(out.substr(9, 3)));
  }

  conversation talk{{.max_body = 1000, .max_headers = 1000}};
};

TEST_F(ConversationTest, ReadsARequestWithABody) {
  const auto seen =
      exchange_all("POST /orders?dry=1 HTTP/1.1\r\nHost: h\r\nX-Trace:  a b \r\nContent-Length: 5\r\n\r\nhello");
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].method, "POST");
  EXPECT_EQ(seen[0].target, "/orders");
  EXPECT_EQ(seen[0].query, "dry=1");
  EXPECT_EQ(seen[0].body, "hello");
  EXPECT_EQ(find_header(seen[0].headers, "x-trace"), "a b");
}

TEST_F(ConversationTest, KeepsTheConnectionWithoutAConnectionHeader) {
  exchange_all("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(talk.now(), phase::idle);
  EXPECT_EQ(take_output().find("connection:"), std::string::npos);
}

TEST_F(ConversationTest, RespectsConnectionClose) {
  exchange_all("GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n");
  EXPECT_EQ(talk.now(), phase::closing);
  EXPECT_NE(take_output().find("connection: close\r\n"), std::string::npos);
}

TEST_F(ConversationTest, ClosesForHttp10UnlessAskedToKeep) {
  exchange_all("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(talk.now(), phase::idle);
  EXPECT_NE(take_output().find("connection: keep-alive\r\n"), std::string::npos);
  exchange_all("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(talk.now(), phase::closing);
}

TEST_F(ConversationTest, AnswersPipelinedRequestsInOrder) {
  talk.feed(
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxyGET /3 "
      "HTTP/1.1\r\n");
  EXPECT_EQ(talk.next()->target, "/1");
  EXPECT_FALSE(talk.next()) << "the second waits for the first one's answer";
  talk.answer({200, {}, "first"}, false);
  EXPECT_EQ(talk.next()->body, "xy");
  talk.answer({200, {}, "second"}, false);
  EXPECT_FALSE(talk.next());
  talk.feed("Host: h\r\n\r\n");
  EXPECT_EQ(talk.next()->target, "/3");
  const auto out = take_output();
  EXPECT_LT(out.find("first"), out.find("second"));
}

TEST_F(ConversationTest, ReadsTheSameHoweverTheBytesAreCut) {
  const std::string bytes =
      "\r\nPOST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: "
      "1\r\n\r\n"
      "PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    conversation one({.max_body = 1000, .max_headers = 1000});
    std::vector<request> seen;
    for (std::size_t at = 0; at < bytes.size();) {
      const auto size = std::min<std::size_t>(bytes.size() - at, round == 0 ? 1 : 1 + random() % 40);
      one.feed(std::string_view(bytes).substr(at, size));
      at += size;
      while (auto next = one.next()) {
        seen.push_back(std::move(*next));
        one.answer({200, {}, ""}, false);
      }
    }
    ASSERT_EQ(seen.size(), 2U) << round;
    EXPECT_EQ(seen[0].body, "abc0123456789");
    EXPECT_EQ(seen[1].body, "body");
  }
}

TEST_F(ConversationTest, RefusesAmbiguousFraming) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(refusal_of(start + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), 400);
  EXPECT_EQ(refusal_of(start + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"), 400);
  EXPECT_EQ(refusal_of(start + "Content-Length: 3, 3\r\n\r\nabc"), 400);
  EXPECT_EQ(refusal_of(start + "Content-Length: +3\r\n\r\nabc"), 400);
  EXPECT_EQ(refusal_of(start + "Content-Length: -1\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(start + "Content-Length: 0x3\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(start + "Content-Length:\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(start + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(start + "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501);
  EXPECT_EQ(refusal_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(start + "Content-Length : 3\r\n\r\nabc"), 400);
  EXPECT_EQ(refusal_of(start + " folded: 1\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(start + "A: b\nContent-Length: 3\r\n\r\nabc"), 400);
  EXPECT_EQ(refusal_of(start + "A: b\rc\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(start + std::string("A: b\0c\r\n\r\n", 10)), 400);
  EXPECT_EQ(refusal_of(start + "Host: i\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\n\r\n"), 400);
}

TEST_F(ConversationTest, RefusesMalformedChunks) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(refusal_of(start + "x\r\n"), 400);
  EXPECT_EQ(refusal_of(start + "-1\r\n"), 400);
  EXPECT_EQ(refusal_of(start + "3\nabc"), 400);
  EXPECT_EQ(refusal_of(start + "3\r\nabcd\r\n"), 400);
  EXPECT_EQ(refusal_of(start + "3 4\r\nabc"), 400);
  EXPECT_EQ(refusal_of(start + "FFFFFFFFFFFFFFFFF\r\n"), 413);
  EXPECT_EQ(refusal_of(start + "3e9\r\n"), 413);
  EXPECT_EQ(refusal_of(start + "1;" + std::string(400, 'x')), 400);
  EXPECT_EQ(refusal_of(start + "0\r\n" + std::string(1200, 'x')), 431);
}

TEST_F(ConversationTest, RefusesTooMuchAtOnce) {
  EXPECT_EQ(refusal_of("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2147483648\r\n\r\n"), 413);
  EXPECT_EQ(refusal_of("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n"), 413);
  EXPECT_EQ(refusal_of("GET /" + std::string(2000, 'a')), 414);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(2000, 'a')), 431);
}

TEST_F(ConversationTest, RefusesMalformedRequestLines) {
  const std::string rest = " HTTP/1.1\r\nHost: h\r\n\r\n";
  EXPECT_EQ(refusal_of("\x16\x03\x01 hello\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET /\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET / \r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("G(T /" + rest), 400);
  EXPECT_EQ(refusal_of("GET a" + rest), 400);
  EXPECT_EQ(refusal_of("GET /a b" + rest), 400);
  EXPECT_EQ(refusal_of("GET /a#b" + rest), 400);
  EXPECT_EQ(refusal_of("GET /\xC3\xA9" + rest), 400);
  EXPECT_EQ(refusal_of("GET *" + rest), 400);
  EXPECT_EQ(refusal_of("GET http:///x" + rest), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\nHost: h\n\n"), 400);
  EXPECT_EQ(refusal_of("GET / HTTX/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(refusal_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
  EXPECT_EQ(refusal_of("BREW /" + rest), 501);
  EXPECT_EQ(refusal_of("get /" + rest), 501);
  EXPECT_EQ(refusal_of("TRACE /" + rest), 405);
}

TEST_F(ConversationTest, ReadsTheAbsoluteFormAndTheAsterisk) {
  EXPECT_EQ(exchange_all("GET http://h:80/a?b HTTP/1.1\r\nHost: h\r\n\r\n").at(0).target, "/a");
  EXPECT_EQ(exchange_all("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n").at(0).target, "/");
  EXPECT_EQ(exchange_all("GET http://h?q=1 HTTP/1.1\r\nHost: h\r\n\r\n").at(0).query, "q=1");
  EXPECT_EQ(exchange_all("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").at(0).target, "*");
}

TEST_F(ConversationTest, SaysContinueOnlyWhenTheClientWaits) {
  const std::string head = "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  talk.feed(head);
  EXPECT_FALSE(talk.next());
  EXPECT_EQ(take_output(), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(exchange_all("ab").at(0).body, "ab");
  take_output();
  EXPECT_EQ(exchange_all(head + "ab").size(), 1U);
  EXPECT_TRUE(take_output().starts_with("HTTP/1.1 200 OK"));
  EXPECT_EQ(refusal_of("PUT / HTTP/1.1\r\nHost: h\r\nExpect: coffee\r\n\r\n"), 417);
  EXPECT_EQ(refusal_of("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n"), 413);
}

TEST_F(ConversationTest, LeavesTheBodyOutForHeadAndForStatusesWithoutOne) {
  exchange_all("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto head = take_output();
  EXPECT_NE(head.find("content-length: 2\r\n"), std::string::npos);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  talk.feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(talk.next());
  talk.answer({204, {}, "x"}, false);
  const auto none = take_output();
  EXPECT_EQ(none.find("content-length"), std::string::npos);
  EXPECT_TRUE(none.ends_with("\r\n\r\n"));
}

TEST_F(ConversationTest, TurnsRepliesThatHttpForbidsInto500) {
  for (const auto& answer : {reply{200, {{"x", "a\r\nset-cookie: b"}}, ""}, reply{200, {{"a b", "c"}}, ""},
                             reply{99, {}, ""}, reply{100, {}, ""}, reply{600, {}, ""}}) {
    talk.feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(talk.next());
    talk.answer(reply(answer), false);
    const auto out = take_output();
    EXPECT_TRUE(out.starts_with("HTTP/1.1 500 ")) << out;
    EXPECT_EQ(out.find("set-cookie"), std::string::npos);
  }
}

TEST_F(ConversationTest, KeepsFramingHeadersToItselfAndRepeatedOnesApart) {
  talk.feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(talk.next());
  talk.answer({200, {{"Content-Length", "99"}, {"set-cookie", "a"}, {"set-cookie", "b"}}, "xyz"}, false);
  const auto out = take_output();
  EXPECT_EQ(out.find("99"), std::string::npos);
  EXPECT_NE(out.find("set-cookie: a\r\nset-cookie: b\r\ncontent-length: 3\r\n"), std::string::npos);
}

TEST_F(ConversationTest, SendsLargeBodiesWhole) {
  talk.feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(talk.next());
  const std::string body(300'000, 'b');
  talk.answer({200, {}, body}, true);
  EXPECT_GT(talk.unsent(), body.size());
  EXPECT_TRUE(take_output().ends_with("\r\n\r\n" + body));
  EXPECT_EQ(talk.unsent(), 0U);
}

TEST_F(ConversationTest, ReadsNothingBehindARefusedMessage) {
  talk.feed("GET / HTTP/1.1\r\n\r\nGET /secret HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_FALSE(talk.next());
  talk.feed("GET /secret HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_FALSE(talk.next());
  EXPECT_EQ(talk.now(), phase::closing);
}

TEST(HttpDateTest, IsAnImfFixdate) { EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT"); }

}  // namespace
}  // namespace gantry::http
