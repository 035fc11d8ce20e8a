// Whatever becomes of partitions and hosts, in whatever order, every event has its effect once, in the order of its key.
#include <rapidcheck.h>

#include <cstdlib>
#include <map>

#include "shared_store.hpp"

namespace gantry::testing {
namespace {

class replicas_property : public shared_store {
 protected:
  // Each case waits for leases and claims. RC_PARAMS from outside wins.
  static void SetUpTestSuite() { setenv("RC_PARAMS", "max_success=30 max_size=60", 0); }
};

TEST_F(replicas_property, exactly_once_whatever_becomes_of_hosts_and_partitions) {
  script plays[2];
  for (auto& p : plays)
    p.event = [](const gantry_event& e, gantry_tx* tx) -> gantry_status {
      if (const auto s = insert(tx, text(e.key), text(e.data)); s != GANTRY_OK) return s;
      return emit(tx, text(e.key), text(e.data));
    };
  std::unique_ptr<replica> hosts[2] = {start("a", plays[0]), start("b", plays[1])};
  bool frozen[2] = {false, false};
  std::map<std::string, std::string> published;
  std::map<std::string, std::string> written;
  int number = 0;
  EXPECT_TRUE(rc::check("exactly once", [&] {
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 24));
    for (const int s : steps) {
      const auto who = static_cast<std::size_t>(s % 2);
      const auto part = static_cast<std::uint32_t>(s / 2 % 2);
      auto& host = *hosts[who];
      const auto halt = [&](bool on) {
        if (frozen[who] == on) return;
        on ? host.freeze() : host.thaw();
        frozen[who] = on;
      };
      if (s < 8) {
        const auto key = key_in(part, number % 3);
        publish(key, std::to_string(number));
        published[key] += std::to_string(number++) + " ";
      } else if (s < 12) {
        host.give(part);
      } else if (s < 14) {
        host.take(part);
      } else if (s < 16) {
        halt(true);
      } else if (s < 18) {
        halt(false);
      } else if (s < 19) {
        halt(false);
        host.stop();
        hosts[who] = start(who == 0 ? "a" : "b", plays[who]);
      } else if (!frozen[who]) {
        const auto key = "own-" + std::to_string(who);
        const auto data = std::to_string(number++);
        RC_ASSERT(host.write([&](gantry_tx& tx) { return emit(&tx, key, data); }) == GANTRY_OK);
        written[key] += data + " ";
      }
    }
    // In the end one host has all, and knows it; the other one has heard.
    for (std::size_t who = 0; who < 2; ++who) {
      if (frozen[who]) hosts[who]->thaw();
      frozen[who] = false;
    }
    for (std::uint32_t part = 0; part < partitions; ++part) {
      hosts[0]->take(part);
      hosts[1]->give(part);
    }
    const auto told = [&] {
      std::map<std::string, std::string> out;
      for (const auto& r : emitted()) out[r.key] += r.body + " ";
      return out;
    };
    auto expected = published;
    expected.insert(written.begin(), written.end());
    until([&] { return told().size() == expected.size() && told() == expected; }, "all is on the bus, in order");
    for (const auto& [key, bodies] : published) RC_ASSERT(of_key(key) + " " == bodies);
    RC_ASSERT(told() == expected);
  }));
}

}  // namespace
}  // namespace gantry::testing
