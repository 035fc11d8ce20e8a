#include "gantry/saga.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace {

using namespace std::chrono_literals;
using gantry::saga_decision;
using gantry::saga_phase;
using gantry::saga_signal;
using gantry::saga_signal_kind;
using gantry::saga_state;
using gantry::saga_timer;
using gantry::step_status;

// Three steps that can be undone, the third only until its pivot, and a last one that needs no undoing.
gantry::saga_definition journey() {
  gantry::saga_definition saga;
  saga.name = "journey";
  saga.compensation_attempts = 3;
  saga.steps = {
      {"a", "a-commands", "DoA", "ADone", "AFailed", 30s, "a-commands", "UndoA", "AUndone", 10s},
      {"b", "b-commands", "DoB", "BDone", "BFailed", 60s, "b-commands", "UndoB", "BUndone", 10s},
      {"c", "c-commands", "DoC", "CDone", "CFailed", 60s, "c-commands", "UndoC", "CUndone", 10s, "CLeft"},
      {"d", "a-commands", "DoD", "DDone", "DFailed", 30s},
  };
  return saga;
}

// Plays the owner of one saga: keeps its state as text, and the timer.
class SagaTest : public testing::Test {
 protected:
  SagaTest() { give({saga_signal_kind::begin, now_us_}); }

  void give(const saga_signal& signal) {
    const auto before = gantry::decode_saga(text_, 4, deadline_us_);
    ASSERT_TRUE(before) << text_;
    last_ = gantry::advance(saga_, *before, signal);
    text_ = encode(last_.state);
    deadline_us_ = last_.state.deadline_us;
    if (last_.timer == saga_timer::arm) armed_ = true;
    if (last_.timer == saga_timer::disarm) armed_ = false;
    if (last_.command) sent_.emplace_back(last_.command->type);
  }
  void event(std::string_view type, std::string_view reason = {}) {
    const auto signal = gantry::signal_of(saga_, type, now_us_, reason);
    ASSERT_TRUE(signal) << type;
    give(*signal);
  }
  void time_out() {
    ASSERT_TRUE(armed_);
    armed_ = false;
    now_us_ = deadline_us_;
    give({saga_signal_kind::timeout, now_us_});
  }
  void cancel() { give({saga_signal_kind::cancel, now_us_, 0, "changed my mind"}); }
  saga_phase phase() const { return last_.state.phase; }
  std::string take_sent() {
    std::string all;
    for (const auto& type : sent_) all += (all.empty() ? "" : " ") + type;
    sent_.clear();
    return all;
  }

  const gantry::saga_definition saga_ = journey();
  std::int64_t now_us_ = 1'000'000;
  std::string text_ = encode(gantry::new_saga(journey()));
  std::int64_t deadline_us_ = 0;
  bool armed_ = false;
  saga_decision last_;
  std::vector<std::string> sent_;
};

TEST_F(SagaTest, GoesThroughAllStepsAndEndsWithoutATimer) {
  for (const char* type : {"ADone", "BDone", "CDone", "DDone"}) event(type);
  EXPECT_EQ(take_sent(), "DoA DoB DoC DoD");
  EXPECT_EQ(phase(), saga_phase::succeeded);
  EXPECT_FALSE(armed_);
}

TEST_F(SagaTest, FailureOfTheFirstStepEndsItAtOnce) {
  event("AFailed", "nothing left");
  EXPECT_EQ(take_sent(), "DoA");
  EXPECT_EQ(phase(), saga_phase::cancelled);
  EXPECT_EQ(last_.state.reason, "nothing left");
}

TEST_F(SagaTest, FailureUndoesWhatSucceededBackwards) {
  event("ADone");
  event("BDone");
  event("CFailed", "no carrier");
  event("BUndone");
  event("AUndone");
  EXPECT_EQ(take_sent(), "DoA DoB DoC UndoB UndoA");
  EXPECT_EQ(phase(), saga_phase::cancelled);
  EXPECT_FALSE(armed_);
}

TEST_F(SagaTest, TimeoutUndoesTheStepInDoubtToo) {
  event("ADone");
  time_out();
  EXPECT_EQ(last_.state.reason, "b timed out");
  event("BUndone");
  event("AUndone");
  EXPECT_EQ(take_sent(), "DoA DoB UndoB UndoA");
  EXPECT_EQ(phase(), saga_phase::cancelled);
}

TEST_F(SagaTest, LateSuccessAfterTheEndIsUndoneAgain) {
  event("ADone");
  time_out();
  event("BUndone");
  event("AUndone");
  take_sent();
  event("BDone");
  EXPECT_EQ(take_sent(), "UndoB");
  EXPECT_TRUE(armed_);
  event("BUndone");
  EXPECT_EQ(phase(), saga_phase::cancelled);
  EXPECT_FALSE(armed_);
}

TEST_F(SagaTest, CompensationWithoutAnAnswerIsSentAgainAndThenNeedsAttention) {
  event("ADone");
  event("BFailed", "declined");
  time_out();
  time_out();
  EXPECT_EQ(take_sent(), "DoA DoB UndoA UndoA UndoA");
  time_out();
  EXPECT_EQ(phase(), saga_phase::needs_attention);
  EXPECT_EQ(last_.state.reason, "declined; a was not undone: no answer");
  EXPECT_FALSE(armed_);
  event("AUndone");  // the answer comes after all
  EXPECT_EQ(phase(), saga_phase::cancelled);
}

TEST_F(SagaTest, EachCompensationWaitsTwiceAsLongAsTheOneBefore) {
  using namespace std::chrono_literals;
  gantry::saga_step step;
  step.compensation_timeout = 3s;
  EXPECT_EQ(gantry::compensation_wait(step, 1), 3s);
  EXPECT_EQ(gantry::compensation_wait(step, 2), 6s);
  EXPECT_EQ(gantry::compensation_wait(step, 6), 96s);
  EXPECT_EQ(gantry::compensation_wait(step, 1000), 96s);
}

TEST_F(SagaTest, CancelUndoesWhateverIsDone) {
  event("ADone");
  event("BDone");
  cancel();
  event("CUndone");
  event("BUndone");
  event("AUndone");
  EXPECT_EQ(take_sent(), "DoA DoB DoC UndoC UndoB UndoA");
  EXPECT_EQ(last_.state.reason, "changed my mind");
}

TEST_F(SagaTest, CancelAfterTheEndUndoesAllUntilThePivot) {
  for (const char* type : {"ADone", "BDone", "CDone", "DDone"}) event(type);
  take_sent();
  cancel();
  event("CUndone");
  event("BUndone");
  event("AUndone");
  EXPECT_EQ(take_sent(), "UndoC UndoB UndoA");
  EXPECT_EQ(phase(), saga_phase::cancelled);
}

TEST_F(SagaTest, CancelAfterThePivotIsRefused) {
  for (const char* type : {"ADone", "BDone", "CDone", "DDone", "CLeft"}) event(type);
  cancel();
  EXPECT_TRUE(last_.refused);
  EXPECT_FALSE(last_.applied);
  EXPECT_EQ(phase(), saga_phase::succeeded);
}

TEST_F(SagaTest, PivotThatOvertakesACancelCallsTheCancelOff) {
  for (const char* type : {"ADone", "BDone", "CDone"}) event(type);
  cancel();
  take_sent();
  event("CLeft");
  EXPECT_EQ(take_sent(), "DoD");  // was in doubt
  event("DDone");
  EXPECT_EQ(phase(), saga_phase::succeeded);
  EXPECT_EQ(last_.state.reason, "");
}

TEST_F(SagaTest, PivotAfterAFailureNeedsAttention) {
  for (const char* type : {"ADone", "BDone", "CDone"}) event(type);
  event("DFailed", "gone");
  event("CLeft");
  EXPECT_EQ(phase(), saga_phase::needs_attention);
  EXPECT_FALSE(armed_);
}

TEST_F(SagaTest, WhatWasHaltedByAPivotIsNeverCalledCancelled) {
  for (const char* type : {"ADone", "BDone", "CDone"}) event(type);
  event("DFailed", "gone");
  event("CUndone");
  event("CLeft");  // it said undone, and left all the same
  EXPECT_EQ(phase(), saga_phase::needs_attention);
  event("BUndone");
  EXPECT_EQ(phase(), saga_phase::needs_attention);
  EXPECT_FALSE(armed_);
}

TEST_F(SagaTest, DuplicatesChangeNothing) {
  event("ADone");
  const std::string before = text_;
  event("ADone");
  EXPECT_FALSE(last_.applied);
  EXPECT_EQ(text_, before);
  EXPECT_EQ(last_.timer, saga_timer::keep);
}

TEST_F(SagaTest, TimerThatWasReplacedWhileItFiredCountsForNothing) {
  const std::int64_t old_deadline = deadline_us_;
  now_us_ = old_deadline - 1;
  event("ADone");
  armed_ = false;
  give({saga_signal_kind::timeout, old_deadline});
  EXPECT_FALSE(last_.applied);
  EXPECT_TRUE(armed_);
  EXPECT_EQ(last_.delay.count(), 60'000'000 - 1);
}

TEST(SagaCodec, RefusesWhatItDidNotWrite) {
  for (const char* text : {"", "f", "x0----1:", "f9-----1:", "f0i---x1:", "f0i---1", "f0i----:", "f0z----1:"}) {
    EXPECT_FALSE(gantry::decode_saga(text, 4, 0)) << text;
  }
  const auto state = gantry::decode_saga("b1dc--r2:a: b", 4, 7);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->reason, "a: b");
  EXPECT_EQ(encode(*state), "b1dc--r2:a: b");
}

// What a world may do to a saga, in any order: answers late, twice, never asked for, timers, cancels.
rc::Gen<saga_signal> any_signal() {
  return rc::gen::apply(
      [](int kind, int step) {
        return saga_signal{static_cast<saga_signal_kind>(kind), 0, static_cast<std::size_t>(step), "because"};
      },
      rc::gen::inRange(1, 7), rc::gen::inRange(0, 4));
}

struct run {
  saga_state state;
  bool armed = false;
  std::int64_t now_us = 1;

  void give(saga_signal signal) {
    const gantry::saga_definition saga = journey();
    if (signal.kind == saga_signal_kind::timeout) {
      if (!armed) return;  // a timer that is not armed can't fire
      armed = false;
      now_us = std::max(now_us, state.deadline_us);
    }
    signal.now_us = ++now_us;
    const saga_decision decision = gantry::advance(saga, state, signal);
    if (decision.timer == saga_timer::arm) armed = true;
    if (decision.timer == saga_timer::disarm) armed = false;
    if (!decision.applied) RC_ASSERT(decision.state == state);
    state = decision.state;
    const auto copy = gantry::decode_saga(encode(state), 4, state.deadline_us);
    RC_ASSERT(copy.has_value());
    RC_ASSERT(*copy == state);
  }
  bool has(step_status status) const {
    return std::find(state.steps.begin(), state.steps.begin() + 4, status) != state.steps.begin() + 4;
  }
};

run any_run() {
  run r;
  r.state = gantry::new_saga(journey());
  r.give({saga_signal_kind::begin});
  for (const saga_signal& signal : *rc::gen::container<std::vector<saga_signal>>(any_signal())) {
    r.give(signal);
    RC_ASSERT(r.armed == r.state.running());
    RC_ASSERT((r.state.deadline_us != 0) == r.state.running());
  }
  return r;
}

TEST(SagaProperty, NoUnfinishedStateIsWithoutATimer) {
  EXPECT_TRUE(rc::check([] { any_run(); }));
}

TEST(SagaProperty, SilenceEndsEverySaga) {
  EXPECT_TRUE(rc::check([] {
    run r = any_run();
    for (int i = 0; i < 64 && r.state.running(); ++i) r.give({saga_signal_kind::timeout});
    RC_ASSERT(!r.state.running());
  }));
}

TEST(SagaProperty, WhatEndsCancelledHasNothingLeftToUndo) {
  EXPECT_TRUE(rc::check([] {
    const run r = any_run();
    if (r.state.phase != saga_phase::cancelled) return;
    const gantry::saga_definition saga = journey();
    for (std::size_t i = 0; i < saga.steps.size(); ++i) {
      if (saga.steps[i].compensation.empty()) continue;
      RC_ASSERT(r.state.steps[i] == step_status::not_begun || r.state.steps[i] == step_status::failed ||
                r.state.steps[i] == step_status::compensated);
    }
  }));
}

TEST(SagaProperty, WhatSucceedsHasEveryStepDone) {
  EXPECT_TRUE(rc::check([] {
    const run r = any_run();
    if (r.state.phase != saga_phase::succeeded) return;
    RC_ASSERT(!r.has(step_status::not_begun) && !r.has(step_status::in_doubt) && !r.has(step_status::failed));
    RC_ASSERT(!r.has(step_status::in_flight) && !r.has(step_status::compensating));
  }));
}

}  // namespace
