// What the owner says, and how a client takes up its work again on a new connection.
#include <utility>

#include "bus/socket/client_bus.hpp"

namespace gantry::bus::socket {

result<void> client_bus::welcomed(std::string_view bus_id, std::string& out) {
  if (id_.empty()) id_ = bus_id;
  if (id_ != bus_id)
    return error{errc::conflict, "the owner has another bus than before: " + std::string(bus_id) + " was found, " +
                                     id_ +
                                     " is expected; positions of one mean nothing on the other, so restart this host"};
  const auto number = [&] {
    const std::scoped_lock lock(requests_mutex_);
    return ++next_request_;
  };
  resuming_topics_.clear();
  resuming_groups_.clear();
  {
    const std::shared_lock lock(topics_mutex_);
    for (const auto& [id, specs] : topics_) {
      const auto asked = number();
      resuming_topics_[asked] = {specs.back()->name, id};
      frame_writer(out, message::open_topic).u32(asked).spec(*specs.back());
    }
  }
  const std::scoped_lock lock(members_mutex_);
  owner_ill_.reset();
  for (const auto& [id, one] : consumers_) {
    if (!one.open) continue;
    const auto asked = number();
    resuming_groups_[asked] = one.state->group;
    frame_writer frame(out, message::open_consumer);
    frame.u32(asked).u32(id).u64(options_.window_bytes).text(one.state->group);
    frame.u32(static_cast<std::uint32_t>(one.state->topics.size()));
    for (const auto topic : one.state->topics) frame.u32(topic);
  }
  return {};
}

result<void> client_bus::received(const frame_input::frame& f) {
  frame_reader in(f.payload);
  switch (f.kind) {
    case message::answer:
      return answered(in);
    case message::acknowledged:
    case message::failed:
      return told_of_producer(f, in), result<void>();
    case message::assigned:
    case message::revoked:
    case message::available:
    case message::records:
    case message::fetched:
      return told_of_consumer(f, in);
    case message::health: {
      auto outcome = in.outcome();
      const std::scoped_lock lock(members_mutex_);
      owner_ill_.reset();
      if (!outcome) owner_ill_ = std::move(outcome).failure();
      return {};
    }
    case message::alive:
      return {};
    case message::hello:
    case message::open_topic:
    case message::topics:
    case message::open_producer:
    case message::close_producer:
    case message::append:
    case message::open_consumer:
    case message::close_consumer:
    case message::fetch:
    case message::taken:
    case message::committed:
    case message::range:
    case message::lag:
    case message::offset_at:
    case message::welcome:
    case message::refused:
      break;
  }
  return error{errc::invalid, "the owner sent a frame of kind " + std::to_string(static_cast<unsigned>(f.kind)) +
                                  ", which none sends"};
}

result<void> client_bus::answered(frame_reader& in) {
  const auto number = in.u32();
  auto outcome = in.outcome();
  std::shared_ptr<request> of;
  {
    const std::scoped_lock lock(requests_mutex_);
    if (const auto found = requests_.find(number); found != requests_.end()) {
      of = std::move(found->second);
      requests_.erase(found);
    }
  }
  if (!of) return resumed(number, outcome, in);
  finish(*of,
         outcome ? result<std::string>(std::string(in.left())) : result<std::string>(std::move(outcome).failure()));
  return {};
}

// What can't be taken up again ends the connection; the next one tries again.
result<void> client_bus::resumed(std::uint32_t number, const result<void>& outcome, frame_reader& in) {
  if (const auto topic = resuming_topics_.extract(number)) {
    const auto& was = topic.mapped();
    if (!outcome) return error{outcome.failure().code, "topic " + was.name + ": " + outcome.failure().text};
    if (const auto now = in.u32(); now != was.id)
      return error{errc::conflict, "topic " + was.name + " is the owner's number " + std::to_string(now) + ", it was " +
                                       std::to_string(was.id) + ": restart this host"};
  } else if (const auto group = resuming_groups_.extract(number); group && !outcome) {
    return error{outcome.failure().code, "group '" + group.mapped() + "': " + outcome.failure().text};
  }
  return {};
}

void client_bus::told_of_producer(const frame_input::frame& f, frame_reader& in) {
  const auto id = in.u32();
  const auto ticket = in.u64();
  std::shared_ptr<client_producer_state> to;
  {
    const std::scoped_lock lock(members_mutex_);
    if (const auto found = producers_.find(id); found != producers_.end()) to = found->second;
  }
  if (!to) return;
  if (f.kind == message::acknowledged)
    to->acknowledged(ticket);
  else
    to->failed(ticket, in.failure());
}

result<void> client_bus::told_of_consumer(const frame_input::frame& f, frame_reader& in) {
  const auto id = in.u32();
  std::shared_ptr<client_consumer_state> to;
  {
    const std::scoped_lock lock(members_mutex_);
    if (const auto found = consumers_.find(id); found != consumers_.end()) to = found->second.state;
  }
  if (!to) {
    // It was closed while the owner was away, or just now: partitions must not stay with it.
    if (f.kind == message::assigned)
      static_cast<void>(link_->send(0, [&](std::string& out) { frame_writer(out, message::close_consumer).u32(id); }));
    return {};
  }
  // The window counts whole frames.
  if (f.kind == message::records) return to->records(in, f.payload.size() + sizeof(std::uint32_t) + sizeof(message));
  const auto where = in.partition();
  if (f.kind == message::assigned) to->assigned(where);
  if (f.kind == message::revoked) to->revoked(where);
  if (f.kind == message::available) to->available(where);
  if (f.kind == message::fetched) {
    const auto call = in.u32();
    to->fetched_all(where, call, in.outcome());
  }
  return {};
}

void client_bus::lost(const error& why) {
  std::map<std::uint32_t, std::shared_ptr<request>> asked;
  {
    const std::scoped_lock lock(requests_mutex_);
    asked.swap(requests_);
  }
  for (const auto& [number, of] : asked) finish(*of, why);
  std::vector<std::shared_ptr<client_producer_state>> dead;
  std::vector<std::shared_ptr<client_consumer_state>> members;
  {
    const std::scoped_lock lock(members_mutex_);
    for (const auto& [id, state] : producers_) dead.push_back(state);
    for (const auto& [id, one] : consumers_) members.push_back(one.state);
  }
  for (const auto& state : members) state->lost();
  for (const auto& state : dead) state->lost(why);
}

}  // namespace gantry::bus::socket
