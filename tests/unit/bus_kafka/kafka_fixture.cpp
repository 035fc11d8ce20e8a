#include "kafka_fixture.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "base/text.hpp"
#include "base/uuid.hpp"

namespace gantry::bus::kafka::testing {
namespace {

std::string address_in(const std::filesystem::path& env) {
  std::ifstream in(env);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("KAFKA_BOOTSTRAP=")) return line.substr(line.find('=') + 1);
  return "";
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

void heard_producer::acknowledged(std::uint64_t ticket) {
  const std::scoped_lock lock(mutex_);
  tickets_.push_back(ticket);
  last_ = ticket;
  changed_.notify_all();
}

void heard_producer::failed(std::uint64_t, const error& why) {
  const std::scoped_lock lock(mutex_);
  failures_.push_back(why);
  changed_.notify_all();
}

bool heard_producer::wait_for(std::uint64_t ticket) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return last_ >= ticket || !failures_.empty(); });
  return last_ >= ticket;
}

error heard_producer::wait_for_failure() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !failures_.empty(); });
  const error out = failures_.back();
  failures_.clear();
  return out;
}

std::vector<std::uint64_t> heard_producer::tickets() const {
  const std::scoped_lock lock(mutex_);
  return tickets_;
}

bool heard_producer::has_failed() const {
  const std::scoped_lock lock(mutex_);
  return !failures_.empty();
}

std::uint64_t heard_producer::last() const {
  const std::scoped_lock lock(mutex_);
  return last_;
}

void heard_consumer::assigned(partition_id where) {
  const std::scoped_lock lock(mutex_);
  partitions_.insert(where);
  changed_.notify_all();
}

void heard_consumer::revoked(partition_id where) {
  const std::scoped_lock lock(mutex_);
  partitions_.erase(where);
  ++revocations_;
  changed_.notify_all();
}

void heard_consumer::available(partition_id) {
  const std::scoped_lock lock(mutex_);
  ++news_;
  changed_.notify_all();
}

void heard_consumer::wait_until(const std::function<bool()>& holds) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, holds);
}

void heard_consumer::wait_for_partitions(std::size_t count) {
  wait_until([&] { return partitions_.size() == count; });
}

void heard_consumer::wait_for_revocations(std::size_t at_least) {
  wait_until([&] { return revocations_ >= at_least; });
}

void heard_consumer::wait_for_records() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return news_ != seen_; });
  seen_ = news_;
}

std::set<partition_id> heard_consumer::partitions() const {
  const std::scoped_lock lock(mutex_);
  return partitions_;
}

std::size_t heard_consumer::revocations() const {
  const std::scoped_lock lock(mutex_);
  return revocations_;
}

own_broker::own_broker()
    : directory_(std::filesystem::temp_directory_path() / fresh("gantry-kafka-" + std::to_string(::getpid()))) {
  start();
}

own_broker::~own_broker() { run("remove"); }

void own_broker::run(const char* command) {
  const std::string line = std::string(GANTRY_KAFKA_STARTER " ") + command + " " + directory_.string();
  EXPECT_EQ(std::system(line.c_str()), 0) << line;
}

void own_broker::start() {
  run("start");
  address_ = address_in(directory_ / "env");
}

void own_broker::kill() { run("kill"); }

std::string shared_broker() {
  const auto named = variable("KAFKA_BOOTSTRAP");
  return named.empty() ? address_in(std::filesystem::path(GANTRY_KAFKA_DIRECTORY) / "env") : named;
}

std::string fresh(const std::string& name) { return name + "-" + new_uuid_string().substr(9); }

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

kafka_fixture::kafka_fixture(std::string brokers) {
  options.brokers = std::move(brokers);
  options.commit_interval = std::chrono::milliseconds{50};
  options.properties["heartbeat.interval.ms"] = "200";  // how soon a member hears of the others
}

kafka_fixture::~kafka_fixture() { close(); }

void kafka_fixture::open() {
  auto opened = open_kafka_bus(options);
  ASSERT_TRUE(opened) << opened.failure().text;
  bus = std::move(*opened);
}

void kafka_fixture::open_topic(std::uint32_t partitions, const std::string& name) {
  if (!bus) open();
  ASSERT_TRUE(bus);
  topic_name = name;
  // A broker that has just begun, on a busy machine, may not answer in time: then it is asked again, as the host does.
  auto opened = bus->open_topic({.name = name, .partitions = partitions});
  while (!opened && (opened.failure().code == errc::timeout || opened.failure().code == errc::unavailable))
    opened = bus->open_topic({.name = name, .partitions = partitions});
  ASSERT_TRUE(opened) << opened.failure().text;
  topic = *opened;
  produce();
}

void kafka_fixture::produce() {
  producer.reset();
  auto opened = bus->open_producer(acks);
  ASSERT_TRUE(opened) << opened.failure().text;
  producer = std::move(*opened);
}

void kafka_fixture::close() {
  observer.reset();
  producer.reset();
  bus.reset();
}

std::string kafka_fixture::encoded(const std::vector<std::string>& data, const std::string& key) {
  std::string out;
  for (const auto& text : data) {
    const auto value = json_string(text);
    const auto id = "id-" + std::to_string(++sequence);
    record r;
    r.time_us = time_us++;
    r.sequence = sequence;
    r.version = 2;
    r.key = key;
    r.type = "OrderCreated";
    r.id = id;
    r.data = value;
    encode(r, out);
  }
  return out;
}

result<void> kafka_fixture::append(const std::vector<std::string>& data, std::uint32_t partition,
                                   const std::string& key) {
  const auto records = encoded(data, key);
  const batch one{at(partition), static_cast<std::uint32_t>(data.size()), source, records};
  return producer->append(++ticket, {&one, 1});
}

void kafka_fixture::append_and_wait(const std::vector<std::string>& data, std::uint32_t partition) {
  const auto appended = append(data, partition);
  ASSERT_TRUE(appended) << appended.failure().text;
  ASSERT_TRUE(acks.wait_for(ticket));
}

std::vector<read_back> kafka_fixture::read(class consumer& from, heard_consumer& news, partition_id where,
                                           std::uint64_t at, std::size_t count) {
  std::vector<read_back> out;
  fetched got;
  while (out.size() < count) {
    const auto done = from.fetch(where, at, count - out.size(), 1 << 20, got);
    EXPECT_TRUE(done) << (done ? "" : done.failure().text);
    if (!done) return out;
    for (const auto& r : got.records) {
      const auto text = r.data.size() >= 2 ? r.data.substr(1, r.data.size() - 2) : r.data;
      out.push_back({r.offset, std::string(r.key), std::string(text), r.sequence});
    }
    at = got.next;
    if (got.records.empty()) news.wait_for_records();
  }
  return out;
}

std::vector<read_back> kafka_fixture::read(std::uint64_t at, std::size_t count, std::uint32_t partition) {
  if (!observer) observer = join("", observed);
  return read(*observer, observed, this->at(partition), at, count);
}

std::vector<std::string> kafka_fixture::data(std::uint64_t at, std::size_t count, std::uint32_t partition) {
  std::vector<std::string> out;
  for (auto& r : read(at, count, partition)) out.push_back(std::move(r.data));
  return out;
}

std::unique_ptr<class consumer> kafka_fixture::join(const std::string& group, heard_consumer& news) {
  auto joined = bus->open_consumer(group, {&topic, 1}, news);
  EXPECT_TRUE(joined) << (joined ? "" : joined.failure().text);
  return joined ? std::move(*joined) : nullptr;
}

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 4096> part{};
  while (const auto n = std::fread(part.data(), 1, part.size(), pipe)) out.append(part.data(), n);
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return out;
}

}  // namespace gantry::bus::kafka::testing
