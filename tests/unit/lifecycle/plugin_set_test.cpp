// Plugins that come, go, fail and are replaced, with a real file, a real store and a real bus. The plugin asks the test
// at each step how that went.
#include "lifecycle/plugin_set.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <set>
#include <thread>

#include "blackbox/page.hpp"
#include "bus/local/local_bus.hpp"
#include "lifecycle/generation_pointer.hpp"
#include "loader/generation_file.hpp"
#include "loader/module.hpp"
#include "probe/hooks.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace gantry::lifecycle {
namespace {

class promised_reply final : public runtime::reply_sink {
 public:
  explicit promised_reply(std::promise<runtime::reply> to) : to_(std::move(to)) {}
  void send(runtime::reply&& r) override { to_.set_value(std::move(r)); }

 private:
  std::promise<runtime::reply> to_;
};

std::string header(const runtime::reply& r, std::string_view name) {
  for (const auto& [known, content] : r.headers)
    if (known == name) return content;
  return {};
}

class PluginSetTest : public ::testing::Test {
 protected:
  PluginSetTest() {
    std::string name = std::filesystem::temp_directory_path() / "gantry-plugin-set-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    std::filesystem::create_directory(folder_ / "plugins");
    build(1);
    hooks_.user = this;
    hooks_.setup = [](void* self, int version) { return of(self).on_setup(version); };
    hooks_.start = [](void* self, int version) { return of(self).on_start(version); };
    hooks_.health = [](void* self, int version) { return of(self).on_health(version); };
    hooks_.give_state = [](void* self, int version) { return of(self).on_state(version); };
    hooks_.destroyed = [](void* self, int version) { of(self).on_destroyed(version); };
    ::setenv(testing::probe_hooks::variable, std::to_string(reinterpret_cast<std::uintptr_t>(&hooks_)).c_str(), 1);
    model_ = read("[main]");
    bus::local_bus_options o;
    o.directory = folder_ / "bus";
    o.sync_interval = std::chrono::microseconds(0);
    events_ = std::move(bus::open_local_bus(o).value());
  }
  ~PluginSetTest() override {
    set_.reset();
    workers_.stop();
    events_.reset();
    ::unsetenv(testing::probe_hooks::variable);
    std::filesystem::remove_all(folder_);
  }

  static PluginSetTest& of(void* self) { return *static_cast<PluginSetTest*>(self); }
  static std::filesystem::path version(int number) {
    return std::filesystem::path(PROBE_DIR) / std::to_string(number) / "probe.so";
  }
  std::filesystem::path library() const { return folder_ / "plugins" / "probe.so"; }
  void build(int number) const {
    std::filesystem::copy_file(version(number), library(), std::filesystem::copy_options::overwrite_existing);
  }

  // A topology in which these hosts have the plugin.
  shared_topology read(const std::string& hosts) const {
    const auto state = folder_.string();
    const std::string text = "version: 1\nname: test\nbus: { driver: local, path: " + state +
                             "/bus }\nstores:\n  default: { driver: sqlite, path: \"" + state +
                             "/{plugin}.db\" }\nstate: " + state + "\nhosts:\n  main: { http: 127.0.0.1:0 }\n" +
                             "  other: { http: 127.0.0.1:1 }\nplugin_path: [" + (folder_ / "plugins").string() +
                             "]\nplugins:\n  probe: { hosts: " + hosts + ", swap: { drain: 100ms, probation: 0s } }\n";
    auto parsed = topology::parse_topology(text, "test.yaml", topology::process_env);
    for (const auto& p : parsed.problems) ADD_FAILURE() << to_text(p);
    return std::make_shared<const topology::topology>(std::move(parsed.model));
  }

  void start() {
    host_parts parts;
    parts.model = model_.get();
    parts.host_name = parts.home = "main";
    parts.events = events_.get();
    parts.lanes = &lanes_;
    parts.jobs = &workers_;
    parts.router = &router_;
    parts.metrics = &metrics_;
    parts.checks = &checks_;
    parts.time = &system_clock();
    parts.first_store_pause = std::chrono::milliseconds(1);
    parts.open_store = [this](const topology::topology& model,
                              const std::string& plugin) -> result<std::unique_ptr<store::store>> {
      ++stores_asked_;
      if (const auto why = no_store_.load(); why != errc::internal) return error{why, "nobody listens there"};
      store::sqlite_options o;
      o.file = topology::for_plugin(*model.stores.at("default").path, plugin);
      return store::open_sqlite_store(o);
    };
    set_ = std::make_unique<plugin_set>(std::move(parts));
    const auto done = set_->start();
    ASSERT_TRUE(done) << done.failure().text;
  }

  runtime::reply get(const std::string& path) {
    std::promise<runtime::reply> promised;
    auto coming = promised.get_future();
    runtime::inbound in;
    in.method = "GET";
    in.path = path;
    router_.submit(std::move(in), std::make_unique<promised_reply>(std::move(promised)));
    return coming.get();
  }
  std::string serves() { return get("/probe").body; }
  bool is_ready() const { return checks_.report(observability::health_kind::ready).ok; }

  swap_receipt swap_to(
      int number, std::function<void(const swap_step&)> tell = [](const swap_step&) {}) {
    swap_request what;
    what.plugin = "probe";
    what.file = version(number);
    what.force = true;
    return set_->swap(what, tell, never_);
  }
  std::optional<generation_pointer> pointer() const { return read_pointer(folder_, "probe", "main").value(); }
  std::set<std::string> copies() const {
    std::set<std::string> out;
    for (const auto& file : std::filesystem::directory_iterator(folder_ / "generations"))
      if (file.path().extension() == ".so") out.insert(file.path().filename().string());
    return out;
  }

  std::filesystem::path folder_;
  testing::probe_hooks hooks_;
  std::function<bool(int)> on_setup = [](int) { return true; };
  std::function<bool(int)> on_start = [](int) { return true; };
  std::function<bool(int)> on_health = [](int) { return true; };
  std::function<bool(int)> on_state = [](int) { return true; };
  std::function<void(int)> on_destroyed = [](int) {};
  const std::atomic<bool> never_{false};
  const std::atomic<bool> given_up_{true};
  std::atomic<errc> no_store_{errc::internal};  // why there is no store; internal: there is one
  std::atomic<int> stores_asked_{0};
  shared_topology model_;
  std::unique_ptr<bus::bus> events_;
  observability::registry metrics_;
  observability::health checks_;
  runtime::worker_pool lanes_{2, "lane"};
  runtime::request_pool workers_{2, 64, "work"};
  runtime::dispatcher router_{workers_, workers_, system_clock()};
  std::unique_ptr<plugin_set> set_;
};

TEST_F(PluginSetTest, AFailedPluginIsNotUnloadedUnderARequestThatStillWaits) {
  on_start = [](int) { return false; };
  start();
  const auto copy = set_->files().at(0).copy;
  // What a request that waits for a worker holds.
  auto found_in = router_.routes();
  EXPECT_FALSE(set_->add("probe", model_));
  EXPECT_TRUE(loader::is_mapped(copy)) << "its instance is still there";
  // Here its destructor would run, were it not kept.
  found_in.reset();
  EXPECT_EQ(set_->rows().at(0).state, "failed");
}

TEST_F(PluginSetTest, AFailedPluginIsUnloadedOnceNobodyHasIt) {
  on_start = [](int) { return false; };
  start();
  const auto copy = set_->files().at(0).copy;
  auto found_in = router_.routes();
  std::promise<void> gone;
  on_destroyed = [&](int) { gone.set_value(); };
  auto removing =
      std::async(std::launch::async, [&] { return set_->remove("probe", std::chrono::seconds(1), never_).ok(); });
  found_in.reset();
  EXPECT_TRUE(removing.get());
  gone.get_future().wait();
  on_destroyed = [](int) {};
  EXPECT_EQ(loader::is_mapped(copy), !loader::builds_unload());
}

TEST_F(PluginSetTest, NoSeriesAsksALaneThatHasGone) {
  start();
  EXPECT_NE(metrics_.exposition().find("gantry_write_queue{plugin=\"probe\"}"), std::string::npos);
  std::string last;
  on_destroyed = [&](int) { last = metrics_.exposition(); };
  ASSERT_TRUE(set_->remove("probe", std::chrono::seconds(10), never_));
  on_destroyed = [](int) {};
  EXPECT_NE(last, "");
  EXPECT_EQ(last.find("gantry_write_queue{plugin=\"probe\"}"), std::string::npos);
}

TEST_F(PluginSetTest, RoutesOfAPluginThatCantBeLoadedAreUnavailableRatherThanUnknown) {
  on_setup = [](int) { return false; };
  start();
  const auto reply = get("/probe");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(header(reply, "retry-after"), "1");
  EXPECT_EQ(get("/nobody").status, 404);
  // Tried again, it fails again.
  EXPECT_FALSE(set_->add("probe", model_));
  EXPECT_EQ(get("/probe").status, 503);
  EXPECT_FALSE(is_ready());
  on_setup = [](int) { return true; };
  const auto done = set_->add("probe", model_);
  ASSERT_TRUE(done) << done.failure().text;
  EXPECT_EQ(serves(), "1.0.0");
  EXPECT_TRUE(is_ready());
}

TEST_F(PluginSetTest, APluginWhoseStoreCantBeReachedIsStartedWhenItCan) {
  int created = 0;
  on_setup = [&](int) { return ++created != 0; };
  no_store_ = errc::unavailable;
  start();
  EXPECT_FALSE(is_ready());
  EXPECT_EQ(get("/probe").status, 503);
  while (stores_asked_ < 3) std::this_thread::yield();
  no_store_ = errc::internal;
  while (!is_ready()) std::this_thread::yield();
  EXPECT_EQ(serves(), "1.0.0");
  EXPECT_EQ(created, 2) << "it is loaded again once its store can be reached, not at each look";
  EXPECT_FALSE(pointer()) << "the next start takes the library, as this one did";
}

TEST_F(PluginSetTest, OnlyAStoreThatMayComeIsWaitedFor) {
  no_store_ = errc::invalid;
  start();
  set_.reset();
  EXPECT_EQ(stores_asked_, 1);
}

TEST_F(PluginSetTest, AStoreThatComesAndRefusesLeavesThePluginToTheOperator) {
  no_store_ = errc::unavailable;
  start();
  no_store_ = errc::invalid;
  while (set_->rows().at(0).error.empty() || stores_asked_ < 2) std::this_thread::yield();
  no_store_ = errc::internal;
  const auto done = set_->add("probe", model_);
  EXPECT_TRUE(done || done.failure().code == errc::conflict) << done.failure().text;
  EXPECT_TRUE(is_ready());
}

TEST_F(PluginSetTest, AHostEndsWhileAPluginWaitsForItsStore) {
  no_store_ = errc::unavailable;
  start();
  EXPECT_TRUE(set_->drain(std::chrono::milliseconds(100)));
  EXPECT_TRUE(set_->stop());
}

TEST_F(PluginSetTest, WhileAFailedPluginIsTriedAgainItIsNotReady) {
  on_start = [](int) { return false; };
  start();
  EXPECT_FALSE(is_ready());
  std::optional<bool> ready;
  std::optional<int> answer;
  std::size_t rows = 0;
  on_start = [&](int) {
    ready = is_ready();
    answer = get("/probe").status;
    rows = set_->rows().size();
    return true;
  };
  ASSERT_TRUE(set_->add("probe", model_));
  EXPECT_EQ(ready, false);
  EXPECT_EQ(answer, 503);
  EXPECT_EQ(rows, 1U);
  EXPECT_TRUE(is_ready());
}

TEST_F(PluginSetTest, RoutesOfAPluginThatMovesAreUnavailableUntilTheTopologyIsAdopted) {
  start();
  ASSERT_TRUE(set_->remove("probe", std::chrono::seconds(10), never_));
  EXPECT_EQ(get("/probe").status, 503) << "callers still come here";
  set_->adopt(read("[other]"));
  EXPECT_EQ(get("/probe").status, 404);
}

TEST_F(PluginSetTest, WhatLeavesByTheTopologyThatCountsHasNoRoutes) {
  start();
  set_->adopt(read("[other]"));
  ASSERT_TRUE(set_->remove("probe", std::chrono::seconds(10), never_));
  EXPECT_EQ(get("/probe").status, 404);
}

TEST_F(PluginSetTest, WhatComesBackServesAgain) {
  start();
  ASSERT_TRUE(set_->remove("probe", std::chrono::seconds(10), never_));
  ASSERT_TRUE(set_->add("probe", model_));
  EXPECT_EQ(serves(), "1.0.0");
}

TEST_F(PluginSetTest, ARestartComesUpWithWhatWasAdded) {
  start();
  ASSERT_TRUE(set_->remove("probe", std::chrono::seconds(10), never_));
  ASSERT_TRUE(set_->add("probe", model_));
  ASSERT_TRUE(pointer());
  EXPECT_EQ(pointer()->generation, set_->rows().at(0).generation);
  EXPECT_EQ(pointer()->copy, set_->files().at(0).copy);
}

TEST_F(PluginSetTest, AFilePutInTheLibrarysPlaceStaysThatWhenItsRemovalIsTakenBack) {
  start();
  ASSERT_EQ(swap_to(2).outcome, swap_outcome::swapped);
  ASSERT_TRUE(pointer()->preferred);
  const auto before = *pointer();
  ASSERT_TRUE(set_->remove("probe", std::chrono::seconds(10), never_));
  ASSERT_TRUE(set_->add("probe", model_, before.copy));
  EXPECT_TRUE(pointer()->preferred);
  EXPECT_EQ(pointer()->library_digest, before.library_digest);
  EXPECT_EQ(pointer()->digest, before.digest);
}

TEST_F(PluginSetTest, ALibraryThatCantBeReadIsNotTakenForNone) {
  start();
  const auto copy = set_->files().at(0).copy;
  ASSERT_TRUE(set_->remove("probe", std::chrono::seconds(10), never_));
  std::filesystem::resize_file(library(), (std::uintmax_t{1} << 30U) + 1);  // larger than a plugin may be
  EXPECT_FALSE(set_->add("probe", model_, version(2)));
  EXPECT_FALSE(pointer() && pointer()->library_digest.empty());
  EXPECT_TRUE(set_->rows().empty());
}

TEST_F(PluginSetTest, ASwapIsTakenBackAlsoWhileTheHostStops) {
  start();
  const auto former = set_->files().at(0).copy;
  ASSERT_EQ(swap_to(2).outcome, swap_outcome::swapped);
  swap_request back;
  back.plugin = "probe";
  back.file = former;
  back.force = back.back = true;
  back.probation = std::chrono::microseconds(0);
  const auto receipt = set_->swap(
      back, [](const swap_step&) {}, given_up_);
  EXPECT_EQ(receipt.outcome, swap_outcome::swapped) << (receipt.reasons.empty() ? "" : receipt.reasons.front());
  EXPECT_EQ(serves(), "1.0.0");
}

TEST_F(PluginSetTest, WhyAPluginStaysWhenTheHostStopsIsSaid) {
  start();
  auto found_in = router_.routes();
  const auto done = set_->remove("probe", std::chrono::seconds(10), given_up_);
  ASSERT_FALSE(done);
  EXPECT_NE(done.failure().text.find("the host stops"), std::string::npos) << done.failure().text;
  EXPECT_NE(done.failure().text.find("bytes in its outbox"), std::string::npos) << done.failure().text;
  found_in.reset();
  EXPECT_EQ(serves(), "1.0.0");
}

TEST_F(PluginSetTest, ASwapThatCantGoBackSaysThatTheNewerOneWorksOn) {
  start();
  bool sick = false;
  on_health = [&](int version) { return version == 1 || !sick; };
  on_state = [](int version) { return version == 1; };
  swap_request what;
  what.plugin = "probe";
  what.file = version(2);
  what.probation = std::chrono::minutes(10);
  const auto receipt = set_->swap(
      what, [&](const swap_step& step) { sick = sick || step.name == "flip"; }, never_);
  sick = false;
  EXPECT_EQ(receipt.outcome, swap_outcome::stuck);
  EXPECT_EQ(receipt.resident.size(), 1U);
  EXPECT_EQ(serves(), "2.0.0");
  EXPECT_EQ(pointer()->generation, 1U) << "a restart has the former one";
}

TEST_F(PluginSetTest, ASwapLeavesItsReceiptFromItsBeginningOn) {
  start();
  std::string meanwhile;
  const auto receipt = swap_to(2, [&](const swap_step& step) {
    if (step.name != "load") return;
    meanwhile = last_receipt(folder_, "probe", "main").value();
    const auto other = std::async(std::launch::async, [&] { return swap_to(1); }).get();
    EXPECT_EQ(other.outcome, swap_outcome::refused) << "another one is under way";
    EXPECT_EQ(last_receipt(folder_, "probe", "main").value(), meanwhile) << "which does not hide this one";
  });
  EXPECT_NE(meanwhile.find(R"("outcome":"begun")"), std::string::npos) << meanwhile;
  EXPECT_NE(last_receipt(folder_, "probe", "main")->find(R"("outcome":"swapped")"), std::string::npos);
}

// A sanitizer build unloads nothing, and what is mapped keeps its copy.
#if !defined(GANTRY_SANITIZED)
TEST_F(PluginSetTest, CopiesThatNothingNeedsAreRemoved) {
  start();
  for (int i = 0; i < 12; ++i) ASSERT_EQ(swap_to(i % 2 == 0 ? 2 : 1).outcome, swap_outcome::swapped);
  const auto left = copies();
  EXPECT_LE(left.size(), 6U);
  EXPECT_TRUE(left.contains(set_->files().at(0).copy.filename().string()));
  EXPECT_TRUE(left.contains(pointer()->copy.filename().string()));
}
#endif

}  // namespace
}  // namespace gantry::lifecycle
