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
  // The next signal that came, or 0.
  int next() const {
    signalfd_siginfo one{};
    return read(fd_, &one, sizeof one) == sizeof one ? static_cast<int>(one.ssi_signo) : 0;
  }

 private:
  int fd_ = -1;
};

// A member over all its lives.
class charge {
 public:
  charge(const member& what, std::size_t width, const std::function<void(std::string_view)>& out)
      : what_(what), policy_(what.limits), lines_(what.name, width), out_(out) {}

  // Starts it when that is due.
  void start_if_due(std::int64_t now_us, double chance) {
    if (!due_us_ || now_us < *due_us_) return;
    due_us_.reset();
    auto made = what_.waits_for_signals ? child::start(what_.arguments, {SIGTERM, SIGINT, SIGHUP})
                                        : child::start(what_.arguments);
    if (!made) {
      again("it could not be started: " + made.failure().text, now_us, chance);
      return;
    }
    life_.emplace(std::move(*made));
    silent_ = false;
    log_info("A host was started.", {{"host", what_.name}, {"pid", std::to_string(life_->pid())}});
  }

  // Takes its end, if it has ended.
  void reap(std::int64_t now_us, double chance) {
    if (!life_) return;
    const auto how = life_->ended();
    if (!how) return;
    read_output();
    std::string last;
    lines_.end(last);
    if (!last.empty()) out_(last);
    life_.reset();
    if (how->clean()) {
      log_info("A host has ended.", {{"host", what_.name}});
    } else if (asked_) {
      bad_ = true;
      log_error("A host did not end well.", {{"host", what_.name}, {"how", to_text(*how)}});
    } else {
      again(to_text(*how), now_us, chance);
    }
  }

  void read_output() {
    if (!life_) return;
    std::array<char, 16 * 1024> buffer;
    std::string complete;
    // More than a pipe holds, and no more: one that never stops talking must not keep the others waiting.
    for (int times = 0; times < 16; ++times) {
      const auto got = read(life_->output(), buffer.data(), buffer.size());
      silent_ = got == 0;
      if (got <= 0) break;
      lines_.feed({buffer.data(), static_cast<std::size_t>(got)}, complete);
    }
    if (!complete.empty()) out_(complete);
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

  bool asked() const noexcept { return asked_; }
  bool over() const noexcept { return !life_ && !due_us_; }
  bool bad() const noexcept { return bad_; }
  bool ends_last() const noexcept { return what_.ends_last; }
  // To poll; -1: there is nothing more to read.
  int output() const noexcept { return life_ && !silent_ ? life_->output() : -1; }
  const std::optional<std::int64_t>& due_us() const noexcept { return due_us_; }
  const std::string& name() const noexcept { return what_.name; }

 private:
  void again(const std::string& how, std::int64_t now_us, double chance) {
    died_ = true;
    const auto pause = policy_.died(now_us, chance);
    if (!pause) {
      bad_ = true;
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

  const member& what_;
  restart_policy policy_;
  named_lines lines_;
  const std::function<void(std::string_view)>& out_;
  std::optional<child> life_;               // while it runs
  std::optional<std::int64_t> due_us_ = 0;  // of the next start
  bool silent_ = false;                     // it has closed its output
  bool died_ = false;                       // at least once
  bool asked_ = false;                      // to end
  bool bad_ = false;
};

class watch_over {
 public:
  explicit watch_over(const family& what) : what_(what) {
    std::size_t width = 0;
    for (const auto& m : what.members) width = std::max(width, m.name.size());
    for (const auto& m : what.members) all_.push_back(std::make_unique<charge>(m, width, what_.out));
  }

  bool run() {
    for (;;) {
      const auto now = system_clock().steady_us();
      for (auto& one : all_) {
        one->reap(now, chance());
        one->start_if_due(now, chance());
      }
      if (std::all_of(all_.begin(), all_.end(), [](const auto& one) { return one->over(); })) break;
      end_the_last();
      kill_late(now);
      wait(now);
      for (int number = signals_.next(); number != 0; number = signals_.next()) take(number);
    }
    return std::none_of(all_.begin(), all_.end(), [](const auto& one) { return one->bad(); });
  }

 private:
  bool stopping() const noexcept { return kill_at_us_.has_value(); }
  double chance() { return std::uniform_real_distribution<double>(0, 1)(entropy_); }

  void take(int number) {
    if (number == SIGHUP) {
      for (const auto& one : all_) one->signal(SIGHUP);
    }
    if ((number != SIGTERM && number != SIGINT) || stopping()) return;
    kill_at_us_ = system_clock().steady_us() + std::chrono::microseconds(what_.patience).count();
    for (const auto& one : all_)
      if (!one->ends_last()) one->end();
  }

  // Those that the others need, once the others have ended.
  void end_the_last() {
    const bool others =
        std::any_of(all_.begin(), all_.end(), [](const auto& one) { return !one->ends_last() && !one->over(); });
    if (!stopping() || others) return;
    for (const auto& one : all_) {
      if (!one->ends_last() || one->asked()) continue;
      one->end();
      kill_at_us_ = system_clock().steady_us() + std::chrono::microseconds(what_.patience).count();
    }
  }

  void kill_late(std::int64_t now_us) {
    if (!stopping() || now_us < *kill_at_us_) return;
    for (const auto& one : all_) {
      if (one->over() || !one->asked()) continue;  // one that ends last has not been asked while others are there
      log_error("A host does not end and is killed.", {{"host", one->name()}});
      one->signal(SIGKILL);
    }
    kill_at_us_ = now_us + std::chrono::microseconds(what_.patience).count();
  }

  // Until a signal, output, or the time of the next start.
  void wait(std::int64_t now_us) {
    std::vector<pollfd> on = {{signals_.descriptor(), POLLIN, 0}};
    auto until = kill_at_us_;
    for (const auto& one : all_) {
      if (one->output() >= 0) on.push_back({one->output(), POLLIN, 0});
      if (one->due_us() && (!until || *one->due_us() < *until)) until = one->due_us();
    }
    const auto left_us = until ? std::max<std::int64_t>(*until - now_us, 0) : -1;
    const int left_ms = left_us < 0 ? -1 : static_cast<int>(std::min<std::int64_t>(left_us / 1000 + 1, 60'000));
    poll(on.data(), on.size(), left_ms);
    for (auto& one : all_) one->read_output();
  }

  const family& what_;
  signal_source signals_;
  std::vector<std::unique_ptr<charge>> all_;
  std::optional<std::int64_t> kill_at_us_;  // set: all were asked to end
  std::minstd_rand entropy_{std::random_device{}()};
};

}  // namespace

void block_signals() {
  const auto set = awaited();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

bool run(const family& what) { return watch_over(what).run(); }

}  // namespace gantry::supervisor
