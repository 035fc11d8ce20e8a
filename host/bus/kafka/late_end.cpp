#include "bus/kafka/late_end.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/new_thread.hpp"

namespace gantry::bus::kafka {
namespace {

constexpr std::chrono::milliseconds between_looks{100};

struct leaving {
  handle client;
  std::unique_ptr<client_context> context;
  std::unique_ptr<bool> answered;  // written while it is polled
};

const kafka_bus_options& silence() {
  static const auto& nothing = *new kafka_bus_options;
  return nothing;
}

// A plain rd_kafka_destroy() would wait for the application's answer to a rebalance that is not handed out any more.
void destroy(handle client) { rd_kafka_destroy_flags(client.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); }

// Never destroyed: its threads may be running when the process ends.
class late_ends {
 public:
  static late_ends& all() {
    static auto& one = *new late_ends;
    return one;
  }

  // Without a thread it stays as it is until the next one comes.
  void once_answered(leaving what) {
    {
      const std::lock_guard lock(mutex_);
      coming_.push_back(std::move(what));
      if (!runs_)
        if (auto begun = new_thread([this] { run(); })) {
          begun->detach();
          runs_ = true;
        }
    }
    changed_.notify_all();
  }

  void at_once(leaving what) {
    const auto last = std::make_shared<leaving>(std::move(what));
    {
      const std::lock_guard lock(mutex_);
      ++ending_;
    }
    auto begun = new_thread([this, last] {
      destroy(std::move(last->client));
      ended();
    });
    if (begun) return begun->detach();
    // Then the thread of the others does it, which they may have to wait for.
    once_answered(std::move(*last));
    ended();
  }

  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ending_ == 0; });
  }

 private:
  void ended() {
    {
      const std::lock_guard lock(mutex_);
      --ending_;
    }
    changed_.notify_all();
  }

  void run() {
    std::vector<leaving> mine;
    while (true) {
      {
        std::unique_lock lock(mutex_);
        if (mine.empty()) changed_.wait(lock, [this] { return !coming_.empty(); });
        for (auto& each : coming_) mine.push_back(std::move(each));
        coming_.clear();
      }
      std::this_thread::sleep_for(between_looks);
      std::erase_if(mine, [](leaving& each) {
        while (const message_handle message{rd_kafka_consumer_poll(each.client.get(), 0)}) {
        }
        if (!*each.answered) return false;
        destroy(std::move(each.client));
        return true;
      });
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<leaving> coming_;  // guarded by mutex_
  std::size_t ending_ = 0;       // guarded by mutex_
  bool runs_ = false;            // guarded by mutex_
};

}  // namespace

void end_later(handle client, std::unique_ptr<client_context> context, bool answered) {
  context->options = &silence();
  context->on_error = [](rd_kafka_resp_err_t, std::string_view, bool) {};
  context->on_commit = [](rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*) {};
  auto known = std::make_unique<bool>(answered);
  context->on_rebalance = [&answered_once = *known](rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*) {
    answered_once = true;
  };
  leaving what{std::move(client), std::move(context), std::move(known)};
  if (answered)
    late_ends::all().at_once(std::move(what));
  else
    late_ends::all().once_answered(std::move(what));
}

void wait_for_ends() { late_ends::all().wait(); }

}  // namespace gantry::bus::kafka
