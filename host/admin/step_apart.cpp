// Steps of a change that concern the processes of plugins that run apart: this process asks, and waits for them.
#include <chrono>
#include <thread>

#include "admin/changes.hpp"
#include "base/uri.hpp"
#include "observability/log.hpp"
#include "plan/process_answers.hpp"

namespace gantry::admin {
namespace {

constexpr std::chrono::milliseconds look_every{20};
constexpr std::chrono::seconds busy_at_most{120};
constexpr std::chrono::milliseconds one_answer{5'000};

}  // namespace

result<http::reply> changes::ask_apart(const std::string& plugin, std::string_view method, const std::string& target,
                                       std::string_view body) const {
  return parts_.others->ask(plugin, method, target, one_answer, body);
}

// With a step for a plugin that its own process does. Until it takes it, while that one starts or is busy: to go back
// is not given up while it is busy, with this very step perhaps. unavailable: it may have taken it.
result<std::string> changes::begin_apart(const task& what) const {
  auto target = "/admin/step/" + std::string(plan::name_of(what.kind)) + "/" + percent_encode(what.subject) +
                "?file=" + percent_encode(what.file) + "&run=" + percent_encode(what.run);
  if (!what.digest.empty()) target += "&digest=" + percent_encode(what.digest);
  if (what.force) target += "&force=1";
  if (what.back) target += "&back=1";
  if (what.probation.count() >= 0) target += "&probation_ms=" + std::to_string(what.probation.count() / 1000);
  const auto begun = std::chrono::steady_clock::now();
  for (bool silent = false;; std::this_thread::sleep_for(look_every)) {
    const auto reply = ask_apart(what.subject, "POST", target, what.text);
    if (reply && reply->status == 200) {
      auto taken = plan::read_progress(reply->body);
      if (!taken) return taken.failure();
      return std::move(taken->id);
    }
    // What it has taken without an answer it does now: asked once more it is busy with it.
    silent = silent || (!reply && reply.failure().code == errc::timeout);
    if (silent && reply && reply->status == 409 && !what.back)
      return error{errc::unavailable, "whether it does that was not heard"};
    if (reply && reply->status != 503 && reply->status != 409) return error{errc::invalid, reply->body};
    if (given_up_ && !what.back) return error{errc::invalid, "the host is stopping"};
    const bool busy = reply && reply->status == 409 && what.back;
    if (std::chrono::steady_clock::now() - begun >= (busy ? busy_at_most : parts_.apart_at_most))
      return error{silent ? errc::unavailable : errc::invalid,
                   reply ? "it answers " + std::to_string(reply->status) : reply.failure().text};
  }
}

changes::outcome changes::do_step_apart(const task& what) const {
  const auto failed = [&](const std::string& why, bool unknown) {
    return outcome{"the process of " + what.subject + ": " + why, {}, false, unknown};
  };
  const auto begun = begin_apart(what);
  if (!begun) return failed(begun.failure().text, begun.failure().code == errc::unavailable);
  const auto target = "/admin/step?id=" + percent_encode(*begun);
  auto until = std::chrono::steady_clock::now() + parts_.apart_at_most;
  for (;; std::this_thread::sleep_for(look_every)) {
    const auto reply = ask_apart(what.subject, "GET", target, {});
    if (reply && reply->status == 200) {
      auto now = plan::read_progress(reply->body);
      if (!now) return failed(now.failure().text, true);
      if (!now->running) return {std::move(now->error), std::move(now->receipt), now->stuck, now->unknown};
      until = std::chrono::steady_clock::now() + parts_.apart_at_most;
    }
    // Another life of it knows nothing of the step.
    if (reply && reply->status == 404) return failed("it has started anew meanwhile", true);
    // What takes a step back ends whole, also while the host stops.
    if (given_up_ && !what.back) return failed("the host is stopping", true);
    if (std::chrono::steady_clock::now() >= until)
      return failed("whether it was done is not known: " +
                        (reply ? "it answers " + std::to_string(reply->status) : reply.failure().text),
                    true);
  }
}

// Those that run apart are told by this process alone. One that does not answer reads the note when it starts.
result<void> changes::tell_apart(const task& what) const {
  auto target = "/admin/step/adopt/-?file=" + percent_encode(what.file);
  if (what.back) target += "&back=1&run=" + percent_encode(what.run);
  for (const auto& plugin : apart_) {
    const auto until = std::chrono::steady_clock::now() + parts_.apart_at_most;
    for (;;) {
      const auto reply = ask_apart(plugin, "POST", target, what.text);
      if (reply && reply->status == 200) break;
      if (reply && reply->status != 503 && reply->status != 409)
        return error{errc::internal, "the process of " + plugin + " does not take it: " + reply->body};
      if (given_up_ || std::chrono::steady_clock::now() >= until) {
        observability::log_warn(
            "The process of a plugin does not answer; it takes the topology when it starts.",
            {{"plugin", plugin},
             {"reason", reply ? "it answers " + std::to_string(reply->status) : reply.failure().text}});
        break;
      }
      std::this_thread::sleep_for(look_every);
    }
  }
  return {};
}

}  // namespace gantry::admin
