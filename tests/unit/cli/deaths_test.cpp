// What follows from the death of a host's process, by what its black box says and by what would start next.
#include "cli/deaths.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "lifecycle/generation_pointer.hpp"
#include "loader/file_image.hpp"
#include "supervisor/post_mortem.hpp"
#include "supervisor/quarantine.hpp"

namespace gantry::cli {
namespace {

using names = std::vector<std::string>;

class DeathsTest : public ::testing::Test {
 protected:
  DeathsTest() { build("order", "the first file"); }
  ~DeathsTest() override { std::filesystem::remove_all(folder); }

  static std::filesystem::path new_folder() {
    std::string name = std::filesystem::temp_directory_path() / "gantry-deaths-XXXXXX";
    return ::mkdtemp(name.data());
  }
  // A topology whose only host has these plugins.
  topology::topology with(const names& plugins) const {
    std::string text = "version: 1\nname: shop\nstate: " + folder.string() +
                       "\nhosts:\n  main: { http: 127.0.0.1:8081 }\nplugin_path: [" + folder.string() + "]\nplugins:\n";
    for (const auto& one : plugins) text += "  " + one + ": { hosts: [main] }\n";
    return topology::parse_topology(text, "shop.yaml", topology::process_env).model;
  }
  void build(const std::string& plugin, const std::string& content) const {
    std::ofstream(folder / (plugin + ".so")) << content;
  }
  static std::string digest_of(const std::string& content) { return loader::digest_of({{}, content}); }
  void points_to(std::uint64_t generation, const std::string& content, const std::string& library) const {
    const auto copy = folder / "generations" / ("order-" + std::to_string(generation) + ".so");
    ASSERT_TRUE(
        lifecycle::write_pointer(folder, "order", "main", {generation, copy, digest_of(content), digest_of(library)}));
  }

  // The host's process dies in this plugin's code.
  supervisor::aftermath dies_in(const std::string& plugin, std::uint32_t generation) {
    const auto file = supervisor::box_path(folder, "main");
    std::filesystem::create_directories(file.parent_path());
    const auto box = std::move(blackbox::box::open(file).value());
    blackbox::work what;
    what.kind = blackbox::work_kind::request;
    what.plugin = box->name(plugin);
    what.generation = generation;
    what.what = box->name("GET /");
    blackbox::enter(box->mine(), what, 1);
    supervisor::member main;
    main.name = "main";
    auto out = follows().after(main, getpid(), {0, SIGKILL});
    blackbox::leave(box->mine());
    return out;
  }
  std::optional<topology::topology> next() const {
    if (unreadable) throw std::runtime_error("cannot make absolute path");
    return now;
  }
  deaths& follows() {
    if (!follows_)
      follows_.emplace([this](const std::string&, const std::string&) { return next(); }, plan, names{"main"}, [] {});
    return *follows_;
  }
  names confined() const {
    names out;
    const auto known = supervisor::read_quarantine(supervisor::quarantine_path(folder, "main"));
    EXPECT_TRUE(known);
    for (const auto& p : known.value().plugins) out.push_back(p.plugin);
    return out;
  }
  static names named(const supervisor::aftermath& of) {
    names out;
    if (of.members)
      for (const auto& m : *of.members) out.push_back(m.name);
    return out;
  }

  const std::filesystem::path folder = new_folder();
  topology::topology now = with({"order"});
  bool unreadable = false;
  const topology::topology at_the_start = now;
  process_plan plan{run_arguments{}, at_the_start, {"main"}};
  std::optional<deaths> follows_;
};

TEST_F(DeathsTest, TheCulpritRunsApart) {
  EXPECT_EQ(named(dies_in("order", 1)), (names{"main", "main~order"}));
  EXPECT_EQ(confined(), names{"order"});
}

TEST_F(DeathsTest, AGenerationThatHadNotProvenItselfIsNotConfined) {
  points_to(1, "the first file", "the first file");
  dies_in("order", 2);
  EXPECT_EQ(confined(), names{}) << "the next start takes generation 1";
}

TEST_F(DeathsTest, ALibraryThatWasChangedSinceTheLastSwapIsConfinedLikeAnyOther) {
  points_to(1, "the first file", "the first file");
  build("order", "the second file");
  dies_in("order", 2);
  EXPECT_EQ(confined(), names{"order"}) << "the next start takes it again";
}

TEST_F(DeathsTest, WhatCanNotBeReadAnyMoreLeavesWhatWasKnown) {
  follows();
  unreadable = true;
  EXPECT_EQ(named(dies_in("order", 1)), (names{"main", "main~order"}));
  EXPECT_EQ(confined(), names{"order"});
}

TEST_F(DeathsTest, APluginThatHasComeSinceTheStartIsConfinedToo) {
  follows();
  now = with({"order", "mail"});
  build("mail", "a file");
  EXPECT_EQ(named(dies_in("mail", 1)), (names{"main", "main~mail"}));
  EXPECT_EQ(confined(), names{"mail"});
}

TEST_F(DeathsTest, ANameThatIsNoPluginsIsNotTakenOn) {
  EXPECT_EQ(named(dies_in("../../etc", 1)), names{"main"});
  EXPECT_EQ(confined(), names{});
}

}  // namespace
}  // namespace gantry::cli
