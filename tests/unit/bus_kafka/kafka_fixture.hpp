// A bus on a real broker, and what tests do with it.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "bus/kafka/kafka_bus.hpp"

namespace gantry::bus::kafka::testing {

class heard_producer final : public producer_events {
 public:
  void acknowledged(std::uint64_t ticket) override;
  void failed(std::uint64_t ticket, const error& why) override;
  // Waits until all through this ticket is acknowledged, or something failed; true: acknowledged.
  bool wait_for(std::uint64_t ticket);
  error wait_for_failure();
  std::vector<std::uint64_t> tickets() const;
  bool has_failed() const;
  std::uint64_t last() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint64_t> tickets_;
  std::uint64_t last_ = 0;
  std::vector<error> failures_;
};

class heard_consumer final : public consumer_events {
 public:
  void assigned(partition_id where) override;
  void revoked(partition_id where) override;
  void available(partition_id where) override;
  // Waits until this holds; asked again whenever something was heard. Called with the lock held.
  void wait_until(const std::function<bool()>& holds);
  void wait_for_partitions(std::size_t count);
  void wait_for_revocations(std::size_t at_least);
  // Waits for the next news of records since the last call.
  void wait_for_records();
  std::set<partition_id> partitions() const;
  std::size_t revocations() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::set<partition_id> partitions_;
  std::size_t revocations_ = 0;
  std::uint64_t news_ = 0;
  std::uint64_t seen_ = 0;
};

// A broker of a test's own, to be killed.
class own_broker {
 public:
  own_broker();
  ~own_broker();
  void start();
  void kill();
  const std::string& address() const noexcept { return address_; }

 private:
  void run(const char* command);
  std::filesystem::path directory_;
  std::string address_;
};

// Its address: KAFKA_BOOTSTRAP, or what the starter has written.
std::string shared_broker();

struct read_back {
  std::uint64_t offset = 0;
  std::string key;
  std::string data;
  std::uint64_t sequence = 0;
  friend bool operator==(const read_back&, const read_back&) = default;
};

// "name-<something new>"
std::string fresh(const std::string& name);

std::int64_t now_us();
std::string json_string(std::string_view text);

class kafka_fixture {
 public:
  explicit kafka_fixture(std::string brokers = shared_broker());
  ~kafka_fixture();

  void open();
  void open_topic(std::uint32_t partitions = 1, const std::string& name = fresh("orders"));
  void produce();
  void close();

  // Appends records of one source to one partition, as one ticket; sequences count on.
  result<void> append(const std::vector<std::string>& data, std::uint32_t partition = 0, const std::string& key = "k");
  std::string encoded(const std::vector<std::string>& data, const std::string& key = "k");
  void append_and_wait(const std::vector<std::string>& data, std::uint32_t partition = 0);

  // Reads exactly so many records from here on, waiting for them.
  std::vector<read_back> read(class consumer& from, heard_consumer& news, partition_id where, std::uint64_t at,
                              std::size_t count);
  std::vector<read_back> read(std::uint64_t at, std::size_t count, std::uint32_t partition = 0);
  std::vector<std::string> data(std::uint64_t at, std::size_t count, std::uint32_t partition = 0);

  std::unique_ptr<consumer> join(const std::string& group, heard_consumer& news);
  partition_id at(std::uint32_t partition) const { return {topic, partition}; }

  kafka_bus_options options;
  std::unique_ptr<class bus> bus;
  heard_producer acks;
  std::unique_ptr<class producer> producer;
  heard_consumer observed;
  std::unique_ptr<class consumer> observer;
  topic_id topic = 0;
  std::string topic_name;
  std::uint64_t ticket = 0;
  std::uint64_t sequence = 0;
  std::int64_t time_us = now_us();
  std::string source = "/shop/order/s1.1";
};

// What a command prints; its failure fails the test.
std::string output_of(const std::string& command);

}  // namespace gantry::bus::kafka::testing
