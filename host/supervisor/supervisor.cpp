#include "supervisor/supervisor.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "base/clock.hpp"
#include "observability/log.hpp"
#include "supervisor/child.hpp"
#include "supervisor/output.hpp"

namespace gantry::supervisor {
namespace {

using observability::log_error;
using observability::log_info;
using observability::log_warn;

// Who is not to be there in another life of the member that ends it, and has not ended with that, gets this long.
constexpr std::int64_t farewell_us = 5'000'000;

sigset_t awaited() {
  sigset_t set;
  sigemptyset(&set);
  for (const int one : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, one);
  return set;
}

// The signals of this process as a descriptor, for poll.
class signal_source {
 public:
  signal_source() {
    block_signals();
    const auto set = awaited();
    fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~signal_source() { close(fd_); }
  signal_source(const signal_source&) = delete;
  signal_source& operator=(const signal_source&) = delete;

  int descriptor() const noexcept { return fd_; }
  // The next signal that came; its number is 0 when there is none.
  signalfd_siginfo next() const {
    signalfd_siginfo one{};
    if (read(fd_, &one, sizeof one) != sizeof one) one.ssi_signo = 0;
    return one;
  }

 private:
  int fd_ = -1;
};

// A member over all its lives.
class charge {
 public:
  charge(member what, std::size_t width, const family& of)
      : what_(std::move(what)), policy_(what_.limits), lines_(what_.name, width), family_(of) {}

  // Starts it when that is due.
  void start_if_due(std::int64_t now_us, double chance) {
    if (!due_us_ || now_us < *due_us_) return;
    due_us_.reset();
    auto made = begin();
    if (!made) {
      again("it could not be started: " + made.failure().text, now_us, chance);
      return;
    }
    life_.emplace(std::move(*made));
    began_us_ = now_us;
    silent_ = what_.principal;
    if (!what_.principal)
      log_info("A host was started.", {{"host", what_.name}, {"pid", std::to_string(life_->pid())}});
  }

  // Takes its end, if it has ended. What the family says to that, if it was asked. `stopping`: the family ends.
  std::optional<aftermath> reap(std::int64_t now_us, double chance, bool stopping) {
    if (!life_) return std::nullopt;
    const auto pid = life_->pid();
    const auto how = life_->ended();
    if (!how) return std::nullopt;
    read_output();
    std::string last;
    lines_.end(last);
    if (!last.empty()) family_.out(last);
    life_.reset();
    kill_at_us_.reset();
    std::optional<aftermath> then;
    if (family_.after) then = family_.after(what_, pid, *how);
    const bool meant = !then || then->meant;
    // Whom another member ends may have been asked by it: what it is asked for here is not all.
    const bool is_to_end = asked_ || (stopping && !what_.ended_by.empty());
    const bool asks_anew = meant && how->signal == 0 && how->code == start_anew;
    wants_anew_ = asks_anew && !is_to_end;
    if (wants_anew_) {
      log_info("A host is started anew, as it asked.", {{"host", what_.name}});
      due_us_ = now_us;
    } else if (meant && (how->clean() || asks_anew)) {
      if (!what_.principal) log_info("A host has ended.", {{"host", what_.name}});
      // Asked to make room for another life of its own.
      if (std::exchange(renewed_, false) && !is_to_end) due_us_ = now_us;
    } else if (is_to_end || (meant && what_.principal && !died_ && how->signal == 0)) {
      bad_ = true;
      code_ = how->signal == 0 ? how->code : 1;
      if (!what_.principal || how->signal != 0)
        log_error("A host did not end well.", {{"host", what_.name}, {"how", to_text(*how)}});
    } else {
      renewed_ = false;
      again(to_text(*how), now_us, chance);
    }
    return then;
  }

  void read_output() {
    if (!life_ || life_->output() < 0) return;
    std::array<char, 16 * 1024> buffer;
    std::string complete;
    // More than a pipe holds, and no more: one that never stops talking must not keep the others waiting.
    for (int times = 0; times < 16; ++times) {
      const auto got = read(life_->output(), buffer.data(), buffer.size());
      silent_ = got == 0;
      if (got <= 0) break;
      lines_.feed({buffer.data(), static_cast<std::size_t>(got)}, complete);
    }
    if (!complete.empty()) family_.out(complete);
  }

  void signal(int number) const {
    if (life_) life_->signal(number);
  }
  // Asks it, once, to end; it will not be started again.
  void end() {
    if (std::exchange(asked_, true)) return;
    if (due_us_ && died_) bad_ = true;
    due_us_.reset();
    signal(SIGTERM);
  }
  // Asks it to end, because it is not to be there any more: how it ends is nothing to be ashamed of.
  void leave(std::int64_t kill_at_us) {
    leaves_ = true;
    end();
    kill_at(kill_at_us);
  }
  // If it runs, it is killed at this time, unless it is to be sooner.
  void kill_at(std::int64_t at_us) {
    if (life_) kill_at_us_ = std::min(kill_at_us_.value_or(at_us), at_us);
  }
  void kill_if_late(std::int64_t now_us) {
    if (!life_ || !kill_at_us_ || now_us < *kill_at_us_) return;
    log_error("A host does not end and is killed.", {{"host", what_.name}});
    signal(SIGKILL);
    kill_at_us_.reset();
  }
  // From now on it is this. A life with other arguments ends, by `kill_at_us` at the latest, and another one begins.
  void become(member next, std::int64_t kill_at_us) {
    const bool same = next.arguments == what_.arguments;
    what_.arguments = std::move(next.arguments);
    what_.ends_last = next.ends_last;
    what_.ended_by = std::move(next.ended_by);
    what_.first_life = nullptr;
    if (same || !life_ || renewed_) return;
    renewed_ = true;
    signal(SIGTERM);
    kill_at(kill_at_us);
  }

  // If it was given up, it is started again, and may die as often as at first.
  void try_again(std::int64_t now_us) {
    if (!std::exchange(given_up_, false) || asked_) return;
    bad_ = false;
    code_ = 0;
    policy_.forget();
    due_us_ = now_us;
    log_info("A host that was given up is started again.", {{"host", what_.name}});
  }

  // Another life, at once, or when this one has ended.
  void renew(std::int64_t now_us, std::int64_t kill_at_us) {
    if (asked_) return;
    try_again(now_us);
    if (life_) {
      renewed_ = true;
      signal(SIGTERM);
      kill_at(kill_at_us);
    } else {
      due_us_ = now_us;
    }
  }

  // Whether its last end was one that asks for another life.
  bool wants_anew() noexcept { return std::exchange(wants_anew_, false); }
  bool asked() const noexcept { return asked_; }
  bool runs() const noexcept { return life_.has_value(); }
  // It has ended because somebody asked it, and nobody said that it is not to be there.
  bool rests() const noexcept { return over() && !asked_ && !bad_; }
  // Of its present life, or the last one.
  std::int64_t began_us() const noexcept { return began_us_; }
  bool over() const noexcept { return !life_ && !due_us_; }
  bool bad() const noexcept { return bad_ && !leaves_; }
  int code() const noexcept { return code_; }
  bool principal() const noexcept { return what_.principal; }
  bool ends_last() const noexcept { return what_.ends_last; }
  const std::string& ended_by() const noexcept { return what_.ended_by; }
  // To poll; -1: there is nothing more to read.
  int output() const noexcept { return life_ && !silent_ ? life_->output() : -1; }
  const std::optional<std::int64_t>& due_us() const noexcept { return due_us_; }
  const std::optional<std::int64_t>& kill_at_us() const noexcept { return kill_at_us_; }
  const std::string& name() const noexcept { return what_.name; }

 private:
  result<child> begin() {
    if (auto first = std::exchange(what_.first_life, nullptr)) return child::fork(first, {SIGTERM, SIGINT, SIGHUP});
    const auto& program = what_.program.empty() ? what_.arguments.at(0) : what_.program;
    return what_.waits_for_signals ? child::start(program, what_.arguments, {SIGTERM, SIGINT, SIGHUP}, what_.principal)
                                   : child::start(program, what_.arguments, {}, what_.principal);
  }

  void again(const std::string& how, std::int64_t now_us, double chance) {
    died_ = true;
    const auto pause = policy_.died(now_us, chance);
    if (!pause) {
      given_up_ = true;
      bad_ = true;
      code_ = 1;
      log_error("A host died too often and is not started again; the others go on.",
                {{"host", what_.name},
                 {"how", how},
                 {"restarts", std::to_string(what_.limits.max_restarts)},
                 {"within_ms", std::to_string(what_.limits.window_us / 1000)}});
      return;
    }
    due_us_ = now_us + *pause;
    log_warn("A host died and is started again.",
             {{"host", what_.name}, {"how", how}, {"in_ms", std::to_string(*pause / 1000)}});
  }

  member what_;
  restart_policy policy_;
  named_lines lines_;
  const family& family_;
  std::optional<child> life_;               // while it runs
  std::optional<std::int64_t> due_us_ = 0;  // of the next start
  std::int64_t began_us_ = 0;
  std::optional<std::int64_t> kill_at_us_;  // of this life, if it has not ended
  bool silent_ = false;                     // it has closed its output, or writes to ours
  bool died_ = false;                       // at least once
  bool wants_anew_ = false;
  bool asked_ = false;    // to end
  bool leaves_ = false;   // because it is not to be there
  bool renewed_ = false;  // asked to end so that it can begin anew
  bool given_up_ = false;
  bool bad_ = false;
  int code_ = 0;
};

class watch_over {
 public:
  explicit watch_over(const family& what) : what_(what) {
    for (const auto& m : what.members) add(m);
  }

  family_end run() {
    for (;;) {
      const auto now = system_clock().steady_us();
      for (std::size_t i = 0; i < all_.size(); ++i) {
        auto then = all_[i]->reap(now, chance(), stopping());
        if (then && then->members && !stopping()) change(std::move(*then->members), now);
        if (all_[i]->wants_anew()) renew_those_of(*all_[i], now);
      }
      start_again_with_their_member(now);
      for (auto& one : all_)
        if (!is_held(*one)) one->start_if_due(now, chance());
      if (what_.started && !std::exchange(told_, true)) what_.started();
      if (std::all_of(all_.begin(), all_.end(), [](const auto& one) { return one->over(); })) break;
      end_with_principal();
      end_the_last();
      end_the_left();
      kill_late(now);
      wait(now);
      for (auto one = signals_.next(); one.ssi_signo != 0; one = signals_.next()) take(one);
    }
    family_end end;
    for (const auto& one : all_) {
      end.good = end.good && !one->bad();
      if (one->bad() && (end.code == 0 || one->principal())) end.code = one->code() == 0 ? 1 : one->code();
    }
    return end;
  }

 private:
  bool stopping() const noexcept { return kill_at_us_.has_value(); }
  double chance() { return std::uniform_real_distribution<double>(0, 1)(entropy_); }

  void add(const member& m) {
    std::size_t width = m.name.size();
    for (const auto& other : what_.members) width = std::max(width, other.name.size());
    all_.push_back(std::make_unique<charge>(m, width, what_));
  }

  std::int64_t patience_us() const noexcept { return std::chrono::microseconds(what_.patience).count(); }

  // A member has ended in order to begin anew.
  void renew_those_of(const charge& by, std::int64_t now_us) {
    for (auto& one : all_) {
      if (one->ended_by() != by.name()) continue;
      if (one->asked()) one->kill_at(now_us + farewell_us);
      one->renew(now_us, now_us + patience_us());
    }
  }

  // What is not to be there in the next life of this member may have files that it will open.
  bool is_held(const charge& one) const {
    return std::any_of(all_.begin(), all_.end(), [&](const auto& other) {
      return other->ended_by() == one.name() && other->asked() && other->runs();
    });
  }

  // Who was asked to end by a member that has begun another life since then.
  void start_again_with_their_member(std::int64_t now_us) {
    if (stopping()) return;
    for (auto& one : all_) {
      if (one->ended_by().empty() || !one->rests()) continue;
      if (const auto* const by = ender_of(*one); by != nullptr && by->runs() && by->began_us() > one->began_us())
        one->renew(now_us, now_us);
    }
  }

  void change(std::vector<member> members, std::int64_t now_us) {
    for (const auto& one : all_) {
      const bool stays =
          std::any_of(members.begin(), members.end(), [&](const member& m) { return m.name == one->name(); });
      if (stays || one->asked()) continue;
      // Its member's next life waits for it.
      const auto* const by = ender_of(*one);
      one->leave(now_us + (by == nullptr || by->runs() ? patience_us() : farewell_us));
    }
    for (auto& m : members) {
      const auto at = std::find_if(all_.begin(), all_.end(),
                                   [&](const auto& one) { return one->name() == m.name && !one->asked(); });
      if (at == all_.end()) {
        add(m);
      } else {
        (*at)->become(std::move(m), now_us + patience_us());
      }
    }
  }

  void take(const signalfd_siginfo& what) {
    const auto number = static_cast<int>(what.ssi_signo);
    if (number == SIGHUP) {
      // What a terminal says, it says to the principal too.
      for (const auto& one : all_) {
        if (!one->principal() || what.ssi_code != SI_KERNEL) one->signal(SIGHUP);
        if (!stopping()) one->try_again(system_clock().steady_us());
      }
    }
    if (number == SIGTERM || number == SIGINT) end_all();
  }

  void end_all() {
    if (stopping()) return;
    kill_at_us_ = system_clock().steady_us() + patience_us();
    for (const auto& one : all_)
      if (!one->ends_last() && one->ended_by().empty()) one->end();
  }

  // Who asks this one to end; null: nobody but this.
  const charge* ender_of(const charge& one) const {
    for (const auto& other : all_)
      if (other->name() == one.ended_by()) return other.get();
    return nullptr;
  }

  // Those whose member that should have asked them has ended without.
  void end_the_left() {
    if (!stopping()) return;
    for (const auto& one : all_) {
      if (one->ended_by().empty() || one->asked()) continue;
      if (const auto* const by = ender_of(*one); by == nullptr || by->over()) one->end();
    }
  }

  void end_with_principal() {
    for (const auto& one : all_)
      if (one->principal() && one->over()) end_all();
  }

  // Those that the others need, once the others have ended.
  void end_the_last() {
    const bool others = std::any_of(all_.begin(), all_.end(), [this](const auto& one) {
      const auto* const by = ender_of(*one);
      return !one->ends_last() && !one->over() && (by == nullptr || !by->ends_last());
    });
    if (!stopping() || others) return;
    for (const auto& one : all_) {
      if (!one->ends_last() || one->asked()) continue;
      one->end();
      kill_at_us_ = system_clock().steady_us() + patience_us();
    }
  }

  void kill_late(std::int64_t now_us) {
    for (const auto& one : all_) one->kill_if_late(now_us);
    if (!stopping() || now_us < *kill_at_us_) return;
    for (const auto& one : all_) {
      if (one->over() || !one->asked()) continue;  // one that ends last has not been asked while others are there
      log_error("A host does not end and is killed.", {{"host", one->name()}});
      one->signal(SIGKILL);
    }
    kill_at_us_ = now_us + patience_us();
  }

  // Until a signal, output, or the time of the next start.
  void wait(std::int64_t now_us) {
    std::vector<pollfd> on = {{signals_.descriptor(), POLLIN, 0}};
    if (what_.room != nullptr && what_.room->descriptor() >= 0) on.push_back({what_.room->descriptor(), POLLOUT, 0});
    auto until = kill_at_us_;
    for (const auto& one : all_) {
      if (one->output() >= 0) on.push_back({one->output(), POLLIN, 0});
      if (!is_held(*one) && one->due_us() && (!until || *one->due_us() < *until)) until = one->due_us();
      if (one->kill_at_us() && (!until || *one->kill_at_us() < *until)) until = one->kill_at_us();
    }
    const auto left_us = until ? std::max<std::int64_t>(*until - now_us, 0) : -1;
    const int left_ms = left_us < 0 ? -1 : static_cast<int>(std::min<std::int64_t>(left_us / 1000 + 1, 60'000));
    poll(on.data(), on.size(), left_ms);
    if (what_.room != nullptr) what_.room->push();
    for (auto& one : all_) one->read_output();
  }

  const family& what_;
  signal_source signals_;
  std::vector<std::unique_ptr<charge>> all_;
  bool told_ = false;
  std::optional<std::int64_t> kill_at_us_;  // set: all were asked to end
  std::minstd_rand entropy_{std::random_device{}()};
};

}  // namespace

void block_signals() {
  const auto set = awaited();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

family_end run(const family& what) { return watch_over(what).run(); }

}  // namespace gantry::supervisor
