#include "bus/socket/client_bus.hpp"

#include <algorithm>
#include <utility>

namespace gantry::bus::socket {

result<std::unique_ptr<client_bus>> client_bus::open(const socket_bus_options& options) {
  std::unique_ptr<client_bus> out(new client_bus(options));
  auto link = client_link::make(options, *out);
  if (!link) return std::move(link).failure();
  out->link_ = std::move(*link);
  if (auto started = out->link_->start(); !started) return std::move(started).failure();
  return out;
}

client_bus::~client_bus() {
  if (link_) link_->stop();
}

result<topic_id> client_bus::open_topic(const topic_spec& spec) {
  const auto answer = ask(message::open_topic, [&](frame_writer& to) { to.spec(spec); });
  if (!answer) return answer.failure();
  const topic_id id = frame_reader(*answer).u32();
  const std::unique_lock lock(topics_mutex_);
  auto& known = topics_[id];
  const auto same = [&](const topic_spec& s) {
    return s.partitions == spec.partitions && s.retention == spec.retention &&
           s.retention_bytes == spec.retention_bytes && s.max_message == spec.max_message;
  };
  if (known.empty() || !same(*known.back())) known.push_back(std::make_unique<const topic_spec>(spec));
  return id;
}

const topic_spec& client_bus::topic(topic_id id) const {
  const std::shared_lock lock(topics_mutex_);
  return *topics_.at(id).back();
}

std::vector<topic_spec> client_bus::topics() const {
  const auto answer = ask(message::topics, [](frame_writer&) {});
  const std::unique_lock lock(topics_mutex_);
  if (!answer) return last_topics_;
  frame_reader in(*answer);
  std::vector<topic_spec> out;
  for (auto left = in.u32(); left > 0 && in.good(); --left) out.push_back(in.spec());
  last_topics_ = out;
  return out;
}

result<void> client_bus::check(const batch& one) const {
  const std::shared_lock lock(topics_mutex_);
  const auto found = topics_.find(one.where.topic);
  if (found == topics_.end() || one.where.partition >= found->second.back()->partitions)
    return error{errc::invalid, "a batch for partition " + std::to_string(one.where.partition) + " of topic " +
                                    std::to_string(one.where.topic) + ", which this bus does not have"};
  const auto& spec = *found->second.back();
  if (one.source.size() > UINT16_MAX)
    return error{errc::too_large, "a source of " + std::to_string(one.source.size()) + " bytes, 65535 are allowed"};
  const auto counted = count_records(one.records);
  if (!counted) return counted.failure();
  const std::string where = spec.name + "/" + std::to_string(one.where.partition);
  if (counted->largest > spec.max_message)
    return error{errc::too_large, "a record of " + std::to_string(counted->largest) + " bytes for " + where +
                                      ", whose max_message is " + std::to_string(spec.max_message)};
  if (counted->records != one.count)
    return error{errc::invalid, "a batch for " + where + " says it has " + std::to_string(one.count) +
                                    " records, its bytes hold " + std::to_string(counted->records)};
  return {};
}

result<std::unique_ptr<producer>> client_bus::open_producer(producer_events& events) {
  std::shared_ptr<client_producer_state> state;
  {
    const std::scoped_lock lock(members_mutex_);
    state = std::make_shared<client_producer_state>(++next_member_, events);
    producers_[state->id] = state;
  }
  const auto opened = ask(
      message::open_producer, [&](frame_writer& to) { to.u32(state->id); }, [&] { state->epoch = link_->epoch(); });
  if (opened) return std::unique_ptr<producer>(std::make_unique<client_producer>(*this, std::move(state)));
  close(*state);
  return opened.failure();
}

result<std::unique_ptr<consumer>> client_bus::open_consumer(std::string_view group, std::span<const topic_id> topics,
                                                            consumer_events& events) {
  std::vector<partition_id> partitions;
  for (const auto id : topics) {
    const std::shared_lock lock(topics_mutex_);
    const auto found = topics_.find(id);
    if (found == topics_.end())
      return error{errc::invalid, "topic " + std::to_string(id) + " was not opened on this bus"};
    for (std::uint32_t p = 0; p < found->second.back()->partitions; ++p) partitions.push_back({id, p});
  }
  std::shared_ptr<client_consumer_state> state;
  {
    const std::scoped_lock lock(members_mutex_);
    state = std::make_shared<client_consumer_state>(
        *this, ++next_member_, group, std::vector<topic_id>(topics.begin(), topics.end()), partitions, events);
    consumers_[state->id] = {state, false};
  }
  const auto opened = ask(
      message::open_consumer,
      [&](frame_writer& to) {
        to.u32(state->id).u64(options_.window_bytes).text(group).u32(static_cast<std::uint32_t>(topics.size()));
        for (const auto id : topics) to.u32(id);
      },
      [&] {
        const std::scoped_lock lock(members_mutex_);
        if (const auto found = consumers_.find(state->id); found != consumers_.end()) found->second.open = true;
      });
  if (opened) return std::unique_ptr<consumer>(std::make_unique<client_consumer>(*this, std::move(state)));
  close(*state);
  return opened.failure();
}

void client_bus::close(client_producer_state& state) {
  {
    const std::scoped_lock lock(members_mutex_);
    producers_.erase(state.id);
  }
  static_cast<void>(
      link_->send(0, [&](std::string& out) { frame_writer(out, message::close_producer).u32(state.id); }));
  state.forget();
}

void client_bus::close(client_consumer_state& state) {
  {
    const std::scoped_lock lock(members_mutex_);
    consumers_.erase(state.id);
  }
  static_cast<void>(
      link_->send(0, [&](std::string& out) { frame_writer(out, message::close_consumer).u32(state.id); }));
  state.forget();
}

result<void> client_bus::health() const {
  if (auto connected = link_->state(); !connected) return connected;
  const std::scoped_lock lock(members_mutex_);
  return owner_ill_ ? result<void>(*owner_ill_) : result<void>();
}

std::shared_ptr<client_bus::request> client_bus::expect(std::function<void()> heard) const {
  auto out = std::make_shared<request>();
  out->heard = std::move(heard);
  const std::scoped_lock lock(requests_mutex_);
  out->number = ++next_request_;
  requests_[out->number] = out;
  return out;
}

result<std::string> client_bus::wait(request& of, const result<void>& sent) const {
  if (!sent) {
    const std::scoped_lock lock(requests_mutex_);
    requests_.erase(of.number);
    return sent.failure();
  }
  std::unique_lock lock(of.mutex);
  of.answered.wait(lock, [&] { return of.answer.has_value(); });
  return std::move(*of.answer);
}

void client_bus::finish(request& of, result<std::string> answer) {
  if (answer && of.heard) of.heard();
  {
    const std::scoped_lock lock(of.mutex);
    of.answer = std::move(answer);
  }
  of.answered.notify_all();
}

}  // namespace gantry::bus::socket

namespace gantry::bus {

result<std::unique_ptr<bus>> open_socket_bus(const socket_bus_options& options) {
  if (options.silence < std::chrono::milliseconds{100} || options.window_bytes < 4096 || options.send_bytes == 0)
    return error{errc::invalid,
                 "the bus socket's options: silence of at least 100 ms, a window of at least 4096 bytes and"
                 " some bytes to send are expected"};
  auto opened = socket::client_bus::open(options);
  if (!opened) return std::move(opened).failure();
  return std::unique_ptr<bus>(std::move(*opened));
}

}  // namespace gantry::bus
