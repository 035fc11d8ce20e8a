#include "loader/elf_file.hpp"

#include <elf.h>

#include <cstddef>

#include "loader/inspect.hpp"
#include "scratch.hpp"

namespace gantry::loader {
namespace {

using ElfFile = scratch_test;

std::string refusal(const std::string& bytes) {
  auto facts = read_elf({"order.so", bytes});
  return facts ? "accepted" : facts.failure().text;
}

TEST_F(ElfFile, TellsManifestBuildIdEntryAndLibraries) {
  const auto facts = read_elf(*read_image(sample("order.so")));
  ASSERT_TRUE(facts) << facts.failure().text;
  EXPECT_TRUE(parse_manifest(facts->manifest));
  EXPECT_EQ(facts->build_id.size(), 40U);
  EXPECT_TRUE(facts->exports_entry);
  EXPECT_FALSE(facts->nodelete);
  EXPECT_TRUE(facts->unique_symbols.empty());
}

TEST_F(ElfFile, WarnsOfWhatPinsALibrary) {
  EXPECT_TRUE(read_elf(*read_image(sample("nodelete.so")))->nodelete);
  const auto unique = read_elf(*read_image(sample("unique.so")));
  EXPECT_TRUE(unique->thread_storage);
  EXPECT_TRUE(unique->thread_destructors);
  if (GNU_UNIQUE_BUILT != 0) {
    EXPECT_FALSE(unique->unique_symbols.empty());
    EXPECT_TRUE(mentions(unload_risks(*unique).front(), "build with hidden visibility and -fno-gnu-unique"));
  }
}

TEST_F(ElfFile, SaysWhyAFileIsNoPlugin) {
  const std::string good = bytes(sample("order.so"));
  EXPECT_EQ(refusal("#!/bin/sh\n"), "order.so: not an ELF file: it begins otherwise: build it as a shared library");
  EXPECT_EQ(refusal(""), "order.so: not an ELF file: it begins otherwise: build it as a shared library");
  EXPECT_TRUE(mentions(refusal(bytes(sample("sample_program"))), "not a shared library: link it with -shared"));
  std::string foreign = good;
  foreign[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_ARM);
  foreign[offsetof(Elf64_Ehdr, e_machine) + 1] = 0;
  EXPECT_TRUE(mentions(refusal(foreign), "built for ARM (32 bit), this host runs on ")) << refusal(foreign);
}

TEST_F(ElfFile, ATruncatedFileIsRefusedWhereverItWasCut) {
  const std::string good = bytes(sample("order.so"));
  for (std::size_t length = SELFMAG; length < good.size(); length += 97) {
    EXPECT_TRUE(mentions(refusal(good.substr(0, length)), "truncated or damaged")) << length;
  }
}

TEST_F(ElfFile, DamagedBytesNeverDoHarm) {
  const std::string good = bytes(sample("order.so"));
  for (std::size_t at = 0; at < good.size(); at += 13) {
    std::string damaged = good;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x5A);
    (void)read_elf({"order.so", damaged});
  }
  for (std::size_t at = 0; at < sizeof(Elf64_Ehdr); ++at) {
    for (const char value : {'\x00', '\x7F', '\xFF'}) {
      std::string damaged = good;
      damaged[at] = value;
      (void)read_elf({"order.so", damaged});
    }
  }
}

TEST_F(ElfFile, InspectionReportsEverythingForPeopleAndPrograms) {
  const auto good = inspect(sample("order.so"), {});
  ASSERT_TRUE(good) << good.failure().text;
  EXPECT_TRUE(good->faults.empty());
  EXPECT_TRUE(mentions(to_text(*good), "plugin        order 1.0.0\n")) << to_text(*good);
  EXPECT_TRUE(mentions(to_text(*good), "routes        POST /orders (idempotent)\n"));
  EXPECT_TRUE(mentions(to_text(*good), "verdict       this host would load it\n"));
  EXPECT_TRUE(mentions(to_json(*good), R"("loadable":true)"));
  EXPECT_EQ(inspect(sample("newer_abi.so"), {})->faults.at(0),
            "newer_abi.so: built for ABI 2.1, this host has 1.2: rebuild the plugin or use a gantry with ABI >= 2.1");
  EXPECT_EQ(inspect(sample("no_manifest.so"), {})->faults.at(0),
            "no_manifest.so: no section .gantry.manifest: build it with gantry_add_plugin");
  EXPECT_TRUE(mentions(to_json(*inspect(sample("no_symbol.so"), {})), "exports no symbol gantry_plugin"));
  EXPECT_EQ(inspect("/nowhere/order.so", {}).failure().text, "/nowhere/order.so: no such file");
}

}  // namespace
}  // namespace gantry::loader
