// A saga: a line of commands to other services, each with its answers, a timeout and a compensation.
//
// Pure: advance() takes the state and one signal and says what is to be done; the owner of the state stores the
// new state, emits the command and sets the timer, all in one transaction. No I/O, no clock, no SDK type.
// Owned by whoever calls it. Thread: any.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry {

// One row of the saga's table. All texts are literals that outlive the definition. An empty `compensation` says
// that the step needs none (what an earlier step undoes covers it). An empty `pivot` says that the step can be
// undone at any time; otherwise it names the event after which it can't.
struct saga_step {
  std::string_view name;
  std::string_view topic;
  std::string_view command;
  std::string_view success;
  std::string_view failure;
  std::chrono::microseconds timeout{};
  std::string_view compensation_topic{};
  std::string_view compensation{};
  std::string_view compensated{};
  std::chrono::microseconds compensation_timeout{};
  std::string_view pivot{};
};

// How long the answer to the n-th sending of a compensation (from 1) is waited for: twice as long each time, up to 32 times the
// timeout. Whoever is to answer may be slow because so much is asked of it.
constexpr std::chrono::microseconds compensation_wait(const saga_step& step, std::uint32_t attempt) {
  constexpr std::uint32_t most_doublings = 5;
  const std::uint32_t doublings = attempt == 0 ? 0 : attempt - 1 < most_doublings ? attempt - 1 : most_doublings;
  return step.compensation_timeout * (1U << doublings);
}

// The table. At most `saga_max_steps` steps. A compensation is sent `compensation_attempts` times before a person
// has to look.
inline constexpr std::size_t saga_max_steps = 8;

struct saga_definition {
  std::string_view name;
  std::vector<saga_step> steps;
  std::uint32_t compensation_attempts = 5;
};

enum class step_status : char {
  not_begun = '-',
  in_flight = 'i',
  done = 'd',
  in_doubt = '?',  // timed out or called off while in flight: it may have happened
  failed = 'f',
  compensating = 'c',
  compensated = 'u',
  pivoted = 'p',  // done, and can't be undone any more
};

// For people, e.g. "in_doubt".
constexpr std::string_view name_of(step_status status) {
  switch (status) {
    case step_status::not_begun:
      return "not_begun";
    case step_status::in_flight:
      return "in_flight";
    case step_status::done:
      return "done";
    case step_status::in_doubt:
      return "in_doubt";
    case step_status::failed:
      return "failed";
    case step_status::compensating:
      return "compensating";
    case step_status::compensated:
      return "compensated";
    case step_status::pivoted:
      return "pivoted";
  }
  return "unknown";
}

enum class saga_phase : char {
  idle = 'n',
  forward = 'f',
  backward = 'b',
  succeeded = 's',
  cancelled = 'c',
  needs_attention = 'a',
};

// Where one instance stands. A timer must be armed exactly while `running()`.
struct saga_state {
  saga_phase phase = saga_phase::idle;
  std::uint8_t current = 0;
  std::uint8_t step_count = 0;
  bool requested = false;  // the way back was asked for from outside, not caused by a failure
  std::uint32_t attempts = 0;
  std::array<step_status, saga_max_steps> steps{};
  std::string reason;
  // Earliest time at which the armed timer may fire, in microseconds since 1970; 0: none is armed. The owner keeps
  // it in a column of its own: it is not part of encode().
  std::int64_t deadline_us = 0;

  bool running() const { return phase == saga_phase::forward || phase == saga_phase::backward; }
  bool operator==(const saga_state&) const = default;
};

enum class saga_signal_kind {
  begin,
  succeeded,
  failed,
  compensated,
  pivoted,
  timeout,
  cancel,
};

// What happened. `step` counts for the four kinds that name a step; `reason` for failed and cancel.
struct saga_signal {
  saga_signal_kind kind = saga_signal_kind::begin;
  std::int64_t now_us = 0;
  std::size_t step = 0;
  std::string_view reason{};
};

enum class saga_timer { keep, arm, disarm };

// A command to emit: a step's own, or its compensation.
struct saga_command {
  std::size_t step = 0;
  bool compensation = false;
  std::string_view topic;
  std::string_view type;
};

struct saga_decision {
  saga_state state;
  std::optional<saga_command> command;
  saga_timer timer = saga_timer::keep;
  std::chrono::microseconds delay{};  // of an armed timer; count it from the acknowledgement of the command
  bool applied = false;               // false: a duplicate or a stray; state is as it was
  bool refused = false;               // a cancel that comes too late

  bool finished() const { return !state.running(); }
};

// The text for a column: "<phase><current><statuses><r|-><attempts>:<reason>", e.g. "f1di---1:".
inline std::string encode(const saga_state& state) {
  std::string text;
  text.reserve(std::size_t{16} + state.step_count + state.reason.size());
  text += static_cast<char>(state.phase);
  text += static_cast<char>('0' + state.current);
  for (std::size_t i = 0; i < state.step_count; ++i) text += static_cast<char>(state.steps[i]);
  text += state.requested ? 'r' : '-';
  text += std::to_string(state.attempts);
  text += ':';
  text += state.reason;
  return text;
}

// Reads what encode() wrote for a saga of `step_count` steps; nothing if the text is not of that form.
inline std::optional<saga_state> decode_saga(std::string_view text, std::size_t step_count, std::int64_t deadline_us) {
  constexpr std::string_view phases = "nfbsca";
  constexpr std::string_view statuses = "-id?fcup";
  if (step_count > saga_max_steps || text.size() < step_count + 5) return std::nullopt;
  if (phases.find(text[0]) == std::string_view::npos) return std::nullopt;
  if (text[1] < '0' || text[1] >= '0' + static_cast<int>(step_count)) return std::nullopt;
  saga_state state;
  state.phase = static_cast<saga_phase>(text[0]);
  state.current = static_cast<std::uint8_t>(text[1] - '0');
  state.step_count = static_cast<std::uint8_t>(step_count);
  for (std::size_t i = 0; i < step_count; ++i) {
    if (statuses.find(text[2 + i]) == std::string_view::npos) return std::nullopt;
    state.steps[i] = static_cast<step_status>(text[2 + i]);
  }
  const char requested = text[2 + step_count];
  if (requested != 'r' && requested != '-') return std::nullopt;
  state.requested = requested == 'r';
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + 3 + step_count, end, state.attempts);
  if (error != std::errc{} || rest == end || *rest != ':') return std::nullopt;
  state.reason.assign(rest + 1, end);
  state.deadline_us = deadline_us;
  return state;
}

// The state before begin.
inline saga_state new_saga(const saga_definition& definition) {
  saga_state state;
  state.step_count = static_cast<std::uint8_t>(std::min(definition.steps.size(), saga_max_steps));
  state.steps.fill(step_status::not_begun);
  for (std::size_t i = state.step_count; i < saga_max_steps; ++i) state.steps[i] = step_status{};
  return state;
}

// The signal that an event of this type means to the saga; nothing if it is none of the saga's answers.
inline std::optional<saga_signal> signal_of(const saga_definition& definition, std::string_view event_type,
                                            std::int64_t now_us, std::string_view reason = {}) {
  for (std::size_t i = 0; i < definition.steps.size(); ++i) {
    const saga_step& step = definition.steps[i];
    if (event_type == step.success) return saga_signal{saga_signal_kind::succeeded, now_us, i, reason};
    if (event_type == step.failure) return saga_signal{saga_signal_kind::failed, now_us, i, reason};
    if (event_type == step.compensated) return saga_signal{saga_signal_kind::compensated, now_us, i, reason};
    if (event_type == step.pivot) return saga_signal{saga_signal_kind::pivoted, now_us, i, reason};
  }
  return std::nullopt;
}

namespace saga_detail {

// Builds one decision. Each function leaves the invariant: running() exactly when a timer is armed.
class turn {
 public:
  turn(const saga_definition& definition, const saga_state& state, std::int64_t now_us)
      : definition_(definition), now_us_(now_us) {
    decision_.state = state;
  }

  saga_decision take() { return std::move(decision_); }

  void begin() {
    if (phase() == saga_phase::idle) go_forward();
  }

  void succeeded(std::size_t k) {
    if (phase() == saga_phase::forward && status(k) == step_status::in_flight) {
      set(k, step_status::done);
      go_forward();
    } else if (going_back() && (status(k) == step_status::in_doubt || status(k) == step_status::failed ||
                                status(k) == step_status::compensated)) {
      // A late success. What it did is undone in its turn, also when the saga had ended already.
      set(k, step_status::done);
      if (phase() == saga_phase::cancelled) compensate_next();
    }
  }

  void failed(std::size_t k, std::string_view reason) {
    if (phase() == saga_phase::forward && status(k) == step_status::in_flight) {
      set(k, step_status::failed);
      turn_back(reason);
    } else if (going_back() && status(k) == step_status::in_doubt) {
      set(k, step_status::failed);  // the doubt is gone: nothing to undo
    }
  }

  void compensated(std::size_t k) {
    if (!going_back() || status(k) != step_status::compensating) return;
    set(k, step_status::compensated);
    if (!any(step_status::pivoted)) compensate_next();  // else a person has to sort out the rest
  }

  void pivoted(std::size_t k) {
    switch (status(k)) {
      case step_status::done:
        set(k, step_status::pivoted);
        if (phase() == saga_phase::backward) halt("could not be undone any more", k);
        return;
      case step_status::in_flight:  // its success is still on the way
        set(k, step_status::pivoted);
        go_forward();
        return;
      case step_status::compensating:
        set(k, step_status::pivoted);
        if (can_resume()) {
          state().requested = false;
          state().reason.clear();
          go_forward();
        } else {
          halt("could not be undone any more", k);
        }
        return;
      case step_status::in_doubt:
      case step_status::failed:
      case step_status::compensated:
        set(k, step_status::pivoted);
        halt("happened although it was called off", k);
        return;
      case step_status::not_begun:
      case step_status::pivoted:
        return;
    }
  }

  void timeout() {
    if (!state().running()) return;
    const std::int64_t early_us = state().deadline_us - now_us_;
    if (early_us > 0) {  // a timer that was replaced while it fired, or a clock that was set back
      decision_.timer = saga_timer::arm;
      decision_.delay = std::chrono::microseconds(early_us);
      return;
    }
    const std::size_t k = state().current;
    if (phase() == saga_phase::forward) {
      set(k, step_status::in_doubt);
      turn_back(std::string(definition_.steps[k].name) + " timed out");
    } else if (state().attempts < definition_.compensation_attempts) {
      send_compensation(k, state().attempts + 1);
    } else {
      halt("was not undone: no answer", k);
    }
  }

  void cancel(std::string_view reason) {
    const bool open = phase() == saga_phase::forward || phase() == saga_phase::succeeded;
    if (any(step_status::pivoted) || phase() == saga_phase::needs_attention) {
      decision_.refused = true;
    } else if (open) {
      if (phase() == saga_phase::forward) set(state().current, step_status::in_doubt);
      state().requested = true;
      turn_back(reason);
    }
  }

 private:
  saga_state& state() { return decision_.state; }
  saga_phase phase() const { return decision_.state.phase; }
  step_status status(std::size_t k) const {
    return k < decision_.state.step_count ? decision_.state.steps[k] : step_status::not_begun;
  }
  void set(std::size_t k, step_status status) {
    state().steps[k] = status;
    decision_.applied = true;
  }
  bool any(step_status wanted) const {
    const auto& steps = decision_.state.steps;
    return std::find(steps.begin(), steps.begin() + decision_.state.step_count, wanted) !=
           steps.begin() + decision_.state.step_count;
  }
  bool going_back() const {
    return phase() == saga_phase::backward || phase() == saga_phase::cancelled ||
           phase() == saga_phase::needs_attention;
  }
  // Whether calling off can itself be called off: somebody asked for it, and nothing has been undone yet.
  bool can_resume() const {
    return decision_.state.requested && phase() == saga_phase::backward && !any(step_status::compensated);
  }

  void arm(std::chrono::microseconds delay) {
    decision_.timer = saga_timer::arm;
    decision_.delay = delay;
    state().deadline_us = now_us_ + delay.count();
    decision_.applied = true;
  }
  void end(saga_phase how) {
    state().phase = how;
    state().deadline_us = 0;
    decision_.timer = saga_timer::disarm;
    decision_.applied = true;
  }

  void go_forward() {
    state().phase = saga_phase::forward;
    for (std::size_t k = 0; k < state().step_count; ++k) {
      if (status(k) == step_status::done || status(k) == step_status::pivoted) continue;
      const saga_step& step = definition_.steps[k];
      set(k, step_status::in_flight);
      state().current = static_cast<std::uint8_t>(k);
      state().attempts = 1;
      decision_.command = saga_command{k, false, step.topic, step.command};
      arm(step.timeout);
      return;
    }
    end(saga_phase::succeeded);
  }

  void turn_back(std::string_view reason) {
    state().reason = reason;
    state().phase = saga_phase::backward;
    for (std::size_t k = 0; k < state().step_count; ++k) {
      if (status(k) == step_status::pivoted) return halt("could not be undone any more", k);
    }
    compensate_next();
  }

  void compensate_next() {
    state().phase = saga_phase::backward;
    for (std::size_t k = state().step_count; k-- > 0;) {
      const bool undo = status(k) == step_status::done || status(k) == step_status::in_doubt;
      if (undo && !definition_.steps[k].compensation.empty()) return send_compensation(k, 1);
    }
    end(saga_phase::cancelled);
  }

  void send_compensation(std::size_t k, std::uint32_t attempt) {
    const saga_step& step = definition_.steps[k];
    set(k, step_status::compensating);
    state().current = static_cast<std::uint8_t>(k);
    state().attempts = attempt;
    decision_.command = saga_command{k, true, step.compensation_topic, step.compensation};
    arm(compensation_wait(step, attempt));
  }

  void halt(std::string_view what, std::size_t k) {
    if (!state().reason.empty()) state().reason += "; ";
    state().reason.append(definition_.steps[k].name).append(" ").append(what);
    end(saga_phase::needs_attention);
  }

  const saga_definition& definition_;
  const std::int64_t now_us_;
  saga_decision decision_;
};

}  // namespace saga_detail

// What follows from one signal. Duplicates, strays and late answers are answered by `applied == false` or by the
// compensation that they call for. Compensations run backwards, one at a time, over what is done or in doubt. After
// every call: the saga has ended, or a timer is armed.
inline saga_decision advance(const saga_definition& definition, const saga_state& state, const saga_signal& signal) {
  saga_detail::turn turn(definition, state, signal.now_us);
  switch (signal.kind) {
    case saga_signal_kind::begin:
      turn.begin();
      break;
    case saga_signal_kind::succeeded:
      turn.succeeded(signal.step);
      break;
    case saga_signal_kind::failed:
      turn.failed(signal.step, signal.reason);
      break;
    case saga_signal_kind::compensated:
      turn.compensated(signal.step);
      break;
    case saga_signal_kind::pivoted:
      turn.pivoted(signal.step);
      break;
    case saga_signal_kind::timeout:
      turn.timeout();
      break;
    case saga_signal_kind::cancel:
      turn.cancel(signal.reason);
      break;
  }
  return turn.take();
}

}  // namespace gantry
