// What `isolation: process` costs: requests, calls from plugin to plugin and events of the conformance suite's plugins,
// all in one process and each in its own, in turns.
//
//   isolation_bench GANTRY PLUGIN_DIR [--seconds N] [--threads N] [--rounds N]      prints one JSON object
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "call/remote/forwarder.hpp"
#include "supervisor/child.hpp"

namespace {

using namespace gantry;
using steady = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr const char* echo =
    R"({"plugin":"conf-target","method":"GET","target":"/target/echo","headers":{},"body":"","timeoutMs":30000})";
constexpr int events_a_request = 100;
constexpr int requests_with_events = 100;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "isolation_bench: %s\n", why.c_str());
  std::exit(1);
}

// As tests/ports.py: below the ports that the system gives to clients, and held until this program ends.
std::uint16_t free_port() {
  constexpr unsigned from = 10'000, below = 20'000;
  static const int locks = open((fs::temp_directory_path() / ("gantry-test-ports-" + std::to_string(getuid()))).c_str(),
                                O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  static std::random_device chance;
  static std::set<std::uint16_t> mine;
  for (int turn = 0; locks >= 0 && turn < 1000; ++turn) {
    const auto port = static_cast<std::uint16_t>(from + chance() % (below - from));
    struct flock one {};
    one.l_type = F_WRLCK;
    one.l_whence = SEEK_SET;
    one.l_start = port;
    one.l_len = 1;
    if (mine.contains(port) || fcntl(locks, F_SETLK, &one) != 0) continue;
    mine.insert(port);
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = bind(probe, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
    close(probe);
    if (free) return port;
  }
  fail("no free port");
}

std::string topology(const fs::path& folder, const std::string& plugins, std::uint16_t port, bool isolated) {
  std::string out = "version: 1\nname: bench\nstate: " + (folder / "state").string() +
                    "\nbus: { driver: local, path: " + (folder / "bus").string() +
                    " }\nstores:\n  default: { driver: sqlite, path: " + (folder / "{plugin}.db").string() +
                    " }\ntopics:\n";
  for (const char* topic :
       {"conf-events: { partitions: 3 }", "conf-answers: { partitions: 2 }", "conf-batches: {}", "conf-small: {}",
        "conf-first: {}", "conf-last: {}", "conf-plain: {}", "conf-foreign: { external: true }"})
    out += std::string("  ") + topic + "\n";
  out += "hosts:\n  main: { http: 127.0.0.1:" + std::to_string(port) + " }\nplugin_path: [" + plugins + "]\nplugins:\n";
  for (const char* plugin : {"conf-source", "conf-sink", "conf-caller", "conf-target", "conf-frail"})
    out += std::string("  ") + plugin + ": { hosts: [main]" + (isolated ? ", isolation: process" : "") + " }\n";
  return out;
}

// A shop of one host, running.
class running_host {
 public:
  running_host(const std::string& gantry, const std::string& plugins, bool isolated) {
    std::string name = (fs::temp_directory_path() / "isolation-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) fail("no folder");
    folder_ = name;
    const auto port = free_port();
    std::ofstream(folder_ / "topology.yaml") << topology(folder_, plugins, port, isolated);
    auto made =
        supervisor::child::start(gantry, {gantry, "run", "-t", (folder_ / "topology.yaml").string(), "--log-level", "warn"});
    if (!made) fail(made.failure().text);
    child_.emplace(std::move(*made));
    call::remote_host to;
    to.address = "127.0.0.1:" + std::to_string(port);
    to.inner_key = "-";
    call::forwarder_options options;
    options.patience_us = 30'000'000;
    auto way = call::forwarder::make(to, options, system_clock());
    if (!way) fail(way.failure().text);
    way_ = std::move(*way);
    while (ask("GET", "/health/ready").reply.status != 200) std::this_thread::yield();
  }
  ~running_host() {
    child_->signal(SIGTERM);
    while (!child_->ended()) drain_output();
    fs::remove_all(folder_);
  }
  running_host(const running_host&) = delete;
  running_host& operator=(const running_host&) = delete;

  call::remote_outcome ask(std::string_view method, std::string_view target, std::string_view body = {}) {
    drain_output();
    call::remote_request what;
    what.plugin = "bench";
    what.method = method;
    what.target = target;
    what.body = body;
    what.deadline_us = system_clock().steady_us() + 30'000'000;
    return way_->forward(what);
  }

  // Events that conf-sink has handled.
  long handled() {
    const auto rows = ask("GET", "/admin/plugins").reply.body;
    const auto row = rows.find("\"id\":\"conf-sink\"");
    const auto at = rows.find("\"eventsHandled\":", row);
    return row == std::string::npos || at == std::string::npos ? 0 : std::atol(rows.c_str() + at + 16);
  }

 private:
  void drain_output() const {
    char buffer[4096];
    while (read(child_->output(), buffer, sizeof buffer) > 0) {
    }
  }

  fs::path folder_;
  std::optional<supervisor::child> child_;
  std::unique_ptr<call::forwarder> way_;
};

struct figures {
  double requests = 0, calls = 0, events = 0;  // a second
  double request_p50 = 0, request_p99 = 0;     // microseconds
};

// Requests a second, by so many clients.
double rate(running_host& at, const char* method, const char* target, const char* body, int threads, double seconds,
            std::vector<double>* took) {
  std::atomic<long> done = 0;
  std::vector<std::vector<double>> all(static_cast<std::size_t>(threads));
  const auto begun = steady::now();
  const auto until = begun + std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(seconds));
  std::vector<std::thread> clients;
  for (auto& mine : all)
    clients.emplace_back([&, method, target, body] {
      while (steady::now() < until) {
        const auto from = steady::now();
        const auto answer = at.ask(method, target, body);
        if (answer.status != GANTRY_OK || answer.reply.status >= 300)
          fail(std::string(target) + ": " + answer.text + " " + std::to_string(answer.reply.status) +
               answer.reply.body);
        mine.push_back(std::chrono::duration<double, std::micro>(steady::now() - from).count());
        ++done;
      }
    });
  for (auto& one : clients) one.join();
  const auto passed = std::chrono::duration<double>(steady::now() - begun).count();
  if (took != nullptr)
    for (const auto& mine : all) took->insert(took->end(), mine.begin(), mine.end());
  return static_cast<double>(done) / passed;
}

// From the first request that emits to the last event that is handled.
double event_rate(running_host& at, int threads) {
  std::string program = R"({"emit":[)";
  for (int i = 0; i < events_a_request; ++i)
    program += std::string(i == 0 ? "" : ",") + R"({"topic":"conf-events","type":"Recorded","key":"k)" +
               std::to_string(i) + R"(","data":{"n":1}})";
  program += "]}";
  const auto wanted = at.handled() + events_a_request * requests_with_events;
  std::atomic<int> left = requests_with_events;
  const auto begun = steady::now();
  std::vector<std::thread> clients;
  for (int i = 0; i < threads; ++i)
    clients.emplace_back([&] {
      while (left.fetch_sub(1) > 0)
        if (const auto answer = at.ask("POST", "/source/do", program); answer.reply.status != 201)
          fail("/source/do: " + answer.text + answer.reply.body);
    });
  for (auto& one : clients) one.join();
  while (at.handled() < wanted) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return events_a_request * requests_with_events / std::chrono::duration<double>(steady::now() - begun).count();
}

double part(std::vector<double>& of, double which) {
  std::sort(of.begin(), of.end());
  return of.empty() ? 0 : of[std::min(static_cast<std::size_t>(static_cast<double>(of.size()) * which), of.size() - 1)];
}

figures measure(running_host& at, int threads, double seconds) {
  figures out;
  std::vector<double> took;
  out.requests = rate(at, "GET", "/target/echo", "", threads, seconds, nullptr);
  out.calls = rate(at, "POST", "/caller/call", echo, threads, seconds, nullptr);
  rate(at, "GET", "/target/echo", "", 1, seconds / 2, &took);
  out.request_p50 = part(took, 0.5);
  out.request_p99 = part(took, 0.99);
  out.events = event_rate(at, threads);
  return out;
}

figures median_of(std::vector<figures> rounds) {
  const auto middle = [&](double figures::*which) {
    std::vector<double> all;
    for (const auto& one : rounds) all.push_back(one.*which);
    return part(all, 0.5);
  };
  return {middle(&figures::requests), middle(&figures::calls), middle(&figures::events), middle(&figures::request_p50),
          middle(&figures::request_p99)};
}

void print(const char* name, const figures& f, const char* behind) {
  std::printf(
      "  \"%s\": {\"requests_per_s\": %.0f, \"calls_per_s\": %.0f, \"events_per_s\": %.0f, \"request_p50_us\": %.1f, "
      "\"request_p99_us\": %.1f}%s\n",
      name, f.requests, f.calls, f.events, f.request_p50, f.request_p99, behind);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) fail("usage: isolation_bench GANTRY PLUGIN_DIR [--seconds N] [--threads N] [--rounds N]");
  double seconds = 1;
  int threads = 8;
  int rounds = 3;
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--seconds") seconds = std::atof(argv[i + 1]);
    if (name == "--threads") threads = std::atoi(argv[i + 1]);
    if (name == "--rounds") rounds = std::atoi(argv[i + 1]);
  }
  std::vector<figures> inside;
  std::vector<figures> apart;
  {
    running_host one(argv[1], argv[2], false);
    running_host each(argv[1], argv[2], true);
    for (int round = 0; round < rounds; ++round) {
      inside.push_back(measure(one, threads, seconds));
      apart.push_back(measure(each, threads, seconds));
    }
  }
  const auto a = median_of(inside);
  const auto b = median_of(apart);
  std::printf("{\n  \"threads\": %d, \"rounds\": %d,\n", threads, rounds);
  print("in_process", a, ",");
  print("isolated", b, ",");
  std::printf(
      "  \"ratio\": {\"requests\": %.3f, \"calls\": %.3f, \"events\": %.3f, \"request_p50\": %.2f, "
      "\"request_p99\": %.2f}\n",
      b.requests / a.requests, b.calls / a.calls, b.events / a.events, b.request_p50 / a.request_p50,
      b.request_p99 / a.request_p99);
  std::printf("}\n");
  return 0;
}
