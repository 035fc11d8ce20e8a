// One client of the owner: its frames, and what goes back to it.
// Owned by the server. Thread: run() on a thread of its own, which also waits when the bus lets an append wait: then
// only this client's socket fills up. stop() any.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bus/bus.hpp"
#include "bus/socket/bus_server.hpp"
#include "bus/socket/frame_input.hpp"
#include "bus/socket/served_consumer.hpp"
#include "bus/socket/served_producer.hpp"
#include "bus/socket/server_notices.hpp"

namespace gantry::bus::socket {

// What a client says of itself.
struct client_name {
  std::string instance;  // unique to one bus object of one process
  std::string member;
  std::uint32_t process = 0;
};

class server_connection {
 public:
  // Whether a client may come in; may wait until an earlier connection of the same instance has ended.
  using admission = std::function<result<void>(const client_name& who)>;

  server_connection(descriptor stream, wake_event event, peer who, bus& shared, const bus_server_options& options,
                    admission admit);

  void run();  // returns when the client has gone or stop() was called
  void stop();

  // What a log line calls it. Thread: run()'s.
  std::string name() const;

 private:
  result<void> turn();
  result<void> read_frames(bool readable);
  result<void> handle(const frame_input::frame& f);
  result<void> hello(frame_reader& in);
  result<void> append(frame_reader& in);
  void open_topic(frame_reader& in);
  void topics(frame_reader& in);
  void open_producer(frame_reader& in);
  void open_consumer(frame_reader& in);
  void fetch(frame_reader& in);
  void taken(frame_reader& in);
  void committed(frame_reader& in);
  void ask(message kind, frame_reader& in);

  // Everything that was told before this moment goes out before what is written next.
  void write_notices();
  void write_news(std::uint32_t consumer, partition_id where);
  void write_flows();
  void write_health();
  result<void> send();
  served_consumer* find_consumer(std::uint32_t id);
  void later(std::uint32_t consumer, partition_id where);

  const descriptor stream_;
  const peer peer_;
  bus& bus_;
  const bus_server_options& options_;
  const admission admit_;
  client_name client_;
  bool known_ = false;
  std::atomic<bool> stopping_{false};

  frame_input input_;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  bool held_up_ = false;  // frames that have come wait until the client takes its answers
  std::chrono::steady_clock::time_point heard_at_;
  std::chrono::steady_clock::time_point told_at_;
  std::optional<bool> told_healthy_;
  std::string told_failure_;

  server_notices notices_;
  server_notices::taken now_;
  std::deque<server_notices::news> flowing_;  // partitions of which more is to be sent, in turn
  std::vector<batch> batches_;
  std::map<std::uint32_t, std::unique_ptr<served_producer>> producers_;
  std::map<std::uint32_t, std::unique_ptr<served_consumer>> consumers_;
};

}  // namespace gantry::bus::socket
