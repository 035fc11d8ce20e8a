// A host for the unit tests of one plugin: real SQL on SQLite in memory, a clock that stands still, events, jobs,
// timers and calls in the hands of the test. Link gantry::testing.
//
//   gantry::testing::fake_host host;
//   auto& p = host.load<loyalty>("loyalty");
//   host.deliver("order-events", "OrderConfirmed", "o-1", {{"customerId", "c-1"}, {"total", 2000}});
//   EXPECT_EQ(host.request("GET", "/points/c-1").json()["points"].integer(), 20);
//
// Every function that is given a transaction runs twice, with a rollback between; one that then behaves differently
// keeps state outside its transaction and is reported by std::logic_error. What the runtime refuses is refused here:
// undeclared events, calls inside a transaction, event data that is not JSON, more than one answer.
//
// Thread: the test's. Threads that the plugin starts may use the functions that the ABI allows on any thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/abi/entry.h"
#include "gantry/call.hpp"
#include "gantry/detail/instance.hpp"
#include "gantry/json_writer.hpp"
#include "gantry/time.hpp"

namespace gantry::testing {

// An event that the plugin emitted and committed.
struct emitted_event {
  std::string topic;
  std::string type;
  std::string key;
  std::string data;
  std::string id;
};

// A line that the plugin logged; fields as "name=value".
struct log_line {
  std::int32_t level;  // GANTRY_LOG_...
  std::string text;
  std::vector<std::string> fields;
};

struct load_options {
  // The folder of migrations, if they are not linked in (<id>_migrations of gantry_add_plugin).
  std::string migrations;
};

// Time that passes only when a test says so.
class manual_clock {
 public:
  instant now() const noexcept { return now_; }
  // Moves the clock and nothing else; fake_host::advance also fires timers.
  void advance(std::chrono::microseconds by) noexcept { now_ = now_ + by; }
  void set(instant to) noexcept { now_ = to; }

 private:
  instant now_ = *instant::parse("2026-01-01T00:00:00Z");
};

struct fake_core;

class fake_host {
 public:
  using call_stub = std::function<call_reply(const call_request&)>;
  using row_texts = std::vector<std::string>;

  fake_host();
  fake_host(const fake_host&) = delete;
  fake_host& operator=(const fake_host&) = delete;
  // Stops and destroys the plugin.
  ~fake_host();

  // Creates the plugin, runs setup, migrations and start, and arms its timers. `config` is a JSON object. Throws
  // std::runtime_error with the plugin's reason. The reference is valid as long as this host.
  template <typename Plugin>
  Plugin& load(std::string_view id, std::string_view config = "{}", const load_options& options = {}) {
    const std::string name(id);
    const gantry_entry entry{sizeof entry,
                             GANTRY_ABI_MAJOR,
                             GANTRY_ABI_MINOR,
                             name.c_str(),
                             "0.0.0",
                             "gantry-cpp " GANTRY_SDK_VERSION,
                             &detail::instance::create<Plugin>};
    return static_cast<Plugin&>(detail::instance::plugin_of(load(entry, config, options)));
  }
  // The same for any plugin, such as one written in C.
  const gantry_instance& load(const gantry_entry& entry, std::string_view config = "{}",
                              const load_options& options = {});

  // Sends a request to the plugin's routes and answers as the runtime would, problem documents included. A body without
  // a content-type header is JSON.
  call_reply request(std::string_view method, std::string_view target, std::string_view body = {},
                     header_list headers = {});

  // Hands an event to the plugin's handler of this type, and to its observers. Throws std::logic_error when nothing
  // subscribes to it. Returns what the handler answered; on ok its transaction is committed.
  outcome deliver(std::string_view topic, std::string_view type, std::string_view key,
                  const json& body = json::object());
  // Several events of one type: an on_batch handler gets them at once, any other one after the other.
  struct keyed_data {
    std::string key;
    json data;
  };
  outcome deliver_batch(std::string_view topic, std::string_view type, const std::vector<keyed_data>& events);
  // Tells the observers that events may have been missed.
  void break_observation();
  // Runs what the plugin declared with on_replay.
  outcome replay(std::string_view topic);

  const std::vector<emitted_event>& emitted() const;
  std::vector<emitted_event> take_emitted();

  // Runs the jobs that are due, with their on_done or on_failed, until none is left; the number of attempts. A failed
  // attempt waits for its backoff (100 ms, doubled each time): advance() the clock.
  std::size_t run_jobs();
  // Jobs that have not ended.
  std::size_t pending_jobs() const;

  manual_clock& clock();
  // Moves the clock and fires the timers that fall due on the way, in their order; the number of those. Throws
  // std::runtime_error when one fails.
  std::size_t advance(std::chrono::microseconds by);
  // Whether a timer is armed, and for when.
  std::optional<instant> timer(std::string_view kind, std::string_view key) const;
  // Forgets all timers and runs the plugin's restore functions, as a restart would.
  void restore_timers();

  // Answers calls to another plugin. The stub may throw failure(GANTRY_UNAVAILABLE, ...) and the like.
  void on_call(std::string_view plugin, call_stub stub);

  // The plugin's database, for arranging and looking. Columns are texts; NULL is "NULL". Throws std::runtime_error.
  std::vector<row_texts> query(std::string_view sql) const;
  void exec(std::string_view sql);

  // What the saga says about an instance; nothing if it does not know the key.
  std::optional<std::string> describe_saga(std::string_view name, std::string_view key);

  // GANTRY_OK, or what the plugin's health() says; the text in error().
  gantry_status health();
  // The text of the last failure.
  std::string error() const;

  const std::vector<log_line>& log() const;
  // The sum of what was recorded to the series of this name, over all labels; a gauge's last value.
  double metric(std::string_view name) const;

 private:
  std::unique_ptr<fake_core> core_;
};

}  // namespace gantry::testing
