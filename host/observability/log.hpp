// The host's log: one sentence plus fields a line, written by a thread of its own. JSON lines, or coloured text when
// stderr is a terminal. Every line carries the work context of the thread that wrote it.
// Thread: any. open_log and close_log: main.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry::observability {

// The same numbers as gantry/abi/log.h. error: a person must act.
enum class level : std::int32_t { debug = 0, info = 1, warn = 2, error = 3 };

std::string_view to_string(level value) noexcept;
// "debug", "info", "warn" or "error"; else invalid.
result<level> parse_level(std::string_view text);

struct field {
  std::string_view name;
  std::string_view value;
};

enum class log_format { automatic, json, text };

struct log_options {
  level threshold = level::info;
  log_format format = log_format::automatic;   // text when stderr is a terminal
  std::size_t queue_lines = 8192;              // when full, the oldest line is dropped and counted
  std::function<void(std::string_view)> sink;  // instead of stderr, one formatted line with its '\n'; for tests
  std::function<std::int64_t()> wall_us;       // instead of the machine's clock
};

// Starts the log; what was logged before went to stderr directly, as text. A second call replaces the first.
void open_log(log_options options);
// Writes what is queued and stops the thread. Later lines go to stderr directly.
void close_log();
// Waits until all lines logged before this call are written.
void flush_log();
void set_threshold(level value) noexcept;
// Lines that were dropped because the queue was full, since open_log.
std::uint64_t dropped_lines() noexcept;

namespace detail {
extern std::atomic<std::int32_t> threshold;
}

inline bool enabled(level value) noexcept {
  return static_cast<std::int32_t>(value) >= detail::threshold.load(std::memory_order_relaxed);
}

// Writes a sentence and its fields. Everything is copied. Never waits for the disk; never throws.
void log(level value, std::string_view text, std::span<const field> fields) noexcept;
inline void log(level value, std::string_view text, std::initializer_list<field> fields = {}) noexcept {
  if (enabled(value)) log(value, text, std::span<const field>(fields.begin(), fields.size()));
}
inline void log_debug(std::string_view text, std::initializer_list<field> fields = {}) noexcept {
  log(level::debug, text, fields);
}
inline void log_info(std::string_view text, std::initializer_list<field> fields = {}) noexcept {
  log(level::info, text, fields);
}
inline void log_warn(std::string_view text, std::initializer_list<field> fields = {}) noexcept {
  log(level::warn, text, fields);
}
inline void log_error(std::string_view text, std::initializer_list<field> fields = {}) noexcept {
  log(level::error, text, fields);
}

// What a thread is working on. Views; must outlive the scope that sets them.
struct work_context {
  std::string_view plugin;
  std::uint32_t generation = 0;  // 0: none
  std::string_view correlation_id;
  std::string_view lane;  // "order/order-events/2"
};

// The context of this thread; all empty outside any scope.
const work_context& current_work() noexcept;

// Sets the context of this thread until it ends; scopes nest. Costs a few stores.
class work_scope {
 public:
  explicit work_scope(const work_context& context) noexcept;
  work_scope(const work_scope&) = delete;
  work_scope& operator=(const work_scope&) = delete;
  ~work_scope();

 private:
  work_context before_;
};

}  // namespace gantry::observability
