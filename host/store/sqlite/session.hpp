// One connection with its statements, cursors and transaction.
// Owned by whoever opened it. Thread: one at a time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "store/sqlite/checkpointer.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/cursor.hpp"
#include "store/sqlite/log_syncer.hpp"
#include "store/sqlite/statement_cache.hpp"
#include "store/store.hpp"
#include "store/write_health.hpp"

namespace gantry::store::sqlite {

class sqlite_session final : public session {
 public:
  // A session that writes needs the checkpointer; it is not asked by one that reads.
  static result<std::unique_ptr<sqlite_session>> open(const sqlite_options& options, role role, write_health& health,
                                                      checkpointer& checkpoints, log_syncer& syncs);
  ~sqlite_session() override;

  // The flag is cleared when the session has closed its connection.
  void clear_when_closed(std::atomic<bool>& flag) noexcept { open_flag_ = &flag; }

  gantry_status exec(std::string_view sql, std::span<const gantry_value> params, std::int64_t* changes) override;
  gantry_status exec_many(std::string_view sql, std::span<const gantry_value> params, std::size_t param_count,
                          std::size_t row_count, std::int64_t* changes) override;
  gantry_status defer(std::string_view sql, std::span<const gantry_value> params) override;
  gantry_status query(std::string_view sql, std::span<const gantry_value> params, cursor** out) override;
  gantry_status script(std::string_view sql) override;

  gantry_status begin() override;
  gantry_status commit() override;
  gantry_status commit_early(std::uint64_t& mark) override;
  gantry_status durable(std::uint64_t& mark) override;
  gantry_status sync() override;
  void sync_later(std::function<void()> done) override;
  void rollback() noexcept override;
  gantry_status savepoint() override;
  gantry_status rollback_to() override;
  gantry_status release() override;
  gantry_status begin_read() override;
  void end_read() noexcept override;

  std::uint64_t connection_number() const noexcept override { return 1; }  // nothing goes that it has once said
  std::string_view error_text() const noexcept override { return failure_.text; }

 private:
  friend class sqlite_cursor;

  // From `doomed` on, statements are refused.
  enum class phase {
    idle,
    reading,
    writing,
    doomed,   // SQLite rolled the transaction back by itself; the runtime hasn't yet
    stopped,  // a sync failed: for good
  };

  struct control {
    statement_handle begin, begin_read, fix_view, commit, rollback, savepoint, rollback_to, release, many, undo_many,
        release_many;
  };

  sqlite_session(std::unique_ptr<connection> on, role role, const sqlite_options& options, write_health& health,
                 checkpointer& checkpoints, log_syncer& syncs);
  result<void> compile_control();
  result<void> take_over_syncs();

  // Each sets error_text().
  gantry_status fail(int code, std::string_view sql);
  gantry_status refuse(gantry_status status, std::string text);
  gantry_status refuse_statement();
  gantry_status no_column(std::size_t index, std::size_t columns, bool on_row);

  statement* ready(std::string_view sql, std::size_t params);
  gantry_status run_rows(statement& what, std::span<const gantry_value> params, std::size_t row_count,
                         std::int64_t* changes);
  gantry_status run_once(statement& what, std::span<const gantry_value> params);
  gantry_status run(const statement_handle& what, std::string_view name);
  void stop(const std::string& reason);
  void checkpoint_if_due();
  void finish_checkpoint();
  sqlite_cursor* free_cursor() noexcept;
  void closed(const sqlite_cursor&) noexcept { --open_cursors_; }
  void close_cursors(std::size_t from_depth) noexcept;
  void end_transaction() noexcept;

  std::atomic<bool>* open_flag_ = nullptr;
  std::unique_ptr<connection> on_;
  const role role_;
  write_health& health_;
  checkpointer& checkpoints_;
  log_syncer& syncs_;
  bool syncs_commits_ = false;  // SQLite itself does not
  statement_cache statements_;
  control control_;
  phase phase_ = phase::idle;
  gantry_status doom_ = GANTRY_OK;
  std::size_t depth_ = 0;  // of savepoints
  const std::uint32_t checkpoint_pages_;
  std::uint32_t next_checkpoint_;  // pages in the log
  std::uint32_t last_log_pages_ = 0;
  failure_text failure_;
  std::array<sqlite_cursor, 16> cursors_;
  std::size_t open_cursors_ = 0;
};

}  // namespace gantry::store::sqlite
