// What the operations API tells of stored events, read from a journal on this machine.
#include "admin/events.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <stdexcept>

#include "base/uuid.hpp"
#include "bus/local/local_bus.hpp"

namespace gantry::admin {
namespace {

namespace json = boost::json;

class stored final : public bus::producer_events {
 public:
  void acknowledged(std::uint64_t ticket) override {
    const std::lock_guard lock(mutex_);
    through_ = ticket;
    changed_.notify_all();
  }
  void failed(std::uint64_t, const error& why) override { ADD_FAILURE() << why.text; }
  void wait_for(std::uint64_t ticket) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return through_ >= ticket; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t through_ = 0;
};

class EventsTest : public testing::Test {
 protected:
  EventsTest() : directory_(std::filesystem::temp_directory_path() / ("gantry-admin-" + new_uuid_string())) {
    bus::local_bus_options options;
    options.directory = directory_;
    options.sync_interval = std::chrono::microseconds(0);
    auto opened = bus::open_local_bus(options);
    if (!opened) throw std::runtime_error(opened.failure().text);
    bus_ = std::move(*opened);
    for (const auto& [name, partitions] : {std::pair{"order-events", 2U}, std::pair{"payment-events", 1U}})
      topics_[name] = bus_->open_topic({.name = name, .partitions = partitions}).value();
    producer_ = std::move(bus_->open_producer(heard_).value());
    log_ = std::make_unique<event_log>(
        *bus_, [this]() -> const runtime::topic_directory& { return topics_; }, stop_);
  }
  ~EventsTest() override {
    log_.reset();
    producer_.reset();
    bus_.reset();
    std::filesystem::remove_all(directory_);
  }

  struct happened {
    std::string topic{}, type{}, key{}, id{}, correlation_id{}, causation_id{};
    std::int64_t time_us = 0;
    std::uint32_t partition = 0;
    std::string body = R"({"data":1})";
    std::string extra{};
  };

  void store(const happened& e) {
    bus::record r;
    r.time_us = e.time_us;
    r.sequence = ++sequence_;
    r.key = e.key;
    r.type = e.type;
    r.id = e.id;
    r.correlation_id = e.correlation_id;
    r.causation_id = e.causation_id;
    r.document = e.body;
    r.extra = e.extra;
    std::string bytes;
    bus::encode(r, bytes);
    const bus::batch one{{topics_.at(e.topic), e.partition}, 1, "/shop/order/one.1", bytes};
    const auto done = producer_->append(sequence_, {&one, 1});
    ASSERT_TRUE(done) << done.failure().text;
    heard_.wait_for(sequence_);
  }

  http::reply ask(std::vector<std::pair<std::string, std::string>> query) {
    return events(*log_, {{}, std::move(query)});
  }

  static json::object read(const http::reply& reply) {
    EXPECT_EQ(reply.status, 200) << reply.body;
    return json::parse(reply.body).as_object();
  }
  static std::vector<std::string> ids(const json::object& page) {
    std::vector<std::string> out;
    for (const auto& e : page.at("events").as_array())
      out.emplace_back(e.at("headers").at("ce_id").as_string().c_str());
    return out;
  }
  static std::string cursor(const json::object& page) { return page.at("cursor").as_string().c_str(); }
  using names = std::vector<std::string>;

  const std::filesystem::path directory_;
  std::unique_ptr<bus::bus> bus_;
  runtime::topic_directory topics_;
  stored heard_;
  std::unique_ptr<bus::producer> producer_;
  std::atomic<bool> stop_{false};
  std::unique_ptr<event_log> log_;
  std::uint64_t sequence_ = 0;
};

TEST_F(EventsTest, EventsOfAllTopicsComeInTheOrderOfTime) {
  store({.topic = "order-events", .type = "A", .key = "k", .id = "second", .time_us = 20});
  store({.topic = "payment-events", .type = "B", .key = "k", .id = "first", .time_us = 10});
  store({.topic = "order-events", .type = "A", .key = "l", .id = "third", .time_us = 30, .partition = 1});
  const auto page = read(ask({}));
  EXPECT_EQ(ids(page), (names{"first", "second", "third"}));
  EXPECT_FALSE(page.at("more").as_bool());
}

TEST_F(EventsTest, ACursorGoesOnWhereThePageEnded) {
  for (int i = 0; i < 5; ++i)
    store({.topic = "order-events",
           .type = "A",
           .key = "k",
           .id = "e" + std::to_string(i),
           .time_us = i,
           .partition = static_cast<std::uint32_t>(i % 2)});
  const auto first = read(ask({{"limit", "2"}}));
  EXPECT_EQ(ids(first), (names{"e0", "e1"}));
  EXPECT_TRUE(first.at("more").as_bool());
  const auto rest = read(ask({{"from", cursor(first)}}));
  EXPECT_EQ(ids(rest), (names{"e2", "e3", "e4"}));
  store({.topic = "order-events", .type = "A", .key = "k", .id = "later", .time_us = 9});
  EXPECT_EQ(ids(read(ask({{"from", cursor(rest)}}))), (names{"later"}));
}

TEST_F(EventsTest, FromTheEndOnlyWhatComesLaterIsSeen) {
  store({.topic = "order-events", .type = "A", .key = "k", .id = "before", .time_us = 1});
  const auto page = read(ask({{"from", "end"}}));
  EXPECT_EQ(ids(page), names{});
  store({.topic = "order-events", .type = "A", .key = "k", .id = "after", .time_us = 2});
  EXPECT_EQ(ids(read(ask({{"from", cursor(page)}}))), (names{"after"}));
}

TEST_F(EventsTest, FiltersCombine) {
  store({.topic = "order-events", .type = "A", .key = "k", .id = "1", .correlation_id = "c", .time_us = 1});
  store({.topic = "order-events", .type = "B", .key = "k", .id = "2", .correlation_id = "c", .time_us = 2});
  store({.topic = "payment-events", .type = "A", .key = "l", .id = "3", .correlation_id = "d", .time_us = 3});
  EXPECT_EQ(ids(read(ask({{"type", "A"}}))), (names{"1", "3"}));
  EXPECT_EQ(ids(read(ask({{"type", "A"}, {"key", "k"}}))), (names{"1"}));
  EXPECT_EQ(ids(read(ask({{"correlation", "c"}}))), (names{"1", "2"}));
  EXPECT_EQ(ids(read(ask({{"topic", "payment-events"}}))), (names{"3"}));
}

TEST_F(EventsTest, MetadataBearsTheNamesOfCloudEvents) {
  store({.topic = "order-events",
         .type = "OrderCreated",
         .key = "o1",
         .id = "e1",
         .correlation_id = "c1",
         .causation_id = "b1",
         .time_us = 1'000'000,
         .extra = "gantry-error\x1fno stock\x1e"});
  const auto event = read(ask({})).at("events").at(0);
  const auto& h = event.at("headers").as_object();
  EXPECT_EQ(h.at("ce_sequence").as_string(), "00000000000000000001");
  EXPECT_EQ(h.at("ce_time").as_string(), "1970-01-01T00:00:01.000000Z");
  EXPECT_EQ(h.at("ce_subject").as_string(), "o1");
  EXPECT_EQ(h.at("ce_source").as_string(), "/shop/order/one.1");
  EXPECT_EQ(h.at("correlation-id").as_string(), "c1");
  EXPECT_EQ(h.at("causation-id").as_string(), "b1");
  EXPECT_EQ(h.at("gantry-error").as_string(), "no stock");
  EXPECT_EQ(event.at("plugin").as_string(), "order");
  EXPECT_EQ(event.at("body").at("data").as_int64(), 1);
}

TEST_F(EventsTest, ABodyThatIsNotJsonComesAsText) {
  store({.topic = "order-events", .type = "A", .key = "k", .id = "1", .body = "not \"json\" \xFF"});
  EXPECT_EQ(read(ask({})).at("events").at(0).at("body").as_string(), "not \"json\" \xEF\xBF\xBD");
}

TEST_F(EventsTest, BadQuestionsAreRefused) {
  EXPECT_EQ(ask({{"limit", "0"}}).status, 400);
  EXPECT_EQ(ask({{"limit", "1001"}}).status, 400);
  EXPECT_EQ(ask({{"limit", "-1"}}).status, 400);
  EXPECT_EQ(ask({{"from", "yesterday"}}).status, 400);
  EXPECT_EQ(ask({{"from", "order-events:1.x"}}).status, 400);
  EXPECT_EQ(ask({{"topic", "nothing"}}).status, 404);
}

TEST_F(EventsTest, ATraceIsATimelineOfOneCorrelation) {
  store(
      {.topic = "order-events", .type = "OrderCreated", .key = "o", .id = "a", .correlation_id = "c", .time_us = 5000});
  store({.topic = "order-events", .type = "Other", .key = "o", .id = "x", .correlation_id = "d", .time_us = 6000});
  store({.topic = "payment-events",
         .type = "PaymentProcessed",
         .key = "o",
         .id = "b",
         .correlation_id = "c",
         .causation_id = "a",
         .time_us = 7250});
  const auto way = read(trace(*log_, {{"c"}, {}}));
  const auto& events = way.at("events").as_array();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].at("type").as_string(), "PaymentProcessed");
  EXPECT_DOUBLE_EQ(events[1].at("sinceStartMs").as_double(), 2.25);
  EXPECT_EQ(events[1].at("causationId").as_string(), "a");
  EXPECT_EQ(trace(*log_, {{"nobody"}, {}}).status, 404);
}

TEST_F(EventsTest, ATopicThatIsNewIsSeen) {
  EXPECT_EQ(ask({{"topic", "returns"}}).status, 404);
  topics_["returns"] = bus_->open_topic({.name = "returns", .partitions = 1}).value();
  store({.topic = "returns", .type = "Returned", .key = "o", .id = "r", .time_us = 5000});
  EXPECT_EQ(ids(read(ask({{"topic", "returns"}}))), names{"r"});
}

TEST_F(EventsTest, ATraceFindsEventsOlderThanItsIdSays) {
  // The client made the id with a clock that is far ahead of this machine's.
  const std::string id = "ffffffff-ffff-7000-8000-000000000000";
  store({.topic = "order-events", .type = "A", .key = "o", .id = "a", .correlation_id = id, .time_us = 5000});
  EXPECT_EQ(trace(*log_, {{id}, {}}).status, 200);
}

TEST_F(EventsTest, AStoppingHostGivesUpItsScans) {
  store({.topic = "order-events", .type = "A", .key = "k", .id = "1"});
  stop_ = true;
  EXPECT_EQ(ask({}).status, 503);
}

}  // namespace
}  // namespace gantry::admin
