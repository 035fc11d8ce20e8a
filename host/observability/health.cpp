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

void health::add(health_kind kind, std::string name, check run) {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const entry& e) { return e.kind == kind && e.name == name; });
  if (found != entries_.end()) {
    found->run = std::move(run);
  } else {
    entries_.push_back({kind, std::move(name), std::move(run)});
  }
}

void health::remove(health_kind kind, std::string_view name) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const entry& e) { return e.kind == kind && e.name == name; });
}

health_report health::report(health_kind kind) const {
  health_report out;
  std::string checks;
  const std::lock_guard lock(mutex_);
  for (const auto& e : entries_) {
    if (e.kind != kind) continue;
    const auto outcome = run_guarded(e.run);
    checks += checks.empty() ? R"({"name":)" : R"(,{"name":)";
    append_clean(checks, e.name, true);
    if (outcome) {
      checks += R"(,"status":"ok"})";
      continue;
    }
    out.ok = false;
    checks += R"(,"status":"failing","reason":)";
    append_clean(checks, outcome.failure().text, true);
    checks += '}';
  }
  out.body = std::string(R"({"status":")") + (out.ok ? "ok" : "failing") + R"(","checks":[)" + checks + "]}";
  return out;
}

}  // namespace gantry::observability
