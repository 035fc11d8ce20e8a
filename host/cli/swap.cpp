#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "base/uri.hpp"
#include "cli/answers.hpp"
#include "cli/commands.hpp"
#include "cli/remote.hpp"

namespace gantry::cli {
namespace {

constexpr std::chrono::milliseconds ask_every{20};

std::string milliseconds(std::uint64_t us) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f ms", static_cast<double>(us) / 1000.0);
  return text;
}

void say(const std::vector<std::string>& lines, const char* before) {
  for (const auto& line : lines) std::printf("  %s%s\n", before, line.c_str());
}

void print_receipt(const std::string& plugin, const swap_answer& r) {
  std::printf("%s %s", plugin.c_str(), r.from_version.c_str());
  std::printf(" (generation %llu)", static_cast<unsigned long long>(r.from_generation));
  if (!r.to_version.empty()) std::printf(" -> %s", r.to_version.c_str());
  if (r.to_generation != 0) std::printf(" (generation %llu)", static_cast<unsigned long long>(r.to_generation));
  std::printf(": %s\n", r.outcome.c_str());
  say(r.reasons, "because ");
  say(r.overruled, "overruled: ");
  std::string steps;
  for (const auto& [name, us] : r.steps) steps += (steps.empty() ? "" : ", ") + name + " " + milliseconds(us);
  if (!steps.empty()) std::printf("  steps      %s\n", steps.c_str());
  if (r.to_generation == 0) return;
  std::printf("  pauses     lane %s, routes %s, %llu requests waited\n", milliseconds(r.lane_pause_us).c_str(),
              milliseconds(r.route_pause_us).c_str(), static_cast<unsigned long long>(r.held_requests));
  std::printf(
      "  meanwhile  %llu requests (%llu with 5xx), %llu events (%llu duplicates dropped, %llu failed attempts), %llu "
      "jobs"
      " (%llu failed attempts)\n",
      static_cast<unsigned long long>(r.requests), static_cast<unsigned long long>(r.request_errors),
      static_cast<unsigned long long>(r.events), static_cast<unsigned long long>(r.events_duplicate),
      static_cast<unsigned long long>(r.event_errors), static_cast<unsigned long long>(r.jobs),
      static_cast<unsigned long long>(r.job_errors));
  if (r.state_bytes != 0)
    std::printf("  state      %llu bytes handed over\n", static_cast<unsigned long long>(r.state_bytes));
  say(r.resident, "stays in memory: ");
}

// What the host says of its swap. Nothing: said why on standard error.
std::optional<swap_answer> progress(remote_hosts& host, const std::string& plugin) {
  const auto body = fetch(host, "GET", "/admin/swap/" + percent_encode(plugin));
  if (!body) return std::nullopt;
  auto answer = read_swap(*body);
  if (answer) return std::move(*answer);
  std::fprintf(stderr, "gantry: %s\n", answer.failure().text.c_str());
  return std::nullopt;
}

int swap_on(remote_hosts host, const remote_arguments& remote, const swap_arguments& with, const std::string& query) {
  if (!fetch(host, "POST", "/admin/swap/" + percent_encode(with.plugin) + query)) return 1;
  for (;;) {
    const auto now = progress(host, with.plugin);
    if (!now) return 1;
    if (!now->running) {
      if (remote.json) {
        std::printf("%s\n", now->receipt.c_str());
      } else {
        if (!host.front().name.empty()) std::printf("%s: ", host.front().name.c_str());
        print_receipt(with.plugin, *now);
      }
      std::fflush(stdout);
      return now->outcome == "swapped" ? 0 : 1;
    }
    std::this_thread::sleep_for(ask_every);
  }
}

}  // namespace

int swap(const remote_arguments& remote, const swap_arguments& with) {
  auto hosts = find_hosts(remote, with.plugin);
  if (hosts.empty()) return 1;
  if (with.last) {
    int end = 1;
    for (const auto& host : hosts) {
      remote_hosts one{host};
      const auto last = progress(one, with.plugin);
      if (!last) continue;
      if (last->running && !remote.json) {
        std::printf("%s%sa swap of %s is under way%s%s\n", host.name.c_str(), host.name.empty() ? "" : ": ",
                    with.plugin.c_str(), last->steps.empty() ? "" : ", after ",
                    last->steps.empty() ? "" : last->steps.back().first.c_str());
        end = 0;
      }
      if (!last->ended) continue;
      end = 0;
      if (remote.json) {
        std::printf("%s\n", last->receipt.c_str());
      } else {
        if (!host.name.empty()) std::printf("%s: ", host.name.c_str());
        print_receipt(with.plugin, *last);
      }
    }
    return end;
  }
  std::string query = with.force ? "?force=1" : "?force=0";
  if (with.probation_ms >= 0) query += "&probation_ms=" + std::to_string(with.probation_ms);
  if (!with.file.empty())
    query += "&file=" + percent_encode(std::filesystem::absolute(with.file).lexically_normal().string());
  for (const auto& host : hosts)
    if (const int end = swap_on({host}, remote, with, query); end != 0) return end;
  return 0;
}

}  // namespace gantry::cli
