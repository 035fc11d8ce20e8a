// A server's door that the test holds: forwards a connection's messages, counts its round trips, and hangs up when it
// is told to: before or after a message has reached the server. Owned by a test. Thread: any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace gantry::testing {

class proxy {
 public:
  // Forwards from a free port of the loopback to this one.
  explicit proxy(std::uint16_t to);
  proxy(const proxy&) = delete;
  proxy& operator=(const proxy&) = delete;
  ~proxy();

  std::uint16_t port() const;

  // Messages that ask for an answer (Sync, or a simple query), of all connections since the start.
  std::uint64_t round_trips() const;

  enum class when {
    before,  // the server never gets the message
    after,   // the server gets it; its answer goes nowhere
  };
  // Hangs up at the next execution of the statement that was prepared under this name.
  void hang_up_at(const std::string& prepared, when then);
  // Takes no new connections until open() is called; those that are there stay.
  void shut();
  void open();
  // As a server that stands still: connections are taken and stay, and nothing goes through until go_on().
  void stall();
  void go_on();
  // How often it hung up.
  std::uint64_t hang_ups() const;

  struct state;

 private:
  std::unique_ptr<state> state_;
};

}  // namespace gantry::testing
