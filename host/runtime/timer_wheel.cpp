#include "runtime/timer_wheel.hpp"

#include <algorithm>

namespace gantry::runtime {

std::string_view timer_wheel::name_of(std::uint32_t kind, std::string_view key) {
  scratch_.assign(reinterpret_cast<const char*>(&kind), sizeof kind);
  scratch_.append(key);
  return scratch_;
}

timer_wheel::timer& timer_wheel::entry(std::uint32_t kind, std::string_view key) {
  const auto name = name_of(kind, key);
  auto at = timers_.find(name);
  if (at == timers_.end()) {
    at = timers_.emplace(std::string(name), timer{}).first;
    at->second.name = &at->first;
  } else if (at->second.ticket == 0) {
    unlink(at->second);
  }
  return at->second;
}

void timer_wheel::link(timer& t) {
  timer*& head = wheel_[slot_of(t.due_us)];
  t.previous = nullptr;
  t.next = head;
  if (head != nullptr) head->previous = &t;
  head = &t;
}

void timer_wheel::unlink(timer& t) {
  if (t.previous != nullptr) {
    t.previous->next = t.next;
  } else {
    wheel_[slot_of(t.due_us)] = t.next;
  }
  if (t.next != nullptr) t.next->previous = t.previous;
}

void timer_wheel::arm(std::uint32_t kind, std::string_view key, std::int64_t due_us) {
  timer& t = entry(kind, key);
  t.ticket = 0;
  // A moment that the wheel has passed already belongs to its next tick.
  t.due_us = std::max(due_us, last_tick_ * tick_us + 1);
  link(t);
}

void timer_wheel::arm_after(std::uint64_t ticket, std::uint32_t kind, std::string_view key, std::int64_t delay_us) {
  timer& t = entry(kind, key);
  t.ticket = ticket;
  t.arming = ++armings_;
  (ticket == UINT64_MAX ? waiting_last_ : waiting_).push_back({ticket, t.arming, delay_us, *t.name});
}

void timer_wheel::disarm(std::uint32_t kind, std::string_view key) {
  const auto at = timers_.find(name_of(kind, key));
  if (at == timers_.end()) return;
  if (at->second.ticket == 0) unlink(at->second);
  timers_.erase(at);
}

void timer_wheel::acknowledged(std::uint64_t ticket, std::int64_t now_us) {
  for (; !waiting_.empty() && waiting_.front().ticket <= ticket; waiting_.pop_front()) start(waiting_.front(), now_us);
  if (ticket != UINT64_MAX) return;
  for (; !waiting_last_.empty(); waiting_last_.pop_front()) start(waiting_last_.front(), now_us);
}

void timer_wheel::start(const waiting& w, std::int64_t now_us) {
  // Gone, or armed anew, since: then there is nothing to start here.
  const auto at = timers_.find(w.name);
  if (at == timers_.end() || at->second.ticket == 0 || at->second.arming != w.arming) return;
  timer& t = at->second;
  t.ticket = 0;
  t.due_us = std::max(now_us + w.delay_us, last_tick_ * tick_us + 1);
  link(t);
}

void timer_wheel::advance(std::int64_t now_us, std::vector<fired>& out) {
  const std::int64_t tick = now_us / tick_us;
  if (last_tick_ < 0) last_tick_ = tick - static_cast<std::int64_t>(slots);
  // After a long pause every slot is visited once; more would visit them again.
  std::int64_t from = std::max(last_tick_ + 1, tick - static_cast<std::int64_t>(slots) + 1);
  for (; from <= tick; ++from) {
    timer* t = wheel_[static_cast<std::size_t>(from) % slots];
    while (t != nullptr) {
      timer* const next = t->next;
      if (t->due_us <= now_us) {
        std::uint32_t kind = 0;
        std::copy_n(t->name->data(), sizeof kind, reinterpret_cast<char*>(&kind));
        out.push_back({kind, t->name->substr(sizeof kind)});
        unlink(*t);
        timers_.erase(*t->name);
      }
      t = next;
    }
  }
  last_tick_ = std::max(last_tick_, tick);
}

}  // namespace gantry::runtime
