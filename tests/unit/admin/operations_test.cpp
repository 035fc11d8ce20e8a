// The operations of a host whose plugins run in processes of their own, of which one does not answer.
#include "admin/operations.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "../http/client.hpp"
#include "bus/local/local_bus.hpp"

namespace gantry::admin {
namespace {

class one_that_hangs final : public apart {
 public:
  std::vector<std::string> plugins() const override { return {"quick", "slow"}; }
  result<http::reply> ask(std::string_view plugin, std::string_view, std::string_view target, std::chrono::milliseconds,
                          std::string_view) override {
    std::unique_lock lock(mutex_);
    if (plugin == "slow") {
      ++waiting_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return released_; });
    }
    return http::reply{200, {}, std::string(plugin) + " " + std::string(target)};
  }
  void wait_for(int waiting) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= waiting; });
  }
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool released_ = false;
};

TEST(OperationsTest, AProcessThatDoesNotAnswerKeepsNobodyElseWaiting) {
  std::string name = std::filesystem::temp_directory_path() / "gantry-operations-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name.data());
  topology::topology model;
  model.state.value = folder.string();
  bus::local_bus_options journal;
  journal.directory = folder / "bus";
  auto events = std::move(bus::open_local_bus(journal).value());
  observability::registry metrics;
  observability::health checks;
  runtime::request_pool workers(1, 4, "work");
  runtime::dispatcher router(workers, workers, system_clock());
  lifecycle::host_parts parts;
  parts.model = &model;
  parts.router = &router;
  parts.checks = &checks;
  parts.metrics = &metrics;
  one_that_hangs others;
  {
    lifecycle::plugin_set own(parts);
    operations all(model, own, *events, metrics, checks, "main", &others);
    auto endpoint = std::move(http::open_endpoint({}, [&](http::request&& in, http::responder&& out) {
                                all.answer(std::move(in), std::move(out));
                              }).value());
    const auto ask = [&](const std::string& target) {
      http::client out(endpoint->port());
      out.send("GET " + target + " HTTP/1.1\r\nhost: localhost\r\n\r\n");
      return out;
    };
    auto of_it = ask("/admin/swap/slow");
    auto of_all = ask("/admin/plugins");
    others.wait_for(2);
    // Behind both of them.
    EXPECT_NE(ask("/admin/swap/quick").receive().find("quick /admin/swap/quick"), std::string::npos);
    EXPECT_NE(ask("/admin/quarantine").receive().find("200"), std::string::npos);
    others.release();
    EXPECT_NE(of_it.receive().find("slow /admin/swap/slow"), std::string::npos);
    EXPECT_NE(of_all.receive().find("\"id\":\"quick\""), std::string::npos);
    endpoint->stop();
  }
  workers.stop();
  events.reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace gantry::admin
