// A call within the host keeps the rules of idempotent routes that a call from another host, which comes over HTTP, is
// held to.
#include <gtest/gtest.h>

#include "bench.hpp"
#include "gantry/abi/call.h"
#include "runtime/context.hpp"
#include "runtime/text.hpp"

namespace gantry::testing {
namespace {

struct answered {
  gantry_status status = GANTRY_OK;
  int code = 0;
  std::string body;
};

class SameRulesTest : public ::testing::Test {
 protected:
  SameRulesTest() {
    plays.event = [](const gantry_event&, gantry_tx*) { return GANTRY_OK; };
    plays.timer = [](std::string, gantry_tx*) { return GANTRY_OK; };
    plays.post = [this](const gantry_request& q, gantry_tx* tx) -> gantry_status {
      if (const auto s = insert(tx, "posted", text(q.body)); s != GANTRY_OK) return s;
      const auto& http = *static_cast<const gantry_http_1*>(plays.host->capability(plays.host, GANTRY_HTTP_1));
      return http.respond_in(tx, 201, nullptr, 0, q.body);
    };
    b = std::make_unique<bench>(plays);
    b->plugin->declared.calls.push_back(b->plugin->id());
  }

  answered call(const std::string& key, const std::string& body) {
    gantry_context context(*b->plugin);
    context.deadline_us = b->time.steady_us() + 1'000'000;
    const gantry_field header = {runtime::str("Idempotency-Key"), runtime::str(key)};
    gantry_call request{};
    request.struct_size = sizeof request;
    request.plugin = runtime::str(b->plugin->id());
    request.method = runtime::str("POST");
    request.target = runtime::str("/things");
    request.body = runtime::str(body);
    request.headers = &header;
    request.header_count = key.empty() ? 0 : 1;
    gantry_call_reply reply{};
    reply.struct_size = sizeof reply;
    answered out;
    out.status = b->router->call(context, request, reply);
    if (out.status == GANTRY_OK) {
      out.code = reply.status;
      out.body = text(reply.body);
    }
    runtime::dispatcher::release(reply);
    return out;
  }

  script plays;
  std::unique_ptr<bench> b;
};

TEST_F(SameRulesTest, TheSameKeyHasOneEffectAndOneReply) {
  EXPECT_EQ(call("1", "x").code, 201);
  const auto again = call("1", "x");
  EXPECT_EQ(again.code, 201);
  EXPECT_EQ(again.body, "x");
  b->settle();
  EXPECT_EQ(b->of_key("posted"), "x");
}

TEST_F(SameRulesTest, AKeyIsNeededAndBelongsToItsBody) {
  EXPECT_EQ(call("", "x").code, 400);
  EXPECT_EQ(call("1", "x").code, 201);
  EXPECT_EQ(call("1", "y").code, 422);
}

}  // namespace
}  // namespace gantry::testing
