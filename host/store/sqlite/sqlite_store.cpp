#include "store/sqlite/sqlite_store.hpp"

#include <atomic>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "store/reader_pool.hpp"
#include "store/sqlite/checkpointer.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/directory.hpp"
#include "store/sqlite/file_lock.hpp"
#include "store/sqlite/gathering_vfs.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/session.hpp"

namespace gantry::store::sqlite {
namespace {

class sqlite_store final : public store {
 public:
  sqlite_store(sqlite_options options, file_lock lock, std::unique_ptr<gathering_vfs> vfs)
      : options_(std::move(options)), lock_(std::move(lock)), vfs_(std::move(vfs)) {
    options_.vfs = vfs_->name();
  }

  ~sqlite_store() override {
    checkpoints_.reset();
    readers_.clear();
    if (health_.stopped()) return;
    // The last connection copies the log into the file and deletes it, so that a store at rest is one file.
    if (auto last = connection::open(options_, role::migrator)) (*last)->finish_log_on_close();
  }

  // Creates the file, so that what can't work fails now.
  result<void> prepare() {
    auto first = connection::open(options_, role::migrator);
    if (!first) return std::move(first).failure();
    // SQLite doesn't sync the directory that a new database appears in.
    return sync_directory(options_.file.parent_path());
  }

  std::string_view driver() const override { return "sqlite"; }
  durability promise() const override { return options_.promise; }
  // Commits that were not synced end with the machine's run.
  std::string life() override {
    std::string boot;
    if (options_.promise == durability::process) std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
    return boot;
  }
  std::string describe() const override { return "sqlite " + options_.file.string(); }

  result<std::unique_ptr<session>> open_writer() override {
    if (health_.stopped()) return error{errc::io, describe() + " can't be written any more: " + health_.reason()};
    if (writing_.exchange(true))
      return error{errc::conflict, describe() + " has a writer already: close that one first"};
    auto writer = sqlite_session::open(options_, role::writer, health_, *checkpoints_, syncs_);
    if (!writer) {
      writing_ = false;
      return std::move(writer).failure();
    }
    (*writer)->clear_when_closed(writing_);
    return std::unique_ptr<session>(std::move(writer).value());
  }

  result<std::unique_ptr<session>> acquire_reader() override { return readers_.acquire(); }

  result<migration_report> migrate(std::span<const migration> steps, const migration_rules& rules) override {
    if (health_.stopped()) return error{errc::io, describe() + " can't be written any more: " + health_.reason()};
    auto on = sqlite_session::open(options_, role::migrator, health_, *checkpoints_, syncs_);
    if (!on) return std::move(on).failure();
    return run_migrations(**on, steps, driver(), rules);
  }

  std::uint64_t size_bytes() const override {
    std::uint64_t total = 0;
    for (const char* suffix : {"", "-wal"}) {
      std::error_code missing;
      const auto size = std::filesystem::file_size(options_.file.string() + suffix, missing);
      if (!missing) total += size;
    }
    return total;
  }

 private:
  result<std::unique_ptr<session>> open_reader() {
    auto reader = sqlite_session::open(options_, role::reader, health_, *checkpoints_, syncs_);
    if (!reader) return std::move(reader).failure();
    return std::unique_ptr<session>(std::move(reader).value());
  }

  sqlite_options options_;
  file_lock lock_;
  std::unique_ptr<gathering_vfs> vfs_;
  write_health health_;
  log_syncer syncs_{health_};
  std::optional<checkpointer> checkpoints_{std::in_place, options_, health_};
  std::atomic<bool> writing_ = false;
  reader_pool readers_{options_.readers, describe(), [this] { return open_reader(); }};
};

}  // namespace
}  // namespace gantry::store::sqlite

namespace gantry::store {

result<std::unique_ptr<store>> open_sqlite_store(const sqlite_options& options) {
  if (auto made = sqlite::create_directories_durably(options.file.parent_path()); !made)
    return std::move(made).failure();
  auto lock = sqlite::file_lock::acquire(options.file);
  if (!lock) return std::move(lock).failure();
  auto vfs = sqlite::gathering_vfs::over(options.vfs);
  if (!vfs) return std::move(vfs).failure();
  auto opened = std::make_unique<sqlite::sqlite_store>(options, std::move(lock).value(), std::move(vfs).value());
  if (auto prepared = opened->prepare(); !prepared) return std::move(prepared).failure();
  return std::unique_ptr<store>(std::move(opened));
}

}  // namespace gantry::store
