#include "admin/swaps.hpp"

#include <exception>
#include <filesystem>
#include <utility>

#include "admin/event_json.hpp"
#include "base/new_thread.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"
#include "lifecycle/receipt.hpp"
#include "observability/log.hpp"

namespace gantry::admin {

void swaps::end() {
  std::thread last;
  {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    last.swap(thread_);
  }
  if (last.joinable()) last.join();
}

http::reply swaps::begin(const question& what) {
  lifecycle::swap_request request;
  request.plugin = what.names[0];
  request.file = std::filesystem::path(what.asked("file"));
  request.force = what.asked("force") == "1";
  if (!request.file.empty() && !request.file.is_absolute())
    return http::problem(400, "file=" + request.file.string() + ": expected an absolute path on the host's machine");
  const auto probation = what.asked_ms("probation_ms");
  if (!probation) return http::problem(400, probation.failure().text);
  if (*probation) request.probation = **probation;
  if (!plugins_.find(request.plugin))
    return http::problem(404, "plugin " + request.plugin + " does not run on this host");
  const std::lock_guard lock(mutex_);
  if (!plugin_.empty())
    return http::problem(409, "swap-under-way", "A swap is under way", "this host swaps " + plugin_ + " just now");
  if (given_up_) return http::problem(503, "the host is stopping");
  if (thread_.joinable()) thread_.join();  // it has ended
  // It sees what is set below: its first step waits for this lock.
  auto made = new_thread([this, request] { run(request); });
  if (!made) return http::problem(503, made.failure().text);
  thread_ = std::move(*made);
  plugin_ = request.plugin;
  steps_.clear();
  last_.erase(plugin_);
  std::string out = "{";
  append_member(out, "plugin", request.plugin);
  return json_reply(out + ",\"running\":true}");
}

// Nothing that a swap meets may end the process.
void swaps::run(const lifecycle::swap_request& what) {
  lifecycle::swap_receipt receipt;
  try {
    receipt = plugins_.swap(
        what,
        [this](const lifecycle::swap_step& step) {
          const std::lock_guard lock(mutex_);
          steps_.push_back(step);
        },
        given_up_);
  } catch (const std::exception& e) {
    receipt.plugin = what.plugin;
    receipt.host = host_;
    receipt.reasons = {std::string("it ended with an exception: ") + e.what()};
    observability::log_error("A swap ended with an exception.", {{"plugin", what.plugin}, {"error", e.what()}});
  }
  const std::lock_guard lock(mutex_);
  last_[what.plugin] = lifecycle::to_json(receipt);
  plugin_.clear();
}

http::reply swaps::progress(const question& what) {
  const auto& plugin = what.names[0];
  const std::lock_guard lock(mutex_);
  const bool running = plugin_ == plugin;
  std::string out = "{";
  append_member(out, "plugin", plugin);
  out += running ? ",\"running\":true,\"steps\":[" : ",\"running\":false,\"steps\":[";
  if (running)
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      out += i == 0 ? "{" : ",{";
      append_member(out, "name", steps_[i].name);
      append_member(out, "us", static_cast<std::uint64_t>(steps_[i].us));
      out += '}';
    }
  out += "],\"receipt\":";
  const auto known = last_.find(plugin);
  if (running) {
    out += "null";
  } else if (known != last_.end()) {
    out += known->second;
  } else {
    auto kept = lifecycle::last_receipt(state_, plugin, host_);
    if (!kept) return http::problem(404, kept.failure().text);
    while (!kept->empty() && kept->back() == '\n') kept->pop_back();
    out += *kept;
  }
  return json_reply(out + "}");
}

}  // namespace gantry::admin
