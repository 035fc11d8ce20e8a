// The connection to the owner: keeps it, sends what callers hand over, gives what comes to the bus.
// Owned by client_bus. Thread: send() any; all calls to link_events come from the link's own thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "bus/socket/frame_input.hpp"
#include "bus/socket/socket_bus.hpp"
#include "bus/socket/unix_socket.hpp"

namespace gantry::bus::socket {

class link_events {
 public:
  virtual ~link_events() = default;
  // The owner has answered the hello. Adds to `out` what must be sent before anything else. An error: this owner won't
  // do.
  virtual result<void> welcomed(std::string_view bus_id, std::string& out) = 0;
  // invalid: the owner breaks the protocol.
  virtual result<void> received(const frame_input::frame& f) = 0;
  // The connection has ended; nothing of it comes any more.
  virtual void lost(const error& why) = 0;
};

class client_link {
 public:
  static result<std::unique_ptr<client_link>> make(const socket_bus_options& options, link_events& events);
  ~client_link();

  // Starts, and waits for the first connection as long as the options say.
  result<void> start();
  // No calls to events follow.
  void stop();

  // Adds frames by `write(std::string& out)`, and sends what the socket takes. unavailable: there is no connection, or
  // another one than `epoch` (0: whichever there is).
  template <typename Write>
  result<void> send(std::uint64_t epoch, Write write) {
    const std::scoped_lock lock(mutex_);
    if (!usable(epoch)) return down();
    write(out_);
    flush();
    return {};
  }
  // The same, after waiting until less than send_bytes wait to be sent.
  template <typename Write>
  result<void> send_when_room(std::uint64_t epoch, Write write) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return !usable(epoch) || out_.size() - sent_ < options_.send_bytes; });
    if (!usable(epoch)) return down();
    write(out_);
    flush();
    return {};
  }

  // Counts the connections; each has its own number.
  std::uint64_t epoch() const;
  // Why there is no connection, or success.
  result<void> state() const;
  // Ends this connection because of what was received.
  void drop(const error& why);

 private:
  client_link(const socket_bus_options& options, link_events& events, wake_event event);
  void run();
  result<void> converse();
  result<void> greet(const descriptor& stream);
  result<void> read(const descriptor& stream, bool& up);
  result<void> welcome(const frame_input::frame& f);
  void write_pending();
  void pause();
  void end_connection(const error& why, bool was_up);

  // Under mutex_.
  bool usable(std::uint64_t epoch) const { return up_ && (epoch == 0 || epoch == epoch_); }
  error down() const;
  void flush();

  const socket_bus_options options_;
  link_events& events_;
  const std::string instance_;
  const wake_event event_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
  frame_input input_;
  std::chrono::milliseconds pause_{0};
  std::string said_;  // the last reason that was logged

  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable tried_;
  std::optional<descriptor> stream_;  // changed by the thread alone, under mutex_
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  bool writing_ = false;  // the thread waits for room in the socket
  bool up_ = false;
  std::uint64_t epoch_ = 0;
  std::uint64_t attempts_ = 0;
  std::optional<error> why_down_;
  std::optional<error> dropped_;
};

}  // namespace gantry::bus::socket
