// What carries a reply from any thread to the transport thread that owns the connection. Connections are named by
// number, never by descriptor, so that a late reply can't reach a stranger. A mailbox is shared by a transport and its
// exchanges and outlives both. Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "http/endpoint.hpp"

namespace gantry::http {

struct letter {
  std::uint64_t connection = 0;
  reply answer;
};

class mailbox {
 public:
  // `event_fd` is written when the box gets its first letter. Not owned.
  explicit mailbox(int event_fd) : event_fd_(event_fd) {}

  // The transport's thread, which looks into the box by itself. Called once, on that thread.
  void set_owner() noexcept { owner_.store(std::this_thread::get_id(), std::memory_order_relaxed); }
  // Drops the letter when the box is closed.
  void post(letter&& what);
  // Wakes the transport without a letter.
  void wake();
  // Swaps the letters out. `out` must be empty.
  void collect(std::vector<letter>& out);
  // From now on letters are dropped and the descriptor is not touched.
  void close();

  // The exchanges in progress, each with the weight of what it waits for. One number, so that an exchange that goes on
  // is never seen in neither or in both. Kept by the transport.
  static constexpr std::uint64_t with_client = 1;
  static constexpr std::uint64_t handled = std::uint64_t{1} << 32U;
  std::atomic<std::uint64_t> in_progress{0};

 private:
  std::mutex mutex_;
  std::vector<letter> letters_;
  int event_fd_;
  bool closed_ = false;
  std::atomic<std::thread::id> owner_{};
};

class exchange {
 public:
  exchange(std::shared_ptr<mailbox> box, std::uint64_t connection);
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;
  ~exchange() = default;

  void send(reply&& answer);
  bool wanted() const noexcept { return !abandoned_.load(std::memory_order_relaxed); }
  // The connection has gone.
  void abandon() noexcept { abandoned_.store(true, std::memory_order_relaxed); }

 private:
  std::shared_ptr<mailbox> box_;
  std::uint64_t connection_;
  std::atomic<bool> answered_{false};
  std::atomic<bool> abandoned_{false};
};

}  // namespace gantry::http
