#include "supervisor/output.hpp"

#include <gtest/gtest.h>

namespace gantry::supervisor {
namespace {

std::string after(named_lines& lines, std::string_view bytes) {
  std::string out;
  lines.feed(bytes, out);
  return out;
}

TEST(OutputTest, ALineGetsTheNameInFront) {
  named_lines lines("edge", 6);
  EXPECT_EQ(after(lines, "ready\nand well\n"), "edge   | ready\nedge   | and well\n");
}

TEST(OutputTest, ALineOfJsonStaysJson) {
  named_lines lines("edge", 6);
  EXPECT_EQ(after(lines, "{\"level\":\"info\"}\n"), "{\"host\":\"edge\",\"level\":\"info\"}\n");
}

TEST(OutputTest, ALineInPiecesIsOneLine) {
  named_lines lines("a", 1);
  EXPECT_EQ(after(lines, "on"), "");
  EXPECT_EQ(after(lines, "e\ntw"), "a | one\n");
  EXPECT_EQ(after(lines, "o\n"), "a | two\n");
}

TEST(OutputTest, WhatHasNoEndOfLineIsPrintedAtTheEnd) {
  named_lines lines("a", 1);
  after(lines, "last words");
  std::string out;
  lines.end(out);
  EXPECT_EQ(out, "a | last words\n");
  out.clear();
  lines.end(out);
  EXPECT_EQ(out, "");
}

TEST(OutputTest, ALineWithoutEndIsCut) {
  named_lines lines("a", 1);
  const std::string much(named_lines::longest_line + 3, 'x');
  EXPECT_EQ(after(lines, much), "a | " + std::string(named_lines::longest_line, 'x') + "\n");
  EXPECT_EQ(after(lines, "\n"), "a | xxx\n");
}

}  // namespace
}  // namespace gantry::supervisor
