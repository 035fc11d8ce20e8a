// Which frames are kept, and when they must go to the kernel.
#include "store/sqlite/frame_buffer.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace gantry::testing {
namespace {

using store::sqlite::frame_buffer;
using action = frame_buffer::action;
using overlap = frame_buffer::overlap;

constexpr std::int64_t page_size = 4096;
constexpr std::int64_t frame_size = 24 + page_size;

std::int64_t offset_of(int frame) { return 32 + (frame - 1) * frame_size; }

class FrameBufferTest : public ::testing::Test {
 protected:
  action header(int frame, bool commits = false) {
    std::string bytes(24, '\0');
    bytes[3] = 7;
    if (commits) bytes[7] = 9;
    return frames_.take(bytes.data(), bytes.size(), offset_of(frame));
  }
  action page(int frame, char filler) {
    const std::string bytes(page_size, filler);
    return frames_.take(bytes.data(), bytes.size(), offset_of(frame) + 24);
  }
  action append(int frame, bool commits = false) {
    if (const auto done = header(frame, commits); done != action::keep) return done;
    return page(frame, 'p');
  }
  std::string read(std::int64_t offset, std::size_t size, overlap expected) {
    std::string bytes(size, '?');
    EXPECT_EQ(frames_.read(bytes.data(), size, offset), expected);
    return bytes;
  }

  frame_buffer frames_;
};

TEST_F(FrameBufferTest, FramesAreKeptUntilTheOneThatCommits) {
  EXPECT_EQ(append(1), action::keep);
  EXPECT_EQ(append(2), action::keep);
  EXPECT_EQ(append(3, true), action::flush);
  EXPECT_EQ(frames_.offset(), 32);
  EXPECT_EQ(frames_.size(), 3U * frame_size);
  frames_.flushed();
  EXPECT_TRUE(frames_.empty());
}

TEST_F(FrameBufferTest, TheHeaderOfTheLogIsNoFrame) {
  const std::string log_header(32, 'h');
  EXPECT_EQ(frames_.take(log_header.data(), log_header.size(), 0), action::write_through);
}

TEST_F(FrameBufferTest, TheOwnerReadsWhatItSpilled) {
  append(1);
  header(2);
  page(2, 'q');
  EXPECT_EQ(read(offset_of(2) + 24, page_size, overlap::all), std::string(page_size, 'q'));
  read(offset_of(3), page_size, overlap::none);
  read(0, 32, overlap::none);
  read(offset_of(1) - 8, 16, overlap::part);
  read(offset_of(2), 2 * page_size, overlap::part);
}

TEST_F(FrameBufferTest, APageThatChangesAgainIsReplaced) {
  append(1);
  append(2);
  EXPECT_EQ(page(1, 'n'), action::keep);
  EXPECT_EQ(read(offset_of(1) + 24, page_size, overlap::all), std::string(page_size, 'n'));
  EXPECT_EQ(frames_.size(), 2U * frame_size);
}

TEST_F(FrameBufferTest, ChecksumsWrittenAnewAreNeverKept) {
  append(1);
  append(2, true);
  frames_.flushed();
  EXPECT_EQ(header(1), action::write_through);
  EXPECT_EQ(header(2, true), action::write_through);
}

TEST_F(FrameBufferTest, AFrameInPlaceOfOneThatWasUndoneIsNotKept) {
  append(1);
  append(2);
  EXPECT_EQ(header(2, true), action::write_through);
  frames_.flushed();
  EXPECT_EQ(page(2, 'p'), action::write_through);
}

TEST_F(FrameBufferTest, TheNextTransactionMayBeginWhereTheLastOneWasRolledBack) {
  append(1);
  frames_.flushed();
  append(2);
  frames_.end_transaction();
  EXPECT_TRUE(frames_.empty());
  EXPECT_EQ(append(1), action::keep);
}

TEST_F(FrameBufferTest, ALongTransactionIsHandedOnInParts) {
  int frame = 1;
  while (append(frame) == action::keep) ++frame;
  EXPECT_GE(frames_.size(), frame_buffer::limit);
  EXPECT_LT(frames_.size(), frame_buffer::limit + frame_size);
  frames_.flushed();
  EXPECT_EQ(append(frame + 1), action::keep);
}

TEST_F(FrameBufferTest, FramesThatCanNotBeFlushedStayReadable) {
  int frame = 1;
  while (append(frame) != action::write_through) ++frame;  // full, and nothing was flushed
  EXPECT_EQ(read(offset_of(1) + 24, page_size, overlap::all), std::string(page_size, 'p'));
}

}  // namespace
}  // namespace gantry::testing
