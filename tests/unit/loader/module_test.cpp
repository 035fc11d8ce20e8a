#include "loader/module.hpp"

#include "loader/generation_file.hpp"
#include "scratch.hpp"

namespace gantry::loader {
namespace {

class ModuleTest : public scratch_test {
 protected:
  load_options options(std::uint64_t generation = 1) { return {directory_ / "state", "order", generation, {}}; }

  std::string refusal(const std::filesystem::path& file) {
    auto loaded = load(file, options());
    return loaded ? "loaded" : loaded.failure().text;
  }
};

TEST_F(ModuleTest, AGoodPluginIsCopiedLoadedAndUnloadedWithoutTrace) {
  auto loaded = load(sample("order.so"), options(7));
  ASSERT_TRUE(loaded) << loaded.failure().text;
  module& order = **loaded;
  EXPECT_STREQ(order.entry().id, "order");
  EXPECT_EQ(order.promised().calls.at(0), "catalog");
  EXPECT_EQ(order.copy(), directory_ / "state/generations" / ("order-7-" + order.digest().substr(0, 16) + ".so"));
  EXPECT_EQ(bytes(order.copy()), bytes(sample("order.so")));
  EXPECT_TRUE(is_mapped(order.copy()));
  const unload_report report = order.unload();
  EXPECT_EQ(report.mapped, !builds_unload()) << report.why;
  EXPECT_EQ(order.unload().mapped, report.mapped);
  EXPECT_TRUE(std::filesystem::exists(order.copy()));
}

TEST_F(ModuleTest, GenerationsOfOneFileLiveSideBySide) {
  auto first = load(sample("order.so"), options(1));
  auto second = load(sample("order.so"), options(2));
  ASSERT_TRUE(first && second);
  EXPECT_NE(&(*first)->entry(), &(*second)->entry());
}

TEST_F(ModuleTest, AGenerationThatIsMappedIsNotLoadedTwice) {
  auto first = load(sample("order.so"), options(1));
  ASSERT_TRUE(first);
  auto again = load(sample("order.so"), options(1));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.failure().code, errc::conflict);
  EXPECT_EQ(again.failure().text, "order.so: generation 1 of order is already mapped: load it as a later generation");
}

TEST_F(ModuleTest, EachBadPluginIsRefusedInWordsThatNameBothSides) {
  EXPECT_EQ(refusal(sample("newer_abi.so")),
            "newer_abi.so: built for ABI 2.1, this host has 1.2: rebuild the plugin or use a gantry with ABI >= 2.1");
  EXPECT_EQ(refusal(sample("newer_minor.so")),
            "newer_minor.so: built for ABI 1.7, this host has 1.2: rebuild the plugin or use a gantry with ABI >= 1.7");
  EXPECT_EQ(refusal(sample("no_symbol.so")),
            "no_symbol.so: exports no symbol gantry_plugin: define the plugin with GANTRY_PLUGIN");
  EXPECT_EQ(refusal(sample("no_manifest.so")),
            "no_manifest.so: no section .gantry.manifest: build it with gantry_add_plugin");
  EXPECT_EQ(refusal(sample("lying_id.so")),
            "lying_id.so: its entry has id \"payment\", its manifest \"order\": rebuild the plugin");
  EXPECT_EQ(refusal(sample("lying_version.so")),
            "lying_version.so: its entry has version \"9.9.9\", its manifest \"1.0.0\": rebuild the plugin");
  EXPECT_EQ(refusal(sample("unresolved.so")),
            "unresolved.so: can't be loaded: undefined symbol: function_that_nobody_has");
  EXPECT_EQ(refusal("/nowhere/order.so"), "/nowhere/order.so: no such file");
  EXPECT_TRUE(mentions(refusal(directory_), "not a regular file"));
}

TEST_F(ModuleTest, WhatIsRefusedBeforeTheCopyLeavesNoFile) {
  (void)refusal(sample("newer_abi.so"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "state"));
}

TEST_F(ModuleTest, AnotherPluginThanExpectedIsRefused) {
  load_options other = options();
  other.plugin_id = "payment";
  EXPECT_EQ(load(sample("order.so"), other).failure().text,
            "order.so: is plugin \"order\", expected \"payment\": correct library in the topology");
}

TEST_F(ModuleTest, WhereSignaturesAreRequiredOnlySignedBytesAreMapped) {
  const signer key;
  load_options strict = options();
  strict.trust = *make_trust(true, {key.public_text()});
  const std::filesystem::path file = own("order.so");
  EXPECT_EQ(
      load(file, strict).failure().text,
      "order.so: not signed: order.so.minisig is missing: this topology requires signatures: sign it with minisign -S");
  write(directory_ / "order.so.minisig", key.sign(bytes(file)));
  {
    auto loaded = load(file, strict);
    ASSERT_TRUE(loaded) << loaded.failure().text;
    EXPECT_EQ((*loaded)->signature().state, signature_state::valid);
  }
  write(file, bytes(file) + "x");
  EXPECT_TRUE(mentions(load(file, strict).failure().text, "it was altered"));
}

TEST_F(ModuleTest, APinnedLibraryStaysAndTheReportSaysWhy) {
  auto loaded = load(sample("nodelete.so"), options());
  ASSERT_TRUE(loaded) << loaded.failure().text;
  const unload_report report = (*loaded)->unload();
  EXPECT_TRUE(report.mapped);
  EXPECT_EQ(report.why, builds_unload() ? "DF_1_NODELETE pins the library: link without -z nodelete"
                                        : "sanitizer builds never unload");
}

TEST_F(ModuleTest, AStateDirectoryMountedNoexecIsNamedAsTheReason) {
  // A system file system that is mounted so on most machines; it is only looked at.
  for (const std::filesystem::path mount : {"/proc", "/sys", "/dev/shm", "/run/lock", "/dev/mqueue"}) {
    const auto written = write_generation({"order.so", "x"}, mount / "gantry-absent" / "generations" / "order-1.so");
    if (!written && mentions(written.failure().text, "noexec")) {
      EXPECT_TRUE(written.failure().text.starts_with(mount.string() + ": its file system is mounted noexec"));
      return;
    }
    std::error_code code;
    std::filesystem::remove_all(mount / "gantry-absent", code);
  }
  GTEST_SKIP() << "nothing is mounted noexec here";
}

}  // namespace
}  // namespace gantry::loader
