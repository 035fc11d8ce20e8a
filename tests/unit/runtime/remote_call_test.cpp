// Calls to plugins on other hosts, from the caller's side: where they go, what they carry, and what comes back.
#include <future>

#include "call/remote/remote_calls.hpp"
#include "remote_plugins.hpp"

namespace gantry::runtime {
namespace {

using gantry::testing::answer;
using gantry::testing::called;
using gantry::testing::scripted_plugin;
using gantry::testing::small_host;

class still_clock final : public clock {
 public:
  std::int64_t wall_us() const noexcept override { return 1'800'000'000'000'000; }
  std::int64_t steady_us() const noexcept override { return 5'000'000; }
};

// Says that it knows "stock" and notes what it is asked.
class other_hosts final : public call::remote_calls {
 public:
  result<void> place(const call::placement&) override { return {}; }
  bool knows(std::string_view plugin) const override { return plugin == "stock"; }
  call::remote_outcome call(const call::remote_request& request) override {
    ++asked;
    caller = request.caller;
    method = request.method;
    target = request.target;
    deadline_us = request.deadline_us;
    correlation_id = request.correlation_id;
    traceparent = request.traceparent;
    for (const auto& h : request.headers) headers.emplace_back(view(h.name), view(h.value));
    return outcome;
  }
  void close_idle() override {}
  std::vector<call::remote_figures> figures() const override { return {}; }

  call::remote_outcome outcome{GANTRY_OK, {}, {200, {{"content-type", "text/plain"}}, "from afar"}};
  int asked = 0;
  std::string caller, method, target, correlation_id, traceparent;
  std::int64_t deadline_us = 0;
  std::vector<std::pair<std::string, std::string>> headers;
};

class RemoteCallTest : public ::testing::Test {
 protected:
  RemoteCallTest() {
    shop.id = "shop";
    shop.calls = {"stock", "nobody"};
    stock.id = "stock";
    stock.handler = [](const gantry_request&, gantry_context*) { return answer{200, "from here"}; };
    host.router.elsewhere(there);
    from = &host.add(shop);
  }

  called ask(const std::string& plugin = "stock", const std::string& target = "/stock/1?all=1",
             std::vector<gantry_field> headers = {}, std::uint64_t timeout_us = 0) {
    gantry_context context(*from);
    context.deadline_us = time.steady_us() + 1'000'000;
    context.why = {"c-1", {}, trace};
    return shop.ask(&context, plugin, target, "GET", std::move(headers), timeout_us);
  }

  static constexpr const char* trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  still_clock time;
  other_hosts there;
  scripted_plugin shop, stock;
  small_host host{1, time};
  instance* from = nullptr;
};

TEST_F(RemoteCallTest, APluginThatDoesNotRunHereIsAskedElsewhere) {
  const auto reply = ask();
  EXPECT_EQ(reply.status, GANTRY_OK);
  EXPECT_EQ(reply.code, 200);
  EXPECT_EQ(reply.body, "from afar");
  EXPECT_EQ(there.caller, "shop");
  EXPECT_EQ(there.method, "GET");
  EXPECT_EQ(there.target, "/stock/1?all=1");
}

TEST_F(RemoteCallTest, APluginThatRunsHereIsAskedHere) {
  host.add(stock);
  EXPECT_EQ(ask().body, "from here");
  EXPECT_EQ(there.asked, 0);
}

TEST_F(RemoteCallTest, AReplicaElsewhereTakesOverForOneThatDidNotStart) {
  host.add(stock).state(phase::failed);
  EXPECT_EQ(ask().body, "from afar");
  // A path that only the replica may know is its business too.
  EXPECT_EQ(ask("stock", "/stock/1/2/3").body, "from afar");
}

TEST_F(RemoteCallTest, TheLocalBreakerDoesNotCountWhatHappensElsewhere) {
  there.outcome = {GANTRY_UNAVAILABLE, "none reachable", {}};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask().status, GANTRY_UNAVAILABLE);
  EXPECT_EQ(there.asked, 10);
  EXPECT_EQ(last_failure(), "none reachable");
}

TEST_F(RemoteCallTest, CorrelationTraceHeadersAndTheCallersDeadlineGoWithIt) {
  ask("stock", "/stock/1", {{str("idempotency-key"), str("k-1")}});
  EXPECT_EQ(there.correlation_id, "c-1");
  EXPECT_EQ(there.traceparent, trace);
  EXPECT_EQ(there.deadline_us, time.steady_us() + 1'000'000);
  EXPECT_EQ(there.headers, (std::vector<std::pair<std::string, std::string>>{{"idempotency-key", "k-1"}}));
}

TEST_F(RemoteCallTest, ATimeoutOfItsOwnShortensTheDeadline) {
  ask("stock", "/stock/1", {}, 2'000);
  EXPECT_EQ(there.deadline_us, time.steady_us() + 2'000);
}

TEST_F(RemoteCallTest, AStatusWithItsProblemDocumentIsAReply) {
  there.outcome.reply = {503, {{"content-type", "application/problem+json"}}, "{}"};
  const auto reply = ask();
  EXPECT_EQ(reply.status, GANTRY_OK);
  EXPECT_EQ(reply.code, 503);
}

TEST_F(RemoteCallTest, FailuresAreTheValuesThatALocalCallHas) {
  there.outcome = {GANTRY_TIMEOUT, "too late", {}};
  EXPECT_EQ(ask().status, GANTRY_TIMEOUT);
  there.outcome = {GANTRY_INVALID, "no target", {}};
  EXPECT_EQ(ask().status, GANTRY_INVALID);
}

TEST_F(RemoteCallTest, AConnectionThatBreaksBehindTheRequestIsABadGateway) {
  there.outcome = {GANTRY_FAILED, "it was closed", {}};
  const auto reply = ask();
  EXPECT_EQ(reply.status, GANTRY_OK);
  EXPECT_EQ(reply.code, 502);
  EXPECT_NE(reply.body.find("it was closed"), std::string::npos);
}

TEST_F(RemoteCallTest, WhatIsRefusedHereNeverLeaves) {
  EXPECT_EQ(ask("warehouse").status, GANTRY_REFUSED);   // not declared
  EXPECT_EQ(ask("nobody").status, GANTRY_UNAVAILABLE);  // runs nowhere
  {
    const transaction_mark inside;
    EXPECT_EQ(ask().status, GANTRY_REFUSED);
  }
  EXPECT_EQ(there.asked, 0);
}

TEST_F(RemoteCallTest, CallsErrorsAndTimesAreCountedForEachCallee) {
  ask();
  there.outcome = {GANTRY_UNAVAILABLE, "none reachable", {}};
  ask();
  there.outcome = {GANTRY_OK, {}, {500, {}, ""}};
  ask();
  const observability::labels with = {{"plugin", "shop"}, {"callee", "stock"}};
  const observability::labels sorted = {{"callee", "stock"}, {"plugin", "shop"}};
  const auto value = [&](const std::string& name) {
    return std::max(host.value_of(name, with), host.value_of(name, sorted));
  };
  EXPECT_EQ(value("gantry_remote_calls_total"), 3);
  EXPECT_EQ(value("gantry_remote_call_errors_total"), 2);
  EXPECT_EQ(from->counts.calls->value(), 3U);
  EXPECT_EQ(from->counts.call_errors->value(), 1U);
}

TEST_F(RemoteCallTest, ACallWithoutWaitingGoesElsewhereToo) {
  std::promise<std::string> done;
  gantry_call request{};
  request.struct_size = sizeof request;
  request.plugin = str("stock");
  request.method = str("GET");
  request.target = str("/stock/1");
  const auto told = [](void* user, gantry_status status, const gantry_call_reply* reply) {
    static_cast<std::promise<std::string>*>(user)->set_value(status == GANTRY_OK ? std::string(view(reply->body))
                                                                                 : "none");
  };
  ASSERT_EQ(shop.call->call_async(shop.host, &request, told, &done), GANTRY_OK);
  EXPECT_EQ(done.get_future().get(), "from afar");
  EXPECT_FALSE(there.correlation_id.empty());
}

TEST_F(RemoteCallTest, AHandlerSeesHeaderNamesInLowerCaseAndADecodedPath) {
  std::string seen;
  stock.handler = [&](const gantry_request& request, gantry_context*) {
    seen = std::string(view(request.path)) + " " + std::string(view(request.headers[0].name)) + " " +
           std::string(view(request.caller));
    return answer{};
  };
  host.add(stock);
  ask("stock", "/stock/a%20b", {{str("X-Tag"), str("1")}});
  EXPECT_EQ(seen, "/stock/a b x-tag shop");
}

}  // namespace
}  // namespace gantry::runtime
