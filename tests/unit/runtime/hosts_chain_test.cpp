// Two hosts in one process, each with few workers, an endpoint on a real port and calls over real sockets: chains of
// calls that come back to a host end while requests hold all its workers.
#include <condition_variable>
#include <mutex>

#include "call/remote/remote_calls.hpp"
#include "http/endpoint.hpp"
#include "remote_plugins.hpp"

namespace gantry::runtime {
namespace {

using gantry::testing::answer;
using gantry::testing::scripted_plugin;
using gantry::testing::small_host;

constexpr std::size_t workers = 2;

class to_http final : public reply_sink {
 public:
  explicit to_http(http::responder&& out) : out_(std::move(out)) {}
  void send(reply&& r) override { out_.send({r.status, {}, std::move(r.body)}); }

 private:
  http::responder out_;
};

// A host with its endpoint, which tells calls from requests as the real one does without certificates.
struct listening_host {
  listening_host() {
    auto opened = http::open_endpoint({}, [this](http::request&& in, http::responder&& out) {
      inbound request;
      request.method = in.method;
      request.path = in.target;
      for (auto& h : in.headers) request.headers.emplace_back(h.name, h.value);
      request.is_call = !http::find_header(in.headers, "gantry-caller").empty();
      host.router.submit(std::move(request), std::make_unique<to_http>(std::move(out)));
    });
    EXPECT_TRUE(opened) << opened.failure().text;
    endpoint = std::move(*opened);
    host.router.elsewhere(*calls);
  }
  ~listening_host() { stop(); }
  void stop() {
    if (endpoint) endpoint->stop();
    host.stop();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(endpoint->port()); }

  std::unique_ptr<call::remote_calls> calls = call::make_remote_calls({}, system_clock());
  small_host host{workers};
  std::unique_ptr<http::endpoint> endpoint;
};

// Counts replies.
class tally {
 public:
  class sink final : public reply_sink {
   public:
    explicit sink(tally& to) : to_(to) {}
    void send(reply&& r) override {
      const std::lock_guard lock(to_.mutex_);
      to_.replies_.push_back(std::move(r));
      to_.more_.notify_all();
    }

   private:
    tally& to_;
  };
  std::vector<reply> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [&] { return replies_.size() >= count; });
    return replies_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<reply> replies_;
};

// Opens once `count` threads wait at it, and stays open.
class gate {
 public:
  explicit gate(std::size_t count) : count_(count) {}
  void pass() {
    std::unique_lock lock(mutex_);
    if (++here_ >= count_) all_.notify_all();
    all_.wait(lock, [&] { return here_ >= count_; });
  }

 private:
  const std::size_t count_;
  std::mutex mutex_;
  std::condition_variable all_;
  std::size_t here_ = 0;
};

// front runs on both hosts, middle on the second, back on the first: front -> middle -> back comes back to the first
// host.
class HostsChainTest : public ::testing::Test {
 protected:
  HostsChainTest() {
    for (auto* front : {&front_here, &front_there}) {
      front->id = "front";
      front->calls = {"middle"};
      front->handler = [this, front](const gantry_request&, gantry_context* context) {
        all_busy.pass();
        return pass_on(*front, context, "middle");
      };
    }
    middle.id = "middle";
    middle.calls = {"back"};
    middle.handler = [this](const gantry_request&, gantry_context* context) {
      return pass_on(middle, context, "back");
    };
    back.id = "back";
    back.handler = [](const gantry_request&, gantry_context*) { return answer{200, "done"}; };
    first.host.add(front_here);
    first.host.add(back);
    second.host.add(front_there);
    second.host.add(middle);
    EXPECT_TRUE(first.calls->place({{"middle", {{"second", second.address(), false, {}}}}}));
    EXPECT_TRUE(second.calls->place({{"back", {{"first", first.address(), false, {}}}}}));
  }
  ~HostsChainTest() override {
    first.stop();
    second.stop();
  }

  static answer pass_on(const scripted_plugin& from, gantry_context* context, const std::string& to) {
    const auto reply = from.ask(context, to, "/" + to + "/1");
    return reply.status == GANTRY_OK ? answer{reply.code, reply.body} : answer{500, std::string(last_failure())};
  }

  void flood(listening_host& host, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      inbound request;
      request.method = "GET";
      request.path = "/front/1";
      host.host.router.submit(std::move(request), std::make_unique<tally::sink>(replies));
    }
  }

  gate all_busy{2 * workers};
  tally replies;
  scripted_plugin front_here, front_there, middle, back;
  listening_host first, second;
};

TEST_F(HostsChainTest, AChainThatComesBackEndsWhileRequestsHoldAllWorkersOfBothHosts) {
  constexpr std::size_t each = 50;
  flood(first, each);
  flood(second, each);
  for (const auto& r : replies.wait_for(2 * each)) {
    EXPECT_EQ(r.status, 200) << r.body;
    EXPECT_EQ(r.body, "done");
  }
}

}  // namespace
}  // namespace gantry::runtime
