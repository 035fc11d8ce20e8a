#include "call/remote/resolver.hpp"

#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>

namespace gantry::call {
namespace {

result<addresses> look_up(const host_port& what, int flags) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (const int failure = ::getaddrinfo(what.host.c_str(), what.port.c_str(), &wanted, &list); failure != 0)
    return error{errc::unavailable, std::string("the name can't be resolved: ") + ::gai_strerror(failure)};
  addresses found;
  for (const auto* one = list; one != nullptr; one = one->ai_next) {
    auto& next = found.emplace_back();
    next.size = one->ai_addrlen;
    std::memcpy(&next.bytes, one->ai_addr, one->ai_addrlen);
  }
  ::freeaddrinfo(list);
  return found;
}

}  // namespace

result<host_port> split_host_port(const std::string& text) {
  const auto no = [&] { return error{errc::invalid, "found '" + text + "', expected host:port"}; };
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return no();
  host_port out{text.substr(0, colon), text.substr(colon + 1)};
  const bool bracketed = out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']';
  if (bracketed) out.host = out.host.substr(1, out.host.size() - 2);
  if (!bracketed && out.host.find(':') != std::string::npos) return no();
  unsigned port = 0;
  const auto [end, failure] = std::from_chars(out.port.data(), out.port.data() + out.port.size(), port);
  if (failure != std::errc{} || end != out.port.data() + out.port.size() || port == 0 || port > 65'535) return no();
  return out;
}

result<addresses> system_lookup(const host_port& what) { return look_up(what, AI_ADDRCONFIG); }

resolver::~resolver() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  asked_.notify_all();
  if (worker_.joinable()) worker_.join();
}

result<addresses> resolver::find(const host_port& what, const deadline& by) {
  if (auto numeric = look_up(what, AI_NUMERICHOST)) return numeric;
  std::unique_lock lock(mutex_);
  auto& mine = names_[{what.host, what.port}];
  if (mine.found && time_.steady_us() - mine.found_at_us < keep_us) return mine.found;
  if (!mine.queued) {
    mine.queued = true;
    queue_.emplace_back(what.host, what.port);
    if (!worker_.joinable()) worker_ = std::thread([this] { run(); });
    asked_.notify_one();
  }
  const auto before = mine.lookups;
  const auto done = [&] { return mine.lookups != before; };
  if (!answered_.wait_for(lock, std::chrono::microseconds(by.left_us()), done))
    return error{errc::timeout, "the name server does not answer"};
  return mine.found;
}

void resolver::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    asked_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (ending_) return;
    const auto next = queue_.front();
    queue_.pop_front();
    lock.unlock();
    auto found = lookup_({next.first, next.second});
    lock.lock();
    auto& to = names_[next];
    to.found = std::move(found);
    to.found_at_us = time_.steady_us();
    to.queued = false;
    ++to.lookups;
    answered_.notify_all();
  }
}

}  // namespace gantry::call
