#include "store/sqlite/sqlite_store.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "store/sqlite/checkpointer.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/directory.hpp"
#include "store/sqlite/file_lock.hpp"
#include "store/sqlite/gathering_vfs.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/session.hpp"

namespace gantry::store::sqlite {
namespace {

constexpr std::chrono::seconds reader_wait{5};

class sqlite_store final : public store {
 public:
  sqlite_store(sqlite_options options, file_lock lock, std::unique_ptr<gathering_vfs> vfs)
      : options_(std::move(options)), lock_(std::move(lock)), vfs_(std::move(vfs)) {
    options_.vfs = vfs_->name();
    options_.readers = std::max<std::size_t>(options_.readers, 1);
  }

  ~sqlite_store() override {
    checkpoints_.reset();
    idle_.clear();
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

  result<std::unique_ptr<session>> acquire_reader() override;
  void give_back(std::unique_ptr<sqlite_session> reader) noexcept;

  result<migration_report> migrate(std::span<const migration> steps) override {
    if (health_.stopped()) return error{errc::io, describe() + " can't be written any more: " + health_.reason()};
    auto on = sqlite_session::open(options_, role::migrator, health_, *checkpoints_, syncs_);
    if (!on) return std::move(on).failure();
    return run_migrations(**on, steps, driver());
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
  sqlite_options options_;
  file_lock lock_;
  std::unique_ptr<gathering_vfs> vfs_;
  write_health health_;
  log_syncer syncs_{health_};
  std::optional<checkpointer> checkpoints_{std::in_place, options_, health_};
  std::atomic<bool> writing_ = false;

  std::mutex mutex_;  // guards what follows
  std::condition_variable returned_;
  std::vector<std::unique_ptr<sqlite_session>> idle_;  // the one used last is taken first: its cache is warm
  std::size_t opened_ = 0;
};

// A reader on loan: goes back to the pool instead of closing.
class reader_lease final : public session {
 public:
  reader_lease(sqlite_store& pool, std::unique_ptr<sqlite_session> reader) : pool_(pool), reader_(std::move(reader)) {}
  ~reader_lease() override {
    reader_->end_read();
    pool_.give_back(std::move(reader_));
  }

  gantry_status exec(std::string_view sql, std::span<const gantry_value> params, std::int64_t* changes) override {
    return reader_->exec(sql, params, changes);
  }
  gantry_status exec_many(std::string_view sql, std::span<const gantry_value> params, std::size_t param_count,
                          std::size_t row_count, std::int64_t* changes) override {
    return reader_->exec_many(sql, params, param_count, row_count, changes);
  }
  gantry_status defer(std::string_view sql, std::span<const gantry_value> params) override {
    return reader_->defer(sql, params);
  }
  gantry_status query(std::string_view sql, std::span<const gantry_value> params, cursor** out) override {
    return reader_->query(sql, params, out);
  }
  gantry_status script(std::string_view sql) override { return reader_->script(sql); }
  gantry_status begin() override { return reader_->begin(); }
  gantry_status commit() override { return reader_->commit(); }
  void rollback() noexcept override { reader_->rollback(); }
  gantry_status savepoint() override { return reader_->savepoint(); }
  gantry_status rollback_to() override { return reader_->rollback_to(); }
  gantry_status release() override { return reader_->release(); }
  gantry_status begin_read() override { return reader_->begin_read(); }
  void end_read() noexcept override { reader_->end_read(); }
  std::string_view error_text() const noexcept override { return reader_->error_text(); }

 private:
  sqlite_store& pool_;
  std::unique_ptr<sqlite_session> reader_;
};

result<std::unique_ptr<session>> sqlite_store::acquire_reader() {
  std::unique_lock lock(mutex_);
  const bool got =
      returned_.wait_for(lock, reader_wait, [this] { return !idle_.empty() || opened_ < options_.readers; });
  if (!got) {
    return error{errc::unavailable, describe() + ": all " + std::to_string(options_.readers) +
                                        " readers have been busy for 5 s; raise the number of readers or read less"};
  }
  if (!idle_.empty()) {
    auto reader = std::move(idle_.back());
    idle_.pop_back();
    return std::unique_ptr<session>(std::make_unique<reader_lease>(*this, std::move(reader)));
  }
  ++opened_;
  lock.unlock();
  auto reader = sqlite_session::open(options_, role::reader, health_, *checkpoints_, syncs_);
  if (!reader) {
    lock.lock();
    --opened_;
    returned_.notify_one();
    return std::move(reader).failure();
  }
  return std::unique_ptr<session>(std::make_unique<reader_lease>(*this, std::move(reader).value()));
}

void sqlite_store::give_back(std::unique_ptr<sqlite_session> reader) noexcept {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(reader));
  returned_.notify_one();
}

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
