// Several processes on one bus, some of which are killed.
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "bus/local/local_bus.hpp"
#include "bus/socket/bus_server.hpp"
#include "bus/socket/socket_bus.hpp"
#include "child.hpp"
#include "scratch.hpp"
#include "sequences.hpp"

namespace gantry::bus::socket::testing {
namespace {

constexpr std::uint32_t partitions = 3;

class SocketProcessesTest : public ::testing::Test {
 protected:
  void own(std::chrono::milliseconds silence = std::chrono::seconds{10}) {
    local_bus_options options;
    options.directory = scratch_.path / "journal";
    auto opened = open_local_bus(options);
    ASSERT_TRUE(opened) << opened.failure().text;
    journal_ = std::move(*opened);
    auto served = serve_bus(*journal_, {.path = socket(), .silence = silence});
    ASSERT_TRUE(served) << served.failure().text;
    server_ = std::move(*served);
    topic_ = *journal_->open_topic({.name = "numbers", .partitions = partitions});
  }
  std::unique_ptr<bus> connect(std::string member) {
    auto opened =
        open_socket_bus({.path = socket(), .member = std::move(member), .connect_wait = std::chrono::seconds{20}});
    EXPECT_TRUE(opened) << (opened ? "" : opened.failure().text);
    return opened ? std::move(*opened) : nullptr;
  }
  std::filesystem::path socket() const { return scratch_.path / "bus.sock"; }
  std::string folder() const { return scratch_.path.string(); }

  scratch scratch_;
  std::unique_ptr<bus> journal_;
  std::unique_ptr<bus_server> server_;
  topic_id topic_ = 0;
};

TEST_F(SocketProcessesTest, AProducerThatIsKilledAgainAndAgainLosesNothing) {
  own();
  const auto bus = connect("reader");
  topic_ = *bus->open_topic({.name = "numbers", .partitions = partitions});
  reader reading(*bus, topic_, partitions);
  ASSERT_TRUE(reading.open("readers"));
  constexpr std::uint64_t last = 60'000;
  std::string wrong = "not read";
  std::thread reads([&] { wrong = reading.read_through(last); });
  std::uint64_t acknowledged = 0;
  for (int kills = 0; kills < 4; ++kills) {
    child sending({"relay", folder(), std::to_string(acknowledged + 1), std::to_string(last)});
    const auto enough = acknowledged + 8000;
    while (acknowledged < enough) {
      const auto said = sending.next();
      ASSERT_TRUE(said);
      acknowledged = std::max(acknowledged, *said);
    }
    sending.kill();
    while (const auto said = sending.next()) acknowledged = std::max(acknowledged, *said);
  }
  child sending({"relay", folder(), std::to_string(acknowledged + 1), std::to_string(last)});
  while (sending.next()) {
  }
  EXPECT_EQ(sending.finish(), 0);
  reads.join();
  EXPECT_EQ(wrong, "");
}

TEST_F(SocketProcessesTest, AnOwnerThatIsKilledUnderLoadLosesNothingThatWasAcknowledged) {
  auto owner = std::make_unique<child>(std::vector<std::string>{"owner", folder()});
  ASSERT_TRUE(owner->next());
  const auto bus = connect("both");
  const std::string id(bus->id());
  topic_ = *bus->open_topic({.name = "numbers", .partitions = partitions});
  relay sending(*bus, topic_, partitions, "/test");
  reader reading(*bus, topic_, partitions);
  ASSERT_TRUE(reading.open("readers"));
  constexpr std::uint64_t last = 60'000;
  std::string wrong = "not read";
  bool sent = false;
  std::thread sends([&] { sent = sending.send(1, last); });
  std::thread reads([&] { wrong = reading.read_through(last); });
  for (std::uint64_t kills = 1; kills <= 3; ++kills) {
    EXPECT_TRUE(eventually([&] { return sending.acknowledged_ticket() >= kills * 10'000; }));
    owner->kill();
    EXPECT_TRUE(eventually([&] { return !bus->health(); }));
    owner = std::make_unique<child>(std::vector<std::string>{"owner", folder()});
    EXPECT_TRUE(owner->next());
  }
  sends.join();
  reads.join();
  EXPECT_TRUE(sent);
  EXPECT_GE(sending.failures(), 3);
  EXPECT_EQ(wrong, "");
  EXPECT_TRUE(bus->health());
  EXPECT_EQ(bus->id(), id);
  EXPECT_GE(reading.revocations(), 3 * partitions);
}

TEST_F(SocketProcessesTest, AMemberThatIsKilledLeavesItsPartitionsToTheOthers) {
  own();
  const auto bus = connect("survivor");
  topic_ = *bus->open_topic({.name = "numbers", .partitions = partitions});
  reader reading(*bus, topic_, partitions);
  ASSERT_TRUE(reading.open("shared"));
  EXPECT_EQ(reading.owned(), partitions);
  child other({"member", folder(), "shared"});
  ASSERT_TRUE(other.next());
  EXPECT_TRUE(eventually([&] { return reading.owned() == partitions - 1; }));
  other.kill();
  EXPECT_TRUE(eventually([&] { return reading.owned() == partitions; }));
  relay sending(*journal_, topic_, partitions, "/owner");
  ASSERT_TRUE(sending.send(1, 300));
  EXPECT_EQ(reading.read_through(300), "");
}

TEST_F(SocketProcessesTest, AMemberThatStandsStillLosesItsPartitionsAndComesBack) {
  own(std::chrono::seconds{2});
  reader here(*journal_, topic_, partitions);
  ASSERT_TRUE(here.open("shared"));
  child there({"member", folder(), "shared"});
  ASSERT_TRUE(there.next());
  there.signal(SIGSTOP);
  EXPECT_TRUE(eventually([&] { return here.owned() == partitions; }));
  there.signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return here.owned() == partitions - 1; }));
}

TEST_F(SocketProcessesTest, AMemberOfTheOwnersOwnProcessSharesWithThoseBeyondTheSocket) {
  own();
  reader here(*journal_, topic_, partitions);
  ASSERT_TRUE(here.open("shared"));
  {
    child there({"member", folder(), "shared"});
    ASSERT_TRUE(there.next());
    EXPECT_EQ(here.owned(), partitions - 1);
    EXPECT_EQ(there.finish(), 0);
  }
  EXPECT_TRUE(eventually([&] { return here.owned() == partitions; }));
}

TEST_F(SocketProcessesTest, AHundredMegabytesOfBacklogComeThrough) {
  own();
  constexpr std::uint64_t batches = 800;
  constexpr std::uint64_t in_batch = 128;
  relay acks(*journal_, topic_, partitions, "/owner");
  std::string bytes;
  for (std::uint64_t i = 0; i < in_batch; ++i) bytes += numbered(0, 1000);
  auto producer = std::move(*journal_->open_producer(acks));
  for (std::uint64_t i = 1; i <= batches; ++i) {
    const batch one{{topic_, static_cast<std::uint32_t>(i % partitions)}, in_batch, "/owner", bytes};
    ASSERT_TRUE(producer->append(i, {&one, 1}));
  }
  const auto bus = connect("reader");
  topic_ = *bus->open_topic({.name = "numbers", .partitions = partitions});
  reader heard(*bus, topic_, partitions);
  ASSERT_TRUE(heard.open(""));
  std::uint64_t seen = 0;
  fetched got;
  for (std::uint32_t p = 0; p < partitions; ++p) {
    std::uint64_t next = 0;
    do {
      ASSERT_TRUE(heard.on_bus().fetch({topic_, p}, next, 500, 1 << 20, got));
      for (const auto& r : got.records) ASSERT_EQ(r.data.size(), 1000U);
      seen += got.records.size();
      ASSERT_GT(got.next, next);
      next = got.next;
    } while (got.more);
    EXPECT_EQ(heard.on_bus().lag({topic_, p}, next), 0U);
  }
  EXPECT_EQ(seen, batches * in_batch);
}

}  // namespace
}  // namespace gantry::bus::socket::testing
