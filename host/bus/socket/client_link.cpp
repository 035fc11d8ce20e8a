#include "bus/socket/client_link.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "base/uuid.hpp"

namespace gantry::bus::socket {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds first_pause{10};
constexpr std::chrono::milliseconds longest_quiet{500};
constexpr std::size_t largest_kept = 4U << 20;

std::string new_instance() {
  const auto id = new_uuid(system_clock().wall_us());
  return {id.data(), id.size()};
}

}  // namespace

client_link::client_link(const socket_bus_options& options, link_events& events, wake_event event)
    : options_(options), events_(events), instance_(new_instance()), event_(std::move(event)) {}

result<std::unique_ptr<client_link>> client_link::make(const socket_bus_options& options, link_events& events) {
  auto event = wake_event::make();
  if (!event) return std::move(event).failure();
  return std::unique_ptr<client_link>(new client_link(options, events, std::move(*event)));
}

client_link::~client_link() { stop(); }

result<void> client_link::start() {
  thread_ = std::thread([this] { run(); });
  const auto until = steady::now() + options_.connect_wait;
  std::unique_lock lock(mutex_);
  tried_.wait(lock, [&] { return up_ || attempts_ != 0; });
  tried_.wait_until(lock, until, [&] { return up_; });
  return up_ ? result<void>() : result<void>(down());
}

void client_link::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  event_.wake();
  thread_.join();
}

std::uint64_t client_link::epoch() const {
  const std::scoped_lock lock(mutex_);
  return epoch_;
}

result<void> client_link::state() const {
  const std::scoped_lock lock(mutex_);
  return up_ ? result<void>() : result<void>(down());
}

error client_link::down() const {
  return why_down_.value_or(error{errc::unavailable, "the owner of the bus has not answered yet"});
}

void client_link::drop(const error& why) {
  const std::scoped_lock lock(mutex_);
  dropped_ = why;
}

void client_link::run() {
  while (!stopping_) {
    const auto done = converse();
    if (!done && !stopping_) pause();
  }
}

// From one connect to the end of that connection.
result<void> client_link::converse() {
  bool up = false;
  const auto ended = [&]() -> result<void> {
    auto stream = connect_to(options_.path);
    if (!stream) return std::move(stream).failure();
    if (auto owner = checked_peer(*stream); !owner) return std::move(owner).failure();
    {
      const std::scoped_lock lock(mutex_);
      stream_ = std::move(*stream);
      out_.clear();
      sent_ = 0;
      writing_ = false;
      dropped_.reset();
      frame_writer(out_, message::hello)
          .u32(protocol_magic)
          .u16(protocol_version)
          .u32(static_cast<std::uint32_t>(::getpid()))
          .text(instance_)
          .text(options_.member);
      flush();
    }
    input_ = frame_input();
    return read(*stream_, up);
  }();
  end_connection(ended ? error{errc::unavailable, "the bus is closed"} : ended.failure(), up);
  return ended;
}

result<void> client_link::read(const descriptor& stream, bool& up) {
  const auto interval = std::min<std::chrono::milliseconds>(options_.silence / 4, longest_quiet);
  auto heard = steady::now();
  auto told = heard;
  while (!stopping_) {
    bool writing = false;
    {
      const std::scoped_lock lock(mutex_);
      if (dropped_) return *dropped_;
      writing = writing_;
    }
    const auto found = wait_for(stream, true, writing, event_, interval);
    if (found.woken) event_.clear();
    if (found.writable) write_pending();
    const auto now = steady::now();
    if (found.readable) {
      heard = now;
      if (auto got = input_.receive(stream); !got) return std::move(got).failure();
      while (true) {
        auto frame = input_.next();
        if (!frame) return std::move(frame).failure();
        if (!*frame) break;
        if (auto done = up ? events_.received(**frame) : welcome(**frame); !done) return done;
        up = true;
      }
    } else if (now - heard > options_.silence) {
      return error{errc::timeout, "the owner of the bus at " + options_.path.string() + " has said nothing for " +
                                      std::to_string(options_.silence.count()) + " ms"};
    }
    if (up && now - told >= interval) {
      told = now;
      static_cast<void>(send(0, [](std::string& out) { frame_writer(out, message::alive); }));
    }
  }
  return {};
}

result<void> client_link::welcome(const frame_input::frame& f) {
  frame_reader in(f.payload);
  const auto version = in.u16();
  if (f.kind == message::refused) {
    auto why = in.failure();
    if (!in.good()) why = {errc::unsupported, "the owner of the bus speaks version " + std::to_string(version)};
    return why;
  }
  if (f.kind != message::welcome)
    return error{errc::invalid, "what listens at " + options_.path.string() + " does not speak the bus protocol"};
  std::string first;
  if (auto good = events_.welcomed(in.text(), first); !good) return good;
  input_.allow(frame_max);
  if (!std::exchange(said_, "").empty() && options_.on_log)
    options_.on_log(6, "The bus at " + options_.path.string() + " is there again.");
  const std::scoped_lock lock(mutex_);
  up_ = true;
  ++epoch_;
  pause_ = std::chrono::milliseconds{0};
  why_down_.reset();
  out_.append(first);
  flush();
  tried_.notify_all();
  return {};
}

void client_link::end_connection(const error& why, bool was_up) {
  {
    const std::scoped_lock lock(mutex_);
    up_ = false;
    ++attempts_;
    // What a busy or a dying owner does may be over at the next attempt.
    const bool passing = was_up || why.code == errc::timeout;
    why_down_ = {passing ? errc::unavailable : why.code, "the bus at " + options_.path.string() + ": " + why.text};
  }
  room_.notify_all();
  tried_.notify_all();
  if (was_up) events_.lost({errc::unavailable, "the bus at " + options_.path.string() + ": " + why.text});
  // The same reason is said once, however often it is tried again.
  if (!stopping_ && options_.on_log && std::exchange(said_, why.text) != why.text)
    options_.on_log(4, "The bus at " + options_.path.string() + " can't be reached: " + why.text);
  const std::scoped_lock lock(mutex_);
  stream_.reset();
}

void client_link::pause() {
  pause_ = std::clamp(2 * pause_, first_pause, std::max(first_pause, options_.longest_pause));
  const auto until = steady::now() + pause_;
  while (!stopping_ && steady::now() < until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady::now());
    const descriptor none;
    if (wait_for(none, false, false, event_, left).woken) event_.clear();
  }
}

void client_link::write_pending() {
  const std::scoped_lock lock(mutex_);
  flush();
}

// What the socket doesn't take now the thread sends when it does; that the other side has gone, the thread hears by
// reading.
void client_link::flush() {
  while (sent_ < out_.size()) {
    const auto sent = send_some(*stream_, std::string_view(out_).substr(sent_));
    if (!sent || *sent == 0) break;
    sent_ += *sent;
  }
  const bool all = sent_ == out_.size();
  if (all) {
    out_.clear();
    sent_ = 0;
    if (out_.capacity() > options_.send_bytes + largest_kept) out_.shrink_to_fit();
  } else if (sent_ > largest_kept / 4) {
    out_.erase(0, std::exchange(sent_, 0));
  }
  room_.notify_all();
  if (!std::exchange(writing_, !all) && writing_) event_.wake();
}

}  // namespace gantry::bus::socket
