#include "proxy.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

namespace gantry::testing {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

bool send_all(int to, const char* from, std::size_t size) {
  while (size != 0) {
    const auto sent = ::send(to, from, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    from += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

std::uint32_t number_at(const char* from) {
  std::uint32_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return ntohl(value);
}

}  // namespace

struct proxy::state {
  int listener = -1;
  std::uint16_t port = 0;
  std::uint16_t target = 0;
  std::atomic<bool> ending{false};
  std::atomic<bool> shut{false};
  std::atomic<bool> stalled{false};
  std::atomic<std::uint64_t> round_trips{0};
  std::atomic<std::uint64_t> hang_ups{0};
  std::thread accepting;
  std::mutex mutex;
  std::string marked;  // guarded by mutex
  when then = when::before;
  std::vector<std::thread> pairs;

  void accept_all();
  void forward(int client);
  bool to_server(int client, int server, std::string& buffer, bool& started);
  bool is_marked(std::string_view message, when& then_out);
};

void proxy::state::accept_all() {
  while (!ending) {
    pollfd waiting{listener, POLLIN, 0};
    if (::poll(&waiting, 1, 20) != 1) continue;
    const int client = ::accept(listener, nullptr, nullptr);
    if (client < 0) continue;
    if (shut) {
      ::close(client);
      continue;
    }
    const std::lock_guard lock(mutex);
    pairs.emplace_back([this, client] { forward(client); });
  }
}

// A Bind message: portal and statement, both ended by zero bytes.
bool proxy::state::is_marked(std::string_view message, when& then_out) {
  if (message[0] != 'B') return false;
  const auto portal = message.find('\0', 5);
  if (portal == std::string_view::npos) return false;
  const std::string_view name(message.data() + portal + 1);
  const std::lock_guard lock(mutex);
  if (marked.empty() || name != marked) return false;
  marked.clear();
  then_out = then;
  return true;
}

// Forwards whole messages; false: hang up.
bool proxy::state::to_server(int client, int server, std::string& buffer, bool& started) {
  char bytes[65536];
  const auto got = ::recv(client, bytes, sizeof bytes, 0);
  if (got <= 0) return false;
  buffer.append(bytes, static_cast<std::size_t>(got));
  std::size_t done = 0;
  bool swallow = false;
  bool last = false;
  while (buffer.size() - done >= (started ? 5U : 4U)) {
    const std::size_t size = started ? 1 + number_at(buffer.data() + done + 1) : number_at(buffer.data() + done);
    if (buffer.size() - done < size) break;
    const std::string_view message(buffer.data() + done, size);
    if (!started) {
      started = number_at(message.data() + 4) >> 16 == 3;  // the start-up message; before it one may ask for TLS
    } else {
      if (message[0] == 'S' || message[0] == 'Q') ++round_trips;
      when how{};
      if (is_marked(message, how)) {
        if (how == when::before) {
          swallow = true;
          break;
        }
        last = true;
      }
    }
    done += size;
    if (last && message[0] == 'S') break;
  }
  if (!send_all(server, buffer.data(), done)) return false;
  buffer.erase(0, done);
  if (!swallow && !last) return true;
  ++hang_ups;
  if (last) {
    // The server has worked on it once it answers; the answer ends here.
    char answer[4096];
    [[maybe_unused]] const auto ignored = ::recv(server, answer, sizeof answer, 0);
  }
  return false;
}

void proxy::state::forward(int client) {
  const int server = ::socket(AF_INET, SOCK_STREAM, 0);
  const auto there = loopback(target);
  bool good = ::connect(server, reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0;
  std::string buffer;
  bool started = false;
  char bytes[65536];
  while (good && !ending) {
    pollfd both[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (stalled) {
      ::poll(nullptr, 0, 5);
      continue;
    }
    if (::poll(both, 2, 20) <= 0) continue;
    if (both[1].revents != 0) {
      const auto got = ::recv(server, bytes, sizeof bytes, 0);
      good = got > 0 && send_all(client, bytes, static_cast<std::size_t>(got));
    }
    if (good && both[0].revents != 0) good = to_server(client, server, buffer, started);
  }
  ::close(client);
  ::close(server);
}

proxy::proxy(std::uint16_t to) : state_(std::make_unique<state>()) {
  state_->target = to;
  state_->listener = ::socket(AF_INET, SOCK_STREAM, 0);
  auto here = loopback(0);
  socklen_t size = sizeof here;
  if (::bind(state_->listener, reinterpret_cast<const sockaddr*>(&here), size) != 0 ||
      ::listen(state_->listener, 16) != 0 ||
      ::getsockname(state_->listener, reinterpret_cast<sockaddr*>(&here), &size) != 0)
    return;
  state_->port = ntohs(here.sin_port);
  state_->accepting = std::thread([this] { state_->accept_all(); });
}

proxy::~proxy() {
  state_->ending = true;
  if (state_->accepting.joinable()) state_->accepting.join();
  for (auto& each : state_->pairs) each.join();
  ::close(state_->listener);
}

std::uint16_t proxy::port() const { return state_->port; }
std::uint64_t proxy::round_trips() const { return state_->round_trips; }
std::uint64_t proxy::hang_ups() const { return state_->hang_ups; }

void proxy::hang_up_at(const std::string& prepared, when then) {
  const std::lock_guard lock(state_->mutex);
  state_->marked = prepared;
  state_->then = then;
}

void proxy::stall() { state_->stalled = true; }
void proxy::go_on() { state_->stalled = false; }
void proxy::shut() { state_->shut = true; }
void proxy::open() { state_->shut = false; }

}  // namespace gantry::testing
