#include "supervisor/post_mortem.hpp"

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/json_members.hpp"
#include "base/keep_newest.hpp"
#include "base/replace_file.hpp"
#include "base/text.hpp"

namespace gantry::supervisor {
namespace {

using blackbox::end_cause;
using blackbox::thread_account;

constexpr std::size_t kept_findings = 50;  // of a process

std::string how_it_was(const exit_report& how, const blackbox::end_account* end) {
  if (end == nullptr) return to_text(how);
  switch (end->cause) {
    case end_cause::none:
      break;
    case end_cause::signal:
      // Of an address that is no place at all the system says nothing.
      return to_text({0, end->signal}) + (end->code > 0 ? " at " + blackbox::hexadecimal(end->address) : "");
    case end_cause::terminate:
      return "std::terminate: " + end->text;
    case end_cause::exit_call:
      return "exit(" + std::to_string(end->code) + ") was called";
    case end_cause::stall:
    case end_cause::descriptors:
    case end_cause::memory:
      return end->text;
  }
  return to_text(how);
}

// The plugin whose file the stack passes through, for a thread of its own: <plugin>-<generation>-<digest>.so.
std::optional<thread_account> by_stack(const std::vector<blackbox::frame>& stack, std::uint32_t tid) {
  for (const auto& f : stack) {
    const std::filesystem::path file(f.module);
    if (file.parent_path().filename() != "generations") continue;
    const auto name = file.stem().string();
    const auto digest = name.rfind('-');
    const auto number = digest == std::string::npos || digest == 0 ? digest : name.rfind('-', digest - 1);
    if (number == std::string::npos || number == 0) continue;
    thread_account out;
    out.tid = tid;
    out.kind = blackbox::work_kind::other;
    out.plugin = name.substr(0, number);
    out.what = "a thread of its own";
    std::from_chars(name.data() + number + 1, name.data() + digest, out.generation);
    return out;
  }
  return std::nullopt;
}

std::vector<thread_account> culprits_of(const blackbox::account& box, const exit_report& how, std::int64_t died_us) {
  std::vector<thread_account> out;
  for (const auto& t : box.threads)
    if (t.suspected) out.push_back(t);
  if (!out.empty()) return out;
  if (box.end && box.end->tid != 0) {
    for (const auto& t : box.threads)
      if (t.tid == box.end->tid && t.inside()) return {t};
    if (auto own = by_stack(box.end->stack, box.end->tid)) return {std::move(*own)};
    return {};
  }
  const bool from_outside = how.signal == SIGKILL;
  for (const auto& t : box.threads) {
    if (!t.inside() || t.in_host) continue;
    if (from_outside && died_us - t.since_us < long_inside_us) continue;
    out.push_back(t);
  }
  return out;
}

void append_threads(std::string& out, const char* name, const std::vector<thread_account>& threads) {
  out.append(",\"").append(name).append("\":[");
  for (const auto& c : threads) {
    out += out.ends_with('[') ? "{" : ",{";
    append_member(out, "plugin", c.plugin);
    append_member(out, "generation", c.generation);
    append_member(out, "lane", c.thread);
    append_member(out, "tid", c.tid);
    append_member(out, "work", blackbox::to_text(c));
    append_member(out, "kind", blackbox::to_string(c.kind));
    if (c.kind == blackbox::work_kind::event) {
      append_member(out, "topic", c.what);
      append_member(out, "type", c.type);
      append_member(out, "partition", c.partition);
      append_member(out, "offset", c.offset);
      append_member(out, "length", c.length);
    }
    append_member(out, "id", c.id);
    out += '}';
  }
  out += ']';
}

std::string to_json(const finding& what, std::string_view process, pid_t pid, std::int64_t wall_us) {
  std::string out = "{";
  append_member(out, "process", process);
  append_member(out, "pid", static_cast<std::uint64_t>(pid));
  std::string time;
  append_rfc3339(time, wall_us);
  append_member(out, "at", time);
  append_member(out, "how", what.how);
  append_threads(out, "culprits", what.culprits);
  append_threads(out, "others", what.others);
  out += ",\"stack\":[";
  for (const auto& f : what.stack) {
    if (!out.ends_with('[')) out += ',';
    append_json_string(out, blackbox::to_text(f));
  }
  return out + "]}\n";
}

}  // namespace

finding examine(const result<blackbox::account>& box, pid_t pid, const exit_report& how, std::int64_t died_us) {
  finding out;
  // What another process has left there says nothing of this one: it ended before it had plugins.
  const bool its_own = box && box->pid == static_cast<std::uint32_t>(pid);
  out.meant = how.signal == 0 && (!its_own || box->ended_in_order);
  if (out.meant) return out;
  const auto* const end = its_own && box->end ? &*box->end : nullptr;
  out.how = how_it_was(how, end);
  if (!its_own) return out;
  out.culprits = culprits_of(*box, how, died_us);
  for (const auto& t : box->threads) {
    const bool named =
        std::any_of(out.culprits.begin(), out.culprits.end(), [&](const auto& c) { return c.tid == t.tid; });
    if (t.inside() && !named) out.others.push_back(t);
  }
  if (end != nullptr) out.stack = end->stack;
  return out;
}

std::filesystem::path box_path(const std::filesystem::path& state, std::string_view process) {
  return std::filesystem::absolute(state).lexically_normal() / "blackbox" / (std::string(process) + ".box");
}

result<std::filesystem::path> keep_finding(const std::filesystem::path& state, std::string_view process, pid_t pid,
                                           const finding& what, std::int64_t wall_us) {
  auto path = box_path(state, process).parent_path() / (std::string(process) + "-" + std::to_string(wall_us) + ".json");
  if (auto done = replace_file(path, to_json(what, process, pid, wall_us)); !done) return done.failure();
  keep_newest(path.parent_path(), std::string(process) + "-", ".json", kept_findings);
  return path;
}

}  // namespace gantry::supervisor
