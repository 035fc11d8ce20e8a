#include "call/remote/request_head.hpp"

#include <gtest/gtest.h>

namespace gantry::call {
namespace {

gantry_str text(std::string_view s) { return {s.data(), s.size()}; }

class RequestHeadTest : public testing::Test {
 protected:
  RequestHeadTest() {
    what.plugin = "catalog";
    what.method = "GET";
    what.target = "/products/1?x=%20";
  }
  result<request_head> make() {
    what.headers = fields;
    return request_head::make(what, 16 * 1024);
  }

  remote_request what;
  std::vector<gantry_field> fields;
};

TEST_F(RequestHeadTest, SaysWhatTheCalleeMustKnow) {
  what.caller = "order";
  what.correlation_id = "c-1";
  what.traceparent = "00-a-b-01";
  fields.push_back({text("Accept"), text("application/json")});
  const auto made = make();
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(made->text("h:80", 1'000'001),
            "GET /products/1?x=%20 HTTP/1.1\r\nhost: h:80\r\naccept: application/json\r\ncorrelation-id: c-1\r\n"
            "traceparent: 00-a-b-01\r\ngantry-caller: order\r\ngantry-deadline-ms: 1001\r\n\r\n");
}

TEST_F(RequestHeadTest, KeepsTheConnectionsHeadersForItself) {
  for (const auto* name : {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Gantry-Deadline-Ms",
                           "TraceParent", "Correlation-Id", "Gantry-Caller", "Expect", "Upgrade"})
    fields.push_back({text(name), text("7")});
  EXPECT_EQ(make()->text("h", 1), "GET /products/1?x=%20 HTTP/1.1\r\nhost: h\r\ngantry-deadline-ms: 1\r\n\r\n");
}

TEST_F(RequestHeadTest, GivesTheBodyItsLength) {
  what.method = "POST";
  EXPECT_NE(make()->text("h", 1).find("content-length: 0\r\n"), std::string::npos);
  what.body = "12345";
  EXPECT_NE(make()->text("h", 1).find("content-length: 5\r\n"), std::string::npos);
}

TEST_F(RequestHeadTest, RefusesWhatCouldBeginAnotherRequest) {
  for (const auto* target : {"", "products", "/a b", "/a\r\nX: y", "/a#b", "/\xC3\xA9"}) {
    what.target = target;
    EXPECT_EQ(make().failure().code, errc::invalid) << target;
  }
  what.target = "/";
  what.method = "GET / HTTP/1.1\r\nX: y\r\n";
  EXPECT_EQ(make().failure().code, errc::invalid);
  what.method = "GET";
  what.correlation_id = "a\r\nb";
  EXPECT_EQ(make().failure().code, errc::invalid);
  what.correlation_id = {};
  fields.push_back({text("x"), text("a\nb")});
  EXPECT_EQ(make().failure().code, errc::invalid);
  fields.back() = {text("x y"), text("a")};
  EXPECT_EQ(make().failure().code, errc::invalid);
}

TEST_F(RequestHeadTest, KnowsWhatMayBeSentTwice) {
  for (const auto* method : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) {
    what.method = method;
    EXPECT_TRUE(make()->repeatable()) << method;
  }
  for (const auto* method : {"POST", "PATCH"}) {
    what.method = method;
    fields.clear();
    EXPECT_FALSE(make()->repeatable()) << method;
    fields.push_back({text("Idempotency-Key"), text("k")});
    EXPECT_TRUE(make()->repeatable()) << method;
  }
}

TEST_F(RequestHeadTest, IsBounded) {
  const std::string long_value(17'000, 'v');
  fields.push_back({text("x"), text(long_value)});
  EXPECT_EQ(make().failure().code, errc::too_large);
}

}  // namespace
}  // namespace gantry::call
