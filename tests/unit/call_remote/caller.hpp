// What the tests of remote calls share: a clock that stands still, and calls in one line.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "call/remote/remote_calls.hpp"

namespace gantry::call {

inline void PrintTo(const remote_outcome& what, std::ostream* to) {
  *to << "status " << what.status << " '" << what.text << "', HTTP " << what.reply.status << " '" << what.reply.body
      << "'";
}

class manual_clock final : public clock {
 public:
  std::int64_t wall_us() const noexcept override { return now_us; }
  std::int64_t steady_us() const noexcept override { return now_us; }
  std::atomic<std::int64_t> now_us{1'000'000'000};
};

using header_list = std::vector<std::pair<std::string, std::string>>;

// A caller of the plugin "catalog". Its time is the machine's unless a clock is given.
class caller {
 public:
  explicit caller(const remote_options& options = {}, const clock& time = system_clock())
      : clock_(time), calls(make_remote_calls(options, time)) {}

  // Places "catalog" at these ports of this machine, hosts named a, b, ...
  void place(const std::vector<std::uint16_t>& ports) {
    std::vector<remote_host> hosts;
    for (std::size_t i = 0; i < ports.size(); ++i)
      hosts.push_back({std::string(1, static_cast<char>('a' + i)), "127.0.0.1:" + std::to_string(ports[i]), false, {}});
    const auto done = calls->place({{"catalog", hosts}});
    ASSERT_TRUE(done.ok()) << done.failure().text;
  }

  remote_outcome call(std::string_view method, std::string_view target, std::string_view body = {},
                      const header_list& headers = {}) {
    std::vector<gantry_field> fields;
    for (const auto& [name, value] : headers)
      fields.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
    remote_request what;
    what.plugin = "catalog";
    what.caller = "order";
    what.method = method;
    what.target = target;
    what.headers = fields;
    what.body = body;
    what.deadline_us = clock_.steady_us() + timeout_us;
    what.correlation_id = "c-1";
    what.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    return calls->call(what);
  }
  remote_outcome get(std::string_view target) { return call("GET", target); }

  remote_figures figures(std::size_t host = 0) const { return calls->figures().at(host); }

  std::atomic<std::int64_t> timeout_us = 30'000'000;

 private:
  const clock& clock_;

 public:
  std::unique_ptr<remote_calls> calls;
};

}  // namespace gantry::call
