// The bus interface over a link to the owner: topics, and who is to hear what the owner says.
// Owned by app. Thread: any; link_events come from the link's thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "bus/socket/client_consumer.hpp"
#include "bus/socket/client_link.hpp"
#include "bus/socket/client_producer.hpp"
#include "bus/socket/socket_bus.hpp"
#include "bus/socket/wire.hpp"

namespace gantry::bus::socket {

class client_bus final : public bus, private link_events {
 public:
  static result<std::unique_ptr<client_bus>> open(const socket_bus_options& options);
  ~client_bus() override;

  std::string_view id() const override { return id_; }
  result<topic_id> open_topic(const topic_spec& spec) override;
  const topic_spec& topic(topic_id id) const override;
  std::vector<topic_spec> topics() const override;
  result<std::unique_ptr<producer>> open_producer(producer_events& events) override;
  result<std::unique_ptr<consumer>> open_consumer(std::string_view group, std::span<const topic_id> topics,
                                                  consumer_events& events) override;
  result<void> health() const override;

  // For its producers and consumers.
  client_link& link() { return *link_; }
  const socket_bus_options& options() const noexcept { return options_; }
  // What the owner would refuse, said at once.
  result<void> check(const batch& one) const;
  void close(client_producer_state& state);
  void close(client_consumer_state& state);

  // Sends a request, whose fields behind its number `write(frame_writer&)` adds, and waits for what was asked for.
  // `heard` is called before, on the link's thread.
  template <typename Write>
  result<std::string> ask(message kind, Write write, std::function<void()> heard = nullptr) const {
    const auto waiting = expect(std::move(heard));
    const auto sent = link_->send(0, [&](std::string& out) {
      frame_writer frame(out, kind);
      frame.u32(waiting->number);
      write(frame);
    });
    return wait(*waiting, sent);
  }

 private:
  struct request {
    std::uint32_t number = 0;
    std::function<void()> heard;
    std::mutex mutex;
    std::condition_variable answered;
    std::optional<result<std::string>> answer;
  };
  // One that resuming waits for: the topic must have the number that it had.
  struct expected_topic {
    std::string name;
    topic_id id = 0;
  };

  explicit client_bus(const socket_bus_options& options) : options_(options) {}
  std::shared_ptr<request> expect(std::function<void()> heard) const;
  result<std::string> wait(request& of, const result<void>& sent) const;
  static void finish(request& of, result<std::string> answer);

  result<void> welcomed(std::string_view bus_id, std::string& out) override;
  result<void> received(const frame_input::frame& f) override;
  void lost(const error& why) override;
  result<void> answered(frame_reader& in);
  result<void> resumed(std::uint32_t number, const result<void>& outcome, frame_reader& in);
  void told_of_producer(const frame_input::frame& f, frame_reader& in);
  result<void> told_of_consumer(const frame_input::frame& f, frame_reader& in);

  const socket_bus_options options_;
  std::string id_;  // set by the first welcome, before open() returns

  mutable std::shared_mutex topics_mutex_;
  std::map<topic_id, std::vector<std::unique_ptr<const topic_spec>>>
      topics_;                                   // all ever given out; the last one counts
  mutable std::vector<topic_spec> last_topics_;  // guarded by topics_mutex_

  mutable std::mutex requests_mutex_;
  mutable std::uint32_t next_request_ = 0;
  mutable std::map<std::uint32_t, std::shared_ptr<request>> requests_;
  std::map<std::uint32_t, expected_topic> resuming_topics_;  // the link's thread alone
  std::map<std::uint32_t, std::string> resuming_groups_;     // the link's thread alone

  mutable std::mutex members_mutex_;
  std::uint32_t next_member_ = 0;
  std::map<std::uint32_t, std::shared_ptr<client_producer_state>> producers_;
  struct member {
    std::shared_ptr<client_consumer_state> state;
    bool open = false;  // the owner knows it, and is told of it again when it comes back
  };
  std::map<std::uint32_t, member> consumers_;
  std::optional<error> owner_ill_;  // what the owner last said of its health

  std::unique_ptr<client_link> link_;
};

}  // namespace gantry::bus::socket
