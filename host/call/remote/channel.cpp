#include "call/remote/channel.hpp"

#include <poll.h>

#include <array>

namespace gantry::call {

result<std::unique_ptr<channel>> channel::open(const socket_address& to, const tls_choice& how, const deadline& by) {
  auto connected = tcp_socket::connect(to, by);
  if (!connected) return connected.failure();
  auto made = std::make_unique<channel>(std::move(*connected));
  if (how.context) {
    made->tls_ = std::make_unique<tls_session>(how.context, how.server_name);
    if (auto done = made->tls_->handshake(made->socket_, by); !done) return done.failure();
  }
  return made;
}

void channel::begin() noexcept {
  touched_ = false;
  whole_ = true;
}

io channel::push(std::string_view& bytes, const deadline& by) {
  while (!bytes.empty()) {
    switch (socket_.send(bytes)) {
      case io::ok:
        touched_ = true;
        continue;
      case io::blocked:
        break;
      case io::ended:
      case io::timed_out:
      case io::broken:
        return io::broken;
    }
    const auto events = socket_.wait(POLLIN | POLLOUT, by);
    if (events == 0) return io::timed_out;
    // An answer that comes before the request is read is a refusal: the rest is not wanted.
    if ((events & POLLOUT) == 0) {
      whole_ = false;
      return io::ok;
    }
  }
  return io::ok;
}

io channel::send(std::string_view bytes, const deadline& by) {
  if (!whole_) return io::ok;
  if (!tls_) {
    const auto end = push(bytes, by);
    if (end != io::ok) whole_ = false;
    return end;
  }
  if (tls_->encrypt(bytes) == io::broken) return io::broken;
  std::string_view rest = tls_->output();
  const auto end = push(rest, by);
  tls_->sent(tls_->output().size() - rest.size());
  if (end != io::ok) whole_ = false;
  return end;
}

io channel::receive(char* to, std::size_t size, std::size_t& got, const deadline& by) {
  if (tls_) return decrypt_or_fetch(to, size, got, by);
  for (;;) {
    if (socket_.wait(POLLIN, by) == 0) return io::timed_out;
    const auto end = socket_.receive(to, size, got);
    if (end != io::blocked) return end;
  }
}

io channel::decrypt_or_fetch(char* to, std::size_t size, std::size_t& got, const deadline& by) {
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    const auto plain = tls_->decrypt(to, size, got);
    if (plain == io::ok) answered_ = true;
    if (plain == io::broken) refused_ = !answered_;
    if (plain != io::blocked) return plain;
    if (socket_.wait(POLLIN, by) == 0) return io::timed_out;
    std::size_t came = 0;
    const auto end = socket_.receive(buffer.data(), buffer.size(), came);
    // Without TLS's own word for it the end may be somebody else's work.
    if (end == io::ended || end == io::broken) return io::broken;
    if (end == io::ok) tls_->arrived({buffer.data(), came});
  }
}

std::string channel::reason() const {
  if (tls_ && !tls_->reason().empty()) return tls_->reason();
  return socket_.reason();
}

}  // namespace gantry::call
