// What the Kafka driver costs: its throughput and latency beside those of bare librdkafka clients with the same
// messages, headers included, in the same run. Usage: KAFKA_BOOTSTRAP=host:port kafka_bench [--messages 200000] [--size
// 256] [--batch 64] [--partitions 3] [--rounds 2]
//        [--latency-seconds 3]
// Prints JSON. Leaves its topics on the broker.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/uuid.hpp"
#include "bus/kafka/kafka_bus.hpp"

namespace {

using namespace gantry::bus;
using steady = std::chrono::steady_clock;

struct settings {
  std::string brokers;
  std::uint64_t messages = 200'000;
  std::size_t size = 256;
  std::uint32_t batch = 64;
  std::uint32_t partitions = 3;
  int rounds = 2;
  int latency_seconds = 3;
};

double since(steady::time_point start) { return std::chrono::duration<double>(steady::now() - start).count(); }
std::int64_t now_ns() { return steady::now().time_since_epoch().count(); }

template <typename T>
T must(gantry::result<T> r) {
  if (r) return std::move(r).value();
  std::fprintf(stderr, "%s\n", r.failure().text.c_str());
  std::exit(1);
}

class acknowledgements final : public producer_events {
 public:
  void acknowledged(std::uint64_t ticket) override {
    const std::scoped_lock lock(mutex_);
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
    count_.fetch_add(1);
    count_.notify_one();
  }
  void wait() {
    count_.wait(seen_);
    seen_ = count_.load();
  }

 private:
  std::atomic<std::uint64_t> count_{0};
  std::uint64_t seen_ = 0;
};

std::string key_of(std::uint64_t n) { return "order-" + std::to_string(n % 1000); }

record record_of(std::uint64_t n, const std::string& key, const std::string& id, const std::string& data) {
  record r;
  r.time_us = 1'767'225'600'000'000 + static_cast<std::int64_t>(n);
  r.sequence = n + 1;
  r.key = key;
  r.type = "Measured";
  r.id = id;
  r.data = data;
  return r;
}

kafka_bus_options options_of(const settings& s) {
  kafka_bus_options out;
  out.brokers = s.brokers;
  out.producer_bytes = 1ULL << 30;
  out.partition_bytes = 64U << 20;
  return out;
}

// The driver ---------------------------------------------------------------------------------------------------------

double driver_produce(bus& to, topic_id topic, const settings& s) {
  const std::string data = "\"" + std::string(s.size, 'x') + "\"";
  acknowledgements acks;
  const auto producer = must(to.open_producer(acks));
  std::uint64_t ticket = 0;
  const auto start = steady::now();
  std::string records;
  for (std::uint64_t n = 0; n < s.messages;) {
    records.clear();
    for (std::uint32_t i = 0; i < s.batch; ++i, ++n)
      encode(record_of(n, key_of(n), "id-" + std::to_string(n), data), records);
    const batch one{{topic, static_cast<std::uint32_t>(ticket % s.partitions)}, s.batch, "/bench/source/s.1", records};
    if (auto done = producer->append(++ticket, {&one, 1}); !done) must<int>(done.failure());
  }
  acks.wait_for(ticket);
  return static_cast<double>(s.messages) / since(start);
}

double driver_consume(bus& from, topic_id topic, const settings& s) {
  arrivals news;
  const auto start = steady::now();
  const auto consumer = must(from.open_consumer("", {&topic, 1}, news));
  std::vector<std::uint64_t> next(s.partitions);
  fetched got;
  for (std::uint64_t n = 0; n < s.messages;) {
    bool some = false;
    for (std::uint32_t p = 0; p < s.partitions; ++p) {
      if (auto done = consumer->fetch({topic, p}, next[p], 512, 1 << 20, got); !done) must<int>(done.failure());
      next[p] = got.next;
      n += got.records.size();
      some = some || !got.records.empty();
    }
    if (!some && n < s.messages) news.wait();
  }
  return static_cast<double>(s.messages) / since(start);
}

// Bare librdkafka ----------------------------------------------------------------------------------------------------

rd_kafka_t* bare(rd_kafka_type_t type, const settings& s, std::vector<std::pair<const char*, std::string>> properties) {
  auto* conf = rd_kafka_conf_new();
  properties.emplace_back("bootstrap.servers", s.brokers);
  for (const auto& [name, value] : properties) rd_kafka_conf_set(conf, name, value.c_str(), nullptr, 0);
  if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
  return rd_kafka_new(type, conf, nullptr, 0);
}

rd_kafka_t* bare_producer(const settings& s) {
  return bare(RD_KAFKA_PRODUCER, s,
              {{"enable.idempotence", "true"}, {"linger.ms", "1"}, {"queue.buffering.max.messages", "0"}});
}

class bare_sender {
 public:
  bare_sender(rd_kafka_t* on, const std::string& topic)
      : on_(on), topic_(rd_kafka_topic_new(on, topic.c_str(), nullptr)) {}
  ~bare_sender() { rd_kafka_topic_destroy(topic_); }
  // The same key, value and headers as the driver's.
  void send(const record& r, std::uint32_t partition) {
    value_.clear();
    append_document(r, value_);
    auto* headers = rd_kafka_headers_new(8);
    const auto add = [&](const char* name, std::string_view text) {
      rd_kafka_header_add(headers, name, -1, text.data(), static_cast<ssize_t>(text.size()));
    };
    add("ce_specversion", "1.0");
    add("ce_id", r.id);
    add("ce_source", "/bench/source/s.1");
    add("ce_type", r.type);
    add("ce_subject", r.key);
    add("ce_time", std::string_view(value_).substr(value_.find("occurredOn") + 13, 27));
    char sequence[32];
    std::snprintf(sequence, sizeof sequence, "%020llu", static_cast<unsigned long long>(r.sequence));
    add("ce_sequence", sequence);
    add("content-type", "application/json");
    rd_kafka_producev(on_, RD_KAFKA_V_RKT(topic_), RD_KAFKA_V_PARTITION(static_cast<std::int32_t>(partition)),
                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(r.key.data(), r.key.size()),
                      RD_KAFKA_V_VALUE(value_.data(), value_.size()), RD_KAFKA_V_TIMESTAMP(r.time_us / 1000),
                      RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
  }

 private:
  rd_kafka_t* on_;
  rd_kafka_topic_t* topic_;
  std::string value_;
};

double bare_produce(const std::string& topic, const settings& s) {
  const std::string data = "\"" + std::string(s.size, 'x') + "\"";
  auto* on = bare_producer(s);
  auto* queue = rd_kafka_queue_get_main(on);
  const auto start = steady::now();
  std::thread hearing([&] {
    for (std::uint64_t n = 0; n < s.messages;) {
      auto* event = rd_kafka_queue_poll(queue, 100);
      if (event == nullptr) continue;  // a fresh broker takes a while to answer
      n += rd_kafka_event_message_count(event);
      rd_kafka_event_destroy(event);
    }
  });
  {
    bare_sender to(on, topic);
    for (std::uint64_t n = 0; n < s.messages; ++n)
      to.send(record_of(n, key_of(n), "id-" + std::to_string(n), data),
              static_cast<std::uint32_t>(n / s.batch % s.partitions));
    hearing.join();
  }
  const double rate = static_cast<double>(s.messages) / since(start);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(on);
  return rate;
}

class bare_receiver {
 public:
  bare_receiver(const std::string& topic, const settings& s, std::int64_t from)
      : on_(bare(
            RD_KAFKA_CONSUMER, s,
            {{"group.id", gantry::new_uuid_string()}, {"enable.auto.commit", "false"}, {"fetch.wait.max.ms", "100"}})) {
    rd_kafka_poll_set_consumer(on_);
    auto* all = rd_kafka_topic_partition_list_new(8);
    for (std::uint32_t p = 0; p < s.partitions; ++p)
      rd_kafka_topic_partition_list_add(all, topic.c_str(), static_cast<std::int32_t>(p))->offset = from;
    rd_kafka_assign(on_, all);
    rd_kafka_topic_partition_list_destroy(all);
  }
  ~bare_receiver() {
    rd_kafka_consumer_close(on_);
    rd_kafka_destroy(on_);
  }
  // Hands each message to `heard` until it has had so many. The headers are parsed, as anybody who needs one has to.
  template <typename Heard>
  void take(std::uint64_t count, Heard heard) {
    while (count != 0) {
      auto* message = rd_kafka_consumer_poll(on_, 1000);
      if (message == nullptr) continue;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_headers_t* headers = nullptr;
        rd_kafka_message_headers(message, &headers);
        heard(*message);
        --count;
      }
      rd_kafka_message_destroy(message);
    }
  }

 private:
  rd_kafka_t* on_;
};

double bare_consume(const std::string& topic, const settings& s) {
  const auto start = steady::now();
  bare_receiver from(topic, s, 0);
  from.take(s.messages, [](const rd_kafka_message_t&) {});
  return static_cast<double>(s.messages) / since(start);
}

// Latency at 1,000 messages a second ---------------------------------------------------------------------------------

struct latency {
  double p50_ms = 0;
  double p99_ms = 0;
};

constexpr std::uint64_t warm_up = 1000;  // messages while connections are made

latency percentiles(std::vector<std::int64_t>& ns) {
  ns.erase(ns.begin(), ns.begin() + warm_up);
  std::sort(ns.begin(), ns.end());
  return {static_cast<double>(ns[ns.size() / 2]) / 1e6, static_cast<double>(ns[ns.size() * 99 / 100]) / 1e6};
}

// Sends at this pace; `send` gets the number of the message.
template <typename Send>
void pace(std::uint64_t count, Send send) {
  const auto start = steady::now();
  for (std::uint64_t n = 0; n < count; ++n) {
    std::this_thread::sleep_until(start + std::chrono::microseconds(n * 1000));
    send(n);
  }
}

latency driver_latency(bus& on, topic_id topic, const settings& s) {
  const auto count = static_cast<std::uint64_t>(s.latency_seconds) * 1000 + warm_up;
  std::vector<std::int64_t> ns;
  arrivals news;
  acknowledgements acks;
  const auto consumer = must(on.open_consumer("", {&topic, 1}, news));
  const auto producer = must(on.open_producer(acks));
  std::thread reading([&] {
    std::vector<std::uint64_t> next(s.partitions);
    fetched got;
    while (ns.size() < count) {
      for (std::uint32_t p = 0; p < s.partitions; ++p) {
        if (auto done = consumer->fetch({topic, p}, next[p], 512, 1 << 20, got); !done) must<int>(done.failure());
        next[p] = got.next;
        for (const auto& r : got.records) ns.push_back(now_ns() - std::atoll(std::string(r.data).c_str()));
      }
      if (ns.size() < count) news.wait();
    }
  });
  pace(count, [&](std::uint64_t n) {
    std::string records;
    encode(record_of(n, key_of(n), "id-" + std::to_string(n), std::to_string(now_ns())), records);
    const batch one{{topic, static_cast<std::uint32_t>(n % s.partitions)}, 1, "/bench/source/s.1", records};
    if (auto done = producer->append(n + 1, {&one, 1}); !done) must<int>(done.failure());
  });
  reading.join();
  return percentiles(ns);
}

latency bare_latency(const std::string& topic, const settings& s) {
  const auto count = static_cast<std::uint64_t>(s.latency_seconds) * 1000 + warm_up;
  std::vector<std::int64_t> ns;
  bare_receiver from(topic, s, 0);
  std::thread reading([&] {
    from.take(count, [&](const rd_kafka_message_t& m) {
      const std::string value(static_cast<const char*>(m.payload), m.len);
      ns.push_back(now_ns() - std::atoll(value.c_str() + value.find("\"data\":") + 7));
    });
  });
  auto* on = bare_producer(s);
  auto* queue = rd_kafka_queue_get_main(on);
  {
    bare_sender to(on, topic);
    pace(count, [&](std::uint64_t n) {
      to.send(record_of(n, key_of(n), "id-" + std::to_string(n), std::to_string(now_ns())),
              static_cast<std::uint32_t>(n % s.partitions));
      rd_kafka_event_destroy(rd_kafka_queue_poll(queue, 0));
    });
    reading.join();
  }
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(on);
  return percentiles(ns);
}

settings parse(int argc, char** argv) {
  settings s;
  if (const char* brokers = std::getenv("KAFKA_BOOTSTRAP")) s.brokers = brokers;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const auto value = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--messages") s.messages = value;
    if (name == "--size") s.size = value;
    if (name == "--batch") s.batch = static_cast<std::uint32_t>(value);
    if (name == "--partitions") s.partitions = static_cast<std::uint32_t>(value);
    if (name == "--rounds") s.rounds = static_cast<int>(value);
    if (name == "--latency-seconds") s.latency_seconds = static_cast<int>(value);
  }
  s.batch = std::max<std::uint32_t>(1, s.batch);
  s.messages -= s.messages % s.batch;
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  const settings s = parse(argc, argv);
  if (s.brokers.empty() || s.partitions == 0 || s.messages == 0) {
    std::fprintf(stderr, "KAFKA_BOOTSTRAP names the broker; there is at least one message and one partition\n");
    return 2;
  }
  const auto on = must(open_kafka_bus(options_of(s)));
  const auto topic = [&] {
    const auto name = "bench-" + gantry::new_uuid_string();
    return must(on->open_topic({.name = name, .partitions = s.partitions}));
  };
  // Turn about, so that what else the machine does falls on both; the best of each counts.
  double driver_in = 0, driver_out = 0, bare_in = 0, bare_out = 0;
  for (int round = 0; round < s.rounds; ++round) {
    const auto first = topic();
    const auto second = topic();
    bare_in = std::max(bare_in, bare_produce(on->topic(first).name, s));
    driver_in = std::max(driver_in, driver_produce(*on, second, s));
    bare_out = std::max(bare_out, bare_consume(on->topic(second).name, s));
    driver_out = std::max(driver_out, driver_consume(*on, second, s));
  }
  latency with_driver, with_bare;
  if (s.latency_seconds != 0) {
    with_bare = bare_latency(on->topic(topic()).name, s);
    with_driver = driver_latency(*on, topic(), s);
  }
  std::printf("{\"bench\":\"kafka_bench\",\"messages\":%llu,\"size\":%zu,\"batch\":%u,\"partitions\":%u,\n",
              static_cast<unsigned long long>(s.messages), s.size, s.batch, s.partitions);
  std::printf(" \"produce_per_s\":%.0f,\"bare_produce_per_s\":%.0f,\"produce_ratio\":%.2f,\n", driver_in, bare_in,
              driver_in / bare_in);
  std::printf(" \"consume_per_s\":%.0f,\"bare_consume_per_s\":%.0f,\"consume_ratio\":%.2f,\n", driver_out, bare_out,
              driver_out / bare_out);
  std::printf(" \"p50_ms\":%.2f,\"p99_ms\":%.2f,\"bare_p50_ms\":%.2f,\"bare_p99_ms\":%.2f}\n", with_driver.p50_ms,
              with_driver.p99_ms, with_bare.p50_ms, with_bare.p99_ms);
}
