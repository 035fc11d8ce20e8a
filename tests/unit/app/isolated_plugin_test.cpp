// A plugin in a process of its own, as its host's process sees it: a real endpoint stands for the other process.
#include "app/isolated_plugin.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <optional>

namespace gantry::app {
namespace {

const process_state well{4711, 2, {}, {{"GET", "/payments/{id}"}, {"POST", "/payments"}}};

TEST(ProcessStateTest, WhatIsSaidIsRead) {
  auto state = well;
  state.ailing = "its store\nis full";
  const auto read = read_process_state(to_text(state));
  ASSERT_TRUE(read.ok()) << read.failure().text;
  state.ailing = "its store is full";
  EXPECT_EQ(*read, state);
}

TEST(ProcessStateTest, WhatIsNotWholeIsRefused) {
  const auto whole = to_text(well);
  EXPECT_FALSE(read_process_state(whole.substr(0, whole.size() - 4)).ok());
  EXPECT_FALSE(read_process_state("").ok());
  const auto wrong = read_process_state("pid 1\nroute GET\nend\n");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.failure().text, "found \"route GET\", expected pid, generation, ailing, route or end");
}

// Keeps the reply for the test.
class kept_reply final : public runtime::reply_sink {
 public:
  struct place {
    std::mutex mutex;
    std::condition_variable there;
    std::optional<runtime::reply> reply;

    runtime::reply wait() {
      std::unique_lock lock(mutex);
      there.wait(lock, [this] { return reply.has_value(); });
      return *reply;
    }
  };
  explicit kept_reply(std::shared_ptr<place> to) : to_(std::move(to)) {}
  void send(runtime::reply&& r) override {
    const std::lock_guard lock(to_->mutex);
    to_->reply = std::move(r);
    to_->there.notify_all();
  }

 private:
  const std::shared_ptr<place> to_;
};

class IsolatedPluginTest : public ::testing::Test {
 protected:
  IsolatedPluginTest() {
    auto opened = http::open_endpoint({}, [this](http::request&& in, http::responder&& out) {
      const std::lock_guard lock(mutex);
      last = in;
      if (in.target == "/inner/state") {
        ++looks;
        arrived.notify_all();
        if (keep_looks) return later.push_back(std::move(out));
        return out.send({200, {}, to_text(said)});
      }
      if (in.target == "/inner/end" && ++ends > ends_unheard) return out.send({200, {}, std::to_string(its_pid)});
      if (in.target == "/later" || in.target == "/inner/end")
        return later.push_back(std::move(out)), arrived.notify_all();
      out.send(
          {201,
           {{"x-from", "payment"}, {"correlation-id", std::string(http::find_header(in.headers, "correlation-id"))}},
           in.method + " " + in.target + " " + in.query + " " + in.body});
    });
    endpoint = std::move(*opened);
  }
  ~IsolatedPluginTest() override {
    answer_later();
    if (plugin) plugin->stop();
    plugin.reset();
    endpoint->stop();
  }

  void make(isolated_options options = {}) {
    options.plugin = "payment";
    options.process = "main~payment";
    options.address = "127.0.0.1:" + std::to_string(endpoint->port());
    options.key = "key";
    auto made = isolated_plugin::make(std::move(options), metrics, system_clock());
    ASSERT_TRUE(made.ok()) << made.failure().text;
    plugin = std::move(*made);
  }

  std::shared_ptr<kept_reply::place> pass(runtime::inbound in) {
    auto to = std::make_shared<kept_reply::place>();
    plugin->pass_on(std::move(in), std::make_unique<kept_reply>(to));
    return to;
  }
  static runtime::inbound request(std::string method, std::string path) {
    runtime::inbound out;
    out.method = std::move(method);
    out.path = std::move(path);
    return out;
  }
  void wait_for_later(std::size_t count) {
    std::unique_lock lock(mutex);
    arrived.wait(lock, [&] { return later.size() >= count; });
  }
  // Returns once so many more looks have come, and all before the last of them are over.
  void wait_for_looks(int count) {
    std::unique_lock lock(mutex);
    arrived.wait(lock, [this, until = looks + count] { return looks >= until; });
  }
  void answer_later() {
    const std::lock_guard lock(mutex);
    for (auto& one : later) one.send({200, {}, "late"});
    later.clear();
  }

  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<http::responder> later;
  int looks = 0;
  bool keep_looks = false;
  http::request last;
  process_state said = well;
  int ends = 0;
  int ends_unheard = 0;
  pid_t its_pid = 0;
  observability::registry metrics;
  std::unique_ptr<http::endpoint> endpoint;
  std::shared_ptr<isolated_plugin> plugin;
};

TEST_F(IsolatedPluginTest, ARequestGoesThereAndItsReplyComesBack) {
  make();
  auto in = request("POST", "/payments");
  in.query = "a=b";
  in.body = "{}";
  in.headers = {{"x-mine", "1"}, {"correlation-id", "c-7"}};
  const auto reply = pass(std::move(in))->wait();
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(reply.body, "POST /payments a=b {}");
  const std::pair<std::string, std::string> from{"x-from", "payment"}, correlation{"correlation-id", "c-7"};
  EXPECT_NE(std::find(reply.headers.begin(), reply.headers.end(), from), reply.headers.end());
  EXPECT_EQ(std::count(reply.headers.begin(), reply.headers.end(), correlation), 1);
  const std::lock_guard lock(mutex);
  EXPECT_EQ(http::find_header(last.headers, "x-mine"), "1");
  EXPECT_EQ(http::find_header(last.headers, "gantry-inner-key"), "key");
}

TEST_F(IsolatedPluginTest, OneLateAnswerIsNoAbsenceAndManyAre) {
  make();
  plugin->watch([] {});
  while (!plugin->health()) wait_for_looks(1);
  {
    const std::lock_guard lock(mutex);
    keep_looks = true;
  }
  wait_for_looks(2);
  EXPECT_TRUE(plugin->health()) << "one look was late";
  wait_for_looks(2);
  ASSERT_FALSE(plugin->health());
  EXPECT_NE(plugin->health().failure().text.find("does not answer: the deadline passed"), std::string::npos)
      << plugin->health().failure().text;
  {
    const std::lock_guard lock(mutex);
    keep_looks = false;
  }
  while (!plugin->health()) wait_for_looks(1);
}

TEST_F(IsolatedPluginTest, ARequestWhoseDeadlineHasPassedGoesNowhere) {
  make();
  auto in = request("GET", "/x");
  in.headers = {{"gantry-deadline-ms", "0"}};
  EXPECT_EQ(pass(std::move(in))->wait().status, 504);
}

// All its threads wait, and its queue is full: what comes now is refused, and nobody else's threads were taken.
TEST_F(IsolatedPluginTest, BeyondItsQueueRequestsAreRefused) {
  isolated_options options;
  options.queue_max = 3;
  make(options);
  std::vector<std::shared_ptr<kept_reply::place>> taken;
  for (std::size_t i = 1; i <= 64; ++i) {
    taken.push_back(pass(request("GET", "/later")));
    wait_for_later(i);
  }
  for (int i = 0; i < 3; ++i) taken.push_back(pass(request("GET", "/later")));
  const auto refused = pass(request("GET", "/later"))->wait();
  EXPECT_EQ(refused.status, 503);
  const std::pair<std::string, std::string> again{"retry-after", "1"};
  EXPECT_NE(std::find(refused.headers.begin(), refused.headers.end(), again), refused.headers.end());
  answer_later();
  wait_for_later(3);
  answer_later();
  for (const auto& one : taken) EXPECT_EQ(one->wait().status, 200);
}

TEST_F(IsolatedPluginTest, ItsRoutesAreTheManifestsUntilItsProcessSaysWhichItHas) {
  isolated_options options;
  options.routes = {{"GET", "/payments/{id}"}};
  make(options);
  EXPECT_EQ(plugin->routes(), options.routes);
  EXPECT_FALSE(plugin->health().ok());
  EXPECT_EQ(plugin->pid(), 0);
  std::mutex waiting;
  std::condition_variable changed;
  bool told = false;
  plugin->watch([&] {
    const std::lock_guard lock(waiting);
    told = true;
    changed.notify_all();
  });
  std::unique_lock lock(waiting);
  changed.wait(lock, [&] { return told; });
  EXPECT_EQ(plugin->routes(), well.routes);
  EXPECT_TRUE(plugin->health().ok());
  EXPECT_EQ(plugin->pid(), 4711);
}

// It is busy and answers late: who took it for ended would take the bus away from it.
TEST_F(IsolatedPluginTest, AProcessThatHasNotHeardItIsAskedAgainUntilItHas) {
  const auto child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  {
    const std::lock_guard lock(mutex);
    its_pid = child;
    ends_unheard = 1;
  }
  make();
  EXPECT_FALSE(plugin->has_ended()) << "it was not asked";
  plugin->end(std::chrono::milliseconds(8'000));
  EXPECT_FALSE(plugin->has_ended()) << "it has not heard it";
  plugin->end(std::chrono::milliseconds(7'000));
  EXPECT_FALSE(plugin->has_ended()) << "the one that has heard it runs";
  {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(last.query, "within_ms=7000");
  }
  plugin->end(std::chrono::milliseconds(6'000));
  {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(ends, 2) << "once it has";
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(plugin->has_ended());
}

TEST_F(IsolatedPluginTest, AProcessThatIsAwayHasEnded) {
  make();
  endpoint->stop();
  plugin->end(std::chrono::milliseconds(8'000));
  EXPECT_TRUE(plugin->has_ended());
}

// The host's own end does not wait for requests that may still have minutes.
TEST_F(IsolatedPluginTest, WhatWaitsForAProcessThatHangsIsAnsweredWhenTheHostEnds) {
  make();
  auto writes = request("POST", "/later");
  auto reads = request("GET", "/later");
  writes.headers = reads.headers = {{"gantry-deadline-ms", "3600000"}};
  const auto written = pass(std::move(writes));
  const auto read = pass(std::move(reads));
  wait_for_later(2);
  plugin->stop();
  EXPECT_EQ(written->wait().status, 502);
  EXPECT_EQ(read->wait().status, 503) << "it may be asked again";
}

TEST_F(IsolatedPluginTest, OperationsAreAsked) {
  make();
  const auto reply = plugin->ask("GET", "/admin/plugins?x=1", std::chrono::seconds(30));
  ASSERT_TRUE(reply.ok()) << reply.failure().text;
  EXPECT_EQ(reply->body, "GET /admin/plugins x=1 ");
  endpoint->stop();
  EXPECT_EQ(plugin->ask("GET", "/admin/plugins", std::chrono::seconds(30)).failure().code, errc::unavailable);
}

}  // namespace
}  // namespace gantry::app
