#include "bus/socket/bus_server.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "bus/socket/server_connection.hpp"

namespace gantry::bus::socket {
namespace {

constexpr std::size_t most_clients = 256;
constexpr std::chrono::milliseconds pause_after_error{100};
constexpr std::chrono::milliseconds no_time_limit{60'000};

class socket_server final : public bus_server {
 public:
  socket_server(bus& shared, const bus_server_options& options, listener_socket listening, wake_event event)
      : bus_(shared), options_(options), listening_(std::move(listening)), event_(std::move(event)) {
    thread_ = std::thread([this] { run(); });  // last: when it can't be started, nothing else has to be ended
  }

  ~socket_server() override {
    stopping_ = true;
    event_.wake();
    thread_.join();
    {
      const std::scoped_lock lock(mutex_);
      for (auto& c : clients_) c.connection->stop();
    }
    ended_.notify_all();
    for (auto& c : clients_) c.thread.join();
  }

  std::size_t clients() const override {
    const std::scoped_lock lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(clients_.begin(), clients_.end(), [](const client& c) { return c.admitted && !c.over; }));
  }

 private:
  struct client {
    std::unique_ptr<server_connection> connection;
    std::thread thread;
    client_name name;
    bool named = false;       // it has said hello
    bool admitted = false;    // and was let in
    bool superseded = false;  // a later connection of the same bus object has said hello
    bool over = false;
  };

  void run() {
    while (!stopping_) {
      wait_for_accept(listening_, event_, no_time_limit);
      event_.clear();
      reap();
      auto stream = listening_.accept();
      if (stream)
        welcome(std::move(*stream));
      else if (stream.failure().code != errc::unavailable)
        rest(stream.failure());
    }
  }

  // No more files can be opened, most likely: the client waits in the queue.
  void rest(const error& why) {
    log(3, "the bus takes no more clients for now: " + why.text);
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, pause_after_error, [&] { return stopping_.load(); });
  }

  void welcome(descriptor stream) {
    auto who = checked_peer(stream);
    if (!who) return log(4, "a bus client was refused: " + who.failure().text);
    auto event = wake_event::make();
    if (!event) return rest(event.failure());
    const std::scoped_lock lock(mutex_);
    if (clients_.size() >= most_clients) return log(4, "a bus client was refused: there are 256 already");
    auto& added = clients_.emplace_back();
    try {
      added.connection =
          std::make_unique<server_connection>(std::move(stream), std::move(*event), *who, bus_, options_,
                                              [this, &added](const client_name& name) { return admit(added, name); });
      added.thread = std::thread([this, &added] { serve(added); });
    } catch (const std::exception& e) {
      // It finds its connection closed, and tries again.
      clients_.pop_back();
      log(3, std::string("a bus client was refused: the system gives no thread or memory for it: ") + e.what());
    }
  }

  void serve(client& one) {
    one.connection->run();
    {
      const std::scoped_lock lock(mutex_);
      one.over = true;
    }
    ended_.notify_all();
    event_.wake();
  }

  // Ends the earlier connections of the same bus object, those that still wait here among them: of all that a client
  // gives up while an old one can't end, one waits. False: a later one has come.
  bool supersede(client& by) {
    bool later = false;
    for (auto& c : clients_) {
      if (&c == &by) {
        later = true;
      } else if (c.named && !c.over && c.name.instance == by.name.instance) {
        if (later) return false;
        c.superseded = true;
        c.connection->stop();
      }
    }
    ended_.notify_all();
    return true;
  }

  // An earlier connection of the same bus object may still have appends unread: what is appended on the new one must
  // come behind them. Of another process with that name it can't be said whether it lives.
  result<void> admit(client& to, const client_name& name) {
    std::unique_lock lock(mutex_);
    to.name = name;
    to.named = true;
    to.superseded = !supersede(to);
    const auto same = [&](const client& c) {
      return &c != &to && c.admitted && !c.over && c.name.instance == name.instance;
    };
    ended_.wait(lock,
                [&] { return stopping_ || to.superseded || std::none_of(clients_.begin(), clients_.end(), same); });
    if (stopping_) return error{errc::unavailable, "the owner of the bus is stopping"};
    if (to.superseded) return error{errc::unavailable, "the client has connected anew"};
    for (const auto& c : clients_)
      if (!name.member.empty() && c.admitted && !c.over && c.name.member == name.member)
        return error{errc::conflict, "process " + std::to_string(c.name.process) + " is connected as '" + name.member +
                                         "' already: two processes can't be the same member"};
    to.admitted = true;
    return {};
  }

  void reap() {
    std::list<client> over;
    {
      const std::scoped_lock lock(mutex_);
      for (auto c = clients_.begin(); c != clients_.end();) {
        const auto at = c++;
        if (at->over) over.splice(over.end(), clients_, at);
      }
    }
    for (auto& c : over) c.thread.join();
  }

  void log(int level, const std::string& text) const {
    if (options_.on_log) options_.on_log(level, text);
  }

  bus& bus_;
  const bus_server_options options_;
  const listener_socket listening_;
  const wake_event event_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::list<client> clients_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace
}  // namespace gantry::bus::socket

namespace gantry::bus {

result<std::unique_ptr<bus_server>> serve_bus(bus& shared, const bus_server_options& options) {
  if (options.silence < std::chrono::milliseconds{100})
    return error{errc::invalid, "silence of " + std::to_string(options.silence.count()) +
                                    " ms: at least 100 are expected, or clients would come and go"};
  auto event = socket::wake_event::make();
  if (!event) return std::move(event).failure();
  auto listening = socket::listener_socket::open(options.path);
  if (!listening) return std::move(listening).failure();
  try {
    return std::unique_ptr<bus_server>(
        std::make_unique<socket::socket_server>(shared, options, std::move(*listening), std::move(*event)));
  } catch (const std::system_error& e) {
    return error{errc::io, std::string("the system gives no thread to serve the bus: ") + e.what()};
  }
}

}  // namespace gantry::bus
