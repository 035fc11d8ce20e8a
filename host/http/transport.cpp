#include "http/transport.hpp"

#include <pistache/peer.h>
#include <pistache/tcp.h>
#include <pistache/transport.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "http/connection.hpp"
#include "http/problem.hpp"

namespace gantry::http {
namespace {

namespace tcp = Pistache::Tcp;
namespace polling = Pistache::Polling;
using time_point = connection::time_point;
using phase = connection::phase;

constexpr std::size_t read_at_once = 64 * 1024;
constexpr std::size_t max_waiting_input = 64 * 1024;  // pipelined behind a request that is being handled
constexpr std::size_t max_waiting_output =
    256 * 1024;                                // replies the client does not fetch: no further request is begun
constexpr std::chrono::seconds linger_for{2};  // how long a client may take to read the last reply

// Notes the peers that Pistache has registered with a transport.
class arrivals final : public tcp::Handler {
 public:
  std::shared_ptr<tcp::Handler> clone() const override { return std::make_shared<arrivals>(); }
  void onInput(const char* /*buffer*/, std::size_t /*size*/, const std::shared_ptr<tcp::Peer>& /*peer*/) override {}
  void onConnection(const std::shared_ptr<tcp::Peer>& peer) override { fresh.push_back(peer); }

  std::vector<std::shared_ptr<tcp::Peer>> fresh;
};

class transport final : public tcp::Transport {
 public:
  transport(std::shared_ptr<service> of, std::shared_ptr<arrivals> who)
      : tcp::Transport(who), service_(std::move(of)), arrivals_(std::move(who)) {}
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;
  ~transport() override;

  std::shared_ptr<Pistache::Aio::Handler> clone() const override {
    return std::make_shared<transport>(service_, std::make_shared<arrivals>());
  }
  void registerPoller(polling::Epoll& poller) override;
  void onReady(const Pistache::Aio::FdSet& ready) override;

 private:
  void adopt(const std::shared_ptr<tcp::Peer>& peer);
  void serve_events(connection& what, bool writable, bool hung_up);
  static bool send_now(connection& to);  // false: the client can't be reached any more
  // These return false when they have closed the connection.
  bool read(connection& from);
  void note_handshake(connection& of);
  bool settle(connection& what);
  bool flush(connection& to);

  bool advance(connection& what);  // false: replies must go first
  bool proceed(connection& what);
  void count(connection& what);
  void count_as(connection& what, std::uint64_t weight);
  void watch_deadline(connection& what);
  void set_interest(connection& what);
  void deliver_letters();
  void close_idle();
  void hang_up();
  std::vector<std::uint64_t> all_ids() const;
  void sweep();
  void close(connection& what);
  connection* find(std::uint64_t id);

  std::shared_ptr<service> service_;
  std::shared_ptr<arrivals> arrivals_;
  std::shared_ptr<mailbox> box_;
  int event_fd_ = -1;
  int timer_fd_ = -1;
  std::unordered_map<int, std::unique_ptr<connection>> connections_;  // by descriptor
  std::uint32_t serial_ = 0;
  bool owner_known_ = false;
  bool drained_ = false;
  bool hung_up_ = false;
  time_point now_{};
  std::vector<letter> letters_;
  std::vector<char> buffer_ = std::vector<char>(read_at_once);
  std::vector<char> plain_;  // decrypted; as large, if there is TLS
};

int checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return fd;
}

void transport::registerPoller(polling::Epoll& poller) {
  tcp::Transport::registerPoller(poller);
  event_fd_ = checked(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
  timer_fd_ = checked(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
  const auto& o = service_->options;
  // A quarter of the shortest timeout, so that none is late by more than that.
  const auto tick =
      std::clamp<std::chrono::milliseconds>(std::min({o.header_timeout, o.body_timeout, o.keepalive_timeout}) / 4,
                                            std::chrono::milliseconds(5), std::chrono::milliseconds(250));
  itimerspec spec{};
  spec.it_value.tv_nsec = spec.it_interval.tv_nsec = std::chrono::nanoseconds(tick).count();
  checked(timerfd_settime(timer_fd_, 0, &spec, nullptr), "timerfd_settime");
  for (const int fd : {event_fd_, timer_fd_}) {
    poller.addFd(fd, Pistache::Flags<polling::NotifyOn>(polling::NotifyOn::Read),
                 polling::Tag(static_cast<std::uint64_t>(fd)));
  }
  if (service_->tls) plain_.resize(read_at_once);
  box_ = std::make_shared<mailbox>(event_fd_);
  const std::lock_guard lock(service_->mutex);
  service_->boxes.push_back(box_);
}

transport::~transport() {
  // The reactor's threads are joined and its poller is gone: what can be sent at once still is, then all ends.
  if (box_) {
    box_->collect(letters_);
    box_->close();
  }
  for (auto& [id, answer] : letters_) {
    if (auto* const to = find(id)) to->talk.answer(std::move(answer), true);
  }
  for (const auto& [fd, what] : connections_) {
    if (send_now(*what)) what->bytes.finish();
    if (what->handled) what->handled->abandon();
    count_as(*what, 0);
    service_->connections.fetch_sub(1, std::memory_order_relaxed);
  }
  // The library leaves the descriptors of its peers open.
  for (const auto& [fd, peer] : peers) ::close(fd);
  if (event_fd_ >= 0) ::close(event_fd_);
  if (timer_fd_ >= 0) ::close(timer_fd_);
}

void transport::onReady(const Pistache::Aio::FdSet& ready) {
  if (!owner_known_) {
    owner_known_ = true;
    box_->set_owner();
  }
  now_ = std::chrono::steady_clock::now();
  std::vector<polling::Event> rest;
  std::uint64_t count = 0;
  bool swept = false;
  for (const auto& entry : ready) {
    const auto fd = static_cast<int>(entry.getTag().value());
    if (const auto found = connections_.find(fd); found != connections_.end()) {
      serve_events(*found->second, entry.isWritable(), entry.isHangup());
    } else if (fd == event_fd_) {
      eventfd_t ignored = 0;
      eventfd_read(event_fd_, &ignored);
    } else if (fd == timer_fd_) {
      swept = ::read(timer_fd_, &count, sizeof count) == sizeof count;
    } else {
      polling::Event event(entry.getTag());
      event.flags.setFlag(polling::NotifyOn::Read);
      rest.push_back(event);
    }
  }
  if (!rest.empty()) {
    tcp::Transport::onReady(Pistache::Aio::FdSet(std::move(rest)));
    for (const auto& peer : std::exchange(arrivals_->fresh, {})) adopt(peer);
  }
  deliver_letters();
  if (service_->draining.load(std::memory_order_relaxed) && !drained_) close_idle();
  if (service_->hanging_up.load(std::memory_order_relaxed) && !hung_up_) hang_up();
  if (swept) sweep();
}

void transport::adopt(const std::shared_ptr<tcp::Peer>& peer) {
  const auto number = (static_cast<std::uint64_t>(++serial_) << 32U) | static_cast<std::uint32_t>(peer->fd());
  const wire_limits limits{service_->options.max_body, service_->options.max_headers};
  const auto open = service_->connections.fetch_add(1, std::memory_order_relaxed) + 1;
  const bool full = open > service_->options.max_connections;
  auto* const tls = service_->tls.get();
  std::unique_ptr<connection> made;
  try {
    auto stream = tls != nullptr && !full ? std::make_unique<tls_stream>(tls->current().get()) : nullptr;
    made = std::make_unique<connection>(peer, number, limits, std::move(stream));
  } catch (const std::bad_alloc&) {
    service_->connections.fetch_sub(1, std::memory_order_relaxed);
    removePeer(peer);
    return;
  }
  auto& slot = connections_[peer->fd()] = std::move(made);
  if (full && tls != nullptr) {
    // A host that has too much to do shakes no hands to say so.
    slot->talk.end();
  } else if (full || service_->draining.load(std::memory_order_relaxed)) {
    auto no = problem(503, full ? "this host has as many connections as it takes" : "this host is stopping");
    no.headers.push_back({"retry-after", "1"});
    slot->talk.break_off(std::move(no));
  }
  settle(*slot);
}

void transport::serve_events(connection& what, bool writable, bool hung_up) {
  // Whatever fails for one connection, for want of memory say, ends that one only.
  try {
    if (writable && !flush(what)) return;
    if (!what.ended && !read(what)) return;
    if (hung_up) {
      close(what);
      return;
    }
    proceed(what);
  } catch (const std::exception&) {
    close(what);
  }
}

bool transport::proceed(connection& what) {
  for (;;) {
    const bool all = advance(what);
    if (!settle(what)) return false;
    // Nothing would tell of a request that waited here only for replies which then went at once.
    if (all || what.unsent() >= max_waiting_output) return true;
  }
}

bool transport::read(connection& from) {
  const bool handshaking = from.bytes.handshaking();
  const auto what = from.bytes.receive(from.talk, {buffer_, plain_});
  if (handshaking && (!from.bytes.handshaking() || !from.bytes.refusal().empty())) note_handshake(from);
  switch (what) {
    case channel::arrival::some:
      return true;
    case channel::arrival::ended:
      from.ended = true;
      return true;
    case channel::arrival::broken:
      close(from);
      return false;
  }
  return true;
}

void transport::note_handshake(connection& of) {
  if (of.met) return;
  of.met = true;
  if (!of.bytes.refusal().empty()) {
    service_->tls->note_refused(of.remote, of.bytes.refusal());
  } else {
    service_->tls->note_accepted();
    of.identity = of.bytes.peer();
  }
}

bool transport::advance(connection& what) {
  while (what.unsent() < max_waiting_output) {
    auto wanted = what.talk.next();
    if (!wanted) return true;
    ++what.requests;
    count_as(what, mailbox::handled);
    wanted->remote = what.remote;
    wanted->peer = what.identity;
    what.handled = std::make_shared<exchange>(box_, what.id);
    responder answer(what.handled);
    try {
      service_->serve(std::move(*wanted), std::move(answer));
    } catch (...) {
      // Whoever holds the responder now has dropped it, which answers 500.
    }
  }
  return false;
}

void transport::count(connection& what) {
  const auto at = what.talk.now();
  const bool arrives = at == phase::head || at == phase::body;
  // A refusal that is not read keeps nobody waiting: only a reply to a request counts.
  const bool leaves = what.counted != 0 && what.unsent() > 0;
  count_as(what, at == phase::handling ? mailbox::handled : arrives || leaves ? mailbox::with_client : 0);
}

void transport::count_as(connection& what, std::uint64_t weight) {
  const auto before = std::exchange(what.counted, weight);
  // The sum wraps around in between, never at the end.
  if (before != weight) box_->in_progress.fetch_add(weight - before, std::memory_order_release);
}

bool transport::send_now(connection& to) {
  const auto bytes = to.bytes.send(to.talk);
  if (!bytes) return false;
  if (*bytes > 0) to.step.reset();  // progress: the deadline begins anew
  return true;
}

bool transport::flush(connection& to) {
  if (send_now(to)) return true;
  close(to);
  return false;
}

bool transport::settle(connection& what) {
  if (!flush(what)) return false;
  count(what);
  if (what.unsent() == 0 && !what.bytes.handshaking()) {
    const auto at = what.talk.now();
    if ((what.ended && at != phase::handling) || (drained_ && at == phase::idle)) {
      close(what);
      return false;
    }
    if (at == phase::closing && !what.lingering) {
      // Closing at once would throw away what the client still sends, and with it our reply (a reset overtakes it).
      what.lingering = true;
      if (!what.bytes.finish()) {
        close(what);
        return false;
      }
      ::shutdown(what.fd, SHUT_WR);
    }
  }
  watch_deadline(what);
  set_interest(what);
  return true;
}

void transport::watch_deadline(connection& what) {
  if (what.bytes.handshaking()) {
    // Set once: a client that sends a byte now and then gains no time.
    if (what.deadline == time_point::max()) what.deadline = now_ + service_->options.header_timeout;
    return;
  }
  const auto at = what.talk.now();
  const bool sending = what.unsent() > 0;
  const std::tuple step{at, what.requests, sending};
  if (what.step == step) return;
  what.step = step;
  const auto& o = service_->options;
  if (sending) {
    what.deadline = now_ + o.body_timeout;
    return;
  }
  switch (at) {
    case phase::idle:
      what.deadline = now_ + o.keepalive_timeout;
      break;
    case phase::head:
      what.deadline = now_ + o.header_timeout;
      break;
    case phase::body:
      what.deadline = now_ + o.body_timeout;
      break;
    case phase::handling:
      what.deadline = time_point::max();
      break;
    case phase::closing:
      what.deadline = now_ + linger_for;
      break;
  }
}

void transport::set_interest(connection& what) {
  const bool room = what.talk.now() != phase::handling || what.talk.unread() < max_waiting_input;
  const bool reading = !what.ended && room && what.unsent() < max_waiting_output;
  const int interest = (reading ? static_cast<int>(polling::NotifyOn::Read) : 0) |
                       (what.unsent() > 0 ? static_cast<int>(polling::NotifyOn::Write) : 0);
  if (interest == what.interest) return;
  what.interest = interest;
  // By level: one read per event is then enough, and what is left is reported again.
  reactor()->modifyFd(key(), what.fd, static_cast<polling::NotifyOn>(interest), polling::Mode::Level);
}

connection* transport::find(std::uint64_t id) {
  const auto found = connections_.find(static_cast<int>(id & 0xFFFF'FFFFU));
  return found != connections_.end() && found->second->id == id ? found->second.get() : nullptr;
}

void transport::deliver_letters() {
  // A handler that answers at once posts while its request is read; its pipelined successor posts while we are here.
  for (box_->collect(letters_); !letters_.empty(); box_->collect(letters_)) {
    for (auto& [id, answer] : letters_) {
      auto* const to = find(id);
      if (to == nullptr) continue;
      try {
        to->handled.reset();
        to->talk.answer(std::move(answer), service_->draining.load(std::memory_order_relaxed));
        proceed(*to);
      } catch (const std::exception&) {
        close(*to);
      }
    }
    letters_.clear();
  }
}

std::vector<std::uint64_t> transport::all_ids() const {
  std::vector<std::uint64_t> ids;
  for (const auto& [fd, what] : connections_) ids.push_back(what->id);
  return ids;
}

void transport::hang_up() {
  hung_up_ = true;
  for (const auto id : all_ids()) {
    auto* const what = find(id);
    if (what != nullptr && what->talk.now() != phase::handling) close(*what);
  }
}

void transport::close_idle() {
  drained_ = true;
  for (const auto id : all_ids()) {
    auto* const what = find(id);
    if (what == nullptr || what->talk.now() != phase::idle || what->unsent() > 0) continue;
    // A request may have arrived already; it is still served.
    if (!read(*what)) continue;
    advance(*what);
    if (what->talk.now() == phase::idle) {
      if (what->bytes.handshaking()) what->bytes.give_up("this host is stopping");
      close(*what);
    } else {
      settle(*what);
    }
  }
  deliver_letters();
}

void transport::sweep() {
  std::vector<std::uint64_t> late;
  for (const auto& [fd, what] : connections_) {
    if (what->deadline <= now_) late.push_back(what->id);
  }
  for (const auto id : late) {
    auto& what = *find(id);
    const auto at = what.talk.now();
    const bool waits = (at == phase::head || at == phase::body) && what.unsent() == 0;
    if (what.bytes.handshaking()) what.bytes.give_up("it did not finish the TLS handshake in time");
    if (waits) {
      what.talk.break_off(problem(408, "the request did not arrive in time"));
      settle(what);
    } else {
      close(what);
    }
  }
}

void transport::close(connection& what) {
  what.bytes.finish();
  if (what.bytes.handshaking() && !what.met) {
    if (what.bytes.refusal().empty()) what.bytes.give_up("it left during the TLS handshake");
    note_handshake(what);
  }
  if (what.handled) what.handled->abandon();
  count_as(what, 0);
  service_->connections.fetch_sub(1, std::memory_order_relaxed);
  const auto peer = what.peer;
  connections_.erase(what.fd);
  removePeer(peer);
}

}  // namespace

std::shared_ptr<tcp::Transport> make_transport(std::shared_ptr<service> of) {
  return std::make_shared<transport>(std::move(of), std::make_shared<arrivals>());
}

}  // namespace gantry::http
