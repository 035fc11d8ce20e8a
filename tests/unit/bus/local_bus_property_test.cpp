// Whatever the order of appends, syncs, closings and power cuts: what was acknowledged is read exactly once and in
// order, and no offset ever names two records.
#include <rapidcheck.h>

#include <iostream>
#include <set>

#include "bus_fixture.hpp"

namespace gantry::bus::local::testing {
namespace {

constexpr std::uint32_t partitions = 2;

// What one partition must hold.
struct expectation {
  std::vector<read_back> durable;             // acknowledged, or found after a cut
  std::vector<read_back> pending;             // appended since
  std::map<std::uint64_t, std::string> seen;  // every offset that was ever readable
};

class story {
 public:
  story() {
    shop_.options.segment_bytes = 2000;
    shop_.open_with_topic(partitions);
  }

  void append(std::uint32_t partition, int count) {
    std::vector<std::string> bodies;
    for (int i = 0; i < count; ++i) bodies.push_back("record " + std::to_string(++made_));
    RC_ASSERT(shop_.append(bodies, partition).ok());
    last_appended_ = shop_.ticket;
    auto& expected = expected_[partition];
    const auto all = shop_.read(0, partition);
    RC_ASSERT(all.size() == expected.durable.size() + expected.pending.size() + bodies.size());
    for (std::size_t i = all.size() - bodies.size(); i < all.size(); ++i) {
      RC_ASSERT(all[i].body == bodies[i + bodies.size() - all.size()]);
      const bool fresh = expected.seen.emplace(all[i].offset, all[i].body).second;
      RC_ASSERT(fresh);
      expected.pending.push_back(all[i]);
    }
  }

  void sync() {
    RC_ASSERT(shop_.bus->sync().ok());
    // The producer that appended before a restart is gone and hears no more.
    if (last_appended_ != 0) RC_ASSERT(shop_.acks.acknowledged_ticket() == last_appended_);
    settle();
  }

  void reopen() {
    shop_.reopen(partitions);
    last_appended_ = 0;
    settle();
  }

  void cut_power(std::size_t kept) {
    shop_.power_cut(kept);
    shop_.open_with_topic(partitions);
    last_appended_ = 0;
    for (std::uint32_t p = 0; p < partitions; ++p) {
      auto& expected = expected_[p];
      // Of what wasn't acknowledged a part from the front may have survived.
      const std::size_t found = shop_.read(0, p).size();
      RC_ASSERT(found >= expected.durable.size());
      const std::size_t survived = found - expected.durable.size();
      RC_ASSERT(survived <= expected.pending.size());
      expected.pending.resize(survived);
    }
    settle();
  }

  void check() {
    for (std::uint32_t p = 0; p < partitions; ++p) {
      auto all = expected_[p].durable;
      all.insert(all.end(), expected_[p].pending.begin(), expected_[p].pending.end());
      RC_ASSERT(shop_.read(0, p) == all);
      for (std::size_t i = 0; i < all.size(); i += 3) {
        RC_ASSERT(shop_.reader().lag({shop_.topic, p}, all[i].offset) == all.size() - i);
        RC_ASSERT(shop_.read(all[i].offset, p).size() == all.size() - i);
      }
    }
  }

 private:
  void settle() {
    for (auto& expected : expected_) {
      expected.durable.insert(expected.durable.end(), expected.pending.begin(), expected.pending.end());
      expected.pending.clear();
    }
  }

  bus_fixture shop_;
  expectation expected_[partitions];
  int made_ = 0;
  std::uint64_t last_appended_ = 0;
};

}  // namespace
}  // namespace gantry::bus::local::testing

TEST(LocalBusPropertyTest, AcknowledgedRecordsAreReadOnceAndInOrder) {
  using gantry::bus::local::testing::story;
  const bool holds = rc::check("any order of appends, syncs, closings and power cuts", [] {
    story shop;
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 20));
    for (const int step : steps) {
      if (step < 12)
        shop.append(static_cast<std::uint32_t>(step % 2), 1 + step / 3);
      else if (step < 16)
        shop.sync();
      else if (step < 17)
        shop.reopen();
      else
        shop.cut_power(*rc::gen::inRange<std::size_t>(0, 3000));
      shop.check();
    }
  });
  EXPECT_TRUE(holds);
}
