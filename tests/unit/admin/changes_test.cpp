// Steps on the way to another topology, on a host without plugins: what it says, notes and refuses.
#include "admin/changes.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <thread>
#include <tuple>

#include "base/uri.hpp"
#include "plan/applied.hpp"
#include "plan/process_answers.hpp"
#include "runtime/dispatcher.hpp"
#include "runtime/request_pool.hpp"

namespace gantry::admin {
namespace {

// payment, in a process of its own that answers as it is told to.
class payment_apart final : public apart {
 public:
  std::vector<std::string> plugins() const override { return {"payment"}; }
  result<http::reply> ask(std::string_view, std::string_view method, std::string_view target, std::chrono::milliseconds,
                          std::string_view body) override {
    return answers(std::string(method), std::string(target), std::string(body));
  }

  std::function<result<http::reply>(const std::string& method, const std::string& target, const std::string& body)>
      answers;
};

class ChangesTest : public testing::Test {
 protected:
  ChangesTest() : folder_(std::filesystem::temp_directory_path() / ("gantry-changes-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
    now_ = text("stock");
    write(now_);
    parts_.home = "main";
    parts_.file = (folder_ / "shop.yaml").string();
    parts_.place = [this](const topology::topology&) -> result<void> {
      if (placing_.valid()) placing_.wait();
      return {};
    };
    parts_.restart = [] {};
  }
  ~ChangesTest() override {
    changes_.reset();
    plugins_.reset();
    requests_.stop();
    callbacks_.stop();
    std::filesystem::remove_all(folder_);
  }

  // A topology whose plugin of this name runs on another host.
  std::string text(const std::string& plugin, const std::string& more = {}) const {
    return "version: 1\nname: shop\nstate: " + (folder_ / "state").string() + "\n" +
           "bus: { driver: kafka, brokers: \"127.0.0.1:9092\" }\n"
           "stores:\n  default: { driver: postgres, url: \"postgres://db/shop\", schema: \"{plugin}\" }\n"
           "hosts:\n  main: { http: 127.0.0.1:8080 }\n  side: { http: 127.0.0.1:8081 }\n"
           "plugin_path: [plugins]\nplugins:\n  " +
           plugin + ": { hosts: [side] }\n" + more;
  }
  void write(const std::string& content) const { std::ofstream(folder_ / "shop.yaml") << content; }

  changes& host() {
    if (changes_) return *changes_;
    auto read = topology::parse_topology(now_, parts_.file, topology::process_env);
    EXPECT_FALSE(topology::has_errors(read.problems)) << topology::to_text(read.problems.front());
    parts_.text = now_;
    parts_.model = std::make_shared<const topology::topology>(std::move(read.model));
    lifecycle::host_parts of_plugins;
    of_plugins.model = parts_.model.get();
    of_plugins.host_name = of_plugins.home = "main";
    of_plugins.router = &router_;
    of_plugins.time = &system_clock();
    plugins_ = std::make_unique<lifecycle::plugin_set>(std::move(of_plugins));
    changes_ = std::make_unique<changes>(*plugins_, parts_);
    return *changes_;
  }

  http::reply begin(const std::string& kind, const std::string& subject, const std::string& body,
                    query_pairs query = {}) {
    query.emplace_back("file", parts_.file);
    return host().begin({{kind, subject}, std::move(query), body});
  }
  // How the last step has ended.
  std::string ended() {
    for (;;) {
      const auto said = host().progress({{}, {}, {}}).body;
      if (said.find("\"running\":false") != std::string::npos) return said;
      std::this_thread::yield();
    }
  }
  std::string does(const std::string& kind, const std::string& subject, const std::string& body,
                   query_pairs query = {}) {
    const auto begun = begin(kind, subject, body, std::move(query));
    return begun.status == 200 ? ended() : begun.body;
  }
  std::optional<plan::applied_topology> noted() const { return plan::read_applied(folder_ / "state", "main"); }
  static std::string id_in(const http::reply& begun) {
    const auto at = begun.body.find(R"("id":")") + 6;
    return begun.body.substr(at, begun.body.find('"', at) - at);
  }

  const std::filesystem::path folder_;
  std::string now_;
  payment_apart payment_;
  change_parts parts_;
  std::shared_future<void> placing_;  // waited for by an adoption

 private:
  runtime::request_pool requests_{1, 16, "request"};
  runtime::request_pool callbacks_{1, 16, "callback"};
  runtime::dispatcher router_{requests_, callbacks_, system_clock(), 1'000'000};
  std::unique_ptr<lifecycle::plugin_set> plugins_;
  std::unique_ptr<changes> changes_;
};

constexpr const char* well = R"("error":"")";

TEST_F(ChangesTest, AStepForAPluginThatItsTextDoesNotHaveIsAnErrorAndNotTheEnd) {
  for (const auto* kind : {"adjust", "add", "swap", "configure"})
    EXPECT_NE(does(kind, "order", now_).find("order is not in the topology"), std::string::npos) << kind;
}

TEST_F(ChangesTest, WhatThrowsIsAnErrorAndNotTheEnd) {
  parts_.place = [](const topology::topology&) -> result<void> { throw std::runtime_error("no such place"); };
  EXPECT_NE(does("adopt", "-", now_).find("no such place"), std::string::npos);
}

TEST_F(ChangesTest, AStepIsKnownByItsIdWhateverCameBehindIt) {
  const auto first = begin("adopt", "-", text("mail"));
  ended();
  const auto second = begin("adjust", "order", now_);
  ended();
  ASSERT_NE(id_in(first), id_in(second));
  const auto of = [&](const std::string& id) { return host().progress({{}, {{"id", id}}, {}}); };
  EXPECT_NE(of(id_in(first)).body.find(well), std::string::npos);
  EXPECT_EQ(of(id_in(second)).body.find(well), std::string::npos);
  EXPECT_EQ(of("1-1").status, 404);
}

TEST_F(ChangesTest, AStepOfAPlanForAnotherTopologyIsRefused) {
  const auto planned_from = plan::digest_of_text(now_);
  EXPECT_NE(does("adopt", "-", text("mail"), {{"applied", planned_from}}).find(well), std::string::npos);
  EXPECT_EQ(begin("adopt", "-", text("order"), {{"applied", planned_from}}).status, 409);
  EXPECT_EQ(noted()->text, text("mail"));
}

TEST_F(ChangesTest, WhatAPlanHasNotDoneIsNotTakenBack) {
  EXPECT_EQ(begin("swap", "stock", now_, {{"back", "1"}}).status, 400) << "of which plan?";
  EXPECT_NE(does("swap", "stock", now_, {{"back", "1"}, {"run", "r"}}).find(well), std::string::npos);
  EXPECT_NE(does("remove", "stock", now_, {{"back", "1"}, {"run", "r"}}).find(well), std::string::npos);
}

TEST_F(ChangesTest, TheNoteIsOfTheTextThoughItsFileIsEditedMeanwhile) {
  const auto next = text("mail");
  write(next + "# edited while a swap was in probation\n");
  EXPECT_NE(does("adopt", "-", next).find(well), std::string::npos);
  EXPECT_EQ(noted()->file_digest, plan::digest_of_text(next));
  EXPECT_NE(does("adopt", "-", now_, {{"back", "1"}, {"run", "r"}}).find(well), std::string::npos);
  EXPECT_EQ(noted()->text, now_);
  EXPECT_EQ(noted()->file_digest, plan::digest_of_text(now_)) << "the edited file would be ignored at the next start";
}

TEST_F(ChangesTest, ATopologyFileThatCantBeReadIsNotTakenForAnEmptyOne) {
  std::filesystem::remove(folder_ / "shop.yaml");
  const auto reply = host().begin({{"adopt", "-"}, {{"file", "/elsewhere/new.yaml"}}, text("mail")});
  ASSERT_EQ(reply.status, 200);
  EXPECT_NE(ended().find("can't be read"), std::string::npos);
}

TEST_F(ChangesTest, WhatRunsIsComparedAsItWasReadAtTheStart) {
  now_ = text("stock", "limits: { body: \"${env:GANTRY_CHANGES_BODY:-1MiB}\" }\n");
  host();
  ::setenv("GANTRY_CHANGES_BODY", "2MiB", 1);
  const auto said = host().plan({{}, {{"file", parts_.file}}, now_}).body;
  ::unsetenv("GANTRY_CHANGES_BODY");
  EXPECT_NE(said.find("limits.body"), std::string::npos) << said;
}

TEST_F(ChangesTest, NobodyToStartItAgainMakesARestartImpossible) {
  parts_.restart = nullptr;
  const auto said = host().plan({{}, {{"file", parts_.file}}, text("stock", "limits: { body: 2MiB }\n")}).body;
  EXPECT_NE(said.find("nobody would start it again"), std::string::npos) << said;
}

TEST_F(ChangesTest, ProcessesOfPluginsHearOfAnAdoptionAndOfItsEnd) {
  std::vector<std::string> told;
  parts_.others = &payment_;
  payment_.answers = [&](const std::string&, const std::string& target, const std::string& body) {
    told.push_back(std::string("payment") +
                   (target.find("back=1") == std::string::npos ? " adopts " : " goes back to ") +
                   (body == now_ ? "the former" : "the new"));
    return result<http::reply>(http::reply{told.size() == 1 ? 503 : 200, {}, {}});
  };
  EXPECT_NE(does("adopt", "-", text("mail")).find(well), std::string::npos);
  EXPECT_NE(does("adopt", "-", now_, {{"back", "1"}, {"run", "r"}}).find(well), std::string::npos);
  EXPECT_EQ(told, (std::vector<std::string>{"payment adopts the new", "payment adopts the new",
                                            "payment goes back to the former"}))
      << "one that starts is asked again";
}

TEST_F(ChangesTest, AProcessThatRefusesMakesTheAdoptionFail) {
  parts_.others = &payment_;
  payment_.answers = [](const std::string&, const std::string&, const std::string&) {
    return result<http::reply>(http::reply{500, {}, "no way"});
  };
  EXPECT_NE(does("adopt", "-", text("mail")).find("the process of payment does not take it: no way"),
            std::string::npos);
}

TEST_F(ChangesTest, AProcessThatIsAwayTakesItWhenItStarts) {
  parts_.others = &payment_;
  parts_.apart_at_most = std::chrono::milliseconds(0);
  payment_.answers = [](const std::string&, const std::string&, const std::string&) {
    return result<http::reply>(error{errc::unavailable, "Connection refused"});
  };
  EXPECT_NE(does("adopt", "-", text("mail")).find(well), std::string::npos);
  EXPECT_EQ(noted()->text, text("mail"));
}

TEST_F(ChangesTest, AStepOfAPluginInAProcessOfItsOwnIsDoneThere) {
  std::vector<std::string> asked;
  std::vector<std::pair<int, std::string>> replies = {
      {503, "it starts"},
      {200, R"({"id":"7-1","running":true})"},
      {200, R"({"id":"7-1","running":true,"stuck":false,"error":"","receipt":null})"},
      {200, R"({"id":"7-1","running":false,"stuck":true,"error":"too late","receipt":{"outcome":"stuck"}})"}};
  parts_.others = &payment_;
  payment_.answers = [&](const std::string& method, const std::string& target,
                         const std::string&) -> result<http::reply> {
    const auto [status, body] = replies.at(asked.size());
    asked.push_back("payment " + method + " " + target);
    return http::reply{status, {}, body};
  };
  const auto end =
      does("swap", "payment", now_, {{"digest", "d"}, {"run", "r"}, {"probation_ms", "250"}, {"force", "1"}});
  EXPECT_NE(end.find(R"("stuck":true,"unknown":false)"), std::string::npos) << end;
  EXPECT_NE(end.find(R"("error":"too late","receipt":{"outcome":"stuck"})"), std::string::npos) << end;
  const auto post = "payment POST /admin/step/swap/payment?file=" + percent_encode(parts_.file) +
                    "&run=r&digest=d&force=1&probation_ms=250";
  EXPECT_EQ(asked,
            (std::vector<std::string>{post, post, "payment GET /admin/step?id=7-1", "payment GET /admin/step?id=7-1"}));
}

TEST_F(ChangesTest, AFileThatSaysWhatIsTakenBackDoesNotCountAtTheNextStart) {
  const auto next = text("mail");
  EXPECT_NE(does("adopt", "-", now_).find(well), std::string::npos) << "as at a start";
  write(next);
  EXPECT_NE(does("adopt", "-", next).find(well), std::string::npos);
  EXPECT_NE(does("adopt", "-", now_, {{"back", "1"}, {"run", "r"}}).find(well), std::string::npos);
  EXPECT_EQ(noted()->text, now_);
  EXPECT_EQ(noted()->file_digest, plan::digest_of_text(next)) << "the host would start with what was taken back";
}

TEST_F(ChangesTest, AStepThatMayHaveBeenTakenIsNotKnownToHaveFailed) {
  parts_.others = &payment_;
  payment_.answers = [times = 0](const std::string&, const std::string&, const std::string&) mutable {
    if (++times == 1) return result<http::reply>(error{errc::timeout, "no answer"});
    return result<http::reply>(http::reply{409, {}, "a step is under way"});
  };
  EXPECT_NE(does("swap", "payment", now_, {{"run", "r"}}).find(R"("unknown":true)"), std::string::npos);
}

TEST_F(ChangesTest, AProcessThatStartsAnewMayHaveDoneItsStep) {
  parts_.others = &payment_;
  payment_.answers = [](const std::string& method, const std::string&, const std::string&) {
    return result<http::reply>(method == "POST" ? http::reply{200, {}, R"({"id":"7-1","running":true})"}
                                                : http::reply{404, {}, {}});
  };
  const auto end = does("adjust", "payment", now_);
  EXPECT_NE(end.find("the process of payment: it has started anew"), std::string::npos) << end;
  EXPECT_NE(end.find(R"("unknown":true)"), std::string::npos) << end;
}

TEST_F(ChangesTest, WhatRunsInOtherProcessesIsSaidWithTheRest) {
  std::map<std::string, plan::running_plugin> theirs;
  theirs["payment"] = {"1.0.0", 3, "abc", "abd", {}, {}};
  theirs["payment"].promised.id = "payment";
  theirs["payment"].promised.version = "1.0.0";
  parts_.others = &payment_;
  payment_.answers = [&](const std::string&, const std::string&, const std::string&) {
    return result<http::reply>(http::reply{200, {}, plan::to_json(theirs)});
  };
  const auto read = plan::read_running(host().files().body);
  ASSERT_TRUE(read) << read.failure().text;
  ASSERT_EQ(read->count("payment"), 1u);
  const auto& one = read->at("payment");
  EXPECT_EQ(std::tie(one.version, one.generation, one.digest, one.library_digest, one.promised.id),
            std::make_tuple(std::string("1.0.0"), std::uint64_t{3}, std::string("abc"), std::string("abd"),
                            std::string("payment")));
  EXPECT_FALSE(plan::read_running("{}"));
}

TEST_F(ChangesTest, TheProcessOfAPluginNotesNothingAndAnswersOnceItIsDone) {
  parts_.keeps = false;
  EXPECT_EQ(begin("adopt", "-", text("mail")).status, 200);
  EXPECT_FALSE(noted());
  EXPECT_NE(host().topology().body.find("mail"), std::string::npos);
  EXPECT_EQ(begin("adopt", "-", "no topology").status, 500);
}

TEST_F(ChangesTest, AReloadWhileAStepIsUnderWayIsForLater) {
  std::promise<void> go_on;
  placing_ = go_on.get_future().share();
  ASSERT_EQ(begin("adopt", "-", text("mail")).status, 200);
  const auto end = host().reload(text("order"), parts_.file, [](const std::string&) {});
  ASSERT_FALSE(end);
  EXPECT_EQ(end.done.failure().code, errc::conflict);
  EXPECT_EQ(begin("adopt", "-", text("order")).status, 409);
  go_on.set_value();
  ended();
  EXPECT_TRUE(host().reload(text("order"), parts_.file, [](const std::string&) {}));
}

TEST_F(ChangesTest, TheEndWaitsForAReload) {
  std::promise<void> go_on;
  std::promise<void> begun;
  placing_ = go_on.get_future().share();
  parts_.place = [&, former = parts_.place](const topology::topology& model) {
    begun.set_value();
    return former(model);
  };
  host();
  std::atomic<bool> over{false};
  std::thread reloads([&] {
    EXPECT_TRUE(host().reload(text("mail"), parts_.file, [](const std::string&) {}));
    over = true;
  });
  begun.get_future().wait();
  std::thread lets([&] { go_on.set_value(); });
  host().end();
  EXPECT_NE(host().topology().body.find("mail"), std::string::npos) << "it ended before the reload did";
  lets.join();
  reloads.join();
  EXPECT_EQ(host().reload(text("order"), parts_.file, [](const std::string&) {}).done.failure().code,
            errc::unavailable);
}

}  // namespace
}  // namespace gantry::admin
