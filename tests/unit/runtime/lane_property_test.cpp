// Whatever happens in whatever order, every event has its effect once, in the order of its key.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "bench.hpp"

namespace gantry::testing {
namespace {

RC_GTEST_PROP(lane_property, exactly_once_whatever_happens, ()) {
  script plays;
  plays.batches = *rc::gen::arbitrary<bool>();
  plays.event = [](const gantry_event& e, gantry_tx* tx) -> gantry_status {
    if (const auto s = insert(tx, text(e.key), text(e.data)); s != GANTRY_OK) return s;
    return emit(tx, text(e.key), text(e.data));
  };
  plays.batch = [&plays](const gantry_event* e, std::size_t n, gantry_tx* tx, std::size_t*) -> gantry_status {
    for (std::size_t i = 0; i < n; ++i)
      if (const auto s = plays.event(e[i], tx); s != GANTRY_OK) return s;
    return GANTRY_OK;
  };
  runtime::lane_options options;
  options.batch_max = *rc::gen::inRange<std::size_t>(1, 6);
  bench b(plays, options);

  std::map<std::string, std::string> published;
  std::map<std::string, std::string> written;
  int number = 0;
  const auto steps = *rc::gen::resize(25, rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 16)));
  for (const int s : steps) {
    const std::string key = "k" + std::to_string(number % 5);
    switch (s) {
      default:
        b.publish(key, std::to_string(number));
        published[key] += std::to_string(number) + " ";
        ++number;
        break;
      case 6:
      case 7: {
        const std::string own = "w" + std::to_string(number % 2);
        const std::string data = std::to_string(number++);
        RC_ASSERT(b.write([&](gantry_tx& tx) { return emit(&tx, own, data); }) == GANTRY_OK);
        written[own] += data + " ";
        break;
      }
      case 8:
        b.write([](gantry_tx&) { return GANTRY_OK; });
        break;
      case 9:
        b.crash();
        break;
      case 10:
        b.stop();
        b.start();
        break;
      case 11:
        b.events->lose_acknowledgements();
        break;
      case 12:
        b.events->cut();
        break;
      case 13:
        b.events->heal();
        break;
      case 14:
        b.replay();
        break;
      case 15:
        b.time.pass(100'000);
        b.lane().tick();
        break;
    }
  }
  b.events->heal();
  b.settle();

  std::map<std::string, std::string> handled;
  for (const auto& r : b.rows()) handled[r.key] += r.body + " ";
  RC_ASSERT(handled == published);
  std::map<std::string, std::string> emitted;
  for (const auto& r : b.emitted()) emitted[r.key] += r.body + " ";
  auto expected = published;
  expected.insert(written.begin(), written.end());
  RC_ASSERT(emitted == expected);
}

}  // namespace
}  // namespace gantry::testing
