#include "http/channel.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "http/problem.hpp"

namespace gantry::http {
namespace {

constexpr std::size_t encrypt_at_once = 64 * 1024;  // of a large reply; what is encrypted waits in memory twice

// TLS begins with a record of the handshake (22). HTTP begins with a letter.
bool looks_like_http(std::string_view first) { return first.front() >= 'A' && first.front() <= 'Z'; }

}  // namespace

channel::arrival channel::receive(conversation& to, const channel_buffers& with) {
  const auto size = ::recv(fd_, with.arrived.data(), with.arrived.size(), MSG_DONTWAIT);
  if (size > 0) {
    const std::string_view bytes(with.arrived.data(), static_cast<std::size_t>(size));
    if (tls_) return decrypt(bytes, to, with.plain);
    to.feed(bytes);
    return arrival::some;
  }
  if (size == 0) {
    if (!handshaking()) return arrival::ended;
    refusal_ = "it left during the TLS handshake";
    return arrival::broken;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return arrival::some;
  if (handshaking()) refusal_ = "it broke off the TLS handshake";
  return arrival::broken;
}

channel::arrival channel::decrypt(std::string_view bytes, conversation& to, std::span<char> with) {
  const bool began = handshaking();
  if (began && tls_->untouched() && looks_like_http(bytes)) {
    refusal_ = "it speaks HTTP without TLS";
    tls_.reset();
    to.break_off(problem(400, "this address takes TLS only: ask with https"));
    return arrival::some;
  }
  tls_->arrived(bytes);
  std::size_t got = 0;
  while ((got = tls_->read(with)) > 0) to.feed({with.data(), got});
  switch (tls_->now()) {
    case tls_stream::state::handshake:
    case tls_stream::state::open:
      return arrival::some;
    case tls_stream::state::ended:
      return arrival::ended;
    case tls_stream::state::failed:
      if (began) refusal_ = tls_->reason();
      to.end();
      return arrival::some;
  }
  return arrival::broken;
}

std::optional<std::size_t> channel::send(conversation& from) { return tls_ ? send_tls(from) : send_plain(from); }

std::optional<std::size_t> channel::pass(std::string_view bytes) {
  for (;;) {
    const auto size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size >= 0) return static_cast<std::size_t>(size);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return std::nullopt;
  }
}

std::optional<std::size_t> channel::send_plain(conversation& from) {
  std::size_t all = 0;
  while (from.unsent() > 0) {
    const auto size = pass(from.output());
    if (!size) return std::nullopt;
    if (*size == 0) break;
    from.sent(*size);
    all += *size;
  }
  return all;
}

std::optional<std::size_t> channel::send_tls(conversation& from) {
  std::size_t all = 0;
  for (;;) {
    if (tls_->output().empty()) {
      if (from.unsent() == 0 || handshaking()) break;
      const auto plain = from.output().substr(0, encrypt_at_once);
      tls_->write(plain);
      from.sent(plain.size());
      continue;
    }
    const auto size = pass(tls_->output());
    if (!size) return std::nullopt;
    if (*size == 0) break;
    tls_->sent(*size);
    all += *size;
  }
  return all;
}

std::size_t channel::unsent(const conversation& from) const noexcept {
  if (!tls_) return from.unsent();
  return tls_->output().size() + (handshaking() ? 0 : from.unsent());
}

bool channel::finish() {
  if (!tls_) return true;
  tls_->finish();
  while (!tls_->output().empty()) {
    const auto size = pass(tls_->output());
    if (!size) return false;
    if (*size == 0) break;
    tls_->sent(*size);
  }
  return true;
}

}  // namespace gantry::http
