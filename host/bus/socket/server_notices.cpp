#include "bus/socket/server_notices.hpp"

#include <algorithm>

namespace gantry::bus::socket {

server_notices::delivery& server_notices::of(std::uint32_t producer) {
  for (auto& d : waiting_.deliveries)
    if (d.producer == producer) return d;
  auto& added = waiting_.deliveries.emplace_back();
  added.producer = producer;
  return added;
}

void server_notices::wake_once() {
  if (std::exchange(woken_, true)) return;
  event_.wake();
}

void server_notices::acknowledged(std::uint32_t producer, std::uint64_t ticket) {
  const std::scoped_lock lock(mutex_);
  of(producer).acknowledged = ticket;
  wake_once();
}

void server_notices::failed(std::uint32_t producer, std::uint64_t ticket, const error& why) {
  const std::scoped_lock lock(mutex_);
  of(producer).failed = {ticket, why};
  wake_once();
}

void server_notices::changed(membership what) {
  const std::scoped_lock lock(mutex_);
  waiting_.memberships.push_back(what);
  wake_once();
}

void server_notices::available(news what) {
  const std::scoped_lock lock(mutex_);
  for (const auto& n : waiting_.available)
    if (n.consumer == what.consumer && n.where == what.where) return;
  waiting_.available.push_back(what);
  wake_once();
}

void server_notices::take(taken& out) {
  out.deliveries.clear();
  out.memberships.clear();
  out.available.clear();
  const std::scoped_lock lock(mutex_);
  std::swap(out, waiting_);
  woken_ = false;
}

}  // namespace gantry::bus::socket
