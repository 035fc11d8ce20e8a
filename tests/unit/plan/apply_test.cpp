#include "plan/apply.hpp"

#include <gtest/gtest.h>

namespace gantry::plan {
namespace {

using names = std::vector<std::string>;

step of(step_kind kind, std::string subject, bool first = false, bool last = false) {
  step out;
  out.kind = kind;
  out.host = "main";
  out.subject = std::move(subject);
  out.title = std::string(name_of(kind)) + " " + out.subject;
  out.first = first;
  out.last = last;
  return out;
}

// Hosts that note what they are told.
class ApplyTest : public testing::Test {
 protected:
  carried_out run(const std::vector<step>& steps) {
    executor by;
    by.tell = [](const std::string&) {};
    by.perform = [this](const step& s, bool back) { return note((back ? "undo " : "") + s.title); };
    by.adopt = [this](bool back) { return note(back ? "undo adopt" : "adopt"); };
    return carry_out(steps, by);
  }

  std::string fails_;      // what is to fail
  std::string fails_too_;  // likewise
  errc why_ = errc::internal;
  names told_;

 private:
  result<void> note(const std::string& what) {
    told_.push_back(what);
    if (what == fails_ || what == fails_too_) return error{why_, what + " does not work"};
    return {};
  }
};

TEST_F(ApplyTest, TheTopologyIsAdoptedOnceAllThatComesIsThere) {
  EXPECT_TRUE(run({of(step_kind::swap, "order"), of(step_kind::remove, "mail", true), of(step_kind::add, "mail"),
                   of(step_kind::remove, "stock"), of(step_kind::note, "x"), of(step_kind::restart, "")}));
  EXPECT_EQ(told_, (names{"swap order", "remove mail", "add mail", "adopt", "remove stock", "restart "}));
}

TEST_F(ApplyTest, NoStepsAreAnAdoptionAlone) {
  EXPECT_TRUE(run({}));
  EXPECT_EQ(told_, names{"adopt"});
}

TEST_F(ApplyTest, AFailureTakesBackWhatWasDoneInReverseOrder) {
  fails_ = "add mail";
  const auto done = run({of(step_kind::swap, "order"), of(step_kind::remove, "mail", true), of(step_kind::add, "mail"),
                         of(step_kind::remove, "stock")});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.done.failure().text, "main: add mail: add mail does not work");
  EXPECT_TRUE(done.all_taken_back);
  EXPECT_EQ(told_, (names{"swap order", "remove mail", "add mail", "undo remove mail", "undo swap order"}));
}

TEST_F(ApplyTest, AFailureAfterTheAdoptionTakesThatBackToo) {
  fails_ = "remove stock";
  EXPECT_FALSE(run({of(step_kind::add, "mail"), of(step_kind::remove, "stock")}));
  EXPECT_EQ(told_, (names{"add mail", "adopt", "remove stock", "undo adopt", "undo add mail"}));
}

TEST_F(ApplyTest, AHostThatDoesNotComeBackIsStartedOnceMore) {
  fails_ = "restart ";
  why_ = errc::timeout;
  EXPECT_FALSE(run({of(step_kind::swap, "order"), of(step_kind::restart, "")}));
  EXPECT_EQ(told_, (names{"swap order", "adopt", "restart ", "undo restart ", "undo adopt", "undo swap order"}));
}

TEST_F(ApplyTest, AnAdoptionThatFailsOnOneHostIsTakenBackOnAll) {
  fails_ = "adopt";
  EXPECT_FALSE(run({of(step_kind::swap, "order")}));
  EXPECT_EQ(told_, (names{"swap order", "adopt", "undo adopt", "undo swap order"}));
}

TEST_F(ApplyTest, AStepOfWhichNobodyKnowsWhetherItWasDoneIsTakenBack) {
  fails_ = "swap order";
  why_ = errc::unavailable;
  EXPECT_FALSE(run({of(step_kind::swap, "order")}));
  EXPECT_EQ(told_, (names{"swap order", "undo swap order"}));
}

TEST_F(ApplyTest, AStepThatIsStuckHalfwayIsNotCalledTakenBack) {
  fails_ = "swap order";
  why_ = errc::corrupt;
  EXPECT_FALSE(run({of(step_kind::swap, "order")}).all_taken_back);
  EXPECT_EQ(told_, names{"swap order"});
}

TEST_F(ApplyTest, EventsAreThrownAwayOnceNothingElseCanFail) {
  EXPECT_TRUE(run({of(step_kind::swap, "order"), of(step_kind::open_topic, "events", false, true)}));
  EXPECT_EQ(told_, (names{"swap order", "adopt", "topic events"}));
}

TEST_F(ApplyTest, WhatCannotBeTakenBackIsSaidAndTheRestIs) {
  fails_ = "add mail";
  fails_too_ = "undo configure stock";
  const auto done = run({of(step_kind::swap, "order"), of(step_kind::configure, "stock"), of(step_kind::add, "mail")});
  ASSERT_FALSE(done);
  EXPECT_FALSE(done.all_taken_back);
  EXPECT_EQ(done.done.failure().text,
            "main: add mail: add mail does not work; could not be taken back: main: configure stock: undo configure "
            "stock does not work");
  EXPECT_EQ(told_.back(), "undo swap order");
}

}  // namespace
}  // namespace gantry::plan
