#include "bus/socket/client_producer.hpp"

#include <optional>
#include <string>
#include <utility>

#include "bus/socket/client_bus.hpp"

namespace gantry::bus::socket {
namespace {

constexpr std::size_t batch_fields = 64;  // more than the numbers of a batch take, or those of its frame

}  // namespace

result<void> client_producer_state::begin(std::uint64_t ticket) {
  const std::scoped_lock lock(mutex_);
  if (dead_) return *dead_;
  waiting_.push_back(ticket);
  return {};
}

error client_producer_state::end(const error& why) {
  const std::scoped_lock lock(mutex_);
  if (!dead_) dead_ = why;
  return *dead_;
}

void client_producer_state::acknowledged(std::uint64_t ticket) {
  {
    const std::scoped_lock lock(mutex_);
    while (!waiting_.empty() && waiting_.front() <= ticket) waiting_.pop_front();
  }
  const std::scoped_lock call(call_);
  if (events_ != nullptr) events_->acknowledged(ticket);
}

void client_producer_state::failed(std::uint64_t ticket, const error& why) {
  {
    const std::scoped_lock lock(mutex_);
    if (dead_) return;
    dead_ = why;
    waiting_.clear();
  }
  const std::scoped_lock call(call_);
  if (events_ != nullptr) events_->failed(ticket, why);
}

void client_producer_state::lost(const error& why) {
  std::optional<std::uint64_t> lowest;
  {
    const std::scoped_lock lock(mutex_);
    if (!dead_) dead_ = why;
    if (!waiting_.empty()) lowest = waiting_.front();
    waiting_.clear();
  }
  const std::scoped_lock call(call_);
  if (lowest && events_ != nullptr) events_->failed(*lowest, why);
}

void client_producer_state::forget() {
  const std::scoped_lock waits_for_a_call(call_);
  events_ = nullptr;
}

client_producer::~client_producer() { bus_.close(*state_); }

result<void> client_producer::append(std::uint64_t ticket, std::span<const batch> batches) {
  std::size_t bytes = 0;
  for (const auto& one : batches) {
    if (auto good = bus_.check(one); !good) return state_->end(good.failure());
    bytes += one.records.size() + one.source.size() + batch_fields;
  }
  if (bytes > frame_max - batch_fields)
    return state_->end({errc::too_large, "an append of " + std::to_string(bytes) + " bytes: " +
                                             std::to_string(frame_max) + " can go to another process at once"});
  if (auto begun = state_->begin(ticket); !begun) return begun;
  auto sent = bus_.link().send_when_room(state_->epoch, [&](std::string& out) {
    frame_writer frame(out, message::append);
    frame.u32(state_->id).u64(ticket).u32(static_cast<std::uint32_t>(batches.size()));
    for (const auto& one : batches) frame.partition(one.where).u32(one.count).text(one.source).text(one.records);
  });
  if (!sent) return state_->end(sent.failure());
  return sent;
}

}  // namespace gantry::bus::socket
