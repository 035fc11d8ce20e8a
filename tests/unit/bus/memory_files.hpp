// Files in memory that forget what wasn't synced, fail, and fill up, as a test says.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "bus/local/file_system.hpp"

namespace gantry::bus::local::testing {

class memory_files final : public file_system {
 public:
  // All that wasn't synced is lost, but for `kept` bytes from the first one in each file that differs; open files are
  // dead.
  void cut_power(std::size_t kept = 0);

  // Each applies until it is set otherwise.
  void fail_syncs(bool yes);
  void fail_writes(bool yes);
  void set_free_bytes(std::optional<std::uint64_t> bytes);
  void set_longest_write(std::size_t bytes);

  // Every write waits until they are let go.
  void hold_writes();
  void wait_for_a_held_write();
  void let_writes_go();

  // Gives a file the zeros back that fill its last block.
  void pad(const std::string& name);
  // Changes one byte that is stored, durably.
  void damage(const std::string& name, std::uint64_t at);
  // Names of the files that end so, in order.
  std::vector<std::string> names(std::string_view ending) const;
  std::uint64_t size(const std::string& name) const;
  std::size_t writes() const;

  result<std::unique_ptr<file>> open(const std::filesystem::path& path, open_mode mode) override;
  result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  result<void> unlink(const std::filesystem::path& path) override;
  result<void> make_directory(const std::filesystem::path&) override { return {}; }
  result<void> sync_directory(const std::filesystem::path& path) override;
  result<std::vector<listed_file>> list(const std::filesystem::path& directory) override;
  result<std::unique_ptr<directory_lock>> lock(const std::filesystem::path& path) override;

 private:
  struct content {
    std::string now;
    std::string durable;
  };
  class open_file;
  class held_lock;
  using directory = std::map<std::string, std::shared_ptr<content>>;

  mutable std::mutex mutex_;
  directory now_;
  directory durable_;
  std::uint64_t power_ = 0;  // counts the cuts
  bool syncs_fail_ = false;
  bool writes_fail_ = false;
  bool hold_writes_ = false;
  std::size_t held_writes_ = 0;
  std::condition_variable holding_;
  std::optional<std::uint64_t> free_bytes_;
  std::size_t longest_write_ = SIZE_MAX;
  std::size_t writes_ = 0;
  std::shared_ptr<bool> locked_ = std::make_shared<bool>(false);
};

}  // namespace gantry::bus::local::testing
