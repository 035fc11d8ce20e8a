#include "runtime/watch.hpp"

#include <algorithm>
#include <utility>

#include "blackbox/crash.hpp"
#include "blackbox/guard.hpp"
#include "blackbox/reading.hpp"
#include "blackbox/stack.hpp"
#include "observability/log.hpp"
#include "runtime/instance.hpp"

namespace gantry::runtime {
namespace {

// Nobody has looked for so long: the process, or the machine, stood still, and that time is nobody's.
constexpr std::int64_t longest_pause_us = 1'000'000;

std::string to_text(const std::vector<blackbox::frame>& stack) {
  std::string out;
  for (const auto& f : stack) out.append(out.empty() ? "" : " < ").append(blackbox::to_text(f));
  return out;
}

}  // namespace

watched_work::watched_work(instance& who, blackbox::work what, std::int64_t now_us) {
  if (who.around.watch == nullptr) return;
  slot_ = &who.around.watch->notes().mine();
  what.plugin = who.note();
  what.generation = who.generation();
  if (now_us == 0) now_us = who.around.time->steady_us();
  if (blackbox::entered(*slot_))
    blackbox::enter_within(*slot_, outer_.emplace(), what, now_us);
  else
    blackbox::enter(*slot_, what, now_us);
}

watched_wait::watched_wait(instance& who) : clock_(*who.around.time) {
  if (who.around.watch == nullptr) return;
  auto& s = who.around.watch->notes().mine();
  if (!blackbox::inside(s)) return;
  slot_ = &s;
  s.since_us.store(-s.since_us.load(std::memory_order_relaxed), std::memory_order_release);
}

watched_wait::~watched_wait() {
  if (slot_ != nullptr) slot_->since_us.store(clock_.steady_us(), std::memory_order_release);
}

void work_watch::add(instance& who) {
  const std::lock_guard lock(mutex_);
  watched_.push_back(&who);
}

void work_watch::remove(instance& who) {
  const std::lock_guard lock(mutex_);
  std::erase(watched_, &who);
  for (auto& each : seen_) std::erase_if(each.stack, [&](const frame& f) { return f.who == &who; });
}

instance* work_watch::find(std::uint32_t plugin, std::uint32_t generation) const {
  for (auto* who : watched_)
    if (who->note() == plugin && who->generation() == generation) return who;
  return nullptr;
}

// A job has until its deadline, whatever it does.
std::int64_t work_watch::patience_of(const frame& f) {
  if (f.kind == work_kind::job)
    for (const auto& kind : f.who->declared.jobs)
      if (kind.note == f.what) return f.who->stall_kill_after_us + kind.timeout_us;
  return f.who->stall_kill_after_us;
}

void work_watch::tick() {
  const auto now = clock_.steady_us();
  const std::lock_guard lock(mutex_);
  if (!blackbox::descriptors_are_whole()) suspect_who_was_active();
  auto passed = now - std::exchange(looked_us_, now);
  if (passed > longest_pause_us) passed = 0;
  seen_.resize(std::min<std::size_t>(notes_.all().slot_bound, blackbox::most_slots));
  for (std::size_t i = 0; i < seen_.size(); ++i) look_at(notes_.all().slots[i], seen_[i], passed, now);
}

// Whoever has been in plugin code since the last look, when all was well.
void work_watch::suspect_who_was_active() {
  auto& slots = notes_.all().slots;
  const auto bound = std::min<std::size_t>(notes_.all().slot_bound, blackbox::most_slots);
  seen_.resize(bound);
  for (std::size_t i = 0; i < bound; ++i) {
    auto& s = slots[i];
    const bool active = blackbox::inside(s) || seen_[i].inside || s.entries.load() != seen_[i].entries;
    if (s.used != 0 && active) s.used = 2;
  }
  blackbox::end_because(notes_, blackbox::end_cause::descriptors, 0, {}, "a descriptor of the host was closed");
}

// The time is sampled, which costs the plugin's threads nothing.
void work_watch::look_at(const blackbox::slot& s, seen& known, std::int64_t passed_us, std::int64_t now_us) {
  const auto entries = s.entries.load(std::memory_order_acquire);
  const auto stay = s.stay.load(std::memory_order_acquire);
  const auto since = s.since_us.load(std::memory_order_acquire);
  frame top{since, nullptr, s.kind.load(std::memory_order_acquire), s.what.load(std::memory_order_acquire)};
  const auto plugin = s.plugin.load(std::memory_order_acquire);
  const auto generation = s.generation.load(std::memory_order_acquire);
  const bool waits = s.in_host.load(std::memory_order_acquire) != 0;
  // What is read while it is written does not belong together.
  if (entries % 2 != 0 || s.entries.load(std::memory_order_relaxed) != entries) return;
  known.entries = entries;
  known.inside = since > 0;
  const bool another = std::exchange(known.stay, stay) != stay;
  if (another) known.replaced = false;
  // What it has come out of, and what begins anew behind its wait.
  while (!known.stack.empty() && (another || since == 0 || known.stack.back().since_us > std::abs(since) ||
                                  known.stack.back().since_us == -since)) {
    hear_of_return(known.stack.back());
    known.stack.pop_back();
  }
  // Whoever has called what is on top waits for that.
  for (auto& f : known.stack)
    if (f.since_us != since) f.waited_us += passed_us;
  if (since <= 0) return;
  if (known.stack.empty() || known.stack.back().since_us != since) {
    // Starting and stopping have deadlines of their own. A generation does not go while its code runs.
    if (top.kind != work_kind::other) top.who = find(plugin, generation);
    if (top.who == nullptr) return;
    known.stack.push_back(top);
    passed_us = std::min(passed_us, now_us - since);
  }
  auto& seen_now = known.stack.back();
  (waits ? seen_now.waited_us : seen_now.own_us) += passed_us;
  judge(s, known, waits);
}

void work_watch::judge(const blackbox::slot& s, seen& known, bool waits) {
  auto& f = known.stack.back();
  const auto told = [&](finding what, std::int64_t lasts_us) {
    if (!std::exchange(f.told, true)) f.who->stalled.fetch_add(1);
    report(s, *f.who, lasts_us, what);
    if (!std::exchange(known.replaced, true)) replace_(static_cast<work_kind>(s.begun_as.load()));
  };
  if (f.own_us >= f.who->stall_after_us) {
    if (!std::exchange(f.hangs, true)) told(finding::hangs, f.own_us);
  } else if (waits && !f.told && f.own_us + f.waited_us >= f.who->stall_after_us) {
    told(finding::waits, f.own_us + f.waited_us);
  }
  if (!waits && f.who->stall_kill_after_us != 0 && f.own_us >= patience_of(f))
    report(s, *f.who, f.own_us, finding::ends);
}

void work_watch::hear_of_return(const frame& f) {
  if (!f.told) return;
  f.who->stalled.fetch_sub(1);
  observability::log_info(f.hangs ? "Work that hung has come back." : "Work that waited has gone on.",
                          {{"plugin", f.who->id()}});
}

void work_watch::report(const blackbox::slot& s, instance& who, std::int64_t lasts_us, finding what) {
  const auto addresses = blackbox::stack_of(s.tid.load());
  const auto work = blackbox::account_of(s, notes_.all());
  const auto say = [&](observability::level how, std::string_view text) {
    observability::log(how, text,
                       {{"plugin", who.id()},
                        {"generation", std::to_string(who.generation())},
                        {"lane", work.thread},
                        {"work", blackbox::to_string(work.kind)},
                        {"in", blackbox::to_text(work)},
                        {"id", work.id},
                        {"ms", std::to_string(lasts_us / 1000)},
                        {"stack", to_text(blackbox::name_frames(addresses, blackbox::own_maps()))}});
  };
  using observability::level;
  if (what == finding::waits) return say(level::warn, "A plugin's work waits long for its store, a call or a write.");
  if (what == finding::hangs) return say(level::error, "A plugin does not come back.");
  say(level::error, "A plugin does not come back, and the process is ended for it.");
  observability::flush_log();
  blackbox::end_because(notes_, blackbox::end_cause::stall, s.tid.load(), addresses,
                        "it did not come back for " + std::to_string(lasts_us / 1000) + " ms");
}

}  // namespace gantry::runtime
