#include "bus/socket/server_connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace gantry::bus::socket {
namespace {

using steady = std::chrono::steady_clock;

// Beyond it no more records are added, and no more requests are read while the client does not take its answers.
constexpr std::size_t out_enough = 1U << 20;
constexpr std::size_t out_most = 4U << 20;
constexpr std::chrono::milliseconds longest_wait{500};
constexpr std::size_t batches_at_once = 1U << 20;

result<void> broken_frame(message kind) {
  return error{errc::invalid,
               "a frame of kind " + std::to_string(static_cast<unsigned>(kind)) + " whose fields don't add up"};
}

}  // namespace

server_connection::server_connection(descriptor stream, wake_event event, peer who, bus& shared,
                                     const bus_server_options& options, admission admit)
    : stream_(std::move(stream)),
      peer_(who),
      bus_(shared),
      options_(options),
      admit_(std::move(admit)),
      heard_at_(steady::now()),
      told_at_(heard_at_),
      notices_(std::move(event)) {}

std::string server_connection::name() const {
  return "process " + std::to_string(peer_.process) + (client_.member.empty() ? "" : " (" + client_.member + ")");
}

void server_connection::stop() {
  stopping_ = true;
  // An append that waits in the bus ends by itself; whoever waits for the socket is woken.
  ::shutdown(stream_.get(), SHUT_RDWR);
  notices_.wake();
}

void server_connection::run() {
  result<void> going;
  while (going && !stopping_) going = turn();
  if (!going && !stopping_ && options_.on_log) {
    const bool left = going.failure().code == errc::unavailable;
    if (!left || known_)
      options_.on_log(left ? 6 : 4,
                      "bus client " + name() + (left ? " has gone: " : " is cut off: ") + going.failure().text);
  }
  // Its partitions go to others before its socket says that it has gone.
  consumers_.clear();
  producers_.clear();
  ::shutdown(stream_.get(), SHUT_RDWR);
}

result<void> server_connection::turn() {
  const auto interval = std::min<std::chrono::milliseconds>(options_.silence / 4, longest_wait);
  const bool reading = out_.size() - sent_ < out_most;
  const bool writing = sent_ < out_.size();
  const bool busy = (!flowing_.empty() && !writing) || (held_up_ && reading);
  const auto found =
      wait_for(stream_, reading, writing, notices_.event(), busy ? std::chrono::milliseconds{0} : interval);
  if (found.woken) notices_.event().clear();
  if (auto read = read_frames(found.readable); !read) {
    static_cast<void>(send());  // a refusal tells why
    return read;
  }
  if (!known_) {
    if (steady::now() - heard_at_ > options_.silence)
      return error{errc::timeout, "it did not say hello within " + std::to_string(options_.silence.count()) + " ms"};
    return send();
  }
  write_notices();
  write_flows();
  const auto now = steady::now();
  // Not when it was the bus that kept this thread: what the client said meanwhile is still unread.
  if (!found.readable && now - heard_at_ > options_.silence)
    return error{errc::timeout, "nothing was heard for " + std::to_string(options_.silence.count()) + " ms"};
  if (now - told_at_ >= interval) {
    told_at_ = now;
    frame_writer(out_, message::alive);
    write_health();
  }
  return send();
}

result<void> server_connection::read_frames(bool readable) {
  if (readable && !held_up_) {
    auto more = input_.receive(stream_);
    if (!more) return std::move(more).failure();
    heard_at_ = steady::now();
  }
  while (true) {
    // Who does not take his answers gets no more of them.
    held_up_ = out_.size() - sent_ >= out_most;
    if (held_up_) return {};
    auto frame = input_.next();
    if (!frame) return std::move(frame).failure();
    if (!*frame) return {};
    if (auto done = handle(**frame); !done) return done;
  }
}

result<void> server_connection::handle(const frame_input::frame& f) {
  frame_reader in(f.payload);
  if (!known_) {
    if (f.kind != message::hello) return error{errc::invalid, "it does not speak the protocol: no hello came first"};
    return hello(in);
  }
  const auto done = [&] { return in.ended() ? result<void>() : broken_frame(f.kind); };
  switch (f.kind) {
    case message::append:
      return append(in);
    case message::fetch:
      return fetch(in), done();
    case message::taken:
      return taken(in), done();
    case message::committed:
      return committed(in), done();
    case message::open_topic:
      return open_topic(in), done();
    case message::topics:
      return topics(in), done();
    case message::open_producer:
      return open_producer(in), done();
    case message::close_producer:
      return producers_.erase(in.u32()), done();
    case message::open_consumer:
      return open_consumer(in), done();
    case message::close_consumer:
      return consumers_.erase(in.u32()), done();
    case message::range:
    case message::lag:
    case message::offset_at:
      return ask(f.kind, in), done();
    case message::alive:
      return done();
    case message::hello:
    case message::welcome:
    case message::refused:
    case message::answer:
    case message::acknowledged:
    case message::failed:
    case message::assigned:
    case message::revoked:
    case message::available:
    case message::records:
    case message::fetched:
    case message::health:
      break;
  }
  return error{errc::invalid,
               "a frame of kind " + std::to_string(static_cast<unsigned>(f.kind)) + ", which no client sends"};
}

result<void> server_connection::hello(frame_reader& in) {
  const auto magic = in.u32();
  const auto version = in.u16();
  if (!in.good() || magic != protocol_magic)
    return error{errc::invalid, "it does not speak the protocol: its hello begins otherwise"};
  const auto refuse = [&](error why) {
    frame_writer(out_, message::refused).u16(protocol_version).failure(why);
    return why;
  };
  if (version != protocol_version)
    return refuse({errc::unsupported, "the owner speaks version " + std::to_string(protocol_version) +
                                          " of the bus protocol, process " + std::to_string(peer_.process) +
                                          " version " + std::to_string(version) + ": run the same release in both"});
  client_.process = in.u32();
  client_.instance = in.text();
  client_.member = in.text();
  if (!in.ended()) return broken_frame(message::hello);
  if (auto admitted = admit_(client_); !admitted) return refuse(admitted.failure());
  known_ = true;
  input_.allow(frame_max);
  frame_writer(out_, message::welcome).u16(protocol_version).text(bus_.id());
  write_health();
  if (options_.on_log) options_.on_log(6, "bus client " + name() + " has come");
  return {};
}

result<void> server_connection::append(frame_reader& in) {
  const auto id = in.u32();
  const auto ticket = in.u64();
  const auto count = in.u32();
  if (count > batches_at_once) return broken_frame(message::append);
  batches_.clear();
  for (std::uint32_t i = 0; i < count && in.good(); ++i) {
    auto& one = batches_.emplace_back();
    one.where = in.partition();
    one.count = in.u32();
    one.source = in.text();
    one.records = in.text();
  }
  if (!in.ended()) return broken_frame(message::append);
  const auto found = producers_.find(id);
  if (found != producers_.end()) found->second->append(ticket, batches_);
  return {};
}

void server_connection::open_topic(frame_reader& in) {
  const auto request = in.u32();
  const auto spec = in.spec();
  if (!in.ended()) return;
  const auto opened = bus_.open_topic(spec);
  write_notices();
  frame_writer answer(out_, message::answer);
  answer.u32(request);
  if (opened)
    answer.u8(0).u32(*opened);
  else
    answer.u8(1).failure(opened.failure());
}

void server_connection::topics(frame_reader& in) {
  const auto request = in.u32();
  const auto all = bus_.topics();
  write_notices();
  write_health();
  frame_writer answer(out_, message::answer);
  answer.u32(request).u8(0).u32(static_cast<std::uint32_t>(all.size()));
  for (const auto& one : all) answer.spec(one);
}

void server_connection::open_producer(frame_reader& in) {
  const auto request = in.u32();
  const auto id = in.u32();
  if (!in.ended()) return;
  auto made = std::make_unique<served_producer>(id, notices_);
  const auto opened = made->open(bus_);
  if (opened) producers_[id] = std::move(made);
  write_notices();
  frame_writer(out_, message::answer).u32(request).outcome(opened);
}

void server_connection::open_consumer(frame_reader& in) {
  const auto request = in.u32();
  const auto id = in.u32();
  const auto window = in.u64();
  const std::string group(in.text());
  std::vector<topic_id> topics;
  for (auto left = in.u32(); left > 0 && in.good(); --left) topics.push_back(in.u32());
  if (!in.ended()) return;
  auto& made = consumers_[id];
  made = std::make_unique<served_consumer>(id, std::clamp<std::uint64_t>(window, 4096, frame_max), notices_);
  const auto opened = made->open(bus_, group, topics);
  if (!opened) consumers_.erase(id);
  write_notices();
  frame_writer(out_, message::answer).u32(request).outcome(opened);
}

void server_connection::fetch(frame_reader& in) {
  auto* const of = find_consumer(in.u32());
  const auto where = in.partition();
  const auto call = in.u32();
  served_consumer::wish wish;
  wish.generation = in.u32();
  wish.from = in.u64();
  wish.max_records = in.u64();
  wish.max_bytes = in.u64();
  if (!in.ended() || of == nullptr) return;
  write_notices();
  of->wants(where, wish);
  const auto sent = of->send_records(where, out_);
  frame_writer(out_, message::fetched).u32(of->id()).partition(where).u32(call).outcome(sent);
  if (of->may_go_on(where)) later(of->id(), where);
}

void server_connection::taken(frame_reader& in) {
  auto* const of = find_consumer(in.u32());
  const auto where = in.partition();
  const auto generation = in.u32();
  const auto bytes = in.u64();
  if (!in.ended() || of == nullptr) return;
  of->taken(where, generation, bytes);
  if (of->may_go_on(where)) later(of->id(), where);
}

void server_connection::committed(frame_reader& in) {
  auto* const of = find_consumer(in.u32());
  const auto where = in.partition();
  const auto next = in.u64();
  if (in.ended() && of != nullptr) of->on_bus().committed(where, next);
}

void server_connection::ask(message kind, frame_reader& in) {
  const auto request = in.u32();
  auto* const of = find_consumer(in.u32());
  const auto where = in.partition();
  const auto parameter = kind == message::range ? 0 : in.u64();
  if (!in.ended()) return;
  write_notices();
  frame_writer answer(out_, message::answer);
  answer.u32(request);
  if (of == nullptr) {
    answer.u8(1).failure({errc::invalid, "the owner does not know this consumer"});
  } else if (kind == message::lag) {
    answer.u8(0).u64(of->on_bus().lag(where, parameter));
  } else if (kind == message::range) {
    if (const auto range = of->on_bus().range(where))
      answer.u8(0).u64(range->start).u64(range->end);
    else
      answer.u8(1).failure(range.failure());
  } else {
    if (const auto at = of->on_bus().offset_at(where, static_cast<std::int64_t>(parameter)))
      answer.u8(0).u64(*at);
    else
      answer.u8(1).failure(at.failure());
  }
}

void server_connection::write_notices() {
  notices_.take(now_);
  for (const auto& d : now_.deliveries) {
    if (!producers_.contains(d.producer)) continue;
    if (d.acknowledged) frame_writer(out_, message::acknowledged).u32(d.producer).u64(*d.acknowledged);
    if (!d.failed) continue;
    frame_writer(out_, message::failed).u32(d.producer).u64(d.failed->first).failure(d.failed->second);
    write_health();
  }
  for (const auto& m : now_.memberships) {
    auto* const of = find_consumer(m.consumer);
    if (of == nullptr) continue;
    of->changed(m.where, m.assigned);
    frame_writer(out_, m.assigned ? message::assigned : message::revoked).u32(m.consumer).partition(m.where);
  }
  for (const auto& n : now_.available) write_news(n.consumer, n.where);
}

void server_connection::write_news(std::uint32_t consumer, partition_id where) {
  auto* const of = find_consumer(consumer);
  if (of == nullptr) return;
  if (of->flows(where))
    later(consumer, where);
  else
    frame_writer(out_, message::available).u32(consumer).partition(where);
}

void server_connection::later(std::uint32_t consumer, partition_id where) {
  const auto known = std::any_of(flowing_.begin(), flowing_.end(),
                                 [&](const auto& f) { return f.consumer == consumer && f.where == where; });
  if (!known) flowing_.push_back({consumer, where});
}

// One fetch of each partition in turn, so that a long backlog does not keep the others waiting.
void server_connection::write_flows() {
  for (auto left = flowing_.size(); left > 0 && out_.size() - sent_ < out_enough; --left) {
    const auto next = flowing_.front();
    flowing_.pop_front();
    auto* const of = find_consumer(next.consumer);
    if (of == nullptr) continue;
    if (auto sent = of->send_records(next.where, out_); !sent)
      frame_writer(out_, message::available).u32(next.consumer).partition(next.where);
    else if (of->may_go_on(next.where))
      flowing_.push_back(next);
  }
}

void server_connection::write_health() {
  const auto health = bus_.health();
  const std::string failure = health ? "" : health.failure().text;
  if (told_healthy_ == health.ok() && told_failure_ == failure) return;
  told_healthy_ = health.ok();
  told_failure_ = failure;
  frame_writer(out_, message::health).outcome(health);
}

result<void> server_connection::send() {
  while (sent_ < out_.size()) {
    auto sent = send_some(stream_, std::string_view(out_).substr(sent_));
    if (!sent) return std::move(sent).failure();
    if (*sent == 0) break;
    sent_ += *sent;
  }
  if (sent_ == out_.size()) {
    sent_ = 0;
    out_.clear();
    if (out_.capacity() > out_most) out_.shrink_to_fit();
  } else if (sent_ >= out_enough) {
    out_.erase(0, std::exchange(sent_, 0));
  }
  return {};
}

served_consumer* server_connection::find_consumer(std::uint32_t id) {
  const auto found = consumers_.find(id);
  return found == consumers_.end() ? nullptr : found->second.get();
}

}  // namespace gantry::bus::socket
