// A process that a test starts, listens to and kills.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gantry::bus::socket::testing {

class child {
 public:
  explicit child(const std::vector<std::string>& arguments);
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child();

  // The next number that it says; nothing when it has ended.
  std::optional<std::uint64_t> next();
  // With SIGKILL; what it had said can still be read.
  void kill();
  // Lets it stand still, or go on.
  void signal(int number) const;
  // Ends its input and waits; its exit code.
  int finish();

 private:
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string heard_;
};

}  // namespace gantry::bus::socket::testing
