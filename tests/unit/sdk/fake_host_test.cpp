// The fake host behaves as the runtime does, and refuses what the runtime refuses.
#include <gtest/gtest.h>

#include "workshop.hpp"

namespace {

using namespace gantry;
using namespace std::chrono_literals;

class FakeHostTest : public WorkshopTest {
 protected:
  void table() { host_.exec("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, price REAL, raw BLOB)"); }
};

TEST_F(FakeHostTest, RoutesPreferLiteralsAndDecodeOnce) {
  open([](setup& s) {
    s.get("/things/{id}", [](const request& q, context&) -> reply {
      return json{{"id", q.path("id")}, {"q", q.query("q")}};
    });
    s.get("/things/new", [](const request&, context&) -> reply { return json("form"); });
  });
  EXPECT_EQ(host_.request("GET", "/things/a%2Fb?q=x+y%21&z").body, R"({"id":"a/b","q":"x y!"})");
  EXPECT_EQ(host_.request("GET", "/things/new").body, "\"form\"");
  EXPECT_EQ(host_.request("GET", "/things/").status, 404);
  EXPECT_EQ(host_.request("GET", "/nothing").status, 404);
  EXPECT_EQ(host_.request("POST", "/things/1").status, 405);
}

TEST_F(FakeHostTest, SqlTakesAndGivesEveryType) {
  open([](setup& s) {
    s.post("/x", [](const request& q, context& c) {
      return c.write([&q](tx& t) -> reply {
        EXPECT_EQ(t.exec("INSERT INTO things VALUES ($1, $2, $3, $4)", 1, q.json()["name"], 2.5, blob("\1\2")), 1);
        t.exec("INSERT INTO things VALUES ($2, $1, $3, NULL)", "two", 2, std::optional<double>());
        const auto row = t.one("SELECT id, name, price, raw FROM things WHERE id = $1", 1);
        EXPECT_EQ(row->get<int>(0), 1);
        EXPECT_EQ(row->get<std::string>(1), "a\nb");
        EXPECT_EQ(row->get<double>(2), 2.5);
        EXPECT_EQ(row->get<std::string_view>(3), "\1\2");
        EXPECT_THROW(row->get<int>(1), failure);
        EXPECT_THROW(row->get<int>(9), failure);
        EXPECT_FALSE(t.one("SELECT 1 FROM things WHERE id = 3"));
        std::string names;
        for (const auto& r : t.query("SELECT name, price FROM things ORDER BY id")) {
          names += r.get<std::string>(0) + (r.get<std::optional<double>>(1) ? "+" : "-");
        }
        EXPECT_EQ(names, "a\nb+two-");
        const std::vector<std::int64_t> ids{2, 1};
        const std::vector<std::string_view> texts{"two", "x\"y"};
        EXPECT_EQ(
            t.each(
                "SELECT id FROM things WHERE id IN (SELECT value FROM gantry_array($1))", [](const row_view&) {}, ids),
            2U);
        EXPECT_EQ(t.one("SELECT count(*) FROM things JOIN gantry_array($1) a ON a.value = name", texts)->get<int>(0),
                  1);
        const std::vector<value> flat{3, "three", 4, "four"};
        EXPECT_EQ(t.exec_many("INSERT INTO things (id, name) VALUES ($1, $2)", flat, 2), 2);
        return no_content();
      });
    });
  });
  table();
  EXPECT_EQ(host_.request("POST", "/x", R"({"name":"a\nb"})").status, 204);
  EXPECT_EQ(host_.query("SELECT count(*), NULL FROM things"), (std::vector<std::vector<std::string>>{{"4", "NULL"}}));
}

TEST_F(FakeHostTest, AViolatedConstraintLeavesTheTransactionUsable) {
  open([](setup& s) {
    s.on("t", "E", [](const event&, tx& t) -> outcome {
      t.exec("INSERT INTO things (id) VALUES (1)");
      try {
        t.exec("INSERT INTO things (id) VALUES (1)");
        ADD_FAILURE();
      } catch (const failure& e) {
        EXPECT_EQ(e.status(), GANTRY_CONFLICT);
      }
      t.exec("INSERT INTO things (id) VALUES (2)");
      return gantry::ok;
    });
  });
  table();
  EXPECT_TRUE(host_.deliver("t", "E", "k"));
  EXPECT_EQ(host_.query("SELECT id FROM things").size(), 2U);
}

TEST_F(FakeHostTest, DeferredStatementsRunBeforeTheyAreMissed) {
  open([](setup& s) {
    s.on("t", "E", [](const event& e, tx& t) -> outcome {
      t.defer("INSERT INTO things (id, name) VALUES ($1, $2)", e.data("id"), std::string("temporary"));
      if (e.data("look").boolean()) {
        EXPECT_EQ(t.one("SELECT count(*) FROM things")->get<int>(0), 1);
      }
      return gantry::ok;
    });
  });
  table();
  EXPECT_TRUE(host_.deliver("t", "E", "k", {{"id", 1}, {"look", true}}));
  const outcome second = host_.deliver("t", "E", "k", {{"id", 1}, {"look", false}});
  EXPECT_EQ(second.status(), GANTRY_CONFLICT);
}

TEST_F(FakeHostTest, WrongSqlIsRefused) {
  open([](setup& s) {
    s.on("t", "E", [](const event& e, tx& t) -> outcome {
      const std::string sql(e.data("sql").text());
      t.exec(sql, 1);
      return gantry::ok;
    });
  });
  table();
  for (const char* sql : {"SELEC $1", "INSERT INTO things (id) VALUES ($2)", "INSERT INTO things (id) VALUES (1)",
                          "SELECT $1", "DELETE FROM things WHERE id = $1; DELETE FROM things", ""}) {
    EXPECT_EQ(host_.deliver("t", "E", "k", {{"sql", sql}}).status(), GANTRY_INVALID) << sql;
  }
}

TEST_F(FakeHostTest, ASnapshotTakesNoChanges) {
  open([](setup& s) {
    s.get("/x", [](const request&, context& c) -> reply {
      c.read().one("DELETE FROM things RETURNING id");
      return no_content();
    });
  });
  table();
  EXPECT_EQ(host_.request("GET", "/x").status, 403);
}

TEST_F(FakeHostTest, EventsAreKeptOnlyOfACommit) {
  open([](setup& s) {
    s.emits("out", "Made");
    s.on("t", "E", [](const event& e, tx& t) -> outcome {
      t.emit("out", "Made", e.key(), {{"from", e.id()}});
      return e.data("good").boolean() ? outcome(gantry::ok) : reject("bad");
    });
  });
  EXPECT_FALSE(host_.deliver("t", "E", "k1", {{"good", false}}));
  EXPECT_TRUE(host_.deliver("t", "E", "k2", {{"good", true}}));
  ASSERT_EQ(host_.emitted().size(), 1U);
  EXPECT_EQ(host_.emitted()[0].key, "k2");
  EXPECT_EQ(host_.emitted()[0].id.size(), 36U);
  EXPECT_EQ(host_.take_emitted().size(), 1U);
  EXPECT_TRUE(host_.emitted().empty());
}

TEST_F(FakeHostTest, EmittingIsStrict) {
  open([](setup& s) {
    s.emits("out", "Made");
    s.on("t", "E", [](const event& e, tx& t) -> outcome {
      const std::string what(e.data("what").text());
      if (what == "undeclared") t.emit("out", "Other", "k", {{"a", 1}});
      if (what == "no key") t.emit("out", "Made", "", {{"a", 1}});
      if (what == "not JSON") t.emit("out", "Made", "k", json::raw("{"));
      if (what == "large") t.emit("out", "Made", "k", json(std::string(2 << 20, 'x')));
      return gantry::ok;
    });
  });
  EXPECT_EQ(host_.deliver("t", "E", "k", {{"what", "undeclared"}}).status(), GANTRY_REFUSED);
  EXPECT_EQ(host_.deliver("t", "E", "k", {{"what", "no key"}}).status(), GANTRY_INVALID);
  EXPECT_EQ(host_.deliver("t", "E", "k", {{"what", "not JSON"}}).status(), GANTRY_INVALID);
  EXPECT_EQ(host_.deliver("t", "E", "k", {{"what", "large"}}).status(), GANTRY_TOO_LARGE);
}

TEST_F(FakeHostTest, AHandlerThatKeepsStateOutsideItsTransactionIsFound) {
  int seen = 0;
  open([&](setup& s) {
    s.emits("out", "Made");
    s.on("t", "E", [&](const event& e, tx& t) -> outcome {
      if (seen++ == 0) t.emit("out", "Made", e.key(), json::object());
      return gantry::ok;
    });
  });
  EXPECT_THROW(static_cast<void>(host_.deliver("t", "E", "k")), std::logic_error);
}

TEST_F(FakeHostTest, AReplyOf400AndMoreRollsBackAndIsSent) {
  open([](setup& s) {
    s.post("/x", [](const request&, context& c) {
      return c.write([](tx& t) -> reply {
        t.exec("INSERT INTO things (id) VALUES (1)");
        return conflict("taken", "somebody was faster").header("retry-after", "1");
      });
    });
  });
  table();
  const call_reply answer = host_.request("POST", "/x");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.header("retry-after"), "1");
  EXPECT_TRUE(host_.query("SELECT * FROM things").empty());
}

TEST_F(FakeHostTest, TheRequestOutlivesItsHandlerUntilTheWrite) {
  open([](setup& s) {
    s.post("/x/{id}", [](const request& q, context& c) {
      const json_view body = q.json();
      return c.write([&q, body](tx&) -> reply { return gantry::ok({{"id", q.path("id")}, {"name", body["name"]}}); });
    });
  });
  EXPECT_EQ(host_.request("POST", "/x/7", R"({"name":"\u00e9"})").body, R"({"id":"7","name":"\u00e9"})");
}

TEST_F(FakeHostTest, IdempotentRoutesAnswerOnce) {
  int runs = 0;
  open([&](setup& s) {
    s.post(
        "/x",
        [&](const request& q, context& c) -> reply {
          ++runs;
          if (!q.json()["name"]) return bad_request("no name");
          return c.write([&q](tx& t) -> reply {
            t.exec("INSERT INTO things (name) VALUES ($1)", q.json()["name"]);
            return created("/x/1");
          });
        },
        idempotent);
  });
  table();
  EXPECT_EQ(host_.request("POST", "/x", R"({"name":"a"})").status, 400);
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(host_.request("POST", "/x", R"({"name":"a"})", {{"Idempotency-Key", "k"}}).status, 201);
  EXPECT_EQ(host_.request("POST", "/x", R"({"name":"a"})", {{"idempotency-key", "k"}}).status, 201);
  EXPECT_EQ(host_.request("POST", "/x", R"({"name":"b"})", {{"idempotency-key", "k"}}).status, 422);
  EXPECT_EQ(host_.request("POST", "/x", R"({})", {{"idempotency-key", "l"}}).status, 400);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(host_.query("SELECT * FROM things").size(), 1U);
}

TEST_F(FakeHostTest, CallsGoToStubsAndNowhereElse) {
  open([](setup& s) {
    s.calls("catalog");
    s.get("/x/{plugin}", [](const request& q, context& c) -> reply {
      const call_reply answer = c.get(q.path("plugin"), "/products/1", {{"accept", "application/json"}});
      return reply(answer.status, json{{"sku", answer.json()["sku"]}});
    });
    s.post("/inside", [](const request&, context& c) {
      return c.write([&c](tx&) -> reply { return reply(c.get("catalog", "/").status); });
    });
  });
  EXPECT_EQ(host_.request("GET", "/x/catalog").status, 503);
  EXPECT_EQ(host_.request("GET", "/x/payment").status, 403);
  EXPECT_EQ(host_.request("POST", "/inside").status, 403);
  host_.on_call("catalog", [](const call_request& q) -> call_reply {
    EXPECT_EQ(q.target, "/products/1");
    EXPECT_EQ(q.headers.at(0).second, "application/json");
    return {200, {}, R"({"sku":"A-1"})"};
  });
  EXPECT_EQ(host_.request("GET", "/x/catalog").body, R"({"sku":"A-1"})");
  host_.on_call("catalog", [](const call_request&) -> call_reply { throw failure(GANTRY_TIMEOUT, "too slow"); });
  EXPECT_EQ(host_.request("GET", "/x/catalog").status, 504);
}

TEST_F(FakeHostTest, JobsRunAfterTheCommitUntilTheySucceed) {
  std::vector<std::uint32_t> attempts;
  open([&](setup& s) {
    s.on("t", "E", [](const event& e, tx& t) { t.schedule("mail", json{{"to", e.key()}}, {.key = e.key()}); });
    s.job(
        "mail",
        [&](const job& j, context&) -> std::string {
          attempts.push_back(j.attempt());
          if (j.attempt() < 3) throw retry_later("the server is busy");
          return "sent " + std::string(j.payload());
        },
        [](const job&, std::string_view result, tx& t) { t.exec("INSERT INTO things (name) VALUES ($1)", result); });
  });
  table();
  EXPECT_TRUE(host_.deliver("t", "E", "ada"));
  EXPECT_TRUE(host_.deliver("t", "E", "ada"));
  EXPECT_EQ(host_.pending_jobs(), 1U);
  EXPECT_EQ(host_.run_jobs(), 1U);
  EXPECT_EQ(host_.run_jobs(), 0U);
  host_.advance(100ms);
  EXPECT_EQ(host_.run_jobs(), 1U);
  host_.advance(200ms);
  EXPECT_EQ(host_.run_jobs(), 1U);
  EXPECT_EQ(attempts, (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_EQ(host_.query("SELECT name FROM things")[0][0], R"(sent {"to":"ada"})");
  EXPECT_EQ(host_.pending_jobs(), 0U);
}

TEST_F(FakeHostTest, AJobThatIsRejectedFailsAtOnce) {
  open([](setup& s) {
    s.on("t", "E", [](const event&, tx& t) { t.schedule("mail", "x"); });
    s.job(
        "mail", [](const job&, context&) -> std::string { throw rejected("no such address"); }, nullptr,
        [](const job& j, std::string_view error, tx& t) {
          t.exec("INSERT INTO things (id, name) VALUES ($1, $2)", j.attempt(), error);
        });
  });
  table();
  EXPECT_TRUE(host_.deliver("t", "E", "k"));
  EXPECT_EQ(host_.run_jobs(), 1U);
  EXPECT_EQ(host_.query("SELECT id, name FROM things")[0], (std::vector<std::string>{"1", "no such address"}));
}

TEST_F(FakeHostTest, JobsCanBeCancelled) {
  open([](setup& s) {
    s.on("t", "E", [](const event&, tx& t) {
      t.schedule("mail", "x", {.key = "k"});
      EXPECT_TRUE(t.cancel("mail", "k"));
      EXPECT_FALSE(t.cancel("mail", "k"));
      EXPECT_THROW(t.schedule("unknown", "x"), failure);
    });
    s.job("mail", [](const job&, context&) {});
  });
  EXPECT_TRUE(host_.deliver("t", "E", "k"));
  EXPECT_EQ(host_.pending_jobs(), 0U);
}

TEST_F(FakeHostTest, AKeyThatIsSaidToBeNewMustBe) {
  open([](setup& s) {
    s.on("t", "E", [](const event& e, tx& t) {
      t.schedule("mail", "x", {.key = e.key(), .new_key = true});
      EXPECT_THROW(t.schedule("mail", "x", {.key = e.key(), .new_key = true}), failure);
      t.schedule("mail", "x", {.new_key = true});
      t.schedule("mail", "x", {.new_key = true});
    });
    s.job("mail", [](const job&, context&) {});
  });
  EXPECT_TRUE(host_.deliver("t", "E", "k"));
  EXPECT_EQ(host_.pending_jobs(), 3U);
  EXPECT_FALSE(host_.deliver("t", "E", "k"));
}

TEST_F(FakeHostTest, AJobWritesAndWaits) {
  open([](setup& s) {
    s.on("t", "E", [](const event&, tx& t) { t.schedule("work", "x"); });
    s.job("work", [](const job&, context& c) {
      EXPECT_EQ(c.write([](tx& t) -> reply {
                   t.exec("INSERT INTO things (id) VALUES (1)");
                   return no_content();
                 }).status(),
                204);
      EXPECT_EQ(c.write([](tx& t) -> reply {
                   t.exec("INSERT INTO things (id) VALUES (2)");
                   return conflict("x", "y");
                 }).status(),
                409);
      EXPECT_EQ(c.read().one("SELECT count(*) FROM things")->get<int>(0), 1);
      EXPECT_EQ(c.host().write([](tx& t) { return t.one("SELECT id FROM things")->get<int>(0); }), 1);
    });
  });
  table();
  EXPECT_TRUE(host_.deliver("t", "E", "k"));
  EXPECT_EQ(host_.run_jobs(), 1U);
}

TEST_F(FakeHostTest, TimersFireInOrderAndAreRestored) {
  workshop::begin = [](start_context& c) {
    c.write([](tx& t) { t.exec("CREATE TABLE things (id INTEGER, name TEXT)"); });
  };
  open([](setup& s) {
    s.on("t", "E",
         [](const event& e, tx& t) { t.arm("deadline", e.key(), std::chrono::seconds(e.data("s").integer())); });
    s.on("t", "Done", [](const event& e, tx& t) { t.disarm("deadline", e.key()); });
    s.timer(
        "deadline",
        [](std::string_view key, tx& t) {
          t.exec("INSERT INTO things (name, id) VALUES ($1, $2)", key, t.now().us / 1'000'000 % 60);
        },
        [](db& d, const rearm_fn& rearm) {
          for (const auto& row : d.query("SELECT name FROM things")) rearm(row.get<std::string_view>(0), 1h);
        });
  });
  EXPECT_EQ(host_.advance(1s), 0U);
  EXPECT_TRUE(host_.deliver("t", "E", "late", {{"s", 20}}));
  EXPECT_TRUE(host_.deliver("t", "E", "soon", {{"s", 10}}));
  EXPECT_TRUE(host_.deliver("t", "E", "never", {{"s", 5}}));
  EXPECT_TRUE(host_.deliver("t", "Done", "never"));
  EXPECT_EQ(host_.advance(30s), 2U);
  EXPECT_EQ(host_.query("SELECT name, id FROM things ORDER BY id"),
            (std::vector<std::vector<std::string>>{{"soon", "11"}, {"late", "21"}}));
  host_.restore_timers();
  EXPECT_EQ(host_.timer("deadline", "soon"), host_.clock().now() + 1h);
  EXPECT_FALSE(host_.timer("deadline", "never"));
}

TEST_F(FakeHostTest, ObserversSeeEventsAndGaps) {
  std::string seen;
  open([&](setup& s) {
    s.observe("t", "E", [&](const event* e) { seen += e == nullptr ? "gap;" : std::string(e->key()) + ";"; });
  });
  EXPECT_TRUE(host_.deliver("t", "E", "a"));
  host_.break_observation();
  EXPECT_EQ(seen, "a;gap;");
  EXPECT_THROW(static_cast<void>(host_.deliver("t", "F", "a")), std::logic_error);
}

TEST_F(FakeHostTest, ReplayClearsTheProjection) {
  open([](setup& s) { s.on_replay("t", [](tx& t) { t.exec("DELETE FROM things"); }); });
  table();
  host_.exec("INSERT INTO things (id) VALUES (1)");
  EXPECT_TRUE(host_.replay("t"));
  EXPECT_TRUE(host_.query("SELECT * FROM things").empty());
}

TEST_F(FakeHostTest, ConfigurationLogMetricsAndTimeComeFromTheHost) {
  workshop& p = open(
      [](setup& s) {
        EXPECT_FALSE(s.host().config());
        s.config_schema(R"({"type":"object"})");
      },
      R"({"limit": 5})");
  EXPECT_EQ(p.host().config()["limit"].integer(), 5);
  p.host().log().warn("Stock is low.", {{"sku", "A-1"}, {"available", 2}, {"ratio", 0.5}});
  ASSERT_EQ(host_.log().size(), 1U);
  EXPECT_EQ(host_.log()[0].fields, (std::vector<std::string>{"sku=A-1", "available=2", "ratio=0.5"}));
  const metric orders = p.host().counter("orders_total", "Orders placed.", {{"kind", "web"}});
  orders.add();
  orders.add(2);
  p.host().gauge("level", "A level.").set(7);
  EXPECT_EQ(host_.metric("orders_total"), 3);
  EXPECT_EQ(host_.metric("level"), 7);
  EXPECT_EQ(p.host().now().rfc3339(), "2026-01-01T00:00:00.000000Z");
  const std::string first = p.host().new_id();
  EXPECT_LT(first, p.host().new_id());
  EXPECT_EQ(p.host().driver(), "sqlite");
}

TEST_F(FakeHostTest, SagasDescribeThemselves) {
  open([](setup& s) {
    s.saga("order", [](db&, std::string_view key) -> std::optional<json> {
      if (key != "o-1") return std::nullopt;
      return json{{"saga", "order"}, {"key", key}};
    });
  });
  EXPECT_EQ(host_.describe_saga("order", "o-1"), R"({"saga":"order","key":"o-1"})");
  EXPECT_FALSE(host_.describe_saga("order", "o-2"));
}

TEST_F(FakeHostTest, DeclarationsAreCheckedAndOnlyInSetup) {
  EXPECT_THROW(open([](setup& s) {
                 s.get("/x", [](const request&, context&) -> reply { return no_content(); });
                 s.get("/x", [](const request&, context&) -> reply { return no_content(); });
               }),
               std::runtime_error);
}

TEST_F(FakeHostTest, StartReadsAndWrites) {
  workshop::begin = [](start_context& c) {
    c.write([](tx& t) { t.exec("CREATE TABLE made (id INTEGER)"); });
    c.write([](tx& t) { t.exec("INSERT INTO made VALUES (3)"); });
    EXPECT_EQ(c.write([](tx& t) { return t.one("SELECT id FROM made")->get<int>(0); }), 3);
    EXPECT_THROW(
        c.write([](tx& t) -> outcome { return t.exec("DELETE FROM made") == 1 ? reject("no") : outcome(gantry::ok); }),
        failure);
  };
  open([](setup&) {});
  EXPECT_EQ(host_.query("SELECT id FROM made")[0][0], "3");
}

}  // namespace
