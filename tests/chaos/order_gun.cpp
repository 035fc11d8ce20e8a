// Places orders over HTTP at a steady rate until its standard input ends, and writes down what it was told.
//
//   order_gun PORT RATE CONNECTIONS FILE
//
// A customer for each connection: it asks again with the same key when there is no answer, or 503, and gives an order
// up that has none a minute after the end: then this program ends with 1. FILE gets a line for each order that was
// accepted, its key and its id; standard output gets the counts and the time from sending to the answer, as JSON.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using steady = std::chrono::steady_clock;

constexpr auto patience = std::chrono::seconds(60);

struct told {
  std::string key;
  std::string order;
};

// One connection, opened when it is needed.
class line {
 public:
  explicit line(std::uint16_t port) : port_(port) {}
  line(const line&) = delete;
  line& operator=(const line&) = delete;
  ~line() { hang_up(); }

  // The status and body of the answer; 0 when there was none, and the connection is closed then.
  int ask(const std::string& request, std::string& body) {
    if (socket_ < 0 && !dial()) return 0;
    for (std::string_view rest = request; !rest.empty();) {
      const auto put = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (put <= 0) return hang_up();
      rest.remove_prefix(static_cast<std::size_t>(put));
    }
    read_.clear();
    for (;;) {
      const auto end = read_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const auto length = length_of(std::string_view(read_).substr(0, end));
        if (read_.size() >= end + 4 + length) {
          body = read_.substr(end + 4, length);
          return std::atoi(read_.c_str() + sizeof "HTTP/1.1");
        }
      }
      std::array<char, 16'384> piece{};
      const auto got = ::recv(socket_, piece.data(), piece.size(), 0);
      if (got <= 0) return hang_up();
      read_.append(piece.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  bool dial() {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port_);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const timeval longest{std::chrono::seconds(patience).count(), 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return true;
    hang_up();
    return false;
  }
  int hang_up() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    return 0;
  }
  static std::size_t length_of(std::string_view head) {
    constexpr std::string_view name = "content-length: ";
    const auto at = std::search(head.begin(), head.end(), name.begin(), name.end(),
                                [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
    return at == head.end() ? 0 : static_cast<std::size_t>(std::atoll(&*at + name.size()));
  }

  const std::uint16_t port_;
  int socket_ = -1;
  std::string read_;
};

std::string request_for(const std::string& key, std::mt19937_64& chance) {
  char sku[16];
  std::snprintf(sku, sizeof sku, "SKU-%04u", static_cast<unsigned>(chance() % 600 + 1));
  const std::string body =
      R"({"customerId":")" + key + R"(","lines":[{"sku":")" + sku +
      R"(","quantity":1}],"shippingAddress":{"name":"Ada","line1":"1 Main St","city":"Berlin",)"
      R"("postalCode":"10115","country":"DE"},"paymentMethod":{"token":"tok_approve"},"currency":"EUR"})";
  return "POST /orders HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nidempotency-key: " + key +
         "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct counts {
  std::atomic<std::uint64_t> unanswered{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> given_up{0};
};

class customer {
 public:
  customer(std::uint16_t port, double rate, unsigned number, counts& all)
      : line_(port), every_(1.0 / rate), number_(number), all_(all) {}

  void run(const std::atomic<bool>& ending) {
    std::mt19937_64 chance(std::random_device{}());
    std::uniform_real_distribution<double> first(0.0, every_);
    auto next =
        steady::now() + std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(first(chance)));
    for (std::uint64_t n = 0; !ending; ++n) {
      std::this_thread::sleep_until(next);
      next += std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(every_));
      char key[64];
      std::snprintf(key, sizeof key, "%08x-%016llx-%08llx", number_, static_cast<unsigned long long>(chance()),
                    static_cast<unsigned long long>(n));
      place(key, chance, ending);
    }
  }

  std::vector<told> accepted;
  std::vector<double> took_ms;

 private:
  void place(const std::string& key, std::mt19937_64& chance, const std::atomic<bool>& ending) {
    const auto request = request_for(key, chance);
    const auto sent = steady::now();
    std::optional<steady::time_point> since;  // the end
    std::string body;
    for (;;) {
      const int status = line_.ask(request, body);
      if (status == 201) break;
      if (status == 0) {
        ++all_.unanswered;
      } else if (status == 503) {
        ++all_.refused;
      } else {
        ++all_.wrong;
        std::fprintf(stderr, "order %s: %d %s\n", key.c_str(), status, body.c_str());
        return;
      }
      if (ending && !since) since = steady::now();
      if (since && steady::now() - *since > patience) {
        ++all_.given_up;
        std::fprintf(stderr, "order %s: no answer\n", key.c_str());
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    took_ms.push_back(std::chrono::duration<double, std::milli>(steady::now() - sent).count());
    constexpr std::string_view name = R"("orderId":")";
    const auto at = body.find(name) + name.size();
    accepted.push_back({key, body.substr(at, body.find('"', at) - at)});
  }

  line line_;
  const double every_;  // seconds
  const unsigned number_;
  counts& all_;
};

double at_share(const std::vector<double>& sorted, double share) {
  return sorted.empty() ? 0
                        : sorted[std::min(sorted.size() - 1,
                                          static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("order_gun PORT RATE CONNECTIONS FILE\n", stderr);
    return 2;
  }
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  const double rate = std::atof(argv[2]);
  const auto connections = static_cast<unsigned>(std::atoi(argv[3]));
  counts all;
  std::atomic<bool> ending{false};
  std::vector<std::unique_ptr<customer>> customers;
  std::vector<std::thread> threads;
  const auto begun = steady::now();
  for (unsigned n = 0; n < connections; ++n) {
    customers.push_back(std::make_unique<customer>(port, rate / connections, n, all));
    threads.emplace_back([&ending, c = customers.back().get()] { c->run(ending); });
  }
  for (char ignored[64]; ::read(STDIN_FILENO, ignored, sizeof ignored) > 0;) {
  }
  ending = true;
  for (auto& t : threads) t.join();
  const double seconds = std::chrono::duration<double>(steady::now() - begun).count();

  std::FILE* const file = std::fopen(argv[4], "w");
  if (file == nullptr) {
    std::perror(argv[4]);
    return 1;
  }
  std::vector<double> took;
  for (const auto& c : customers) {
    for (const auto& a : c->accepted) std::fprintf(file, "%s %s\n", a.key.c_str(), a.order.c_str());
    took.insert(took.end(), c->took_ms.begin(), c->took_ms.end());
  }
  std::fclose(file);
  std::sort(took.begin(), took.end());
  std::printf(
      R"({"seconds":%.1f,"accepted":%zu,"per_s":%.0f,"unanswered":%llu,"refused":%llu,"wrong":%llu,"given_up":%llu,"p50_ms":%.2f,"p99_ms":%.2f,"max_ms":%.2f})"
      "\n",
      seconds, took.size(), static_cast<double>(took.size()) / seconds, static_cast<unsigned long long>(all.unanswered),
      static_cast<unsigned long long>(all.refused), static_cast<unsigned long long>(all.wrong),
      static_cast<unsigned long long>(all.given_up), at_share(took, 0.5), at_share(took, 0.99), at_share(took, 1.0));
  return all.given_up == 0 ? 0 : 1;
}
