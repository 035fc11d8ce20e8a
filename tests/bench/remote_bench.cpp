// What a call to another host costs on loopback, beside what HTTP itself costs: a blocking socket that writes one
// request and reads one reply, against the same endpoint, in turns with the calls.
//
//   remote_bench [--seconds N] [--threads N]      prints one JSON object, microseconds
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "call/remote/remote_calls.hpp"
#include "http/endpoint.hpp"

namespace {

using namespace gantry;
using steady = std::chrono::steady_clock;

constexpr const char* body = R"({"sku":"SKU-0001","price":{"amount":1999,"currency":"EUR"}})";
constexpr int turn = 200;  // requests of one kind before the other kind's turn

// The least that an HTTP client can do.
class bare_client {
 public:
  explicit bare_client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) std::abort();
  }
  bare_client(const bare_client&) = delete;
  bare_client& operator=(const bare_client&) = delete;
  ~bare_client() { ::close(fd_); }

  bool get() {
    static constexpr std::string_view request =
        "GET /catalog/products/1 HTTP/1.1\r\nhost: 127.0.0.1\r\ncorrelation-id: "
        "0190a000-0000-7000-8000-000000000000\r\n"
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ngantry-caller: order\r\n"
        "gantry-deadline-ms: 30000\r\n\r\n";
    if (::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return false;
    char buffer[4096];
    const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
    return got > 0 && std::string_view(buffer, static_cast<std::size_t>(got)).ends_with(body);
  }

 private:
  int fd_;
};

bool get(call::remote_calls& calls) {
  call::remote_request what;
  what.plugin = "catalog";
  what.caller = "order";
  what.method = "GET";
  what.target = "/catalog/products/1";
  what.deadline_us = system_clock().steady_us() + 30'000'000;
  what.correlation_id = "0190a000-0000-7000-8000-000000000000";
  what.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto got = calls.call(what);
  return got.status == GANTRY_OK && got.reply.body == body;
}

// What one kind of request took, and the processor time of the thread that made it.
struct samples {
  std::vector<double> us;
  double cpu_us = 0;
  bool good = true;

  template <typename F>
  void take(F&& one) {
    const auto cpu = thread_cpu_us();
    for (int i = 0; i < turn; ++i) {
      const auto from = steady::now();
      good = one() && good;
      us.push_back(std::chrono::duration<double, std::micro>(steady::now() - from).count());
    }
    cpu_us += thread_cpu_us() - cpu;
  }
  static double thread_cpu_us() {
    rusage used{};
    ::getrusage(RUSAGE_THREAD, &used);
    const auto of = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
    };
    return of(used.ru_utime) + of(used.ru_stime);
  }
  void add(const samples& other) {
    us.insert(us.end(), other.us.begin(), other.us.end());
    cpu_us += other.cpu_us;
    good = good && other.good;
  }
  double at(double share) {
    const auto nth = us.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(us.size() - 1));
    std::nth_element(us.begin(), nth, us.end());
    return *nth;
  }
};

void print(const char* name, samples& of) {
  std::printf("\"%s\":{\"requests\":%zu,\"p50\":%.1f,\"p99\":%.1f,\"cpu\":%.2f},", name, of.us.size(), of.at(0.5),
              of.at(0.99), of.cpu_us / static_cast<double>(of.us.size()));
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 3;
  std::size_t threads = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = std::stod(argv[i + 1]);
    if (std::strcmp(argv[i], "--threads") == 0) threads = std::stoul(argv[i + 1]);
  }
  auto opened = http::open_endpoint({}, [](http::request&&, http::responder&& out) { out.send({200, {}, body}); });
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.failure().text.c_str());
    return 1;
  }
  const auto port = (*opened)->port();
  const auto calls = call::make_remote_calls({}, system_clock());
  if (!calls->place({{"catalog", {{"b", "127.0.0.1:" + std::to_string(port), false, {}}}}})) return 1;

  samples bare, ours;
  std::vector<samples> bares(threads), theirs(threads);
  std::vector<std::thread> all;
  for (std::size_t t = 0; t < threads; ++t)
    all.emplace_back([&, t] {
      bare_client raw(port);
      const auto until = steady::now() + std::chrono::duration<double>(seconds);
      while (steady::now() < until) {
        bares[t].take([&] { return raw.get(); });
        theirs[t].take([&] { return get(*calls); });
      }
    });
  for (std::size_t t = 0; t < threads; ++t) {
    all[t].join();
    bare.add(bares[t]);
    ours.add(theirs[t]);
  }
  std::printf("{\"threads\":%zu,", threads);
  print("bare", bare);
  print("call", ours);
  std::printf("\"share_p50\":%.3f,\"added_cpu\":%.2f,\"good\":%s}\n", 1 - bare.at(0.5) / ours.at(0.5),
              (ours.cpu_us - bare.cpu_us * static_cast<double>(ours.us.size()) / static_cast<double>(bare.us.size())) /
                  static_cast<double>(ours.us.size()),
              bare.good && ours.good ? "true" : "false");
  return bare.good && ours.good ? 0 : 1;
}
