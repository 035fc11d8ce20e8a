#include "runtime/watch.hpp"

#include <algorithm>

#include "blackbox/crash.hpp"
#include "blackbox/guard.hpp"
#include "blackbox/reading.hpp"
#include "blackbox/stack.hpp"
#include "observability/log.hpp"
#include "runtime/instance.hpp"

namespace gantry::runtime {
namespace {

std::string to_text(const std::vector<blackbox::frame>& stack) {
  std::string out;
  for (const auto& f : stack) out.append(out.empty() ? "" : " < ").append(blackbox::to_text(f));
  return out;
}

}  // namespace

watched_work::watched_work(instance& who, blackbox::work what, std::int64_t now_us) {
  if (who.around.watch == nullptr) return;
  slot_ = &who.around.watch->notes().mine();
  if (blackbox::inside(*slot_)) blackbox::keep(*slot_, outer_.emplace());
  what.plugin = who.note();
  what.generation = who.generation();
  blackbox::enter(*slot_, what, now_us != 0 ? now_us : who.around.time->steady_us());
}

watched_wait::watched_wait(instance& who) : clock_(*who.around.time) {
  if (who.around.watch == nullptr) return;
  auto& s = who.around.watch->notes().mine();
  if (!blackbox::inside(s)) return;
  slot_ = &s;
  blackbox::leave(s);
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
  std::erase_if(stuck_, [&](const stuck& s) { return s.who == &who; });
}

instance* work_watch::find(std::uint32_t plugin, std::uint32_t generation) const {
  for (auto* who : watched_)
    if (who->note() == plugin && who->generation() == generation) return who;
  return nullptr;
}

// A job has until its deadline, whatever it does.
std::int64_t work_watch::patience_of(const instance& who, const blackbox::slot& s) const {
  if (s.kind.load() != work_kind::job) return who.stall_kill_after_us;
  for (const auto& kind : who.declared.jobs)
    if (kind.note == s.what.load()) return who.stall_kill_after_us + kind.timeout_us;
  return who.stall_kill_after_us;
}

void work_watch::tick() {
  const auto now = clock_.steady_us();
  const std::lock_guard lock(mutex_);
  if (!blackbox::descriptors_are_whole()) suspect_who_was_active();
  hear_of_returns();
  if (watched_.empty()) return;
  std::int64_t least = INT64_MAX;
  for (const auto* who : watched_) least = std::min(least, who->stall_after_us.load());
  seen_.resize(std::min<std::size_t>(notes_.all().slot_bound, blackbox::most_slots));
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const auto& s = notes_.all().slots[i];
    const auto since = s.since_us.load(std::memory_order_acquire);
    seen_[i] = {s.entries.load(std::memory_order_relaxed), since != 0};
    if (since != 0 && now - since >= least) look_at(s, now);
  }
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

void work_watch::look_at(const blackbox::slot& s, std::int64_t now_us) {
  const auto entries = s.entries.load(std::memory_order_acquire);
  const auto lasts = now_us - s.since_us.load(std::memory_order_acquire);
  // Starting and stopping have deadlines of their own.
  if (s.kind.load() == work_kind::other) return;
  auto* const who = find(s.plugin.load(), s.generation.load());
  // What was read belongs together when nothing was entered meanwhile. A generation does not go while its code runs.
  if (who == nullptr || lasts >= now_us || s.entries.load(std::memory_order_acquire) != entries) return;
  const bool waits = s.in_host.load() != 0;
  auto known = std::find_if(stuck_.begin(), stuck_.end(), [&](const stuck& k) { return k.at == &s; });
  if (known == stuck_.end()) {
    if (lasts < who->stall_after_us) return;
    known = stuck_.insert(known, {&s, entries, who, 0});
    who->stalled.fetch_add(1);
    report(s, *who, lasts, waits ? finding::waits : finding::hangs);
    replace_(s.kind.load());
  }
  if (waits) known->waited_us = now_us;
  const auto own = known->waited_us == 0 ? lasts : now_us - known->waited_us;
  if (!waits && who->stall_kill_after_us != 0 && own >= patience_of(*who, s)) report(s, *who, own, finding::ends);
}

void work_watch::hear_of_returns() {
  std::erase_if(stuck_, [](const stuck& k) {
    if (k.at->since_us.load(std::memory_order_acquire) != 0 &&
        k.at->entries.load(std::memory_order_acquire) == k.entries)
      return false;
    k.who->stalled.fetch_sub(1);
    observability::log_info("Work that hung has come back.", {{"plugin", k.who->id()}});
    return true;
  });
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
