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

constexpr std::chrono::seconds between_looks{1};

struct leaving {
  handle client;
  std::unique_ptr<client_context> context;
};

const kafka_bus_options& silence() {
  static const auto& nothing = *new kafka_bus_options;
  return nothing;
}

// Never destroyed: its threads may be running when the process ends.
class late_ends {
 public:
  static late_ends& all() {
    static auto& one = *new late_ends;
    return one;
  }

  // Without a thread nobody reads its queue until the next one comes.
  void keep(leaving what) {
    const std::lock_guard lock(mutex_);
    kept_.push_back(std::move(what));
    if (reads_) return;
    if (auto begun = new_thread([this] { read(); })) {
      begun->detach();
      reads_ = true;
    }
  }

  // Without a thread it is kept.
  void end(leaving what) {
    const auto last = std::make_shared<leaving>(std::move(what));
    {
      const std::lock_guard lock(mutex_);
      ++ending_;
    }
    auto begun = new_thread([this, last] {
      // A plain rd_kafka_destroy() would wait for the application's answer to a rebalance that is not handed out.
      rd_kafka_destroy_flags(last->client.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
      ended();
    });
    if (begun) return begun->detach();
    keep(std::move(*last));
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

  void read() {
    std::unique_lock lock(mutex_);
    while (true) {
      for (const auto& each : kept_)
        while (const message_handle message{rd_kafka_consumer_poll(each.client.get(), 0)}) {
        }
      changed_.wait_for(lock, between_looks);
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<leaving> kept_;  // guarded by mutex_
  std::size_t ending_ = 0;     // guarded by mutex_
  bool reads_ = false;         // guarded by mutex_
};

}  // namespace

void end_later(handle client, std::unique_ptr<client_context> context, bool answered) {
  {
    const std::lock_guard lock(context->logging);
    context->options = &silence();
  }
  context->on_error = [](rd_kafka_resp_err_t, std::string_view, bool) {};
  context->on_commit = [](rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*) {};
  context->on_rebalance = [](rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*) {};
  leaving what{std::move(client), std::move(context)};
  if (answered)
    late_ends::all().end(std::move(what));
  else
    late_ends::all().keep(std::move(what));
}

void wait_for_ends() { late_ends::all().wait(); }

}  // namespace gantry::bus::kafka
