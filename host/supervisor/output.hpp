// The output of several processes as one: whole lines, each with the name of its process.
// A line of JSON gets the name as its first member, so that it stays JSON; any other line gets it in front.
// Owned by the supervisor, one for each process. Not thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace gantry::supervisor {

class named_lines {
 public:
  static constexpr std::size_t longest_line = 64 * 1024;  // bytes; more is cut into several

  // `width`: of the longest name, so that the lines stand below each other.
  named_lines(const std::string& name, std::size_t width);

  // Takes bytes as they came; appends the lines that are complete to `out`.
  void feed(std::string_view bytes, std::string& out);
  // Appends what came without an end of line.
  void end(std::string& out);

 private:
  void append(std::string_view line, std::string& out) const;

  const std::string prefix_;  // "orders  | "
  const std::string member_;  // "\"host\":\"orders\""
  std::string rest_;
};

}  // namespace gantry::supervisor
