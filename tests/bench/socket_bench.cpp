// What the local bus costs through its owner's socket, beside the journal in the same process.
// Usage: socket_bench [--directory D] [--batch 32] [--size 256] [--seconds 1] [--rate 500]
// The owner is a process of its own; producer and consumer have a connection each. `size` is that of an encoded record,
// `rate` the appends a second of which the latency from append to fetch is measured, one record each. Prints JSON.
// Leaves nothing in the directory.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bus/local/local_bus.hpp"
#include "bus/socket/bus_server.hpp"
#include "bus/socket/socket_bus.hpp"

namespace {

using namespace gantry::bus;
using steady = std::chrono::steady_clock;
constexpr std::uint32_t partitions = 3;

struct settings {
  std::filesystem::path directory = "socket_bench.data";
  std::uint32_t batch = 32;
  std::size_t size = 256;
  double seconds = 1;
  double rate = 500;
};

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

template <typename T>
T must(gantry::result<T> r) {
  if (!r) stop(r.failure().text);
  return std::move(r).value();
}

double since(steady::time_point start) { return std::chrono::duration<double>(steady::now() - start).count(); }

class acknowledgements final : public producer_events {
 public:
  void acknowledged(std::uint64_t ticket) override {
    const std::scoped_lock lock(mutex_);
    ticket_ = ticket;
    changed_.notify_all();
  }
  void failed(std::uint64_t, const gantry::error& why) override { stop("the producer failed: " + why.text); }
  void wait_for(std::uint64_t ticket) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ticket_ >= ticket; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t ticket_ = 0;
};

class arrivals final : public consumer_events {
 public:
  void assigned(partition_id) override {}
  void revoked(partition_id) override {}
  void available(partition_id) override {
    if (count_.fetch_add(1) == 0) count_.notify_one();
  }
  void wait() {
    count_.wait(0);
    count_.store(0);
  }

 private:
  std::atomic<std::uint32_t> count_{0};
};

std::string encoded(const settings& s, std::uint32_t count, std::uint64_t sequence) {
  record r;
  r.time_us = 1;
  r.key = "01234567";
  r.type = "Measured";
  const std::string data(s.size - encoded_size(r), 'x');
  r.data = data;
  std::string out;
  for (std::uint32_t i = 0; i < count; ++i) {
    r.sequence = sequence;
    encode(r, out);
  }
  return out;
}

// Reads what comes from now on until `all` messages have come, calling `seen` for each.
class follower {
 public:
  follower(bus& from, topic_id topic) : topic_(topic), consumer_(must(from.open_consumer("", {&topic, 1}, heard_))) {
    for (std::uint32_t p = 0; p < partitions; ++p) next_.push_back(must(consumer_->range({topic, p})).end);
  }
  template <typename Seen>
  void read(const std::atomic<std::uint64_t>& all, Seen seen) {
    fetched got;
    for (std::uint64_t messages = 0; messages < all;) {
      bool found = false;
      for (std::uint32_t p = 0; p < partitions; ++p) {
        if (auto done = consumer_->fetch({topic_, p}, next_[p], 2048, 1 << 20, got); !done) stop(done.failure().text);
        for (const auto& r : got.records) seen(r);
        messages += got.records.size();
        found = found || !got.records.empty();
        next_[p] = got.next;
      }
      if (!found && messages < all) heard_.wait();
    }
  }
  void wake() { heard_.available({}); }

 private:
  const topic_id topic_;
  arrivals heard_;
  std::unique_ptr<consumer> consumer_;
  std::vector<std::uint64_t> next_;
};

struct figures {
  double produce = 0;  // messages a second until the last one was durable
  double follow = 0;   // the same while a reader follows, until it had the last one
  double p50_us = 0;
  double p99_us = 0;
};

std::uint64_t produce(bus& to, topic_id topic, const settings& s, double& rate) {
  const auto bytes = encoded(s, s.batch, 1);
  acknowledgements acks;
  const auto producer = must(to.open_producer(acks));
  const auto start = steady::now();
  std::uint64_t ticket = 0;
  while (ticket % 64 != 0 || since(start) < s.seconds) {
    const batch one{{topic, static_cast<std::uint32_t>(ticket % partitions)}, s.batch, "/bench/1.1", bytes};
    if (auto done = producer->append(++ticket, {&one, 1}); !done) stop(done.failure().text);
  }
  acks.wait_for(ticket);
  rate = static_cast<double>(ticket * s.batch) / since(start);
  return ticket * s.batch;
}

void measure_latency(bus& to, bus& from, topic_id topic, const settings& s, figures& out) {
  const auto appends = static_cast<std::uint64_t>(s.rate * s.seconds);
  std::vector<double> took;
  took.reserve(appends);
  follower following(from, topic);
  const std::atomic<std::uint64_t> all{appends};
  std::thread reading([&] {
    following.read(all, [&](const record& r) {
      const auto sent = steady::time_point(std::chrono::nanoseconds(static_cast<std::int64_t>(r.sequence)));
      took.push_back(since(sent) * 1e6);
    });
  });
  acknowledgements acks;
  const auto producer = must(to.open_producer(acks));
  const auto start = steady::now();
  for (std::uint64_t i = 0; i < appends; ++i) {
    std::this_thread::sleep_until(start + std::chrono::duration_cast<steady::duration>(
                                              std::chrono::duration<double>(static_cast<double>(i) / s.rate)));
    const auto bytes = encoded(s, 1, static_cast<std::uint64_t>(steady::now().time_since_epoch().count()));
    const batch one{{topic, static_cast<std::uint32_t>(i % partitions)}, 1, "/bench/1.1", bytes};
    if (auto done = producer->append(i + 1, {&one, 1}); !done) stop(done.failure().text);
  }
  reading.join();
  acks.wait_for(appends);
  std::sort(took.begin(), took.end());
  out.p50_us = took[took.size() / 2];
  out.p99_us = took[took.size() * 99 / 100];
}

figures measure(bus& to, bus& from, const settings& s) {
  const topic_spec spec{.name = "bench", .partitions = partitions};
  const auto topic = must(to.open_topic(spec));
  if (must(from.open_topic(spec)) != topic) stop("two numbers of one topic");
  figures out;
  measure_latency(to, from, topic, s, out);
  produce(to, topic, s, out.produce);
  follower following(from, topic);
  std::atomic<std::uint64_t> all{UINT64_MAX};
  const auto start = steady::now();
  std::thread reading([&] { following.read(all, [](const record&) {}); });
  double ignored = 0;
  all = produce(to, topic, s, ignored);
  following.wake();
  reading.join();
  out.follow = static_cast<double>(all) / since(start);
  return out;
}

// Serves a journal until it is killed; says so when it is ready.
[[noreturn]] void own(const std::filesystem::path& directory, int ready) {
  local_bus_options options;
  options.directory = directory / "owned";
  const auto journal = must(open_local_bus(options));
  const auto server = must(serve_bus(*journal, {.path = directory / "bus.sock"}));
  if (::write(ready, "x", 1) != 1) stop("nobody listens");
  while (true) ::pause();
}

void print(const char* name, const figures& f) {
  std::printf(
      "\"%s\":{\"produce_durable_per_s\":%.0f,\"follow_per_s\":%.0f,\"latency_p50_us\":%.0f,\"latency_p99_us\":%.0f}",
      name, f.produce, f.follow, f.p50_us, f.p99_us);
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--directory")
      s.directory = argv[i + 1];
    else if (name == "--batch")
      s.batch = static_cast<std::uint32_t>(std::atoi(argv[i + 1]));
    else if (name == "--size")
      s.size = static_cast<std::size_t>(std::atoi(argv[i + 1]));
    else if (name == "--seconds")
      s.seconds = std::atof(argv[i + 1]);
    else if (name == "--rate")
      s.rate = std::atof(argv[i + 1]);
    else
      stop("unknown option " + name);
  }
  if (argc % 2 == 0 || s.size < 80 || s.batch == 0 || s.rate * s.seconds < 1) {
    std::fprintf(
        stderr,
        "usage: socket_bench [--directory D] [--batch N] [--size BYTES, at least 80] [--seconds N] [--rate N]\n");
    return 2;
  }
  std::filesystem::create_directories(s.directory);
  std::filesystem::permissions(s.directory, std::filesystem::perms::owner_all);
  int ready[2] = {-1, -1};
  if (::pipe(ready) != 0) return 1;
  const pid_t owner = ::fork();
  if (owner == 0) own(s.directory, ready[1]);
  char said = 0;
  ::close(ready[1]);
  if (::read(ready[0], &said, 1) != 1) stop("the owner did not start");

  figures inside;
  {
    local_bus_options options;
    options.directory = s.directory / "inside";
    const auto journal = must(open_local_bus(options));
    inside = measure(*journal, *journal, s);
  }
  figures through;
  {
    const auto to = must(open_socket_bus({.path = s.directory / "bus.sock", .member = "producer"}));
    const auto from = must(open_socket_bus({.path = s.directory / "bus.sock", .member = "consumer"}));
    through = measure(*to, *from, s);
  }
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  std::filesystem::remove_all(s.directory);
  std::printf("{\"batch\":%u,\"record_bytes\":%zu,", s.batch, s.size);
  print("in_process", inside);
  std::printf(",\n ");
  print("socket", through);
  std::printf("}\n");
  return 0;
}
