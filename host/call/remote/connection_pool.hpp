// The connections to one address: kept after use, bounded in number, with a bounded queue of calls that wait for one.
// Owned by remote_calls, shared by the plugins at that address. Thread: any.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "call/remote/channel.hpp"
#include "call/remote/resolver.hpp"

namespace gantry::call {

struct pool_limits {
  std::size_t max_connections;
  std::size_t max_waiting;
  std::int64_t connect_timeout_us;
  std::int64_t idle_us;
};

class connection_pool {
 public:
  // A connection that a call has taken. Closed when this goes, unless it was given back.
  class lease {
   public:
    lease(lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), channel_(std::move(other.channel_)), reused_(other.reused_) {}
    lease& operator=(lease&&) = delete;
    ~lease() {
      channel_.reset();
      if (pool_ != nullptr) pool_->give_back(nullptr);
    }

    channel* operator->() noexcept { return channel_.get(); }
    channel& operator*() noexcept { return *channel_; }
    // Another call used this connection before; the other side may have closed it meanwhile.
    bool reused() const noexcept { return reused_; }
    // For the next call: the reply has been read to its end.
    void keep() { std::exchange(pool_, nullptr)->give_back(std::move(channel_)); }

   private:
    friend class connection_pool;
    lease(connection_pool& of, std::unique_ptr<channel> what) noexcept
        : pool_(&of), channel_(std::move(what)), reused_(channel_ != nullptr) {}

    connection_pool* pool_;
    std::unique_ptr<channel> channel_;  // null: only the right to make one
    bool reused_;
  };

  struct counts {
    std::size_t open = 0, idle = 0, waiting = 0;
    std::uint64_t connected = 0, reused = 0;
  };

  connection_pool(host_port where, tls_choice how, pool_limits limits, resolver& names, const clock& time)
      : where_(std::move(where)), how_(std::move(how)), limits_(limits), names_(names), time_(time) {}
  connection_pool(const connection_pool&) = delete;
  connection_pool& operator=(const connection_pool&) = delete;

  // An idle connection that is still good, or a new one; `fresh`: a new one always. Errors: timeout (the deadline,
  // while connecting), conflict (all are in use: as many calls wait as may, or this one waited until its deadline),
  // unavailable (no connection can be made), io.
  result<lease> take(const deadline& by, bool fresh);

  void close_idle();
  counts now() const;

 private:
  struct idle {
    std::unique_ptr<channel> what;
    std::int64_t since_us;
  };
  struct waiter {
    std::condition_variable ready;
    bool served = false;
    std::unique_ptr<channel> given;  // null: the right to make one
  };
  using closing = std::vector<std::unique_ptr<channel>>;

  result<lease> slot(const deadline& by, bool fresh);
  result<lease> wait(std::unique_lock<std::mutex>& lock, const deadline& by);
  result<std::unique_ptr<channel>> connect(const deadline& by);
  void give_back(std::unique_ptr<channel> what);
  void drop_old(closing& old);

  const host_port where_;
  const tls_choice how_;
  const pool_limits limits_;
  resolver& names_;
  const clock& time_;
  mutable std::mutex mutex_;
  std::vector<idle> idle_;  // guarded, as all below; the one used last at the end
  std::list<waiter*> waiting_;
  std::size_t open_ = 0;  // idle, taken, or being made
  std::uint64_t connected_ = 0;
  std::uint64_t reused_ = 0;
};

}  // namespace gantry::call
