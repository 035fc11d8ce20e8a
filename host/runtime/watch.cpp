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

// Nobody has looked for so long: the process, or the machine, stood still.
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
  if (blackbox::inside(*slot_))
    blackbox::keep(*slot_, outer_.emplace());
  else
    slot_->stay.store(slot_->stay.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
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
  const auto passed = now - std::exchange(looked_us_, now);
  stood_us_ = passed > longest_pause_us ? passed : 0;
  for (auto& each : stuck_) look_again(each, passed, now);
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
  const auto since = s.since_us.load(std::memory_order_acquire);
  const auto stay = s.stay.load(std::memory_order_relaxed);
  // Starting and stopping have deadlines of their own.
  if (s.kind.load() == work_kind::other) return;
  auto* const who = find(s.plugin.load(), s.generation.load());
  const bool waits = s.in_host.load() != 0;
  // What was read belongs together when nothing was entered meanwhile. A generation does not go while its code runs.
  if (who == nullptr || since == 0 || s.entries.load(std::memory_order_acquire) != entries) return;
  const auto lasts = now_us - since;
  if (lasts < who->stall_after_us) return;
  const auto of_this_stay = [&](const stuck& k) { return k.at == &s && k.stay == stay; };
  if (std::any_of(stuck_.begin(), stuck_.end(),
                  [&](const stuck& k) { return of_this_stay(k) && k.entries == entries; }))
    return;
  const bool replaced = std::any_of(stuck_.begin(), stuck_.end(), of_this_stay);
  // Its time so far was all of the kind that is seen now.
  stuck_.push_back({&s, stay, entries, since, who, waits ? lasts : std::min(lasts, stood_us_), !waits});
  who->stalled.fetch_add(1);
  report(s, *who, lasts, waits ? finding::waits : finding::hangs);
  if (!replaced) replace_(s.kind.load());
}

// The time that it waits is sampled, which costs the plugin's threads nothing.
void work_watch::look_again(stuck& k, std::int64_t passed_us, std::int64_t now_us) {
  const auto& s = *k.at;
  // In other plugin code, which it has called, it waits as well.
  const bool waits = s.in_host.load() != 0 || s.entries.load(std::memory_order_acquire) != k.entries;
  if (waits || stood_us_ != 0) k.waited_us += passed_us;
  if (waits || s.since_us.load(std::memory_order_acquire) != k.since_us) return;
  const auto own = now_us - k.since_us - k.waited_us;
  if (own >= k.who->stall_after_us && !std::exchange(k.hangs, true)) report(s, *k.who, own, finding::hangs);
  if (k.who->stall_kill_after_us != 0 && own >= patience_of(*k.who, s)) report(s, *k.who, own, finding::ends);
}

void work_watch::hear_of_returns() {
  std::erase_if(stuck_, [](const stuck& k) {
    const auto entries = k.at->entries.load(std::memory_order_acquire);
    const auto since = k.at->since_us.load(std::memory_order_acquire);
    // What it has called may be on the slot in its stead.
    const bool there = since != 0 && k.at->stay.load(std::memory_order_relaxed) == k.stay &&
                       (entries > k.entries || (entries == k.entries && since == k.since_us));
    if (there) return false;
    k.who->stalled.fetch_sub(1);
    observability::log_info(k.hangs ? "Work that hung has come back." : "Work that waited has gone on.",
                            {{"plugin", k.who->id()}});
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
