#include "observability/health.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "observability/text.hpp"

namespace gantry::observability {
namespace {

result<void> run_guarded(const health::check& run) {
  try {
    return run();
  } catch (const std::exception& failure) {
    return error{errc::internal, failure.what()};
  } catch (...) {
    return error{errc::internal, "the check failed in an unknown way"};
  }
}

}  // namespace

std::shared_ptr<health::entry> health::find(health_kind kind, std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const auto& e) { return e->kind == kind && e->name == name; });
  return found == entries_.end() ? nullptr : *found;
}

void health::add(health_kind kind, std::string name, check run, bool vital) {
  std::unique_lock lock(mutex_);
  if (const auto known = find(kind, name)) {
    lock.unlock();
    const std::lock_guard own(known->mutex);
    known->run = std::move(run);
    known->vital = vital;
    return;
  }
  auto made = std::make_shared<entry>();
  made->kind = kind;
  made->name = std::move(name);
  made->run = std::move(run);
  made->vital = vital;
  entries_.push_back(std::move(made));
}

void health::remove(health_kind kind, std::string_view name) {
  std::shared_ptr<entry> gone;
  {
    const std::lock_guard lock(mutex_);
    gone = find(kind, name);
    std::erase(entries_, gone);
  }
  if (!gone) return;
  // Waits for a run that is under way.
  const std::lock_guard own(gone->mutex);
  gone->run = nullptr;
}

health_report health::report(health_kind kind) const {
  health_report out;
  bool whole = true;
  std::string checks;
  std::vector<std::shared_ptr<entry>> asked;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& e : entries_)
      if (e->kind == kind) asked.push_back(e);
  }
  for (const auto& e : asked) {
    const std::lock_guard own(e->mutex);
    if (!e->run) continue;
    const auto outcome = run_guarded(e->run);
    checks += checks.empty() ? R"({"name":)" : R"(,{"name":)";
    append_clean(checks, e->name, true);
    if (outcome) {
      checks += R"(,"status":"ok"})";
      continue;
    }
    (e->vital ? out.ok : whole) = false;
    checks += e->vital ? R"(,"status":"failing","reason":)" : R"(,"status":"degraded","reason":)";
    append_clean(checks, outcome.failure().text, true);
    checks += '}';
  }
  out.body = std::string(R"({"status":")") + (!out.ok ? "failing" : whole ? "ok" : "degraded") + R"(","checks":[)" + checks + "]}";
  return out;
}

}  // namespace gantry::observability
