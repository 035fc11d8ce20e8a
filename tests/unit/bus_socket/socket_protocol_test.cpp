// What comes over the socket that should not, and what lies in the way of it.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include "../thread_famine.hpp"
#include "bus/local/local_bus.hpp"
#include "bus/socket/bus_server.hpp"
#include "bus/socket/socket_bus.hpp"
#include "raw_client.hpp"
#include "scratch.hpp"
#include "sequences.hpp"

namespace gantry::bus::socket::testing {
namespace {

constexpr std::uint32_t partitions = 3;

class SocketBusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    journal_ = open_journal("journal");
    serve();
  }
  std::unique_ptr<bus> open_journal(const std::string& name) {
    local_bus_options options;
    options.directory = scratch_.path / name;
    return std::move(*open_local_bus(options));
  }
  void serve() {
    auto served = try_serve();
    ASSERT_TRUE(served) << served.failure().text;
    server_ = std::move(*served);
  }
  result<std::unique_ptr<bus_server>> try_serve() {
    return serve_bus(*journal_, {.path = path_, .on_log = [this](int level, std::string_view text) {
                                   const std::scoped_lock lock(mutex_);
                                   if (level <= 4) log_.append(text).append("\n");
                                 }});
  }
  result<std::unique_ptr<bus>> try_connect(std::string member = "test",
                                           std::chrono::milliseconds silence = std::chrono::seconds{10}) {
    return open_socket_bus({.path = path_, .member = std::move(member), .silence = silence});
  }
  std::unique_ptr<bus> connect(std::string member = "test") {
    auto opened = try_connect(std::move(member));
    EXPECT_TRUE(opened) << (opened ? "" : opened.failure().text);
    return opened ? std::move(*opened) : nullptr;
  }
  bool was_logged(std::string_view text) {
    return eventually([&] {
      const std::scoped_lock lock(mutex_);
      return log_.find(text) != std::string::npos;
    });
  }
  // Records go in and come out.
  void expect_all_is_well(bus& on) {
    const auto topic = *on.open_topic({.name = "numbers", .partitions = partitions});
    reader reading(on, topic, partitions);
    ASSERT_TRUE(reading.open(""));
    relay sending(on, topic, partitions, "/well");
    ASSERT_TRUE(sending.send(1, 100));
    EXPECT_EQ(reading.read_through(100), "");
  }

  scratch scratch_;
  std::filesystem::path path_ = scratch_.path / "bus.sock";
  std::mutex mutex_;
  std::string log_;
  std::unique_ptr<bus> journal_;
  std::unique_ptr<bus_server> server_;
};

// A bus that keeps whoever asks for its topics until it is opened.
class gated_bus final : public bus {
 public:
  explicit gated_bus(bus& of) : of_(of) {}
  std::string_view id() const override { return of_.id(); }
  result<topic_id> open_topic(const topic_spec& spec) override { return of_.open_topic(spec); }
  const topic_spec& topic(topic_id id) const override { return of_.topic(id); }
  std::vector<topic_spec> topics() const override {
    std::unique_lock lock(mutex_);
    waiting_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    return of_.topics();
  }
  result<std::unique_ptr<producer>> open_producer(producer_events& events) override {
    return of_.open_producer(events);
  }
  result<std::unique_ptr<consumer>> open_consumer(std::string_view group, std::span<const topic_id> topics,
                                                  consumer_events& events) override {
    return of_.open_consumer(group, topics, events);
  }
  result<void> health() const override { return of_.health(); }

  void wait_for_caller() const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_; });
  }
  void open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  bus& of_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable bool waiting_ = false;
  bool open_ = false;
};

TEST_F(SocketBusTest, OfConnectionsThatReplaceOneThatCantEndOneWaits) {
  server_.reset();
  gated_bus gated(*journal_);
  auto served = serve_bus(gated, {.path = path_});
  ASSERT_TRUE(served) << served.failure().text;
  raw_client old(path_);
  old.hello();
  ASSERT_TRUE(old.next(message::welcome));
  std::string question;
  frame_writer(question, message::topics).u32(1);
  old.send(question);
  gated.wait_for_caller();
  raw_client second(path_);
  second.hello();
  raw_client third(path_);
  third.hello();
  EXPECT_TRUE(second.is_cut_off());
  raw_client last(path_);
  last.hello();
  EXPECT_TRUE(third.is_cut_off());
  EXPECT_EQ((*served)->clients(), 1U);
  gated.open();
  EXPECT_TRUE(last.next(message::welcome));
}

TEST_F(SocketBusTest, WithoutAThreadForItAClientIsRefusedAndTheOthersGoOn) {
  const auto good = connect();
  {
    const gantry::testing::thread_famine none;
    raw_client refused(path_);
    EXPECT_TRUE(refused.is_cut_off());
    EXPECT_TRUE(was_logged("a bus client was refused: the system gives no thread"));
  }
  expect_all_is_well(*good);
  expect_all_is_well(*connect("another"));
}

TEST_F(SocketBusTest, WithoutAThreadTheBusIsNotServed) {
  server_.reset();
  const gantry::testing::thread_famine none;
  const auto served = try_serve();
  ASSERT_FALSE(served);
  EXPECT_EQ(served.failure().code, errc::io);
}

TEST_F(SocketBusTest, RubbishEndsItsOwnConnectionOnly) {
  const auto good = connect();
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    raw_client bad(path_);
    if (i % 2 == 0) bad.hello();
    std::string rubbish(100 + random() % 3000, '\0');
    for (auto& c : rubbish) c = static_cast<char>(random());
    // A length that no frame has: random ones may ask for more bytes than ever come.
    rubbish.replace(0, 4, "\xff\xff\xff\xff");
    bad.send(rubbish);
    EXPECT_TRUE(bad.is_cut_off());
  }
  EXPECT_TRUE(was_logged("is cut off"));
  expect_all_is_well(*good);
}

TEST_F(SocketBusTest, FramesWhoseFieldsDoNotAddUpEndTheConnection) {
  for (int kind = 0; kind < 256; ++kind) {
    raw_client bad(path_);
    bad.hello();
    ASSERT_TRUE(bad.next(message::welcome));
    std::string frame;
    frame_writer(frame, static_cast<message>(kind)).u8(1).u8(2);
    bad.send(frame);
    EXPECT_TRUE(bad.is_cut_off()) << kind;
  }
  expect_all_is_well(*connect());
}

TEST_F(SocketBusTest, AClientOfAnotherVersionHearsBothVersions) {
  raw_client old(path_);
  old.hello(protocol_version + 1);
  const auto refused = old.next(message::refused);
  ASSERT_TRUE(refused);
  frame_reader in(*refused);
  EXPECT_EQ(in.u16(), protocol_version);
  const auto why = in.failure();
  EXPECT_EQ(why.code, errc::unsupported);
  EXPECT_NE(why.text.find("speaks version 1"), std::string::npos);
  EXPECT_NE(why.text.find("version 2"), std::string::npos);
  EXPECT_TRUE(old.is_cut_off());
}

TEST_F(SocketBusTest, AnOwnerOfAnotherVersionIsNamed) {
  server_.reset();
  const auto listening = std::move(*listener_socket::open(path_));
  std::thread owner([&] {
    const auto event = std::move(*wake_event::make());
    wait_for_accept(listening, event, std::chrono::seconds{10});
    raw_client other(std::move(*listening.accept()));
    static_cast<void>(other.next(message::hello));
    std::string out;
    frame_writer(out, message::refused).u16(9).failure({errc::unsupported, "the owner speaks version 9"});
    other.send(out);
    static_cast<void>(other.is_cut_off());
  });
  const auto refused = try_connect();
  owner.join();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.failure().code, errc::unsupported);
  EXPECT_NE(refused.failure().text.find("version 9"), std::string::npos);
}

TEST_F(SocketBusTest, AnOwnerThatSaysNothingIsGivenUp) {
  server_.reset();
  const auto listening = std::move(*listener_socket::open(path_));
  const auto given_up = try_connect("test", std::chrono::milliseconds{100});
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.failure().code, errc::unavailable);
  EXPECT_NE(given_up.failure().text.find("has said nothing for 100 ms"), std::string::npos);
}

TEST_F(SocketBusTest, ASlowClientHoldsUpNobody) {
  const auto topic = *journal_->open_topic({.name = "numbers", .partitions = partitions});
  raw_client slow(path_);
  slow.hello();
  ASSERT_TRUE(slow.next(message::welcome));
  std::string out;
  frame_writer(out, message::open_consumer).u32(1).u32(1).u64(frame_max).text("").u32(1).u32(topic);
  slow.send(out);
  ASSERT_TRUE(slow.next(message::answer));
  // It asks for everything again and again, and reads none of it.
  out.clear();
  for (std::uint32_t call = 1; call < 2000; ++call)
    frame_writer(out, message::fetch)
        .u32(1)
        .partition({topic, call % partitions})
        .u32(call)
        .u32(call)
        .u64(0)
        .u64(1000)
        .u64(1 << 20);
  slow.send(out);
  const auto bus = connect();
  ASSERT_EQ(*bus->open_topic({.name = "numbers", .partitions = partitions}), topic);
  reader reading(*bus, topic, partitions);
  ASSERT_TRUE(reading.open("quick"));
  relay sending(*bus, topic, partitions, "/quick");
  ASSERT_TRUE(sending.send(1, 30'000));
  EXPECT_EQ(reading.read_through(30'000), "");
}

TEST_F(SocketBusTest, ASocketThatADeadOwnerLeftIsReplaced) {
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
  {
    const int left = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path_.string().copy(name.sun_path, sizeof name.sun_path - 1);
    ASSERT_EQ(::bind(left, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    ::close(left);
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  EXPECT_EQ(try_connect().failure().code, errc::unavailable);
  serve();
  expect_all_is_well(*connect());
  struct stat found {};
  ASSERT_EQ(::stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
}

TEST_F(SocketBusTest, ALivingOwnerIsNotReplaced) {
  const auto second = try_serve();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.failure().code, errc::conflict);
  EXPECT_NE(second.failure().text.find(std::to_string(::getpid())), std::string::npos);
  expect_all_is_well(*connect());
}

TEST_F(SocketBusTest, WhatIsNoSocketIsLeftAlone) {
  server_.reset();
  std::ofstream(path_) << "mine";
  EXPECT_EQ(try_serve().failure().code, errc::invalid);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SocketBusTest, AFolderThatOthersMayWriteIsRefused) {
  server_.reset();
  ASSERT_EQ(::chmod(scratch_.path.c_str(), 0777), 0);
  EXPECT_EQ(try_serve().failure().code, errc::invalid);
  ASSERT_EQ(::chmod(scratch_.path.c_str(), 0700), 0);
  serve();
}

TEST_F(SocketBusTest, APathLongerThanASocketsNameWorks) {
  server_.reset();
  path_ = scratch_.path / std::string(120, 'd');
  std::filesystem::create_directory(path_);
  path_ /= "bus.sock";
  serve();
  expect_all_is_well(*connect());
}

TEST_F(SocketBusTest, TwoProcessesCanNotBeTheSameMember) {
  auto first = connect("order");
  const auto second = try_connect("order");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.failure().code, errc::conflict);
  EXPECT_NE(second.failure().text.find("'order'"), std::string::npos);
  first.reset();
  EXPECT_TRUE(eventually([&] { return try_connect("order").ok(); }));
}

TEST_F(SocketBusTest, AClientGoesOnByItselfWhenTheOwnerIsBack) {
  const auto bus = connect();
  const auto topic = *bus->open_topic({.name = "numbers", .partitions = partitions});
  reader reading(*bus, topic, partitions);
  ASSERT_TRUE(reading.open("readers"));
  relay sending(*bus, topic, partitions, "/again");
  ASSERT_TRUE(sending.send(1, 100));
  EXPECT_EQ(reading.read_through(100), "");
  server_.reset();
  EXPECT_TRUE(eventually([&] { return reading.owned() == 0; }));
  EXPECT_EQ(bus->health().failure().code, errc::unavailable);
  fetched got;
  EXPECT_TRUE(reading.on_bus().fetch({topic, 0}, 0, 10, 1000, got));
  EXPECT_EQ(got.records.size(), 0U);
  EXPECT_EQ(reading.on_bus().range({topic, 0}).failure().code, errc::unavailable);
  EXPECT_EQ(bus->open_topic({.name = "other"}).failure().code, errc::unavailable);
  EXPECT_EQ(bus->topic(topic).name, "numbers");
  serve();
  EXPECT_TRUE(eventually([&] { return reading.owned() == partitions; }));
  EXPECT_TRUE(bus->health());
  ASSERT_TRUE(sending.send(101, 200));
  EXPECT_EQ(reading.read_through(200), "");
  EXPECT_EQ(reading.repeated(), 0U);
}

TEST_F(SocketBusTest, AnOwnerWithAnotherBusIsRefused) {
  const auto bus = connect();
  server_.reset();
  journal_ = open_journal("another");
  serve();
  EXPECT_TRUE(eventually([&] {
    const auto health = bus->health();
    return !health && health.failure().code == errc::conflict;
  }));
  EXPECT_NE(bus->health().failure().text.find("another bus"), std::string::npos);
}

TEST_F(SocketBusTest, RecordsThatWereSentAheadAreDroppedWhenTheReaderJumps) {
  const auto bus = connect();
  const auto topic = *bus->open_topic({.name = "one"});
  reader heard(*bus, topic, 1);
  ASSERT_TRUE(heard.open(""));
  relay sending(*bus, topic, 1, "/ahead");
  ASSERT_TRUE(sending.send(1, 2000));
  fetched got;
  for (const std::uint64_t from : {0U, 1500U, 3U, 1999U, 0U, 700U}) {
    std::uint64_t next = from;
    for (int i = 0; i < 3 && next < 2000; ++i) {
      ASSERT_TRUE(heard.on_bus().fetch({topic, 0}, next, i == 1 ? 7 : 100, 1 << 20, got));
      ASSERT_FALSE(got.records.empty());
      EXPECT_EQ(got.records.front().offset, next);
      for (const auto& r : got.records) EXPECT_EQ(r.sequence, r.offset + 1);
      EXPECT_EQ(got.next, got.records.back().offset + 1);
      EXPECT_EQ(got.records.front().source, "/ahead");
      next = got.next;
    }
  }
}

}  // namespace
}  // namespace gantry::bus::socket::testing
