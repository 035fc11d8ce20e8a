// How many messages a second the local bus takes and gives, beside what the disk does with plain writes.
// Usage: bus_bench [--directory D] [--batch 32] [--size 256] [--partitions 3] [--sync-us 5000] [--seconds 3]
// `size` is that of an encoded record. Prints JSON. Leaves nothing in the directory.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
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
  double seconds = 3;
};

double since(steady::time_point start) { return std::chrono::duration<double>(steady::now() - start).count(); }

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
  std::uint64_t messages = 0;
  double append_seconds = 0;
  double durable_seconds = 0;
  std::uint64_t syncs = 0;
};

produced produce(bus& to, gantry::bus::topic_id topic, const settings& s) {
  const std::string records = encoded_batch(s);
  acknowledgements acks;
  const auto producer = must(to.open_producer(acks));
  produced out;
  std::uint64_t ticket = 0;
  const auto start = steady::now();
  while (since(start) < s.seconds) {
    for (int i = 0; i < 64; ++i) {
      const batch one{{topic, static_cast<std::uint32_t>(ticket % s.partitions)}, s.batch, "/bench/1.1", records};
      if (auto appended = producer->append(++ticket, {&one, 1}); !appended) {
        std::fprintf(stderr, "%s\n", appended.failure().text.c_str());
        std::exit(1);
      }
    }
  }
  out.append_seconds = since(start);
  acks.wait_for(ticket);
  out.durable_seconds = since(start);
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

// Plain writes of the same sizes, synced as often, of the same volume.
double raw_bytes_a_second(const settings& s, std::size_t chunk, std::uint64_t volume) {
  const auto path = s.directory / "raw";
  const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0640);
  if (fd < 0) std::exit(1);
  const std::string bytes(chunk, 'x');
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
  for (std::uint64_t at = 0; at < volume; at += chunk)
    if (::pwrite(fd, bytes.data(), chunk, static_cast<off_t>(at)) < 0) std::exit(1);
  {
    const std::scoped_lock lock(mutex);
    stopping = true;
  }
  stop.notify_all();
  syncing.join();
  ::fdatasync(fd);
  const double seconds = since(start);
  ::close(fd);
  std::filesystem::remove(path);
  return static_cast<double>(volume) / seconds;
}

settings parse(int argc, char** argv) {
  settings s;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--directory") s.directory = argv[i + 1];
    if (name == "--batch") s.batch = static_cast<std::uint32_t>(std::atoi(argv[i + 1]));
    if (name == "--size") s.size = static_cast<std::size_t>(std::atoi(argv[i + 1]));
    if (name == "--partitions") s.partitions = static_cast<std::uint32_t>(std::atoi(argv[i + 1]));
    if (name == "--sync-us") s.sync_us = std::atol(argv[i + 1]);
    if (name == "--seconds") s.seconds = std::atof(argv[i + 1]);
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
  const auto journal = s.directory / "journal";
  std::filesystem::remove_all(journal);
  gantry::bus::local_bus_options options;
  options.directory = journal;
  options.sync_interval = std::chrono::microseconds(s.sync_us);

  produced alone;
  double consume_rate = 0;
  {
    const auto opened = must(gantry::bus::open_local_bus(options));
    const auto topic = must(opened->open_topic({.name = "bench", .partitions = s.partitions}));
    alone = produce(*opened, topic, s);
    std::vector<std::uint64_t> positions(s.partitions);
    arrivals heard;
    const std::atomic<bool> done{true};
    const auto start = steady::now();
    const auto messages = consume(*opened, topic, s, positions, heard, done);
    consume_rate = static_cast<double>(messages) / since(start);
  }
  std::filesystem::remove_all(journal);

  produced both;
  double both_rate = 0;
  std::uint64_t both_read = 0;
  {
    const auto opened = must(gantry::bus::open_local_bus(options));
    const auto topic = must(opened->open_topic({.name = "bench", .partitions = s.partitions}));
    std::vector<std::uint64_t> positions(s.partitions);
    arrivals heard;
    std::atomic<bool> done{false};
    const auto start = steady::now();
    std::thread reading([&] { both_read = consume(*opened, topic, s, positions, heard, done); });
    both = produce(*opened, topic, s);
    done = true;
    heard.wake();
    reading.join();
    both_rate = static_cast<double>(both_read) / since(start);
  }
  std::filesystem::remove_all(journal);

  const std::size_t chunk = s.size * s.batch + 96;
  const auto volume = alone.messages / s.batch * chunk;
  const double raw = raw_bytes_a_second(s, chunk, volume);
  const double durable = static_cast<double>(volume) / alone.durable_seconds;
  std::printf("{\"batch\":%u,\"record_bytes\":%zu,\"partitions\":%u,\"sync_us\":%ld,\"messages\":%llu,\n", s.batch,
              s.size, s.partitions, s.sync_us, static_cast<unsigned long long>(alone.messages));
  std::printf(" \"append_per_s\":%.0f,\"produce_durable_per_s\":%.0f,\"syncs\":%llu,\"consume_per_s\":%.0f,\n",
              static_cast<double>(alone.messages) / alone.append_seconds,
              static_cast<double>(alone.messages) / alone.durable_seconds, static_cast<unsigned long long>(alone.syncs),
              consume_rate);
  std::printf(" \"both_per_s\":%.0f,\"both_messages\":%llu,\"both_syncs\":%llu,\n", both_rate,
              static_cast<unsigned long long>(both_read), static_cast<unsigned long long>(both.syncs));
  std::printf(" \"durable_bytes_per_s\":%.0f,\"raw_bytes_per_s\":%.0f,\"ratio\":%.3f}\n", durable, raw, durable / raw);
  return both_read == both.messages ? 0 : 1;
}
