// How many messages a second the local bus takes and gives, beside what the disk does with plain writes.
// Usage: bus_bench [--directory D] [--batch 32] [--size 256] [--partitions 3] [--sync-us 5000] [--seconds 2]
//                  [--rate 0] [--sustained-gb 0]
// `size` is that of an encoded record. The batches are encoded beforehand, as a relay's are. `rate`: appends a second,
// 0 for as many as possible. `sustained-gb`: appends so much more in one go, and as much with plain writes; more than
// the page cache may hold dirty (vm.dirty_ratio) tells what the disk bears. Prints JSON. Leaves nothing in the
// directory.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bus/local/local_bus.hpp"

namespace {

using gantry::bus::batch;
using gantry::bus::bus;
using gantry::bus::fetched;
using gantry::bus::partition_id;
using steady = std::chrono::steady_clock;

struct settings {
  std::filesystem::path directory = "bus_bench.data";
  std::uint32_t batch = 32;
  std::size_t size = 256;
  std::uint32_t partitions = 3;
  long sync_us = 5000;
  double seconds = 2;
  double rate = 0;
  double sustained_gb = 0;
};

double since(steady::time_point start) { return std::chrono::duration<double>(steady::now() - start).count(); }

// Of all threads of this process.
double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

class acknowledgements final : public gantry::bus::producer_events {
 public:
  void acknowledged(std::uint64_t ticket) override {
    const std::scoped_lock lock(mutex_);
    ++calls_;
    ticket_ = ticket;
    changed_.notify_all();
  }
  void failed(std::uint64_t, const gantry::error& why) override {
    std::fprintf(stderr, "the producer failed: %s\n", why.text.c_str());
    std::exit(1);
  }
  void wait_for(std::uint64_t ticket) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ticket_ >= ticket; });
  }
  std::uint64_t calls() const { return calls_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t ticket_ = 0;
  std::uint64_t calls_ = 0;
};

class arrivals final : public gantry::bus::consumer_events {
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
  void wake() { available({}); }

 private:
  std::atomic<std::uint32_t> count_{0};
};

std::string encoded_batch(const settings& s) {
  gantry::bus::record r;
  r.time_us = 1;
  r.key = "01234567";
  r.type = "Measured";
  const std::string data(s.size - gantry::bus::encoded_size(r), 'x');
  r.data = data;
  std::string out;
  for (std::uint32_t i = 0; i < s.batch; ++i) {
    r.sequence = i + 1;
    encode(r, out);
  }
  return out;
}

template <typename T>
T must(gantry::result<T> r) {
  if (r) return std::move(r).value();
  std::fprintf(stderr, "%s\n", r.failure().text.c_str());
  std::exit(1);
}

struct produced {
  std::uint64_t appends = 0;
  std::uint64_t messages = 0;
  double append_seconds = 0;   // until the last append returned
  double durable_seconds = 0;  // until the last acknowledgement
  double cpu_seconds = 0;
  std::uint64_t syncs = 0;
};

// Appends until the time or the volume is reached, whichever is first.
produced produce(bus& to, gantry::bus::topic_id topic, const settings& s, double seconds, double bytes) {
  const std::string records = encoded_batch(s);
  acknowledgements acks;
  const auto producer = must(to.open_producer(acks));
  const auto most = static_cast<std::uint64_t>(std::min(bytes / static_cast<double>(records.size()), 1e18));
  produced out;
  std::uint64_t ticket = 0;
  const double cpu_before = cpu_seconds();
  const auto start = steady::now();
  while (ticket < most && (ticket % 64 != 0 || since(start) < seconds)) {
    if (s.rate > 0)
      std::this_thread::sleep_until(start + std::chrono::duration_cast<steady::duration>(
                                                std::chrono::duration<double>(static_cast<double>(ticket) / s.rate)));
    const batch one{{topic, static_cast<std::uint32_t>(ticket % s.partitions)}, s.batch, "/bench/1.1", records};
    if (auto appended = producer->append(++ticket, {&one, 1}); !appended) {
      std::fprintf(stderr, "%s\n", appended.failure().text.c_str());
      std::exit(1);
    }
  }
  out.append_seconds = since(start);
  acks.wait_for(ticket);
  out.durable_seconds = since(start);
  out.cpu_seconds = cpu_seconds() - cpu_before;
  out.appends = ticket;
  out.messages = ticket * s.batch;
  out.syncs = acks.calls();
  return out;
}

// Reads until the producer is done and all was read; returns how many messages.
std::uint64_t consume(bus& from, gantry::bus::topic_id topic, const settings& s, std::vector<std::uint64_t>& positions,
                      arrivals& heard, const std::atomic<bool>& done) {
  const auto consumer = must(from.open_consumer("", {&topic, 1}, heard));
  std::uint64_t messages = 0;
  fetched out;
  while (true) {
    const bool last_round = done.load();
    bool found = false;
    for (std::uint32_t p = 0; p < s.partitions; ++p) {
      if (auto got = consumer->fetch({topic, p}, positions[p], 2048, 1 << 20, out); !got) {
        std::fprintf(stderr, "%s\n", got.failure().text.c_str());
        std::exit(1);
      }
      messages += out.records.size();
      found = found || !out.records.empty();
      positions[p] = out.next;
    }
    if (found) continue;
    if (last_round) return messages;
    heard.wait();
  }
}

// Large plain writes by one thread, synced as often as the journal by another. Until the time or the volume is reached.
double raw_bytes_a_second(const settings& s, int direct, double seconds, double volume) {
  constexpr std::size_t block = 1U << 20;
  const auto path = s.directory / "raw";
  const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | direct, 0640);
  if (fd < 0) return 0;  // a file system without O_DIRECT
  const std::unique_ptr<char, void (*)(void*)> bytes(static_cast<char*>(std::aligned_alloc(4096, block)), std::free);
  std::fill_n(bytes.get(), block, 'x');
  std::mutex mutex;
  std::condition_variable stop;
  bool stopping = false;
  const auto start = steady::now();
  std::thread syncing([&] {
    std::unique_lock lock(mutex);
    while (!stop.wait_for(lock, std::chrono::microseconds(s.sync_us), [&] { return stopping; })) {
      lock.unlock();
      ::fdatasync(fd);
      lock.lock();
    }
  });
  off_t written = 0;
  while (static_cast<double>(written) < volume && since(start) < seconds) {
    if (::pwrite(fd, bytes.get(), block, written) != static_cast<ssize_t>(block)) std::exit(1);
    written += block;
  }
  {
    const std::scoped_lock lock(mutex);
    stopping = true;
  }
  stop.notify_all();
  syncing.join();
  ::fdatasync(fd);
  const double rate = static_cast<double>(written) / since(start);
  ::close(fd);
  std::filesystem::remove(path);
  return rate;
}

struct raw_rates {
  double direct = 0;
  double buffered = 0;
  double best() const { return std::max(direct, buffered); }
};

// A journal with one topic.
struct opened_bus {
  explicit opened_bus(const settings& s) : directory(s.directory / "journal") {
    std::filesystem::remove_all(directory);
    gantry::bus::local_bus_options options;
    options.directory = directory;
    options.sync_interval = std::chrono::microseconds(s.sync_us);
    opened = must(gantry::bus::open_local_bus(options));
    topic = must(opened->open_topic({.name = "bench", .partitions = s.partitions}));
  }
  opened_bus(const opened_bus&) = delete;
  opened_bus& operator=(const opened_bus&) = delete;
  ~opened_bus() {
    opened.reset();
    std::filesystem::remove_all(directory);
  }

  std::filesystem::path directory;
  std::unique_ptr<bus> opened;
  gantry::bus::topic_id topic = 0;
};

settings parse(int argc, char** argv) {
  settings s;
  bool known = argc % 2 == 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--directory") s.directory = argv[i + 1];
    if (name == "--batch") s.batch = static_cast<std::uint32_t>(std::atoi(argv[i + 1]));
    if (name == "--size") s.size = static_cast<std::size_t>(std::atoi(argv[i + 1]));
    if (name == "--partitions") s.partitions = static_cast<std::uint32_t>(std::atoi(argv[i + 1]));
    if (name == "--sync-us") s.sync_us = std::atol(argv[i + 1]);
    if (name == "--seconds") s.seconds = std::atof(argv[i + 1]);
    if (name == "--rate") s.rate = std::atof(argv[i + 1]);
    if (name == "--sustained-gb") s.sustained_gb = std::atof(argv[i + 1]);
    known = known && (name == "--directory" || name == "--batch" || name == "--size" || name == "--partitions" ||
                      name == "--sync-us" || name == "--seconds" || name == "--rate" || name == "--sustained-gb");
  }
  if (!known) {
    std::fprintf(stderr,
                 "usage: bus_bench [--directory DIR] [--batch N] [--size BYTES] [--partitions N] [--sync-us N] [--seconds N]"
                 " [--rate N] [--sustained-gb N]\n");
    std::exit(2);
  }
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  const settings s = parse(argc, argv);
  if (s.size < 80 || s.batch == 0 || s.partitions == 0) {
    std::fprintf(stderr, "a record has at least 80 bytes, a batch one record, a topic one partition\n");
    return 2;
  }
  constexpr double unbounded = std::numeric_limits<double>::infinity();

  produced alone;
  double consume_rate = 0;
  {
    const opened_bus journal(s);
    alone = produce(*journal.opened, journal.topic, s, s.seconds, unbounded);
    std::vector<std::uint64_t> positions(s.partitions);
    arrivals heard;
    const std::atomic<bool> done{true};
    const auto start = steady::now();
    const auto messages = consume(*journal.opened, journal.topic, s, positions, heard, done);
    consume_rate = static_cast<double>(messages) / since(start);
  }

  produced both;
  double both_rate = 0;
  std::uint64_t both_read = 0;
  {
    const opened_bus journal(s);
    std::vector<std::uint64_t> positions(s.partitions);
    arrivals heard;
    std::atomic<bool> done{false};
    const auto start = steady::now();
    std::thread reading([&] { both_read = consume(*journal.opened, journal.topic, s, positions, heard, done); });
    both = produce(*journal.opened, journal.topic, s, s.seconds, unbounded);
    done = true;
    heard.wake();
    reading.join();
    both_rate = static_cast<double>(both_read) / since(start);
  }

  const raw_rates raw{raw_bytes_a_second(s, O_DIRECT, s.seconds, unbounded),
                      raw_bytes_a_second(s, 0, s.seconds, unbounded)};
  const double record_bytes = static_cast<double>(s.size);
  const double messages = static_cast<double>(alone.messages);
  const double durable = messages * record_bytes / alone.durable_seconds;
  std::printf("{\"batch\":%u,\"record_bytes\":%zu,\"partitions\":%u,\"sync_us\":%ld,\"messages\":%llu,\n", s.batch,
              s.size, s.partitions, s.sync_us, static_cast<unsigned long long>(alone.messages));
  std::printf(" \"append_per_s\":%.0f,\"produce_durable_per_s\":%.0f,\"syncs\":%llu,\"consume_per_s\":%.0f,\n",
              messages / alone.append_seconds, messages / alone.durable_seconds,
              static_cast<unsigned long long>(alone.syncs), consume_rate);
  std::printf(" \"cpu_us_per_append\":%.2f,\"cpu_ns_per_message\":%.1f,\n",
              alone.cpu_seconds * 1e6 / static_cast<double>(alone.appends), alone.cpu_seconds * 1e9 / messages);
  std::printf(" \"both_per_s\":%.0f,\"both_messages\":%llu,\"both_syncs\":%llu,\n", both_rate,
              static_cast<unsigned long long>(both_read), static_cast<unsigned long long>(both.syncs));
  std::printf(" \"durable_bytes_per_s\":%.0f,\"raw_direct_bytes_per_s\":%.0f,\"raw_buffered_bytes_per_s\":%.0f,",
              durable, raw.direct, raw.buffered);
  std::printf("\"ratio\":%.3f", durable / raw.best());
  if (s.sustained_gb > 0) {
    const double volume = s.sustained_gb * 1e9;
    produced sustained;
    {
      const opened_bus journal(s);
      sustained = produce(*journal.opened, journal.topic, s, unbounded, volume);
    }
    // What was the faster way before; the other one would take minutes.
    const double plain = raw_bytes_a_second(s, raw.direct > raw.buffered ? O_DIRECT : 0, unbounded, volume);
    const double rate = static_cast<double>(sustained.messages) * record_bytes / sustained.durable_seconds;
    std::printf(",\n \"sustained_gb\":%.1f,\"sustained_durable_per_s\":%.0f,\"sustained_bytes_per_s\":%.0f,",
                s.sustained_gb, static_cast<double>(sustained.messages) / sustained.durable_seconds, rate);
    std::printf("\"sustained_raw_bytes_per_s\":%.0f,\"sustained_ratio\":%.3f", plain, rate / plain);
  }
  std::printf("}\n");
  return both_read == both.messages ? 0 : 1;
}
