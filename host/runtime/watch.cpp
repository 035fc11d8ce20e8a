#include "runtime/watch.hpp"

#include "observability/log.hpp"
#include "runtime/instance.hpp"

namespace gantry::runtime {
namespace {

// Which place this thread has, and in which watch.
thread_local const work_watch* place_of = nullptr;
thread_local void* place_at = nullptr;

}  // namespace

std::string_view to_string(work_kind kind) noexcept {
  switch (kind) {
    case work_kind::request: return "request";
    case work_kind::event: return "event";
    case work_kind::write: return "write";
    case work_kind::job: return "job";
  }
  return "work";
}

work_watch::place& work_watch::mine() {
  if (place_of != this) {
    const std::lock_guard lock(mutex_);
    places_.push_back(std::make_unique<place>());
    place_of = this;
    place_at = places_.back().get();
  }
  return *static_cast<place*>(place_at);
}

watched_work::watched_work(instance& who, work_kind kind, std::string_view name, std::string_view id) {
  if (who.around.watch == nullptr) return;
  auto& p = who.around.watch->mine();
  if (p.since_us.load(std::memory_order_relaxed) != 0) return;
  place_ = &p;
  {
    const std::lock_guard lock(p.mutex);
    p.who = &who;
    p.kind = kind;
    p.name = name;
    p.id.assign(id);
  }
  p.since_us.store(who.around.time->steady_us(), std::memory_order_release);
}

// The thread is outside plugin code again.
void work_watch::left(place& at) {
  at.since_us.store(0, std::memory_order_release);
  if (!at.reported.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(at.mutex);
  if (!at.reported.exchange(false)) return;
  at.who->stalled.fetch_sub(1);
  observability::log_info("Work that hung has come back.", {{"plugin", at.who->id()}, {"in", at.name}});
}

watched_work::~watched_work() {
  if (place_ != nullptr) work_watch::left(*place_);
}

watched_wait::watched_wait(instance& who) : clock_(*who.around.time) {
  if (who.around.watch == nullptr) return;
  auto& p = who.around.watch->mine();
  if (p.since_us.load(std::memory_order_relaxed) == 0) return;
  place_ = &p;
  work_watch::left(p);
}

watched_wait::~watched_wait() {
  if (place_ != nullptr) place_->since_us.store(clock_.steady_us(), std::memory_order_release);
}

void work_watch::tick() {
  const auto now = clock_.steady_us();
  const std::lock_guard lock(mutex_);
  for (auto& p : places_) {
    const auto since = p->since_us.load(std::memory_order_acquire);
    if (since == 0 || p->reported.load()) continue;
    const std::lock_guard inside(p->mutex);
    // Under the lock: who and since belong together, and the instance can't go while its code runs.
    if (p->since_us.load() != since || now - since < p->who->stall_after_us) continue;
    p->reported = true;
    p->who->stalled.fetch_add(1);
    observability::log_error("A plugin does not come back.", {{"plugin", p->who->id()},
                                                              {"generation", std::to_string(p->who->generation())},
                                                              {"work", to_string(p->kind)},
                                                              {"in", p->name},
                                                              {"id", p->id},
                                                              {"ms", std::to_string((now - since) / 1000)}});
    replace_(p->kind);
  }
}

}  // namespace gantry::runtime
