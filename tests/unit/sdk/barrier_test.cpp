// No exception of a plugin reaches the host: each becomes a status, with its text.
#include <gtest/gtest.h>

#include "workshop.hpp"

namespace {

using namespace gantry;

[[noreturn]] void break_down() { throw std::runtime_error("the spring is broken"); }

class BarrierTest : public WorkshopTest {
 protected:
  call_reply ask(std::function<reply(const request&, context&)> handler, std::string_view body = {}) {
    open([&](setup& s) { s.post("/x", std::move(handler)); });
    return host_.request("POST", "/x", body);
  }
  outcome tell(std::function<outcome(const event&, tx&)> handler) {
    open([&](setup& s) { s.on("t", "E", std::move(handler)); });
    return host_.deliver("t", "E", "k", {{"a", 1}});
  }
};

TEST_F(BarrierTest, AnyExceptionOfARequestIsA500) {
  const call_reply answer = ask([](const request&, context&) -> reply { break_down(); });
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.json()["detail"].text(), "the spring is broken");
}

TEST_F(BarrierTest, AnExceptionThatIsNoStdExceptionToo) {
  EXPECT_EQ(ask([](const request&, context&) -> reply { throw 7; }).status, 500);
}

TEST_F(BarrierTest, AFailureOfARequestHasTheStatusThatMatches) {
  const call_reply answer =
      ask([](const request&, context&) -> reply { throw failure(GANTRY_NOT_FOUND, "no such bench"); });
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.json()["detail"].text(), "no such bench");
}

TEST_F(BarrierTest, ABodyThatIsNotJsonIsA400ThatSaysWhere) {
  const call_reply answer = ask(
      [](const request& q, context&) -> reply {
        return gantry::ok({{"a", q.json()["a"]}});
      },
      "{\"a\":\n1,}");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.json()["detail"].text(), "line 2, column 3 (offset 8): found '}', expected a name in quotes");
}

TEST_F(BarrierTest, AnExceptionInAWriteIsA500AndRollsBack) {
  open([](setup& s) {
    s.post("/x", [](const request&, context& c) {
      return c.write([](tx& t) -> reply {
        t.exec("INSERT INTO things VALUES (1)");
        break_down();
      });
    });
  });
  host_.exec("CREATE TABLE things (id INTEGER)");
  EXPECT_EQ(host_.request("POST", "/x").status, 500);
  EXPECT_TRUE(host_.query("SELECT * FROM things").empty());
}

TEST_F(BarrierTest, AnExceptionOfAnEventHandlerIsRetry) {
  const outcome answer = tell([](const event&, tx&) -> outcome { break_down(); });
  EXPECT_EQ(answer.status(), GANTRY_RETRY);
  EXPECT_EQ(answer.text(), "the spring is broken");
}

TEST_F(BarrierTest, RejectedOutOfAnEventHandlerIsReject) {
  EXPECT_EQ(tell([](const event&, tx&) -> outcome { throw rejected("poison"); }).status(), GANTRY_REJECT);
}

TEST_F(BarrierTest, AFailureOfStatusOkIsStillAFailure) {
  EXPECT_EQ(tell([](const event&, tx&) -> outcome { throw failure(GANTRY_OK, "confused"); }).status(), GANTRY_FAILED);
}

TEST_F(BarrierTest, ABatchNamesTheEventToBlame) {
  open([](setup& s) {
    s.on_batch("t", "E", [](std::span<const event> events, tx&) -> outcome {
      for (std::size_t i = 0; i < events.size(); ++i) {
        if (events[i].data("bad").boolean()) throw batch_failure(i, "bad one", GANTRY_REJECT);
      }
      return gantry::ok;
    });
  });
  EXPECT_TRUE(host_.deliver_batch("t", "E", {{"a", {{"bad", false}}}, {"b", {{"bad", false}}}}));
  const outcome answer = host_.deliver_batch("t", "E", {{"a", {{"bad", false}}}, {"b", {{"bad", true}}}});
  EXPECT_EQ(answer.status(), GANTRY_REJECT);
  EXPECT_EQ(answer.text(), "bad one");
}

TEST_F(BarrierTest, AnObserverThatThrowsIsLogged) {
  open([](setup& s) { s.observe("t", "E", [](const event*) { break_down(); }); });
  EXPECT_TRUE(host_.deliver("t", "E", "k"));
  ASSERT_EQ(host_.log().size(), 1U);
  EXPECT_EQ(host_.log()[0].level, GANTRY_LOG_ERROR);
  EXPECT_EQ(host_.log()[0].fields[1], "error=the spring is broken");
}

TEST_F(BarrierTest, SetupAndStartFailWithTheirReason) {
  EXPECT_THROW(
      {
        try {
          open([](setup&) { break_down(); });
        } catch (const std::runtime_error& e) {
          EXPECT_STREQ(e.what(), "workshop: setup: the spring is broken");
          throw;
        }
      },
      std::runtime_error);
  gantry::testing::fake_host other;
  workshop::declare = nullptr;
  workshop::begin = [](start_context&) { break_down(); };
  EXPECT_THROW(other.load<workshop>("workshop"), std::runtime_error);
}

TEST_F(BarrierTest, HealthTellsWhatIsWrong) {
  open([](setup&) {});
  EXPECT_EQ(host_.health(), GANTRY_OK);
  workshop::feel = [] { throw failure(GANTRY_UNAVAILABLE, "no power"); };
  EXPECT_EQ(host_.health(), GANTRY_UNAVAILABLE);
  EXPECT_EQ(host_.error(), "no power");
}

class keeper : public plugin, public handover {
 public:
  void setup(gantry::setup&) override {}
  std::uint32_t handover_format() override { return 2; }
  std::size_t state_size() override { return state.size(); }
  std::string export_state(std::uint32_t format) override {
    if (format < 1 || format > 2) throw failure(GANTRY_UNSUPPORTED, "format " + std::to_string(format));
    return state;
  }
  void import_state(std::uint32_t, std::string_view from) override { state = from; }
  std::string state = "kept";
};

TEST(Handover, IsOfferedByAClassThatKeepsState) {
  gantry::testing::fake_host host;
  auto& p = host.load<keeper>("keeper");
  gantry::testing::fake_host other;
  const gantry_entry entry{sizeof entry, 1, 0, "keeper", "1.0.0", "test", &detail::instance::create<keeper>};
  const gantry_instance& instance = other.load(entry);
  const auto* table = static_cast<const gantry_handover_1*>(instance.capability(instance.self, GANTRY_HANDOVER_1));
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->format, 2U);
  EXPECT_EQ(table->state_size(instance.self), 4U);
  std::string out;
  const auto sink = [](void* to, gantry_str piece) -> gantry_status {
    static_cast<std::string*>(to)->append(piece.ptr, piece.len);
    return GANTRY_OK;
  };
  EXPECT_EQ(table->export_state(instance.self, 2, sink, &out), GANTRY_OK);
  EXPECT_EQ(out, "kept");
  EXPECT_EQ(table->export_state(instance.self, 3, sink, &out), GANTRY_UNSUPPORTED);
  EXPECT_EQ(table->import_state(instance.self, 1, {"new", 3}), GANTRY_OK);
  EXPECT_EQ(p.state, "kept");
  EXPECT_EQ(instance.capability(instance.self, "gantry.store/1"), nullptr);
}

}  // namespace
