// The state of a fake host, and the ABI objects that stand for parts of it.
// Owned by fake_host. Every function of the ABI and of fake_host takes the mutex.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gantry/abi/bus.h"
#include "gantry/abi/jobs.h"
#include "gantry/abi/saga.h"
#include "gantry/testing/fake_host.hpp"
#include "sql.hpp"

namespace gantry::testing {

struct route {
  std::string method;
  std::vector<std::string> segments;  // "{name}" is a placeholder
  bool idempotent;
  gantry_request_handler handler;
  void* user;
};

struct subscription {
  std::string topic;
  std::string type;
  gantry_subscription raw;
};

struct scheduled_job {
  std::string id;
  std::string kind;
  std::string key;
  std::string payload;
  instant due;
  std::uint32_t attempts = 0;
};

// What a transaction will do when it commits.
struct transaction {
  enum class change_kind { schedule, cancel, arm, disarm };
  struct change {
    change_kind kind;
    scheduled_job job;  // for timers: kind, key and the due time
  };
  struct deferred {
    std::string sql;
    std::vector<gantry_value> params;
    std::vector<std::unique_ptr<std::string>> texts;
  };
  fake_core* owner = nullptr;
  std::vector<emitted_event> events;
  std::vector<change> changes;
  std::vector<deferred> later;
  std::optional<call_reply> reply;
};

// The ABI's opaque pointers point at these.
inline gantry_tx* raw(transaction* t) { return reinterpret_cast<gantry_tx*>(t); }
inline transaction& of(gantry_tx* t) { return *reinterpret_cast<transaction*>(t); }

// A request or job in progress.
struct progress {
  fake_core* owner = nullptr;
  std::optional<call_reply> reply;
  gantry_write_handler write = nullptr;
  void* write_user = nullptr;
  void (*drop)(void*) = nullptr;
  std::string result;
  bool is_request = false;
};

inline gantry_context* raw(progress* p) { return reinterpret_cast<gantry_context*>(p); }
inline progress& of(gantry_context* c) { return *reinterpret_cast<progress*>(c); }

// A cursor holds its statement; the ABI's pointer points at this.
struct open_cursor {
  fake_core* owner;
  statement of;
};

inline open_cursor& of(gantry_cursor* c) { return *reinterpret_cast<open_cursor*>(c); }

// One series; the ABI's pointer points at this.
struct series {
  fake_core* owner;
  std::int32_t type;
  double value = 0;
};

struct fake_core {
  enum class phase { idle, setup, start, lane, pool };

  fake_core();
  fake_core(const fake_core&) = delete;
  fake_core& operator=(const fake_core&) = delete;
  ~fake_core();

  // The instance that calls through this host pointer.
  static fake_core& of(const gantry_host* host) { return *static_cast<const facade*>(host)->owner; }

  gantry_status fail(gantry_status status, std::string_view text) {
    error = text;
    return status;
  }
  gantry_status only_in(phase expected, const char* where) {
    return at == expected ? gantry_status{GANTRY_OK} : fail(GANTRY_REFUSED, where);
  }

  // Runs fn(tx) twice, rolled back in between; commits when the second run answers GANTRY_OK. `reply` (may be nullptr)
  // receives what respond_in set. Throws std::logic_error when the two runs differ; `what` names the handler.
  using tx_body = std::function<gantry_status(gantry_tx*)>;
  gantry_status in_tx(const tx_body& body, std::optional<call_reply>* reply, const std::string& what);
  // Runs the statements that a transaction has put off.
  gantry_status flush(transaction& t);
  // Carries out the writes of write_async that wait.
  void run_async();
  std::string next_id();

  const subscription& subscription_of(std::string_view topic, std::string_view type) const;
  call_reply serve(const gantry_request& raw, const route& to);
  // One attempt of a job, with what follows from it.
  void run_job(scheduled_job job);

 private:
  gantry_status run_once(transaction& t, const tx_body& body);
  void apply(transaction& t);
  void drop_job(std::string_view kind, std::string_view key);

 public:
  struct facade : gantry_host {
    fake_core* owner;
  };
  facade host{};
  mutable std::recursive_mutex mutex;
  database db;
  manual_clock clock;
  phase at = phase::idle;
  transaction* open = nullptr;  // while a handler has one
  bool restoring = false;       // while timers are armed again
  int cursors = 0;              // open ones
  std::string error;
  std::string error_shown;  // what host->error() lent out
  std::uint64_t ids = 0;

  const gantry_instance* instance = nullptr;
  bool started = false;
  std::string config;
  std::vector<route> routes;
  std::vector<subscription> subscriptions;
  std::map<std::string, std::pair<gantry_replay_handler, void*>> replays;
  std::set<std::pair<std::string, std::string>> emissions;
  std::set<std::string> callees;
  std::map<std::string, gantry_job_kind> job_kinds;
  std::map<std::string, gantry_timer_kind> timer_kinds;
  std::map<std::string, gantry_saga> sagas;
  std::vector<gantry_migration> migrations;

  std::vector<emitted_event> emitted;
  std::vector<scheduled_job> jobs;
  std::map<std::pair<std::string, std::string>, instant> timers;
  std::map<std::string, fake_host::call_stub, std::less<>> stubs;
  std::map<std::string, std::pair<std::string, call_reply>> idempotency;  // scope -> (body, reply)
  std::vector<log_line> lines;
  std::map<std::string, std::unique_ptr<series>> metrics;  // by name and labels
  std::uint64_t offset = 0;

  struct async_write {
    gantry_write_handler fn;
    void* user;
    void (*done)(void*, gantry_status);
  };
  std::vector<async_write> async;
};

inline gantry_db* db_of(fake_core* c) { return reinterpret_cast<gantry_db*>(c); }
inline fake_core& of(gantry_db* d) { return *reinterpret_cast<fake_core*>(d); }

// The table of a capability, or nullptr.
const void* capability_table(const char* id);

using lock = std::lock_guard<std::recursive_mutex>;

}  // namespace gantry::testing
