// Timers of a lane: when they may fire, and the clock they go by.
#include "runtime/lane.hpp"

#include <algorithm>
#include <utility>

#include "observability/log.hpp"
#include "runtime/instance.hpp"
#include "runtime/text.hpp"

namespace gantry::runtime {
namespace {

using observability::log_warn;

// Whoever is to answer was away as well, and has to come back and work off what waited: timers stand still for as long
// again as the outage, but no longer than this.
constexpr std::int64_t longest_recovery_us = 60'000'000;

// A timer of the plugin that is due.
class timer_write final : public write {
 public:
  timer_write(const current_instance& owner, timer_wheel& wheel, std::int64_t again_us, timer_wheel::fired what)
      : owner_(owner), wheel_(wheel), again_us_(again_us), what_(std::move(what)) {}
  std::uint32_t note() const override {
    return what_.kind < owner_->declared.timers.size() ? owner_->declared.timers[what_.kind].note : 0;
  }
  // One that failed is armed again, before a later batch arms or disarms it.
  bool changes_lane() const override { return failed_; }
  gantry_status run(gantry_tx& tx) override {
    // A generation that went back to may not have the kind yet; its rows stay, and whoever has it restores the timer.
    if (what_.kind >= owner_->declared.timers.size()) return GANTRY_OK;
    const auto& kind = owner_->declared.timers[what_.kind];
    const auto status = owner_->guarded([&] { return kind.fire(kind.user, str(what_.key), &tx); }, "timer");
    failed_ = status != GANTRY_OK;
    return status;
  }
  void finished(bool, gantry_status status, std::string_view text) override {
    if (status == GANTRY_OK) return;
    const auto& kinds = owner_->declared.timers;
    log_warn("A timer failed and will fire again.",
             {{"plugin", owner_->id()},
              {"timer", what_.kind < kinds.size() ? kinds[what_.kind].name : "?"},
              {"key", what_.key},
              {"error", text}});
    wheel_.arm(what_.kind, what_.key, again_us_);
  }

 private:
  const current_instance& owner_;
  timer_wheel& wheel_;
  const std::int64_t again_us_;
  timer_wheel::fired what_;
  bool failed_ = false;
};

}  // namespace

void lane::note_caught_up() {
  if (!events_on_ || relay_->stuck() || !bus_.health()) return;
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    const feed& f = *feeds_[i];
    if (starting_ends_[i] == UINT64_MAX) {
      const auto range = consumer_->range(f.where);
      if (!range) return;
      starting_ends_[i] = range->end;
    }
    if (!f.held() ? !others_reached(i) : f.next() < starting_ends_[i] && f.lag() != 0 && f.halted.empty()) return;
  }
  if (!bus_.health()) return;  // a bus that went away meanwhile knows of no lag
  caught_up_ = true;
  timers_wait_ = false;
  // Those that restore() asked for. The others' tickets are below this one, and all but a few are acknowledged.
  wheel_.acknowledged(UINT64_MAX, timer_now());
}

void lane::fire_timers() {
  if (owner_->state() != phase::running || timers_wait_) return;
  const auto now = timer_now();
  fired_.clear();
  wheel_.advance(now, fired_);
  for (auto& f : fired_)
    writes_.push_back(std::make_unique<timer_write>(owner_, wheel_, now + 1'000'000, std::move(f)));
}

std::int64_t lane::timer_now() {
  const auto now = clock_.steady_us();
  still_.look(now);
  if (const auto since = still_.take(); since != 0) {
    // What happened meanwhile has not been read yet.
    if (frozen_since_us_ == 0) frozen_since_us_ = since;
    well_since_us_ = 0;
  }
  if (relay_->stuck() || store_away_ || !bus_.health()) {
    if (frozen_since_us_ == 0) frozen_since_us_ = now;
    well_since_us_ = 0;
    return frozen_since_us_ - frozen_total_us_;
  }
  if (frozen_since_us_ != 0) {
    if (well_since_us_ == 0) well_since_us_ = now;
    if (now - well_since_us_ < std::min(well_since_us_ - frozen_since_us_, longest_recovery_us))
      return frozen_since_us_ - frozen_total_us_;
    frozen_total_us_ += now - std::exchange(frozen_since_us_, 0);
    // Answers that came in the meantime are handled before a timer may fire.
    hold_timers();
  }
  return now - frozen_total_us_;
}

}  // namespace gantry::runtime
