// Lines on their way to whoever reads this process's output, who may stop reading: at a pager, or with the terminal
// held. They wait here in a bounded buffer, and the supervisor never waits for a reader.
// Owned by cli. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace gantry::supervisor {

class outlet {
 public:
  // `to`: a descriptor to write to, which stays its owner's and as it is. `dropped` is told, once there is room again,
  // how many lines had none. `most`: bytes that may wait.
  outlet(int to, std::function<void(std::uint64_t)> dropped, std::size_t most = std::size_t{1} << 20U);
  ~outlet();
  outlet(const outlet&) = delete;
  outlet& operator=(const outlet&) = delete;

  // Whole lines. Writes what goes at once, keeps what does not, and drops these lines when too many wait already.
  void put(std::string_view lines);
  // Writes what goes at once.
  void push();
  // Waits at most so long for the reader. False: it has not taken all.
  bool finish(std::chrono::milliseconds at_most);

  // To poll for room to write; -1: nothing waits.
  int descriptor() const noexcept { return waiting() == 0 ? -1 : file_; }

 private:
  std::size_t waiting() const noexcept { return rest_.size() - written_; }
  bool has_room() const;
  void write_some();

  int file_ = -1;
  bool own_ = false;     // its writes do not block
  bool blocks_ = false;  // its writes may: only a little at a time, and when there is room
  const std::function<void(std::uint64_t)> dropped_;
  const std::size_t most_;
  std::string rest_;
  std::size_t written_ = 0;  // of rest_
  std::uint64_t lines_dropped_ = 0;
};

}  // namespace gantry::supervisor
