// Messages as files.
#include <gtest/gtest.h>

#include <gantry/failure.hpp>
#include <gantry/json.hpp>
#include <thread>

#include "channels/file_sink.hpp"
#include "temporary_folder.hpp"

namespace notification {
namespace {

using testing::temporary_folder;
using testing::text_of;

const std::string id = "0194f0c2-1111-7000-8000-00000000abcd";

TEST(FileSink, SpreadsFilesByTheTimeInTheirIds) {
  file_sink sink("mail", ".eml");
  EXPECT_EQ(sink.path_of(id), "mail/0194f0/c21/" + id + ".eml");
  EXPECT_EQ(sink.path_of("o-1"), "mail/o1____/___/o-1.eml");
}

TEST(FileSink, LeavesWholeFilesOnlyAndReplacesThemByThemselves) {
  const temporary_folder folder;
  file_sink sink(folder.path(), ".eml");
  sink.write(id, "one");
  sink.write(id, "two");
  ASSERT_EQ(folder.files().size(), 1U);
  EXPECT_EQ(text_of(folder.files()[0]), "two");
}

TEST(FileSink, MakesItsFoldersAgainWhenSomebodyTidiedUp) {
  const temporary_folder folder;
  file_sink sink(folder.path() + "/mail", ".eml");
  sink.write(id, "one");
  std::filesystem::remove_all(folder.path() + "/mail");
  sink.write(id, "two");
  EXPECT_EQ(folder.files().size(), 1U);
}

TEST(FileSink, ManyThreadsWriteSideBySide) {
  const temporary_folder folder;
  file_sink sink(folder.path(), ".eml");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) sink.write(std::to_string(i % 7) + "-" + std::to_string(t * 100 + i), "x");
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(folder.files().size(), 200U);
}

TEST(FileSink, AFolderThatWasRemovedIsMadeAgain) {
  const temporary_folder folder;
  file_sink sink(folder.path() + "/mail", ".eml");
  sink.write(id, "x");
  std::filesystem::remove_all(folder.path() + "/mail");
  sink.write(id, "y");
  ASSERT_EQ(folder.files().size(), 1U);
  EXPECT_EQ(text_of(folder.files()[0]), "y");
}

TEST(FileSink, AFolderThatCantBeMadeIsTriedLater) {
  file_sink sink("/proc/nowhere", ".eml");
  try {
    sink.write(id, "x");
    FAIL();
  } catch (const gantry::failure& e) {
    EXPECT_EQ(e.status(), GANTRY_RETRY);
    EXPECT_NE(std::string(e.what()).find("/proc/nowhere"), std::string::npos);
  }
}

TEST(Channels, AShortMessageIsAFileOfJson) {
  const temporary_folder folder;
  json_file_channel channel(folder.path());
  channel.send({id, "+49", "Title", "long", "", "Short \"one\"", 0});
  const std::string text = text_of(folder.files().at(0));
  const auto document = gantry::json_document::parse(text);
  EXPECT_EQ(document.root()["text"].text(), "Short \"one\"");
  EXPECT_EQ(document.root()["to"].text(), "+49");
}

TEST(Channels, AMailToNoAddressIsRejected) {
  const temporary_folder folder;
  eml_channel channel(folder.path(), {"", "a@b.example"});
  EXPECT_THROW(channel.send({id, "nobody", "s", "t", "", "b", 0}), gantry::rejected);
  EXPECT_TRUE(folder.files().empty());
}

}  // namespace
}  // namespace notification
