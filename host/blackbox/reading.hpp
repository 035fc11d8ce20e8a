// What a black box says, as values: read by the supervisor once the process has ended, and by the process itself.
// Thread: any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "blackbox/page.hpp"
#include "blackbox/stack.hpp"

namespace gantry::blackbox {

// What a thread does in plugin code, or did last.
struct thread_account {
  std::uint32_t tid = 0;
  std::string thread;         // its name
  std::int64_t since_us = 0;  // steady; 0, or less: it is not in plugin code
  work_kind kind = work_kind::none;
  std::string plugin;
  std::uint32_t generation = 0;
  std::string what;  // route, topic, kind of job, or function of the plugin
  std::string type;  // of an event
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
  std::uint32_t length = 1;
  std::string id;

  bool in_host = false;  // it waits for the host

  bool suspected = false;  // what it did last may be why the process ended

  bool inside() const noexcept { return since_us > 0; }
};

// "event OrderPlaced of order-events/2 at 17"
std::string to_text(const thread_account& work);
std::string_view to_string(work_kind kind) noexcept;

struct end_account {
  end_cause cause = end_cause::none;
  int signal = 0;
  int code = 0;
  std::uint32_t tid = 0;
  std::uint64_t address = 0;
  std::string text;
  std::vector<frame> stack;  // innermost first, from where the fault was
};

struct account {
  std::uint32_t pid = 0;
  bool ended_in_order = false;
  int exit_code = 0;
  std::optional<end_account> end;
  std::vector<thread_account> threads;  // that were ever in plugin code
};

// corrupt: not a box, or another build's. not_found: no such file.
result<account> read_box(const std::filesystem::path& file);

thread_account account_of(const slot& s, const page& all);

}  // namespace gantry::blackbox
