// Transactions, savepoints, checkpoints and failures of a session.
#include <sqlite3.h>

#include <utility>

#include "store/sqlite/session.hpp"
#include "store/sqlite/status.hpp"

namespace gantry::store::sqlite {
namespace {

// How long a checkpoint that must succeed waits for the readers of the old log.
constexpr int reader_wait_ms = 50;

// At this multiple of checkpoint_pages it must succeed. Copying beside the writer, the log usually reaches twice.
constexpr std::uint32_t overdue_factor = 3;

}  // namespace

gantry_status sqlite_session::begin() {
  if (phase_ == phase::stopped) return refuse_statement();
  if (phase_ != phase::idle) return refuse(GANTRY_INVALID, "a transaction is open already");
  if (role_ == role::reader) return refuse(GANTRY_REFUSED, "a reader's session can't begin a write transaction");
  checkpoint_if_due();
  if (health_.stopped()) phase_ = phase::stopped;  // a sync of the checkpointer failed
  if (phase_ == phase::stopped) return refuse_statement();
  const gantry_status status = run(control_.begin, "BEGIN IMMEDIATE");
  if (status == GANTRY_OK) phase_ = phase::writing;
  return status;
}

gantry_status sqlite_session::commit() {
  std::uint64_t mark = 0;
  const gantry_status status = commit_early(mark);
  return status == GANTRY_OK && mark != 0 ? sync() : status;
}

gantry_status sqlite_session::sync() {
  if (!syncs_commits_ || syncs_.sync()) return GANTRY_OK;
  stop(health_.reason());
  return refuse_statement();
}

gantry_status sqlite_session::durable(std::uint64_t& mark) {
  mark = syncs_.durable();
  if (!health_.stopped()) return GANTRY_OK;
  stop(health_.reason());
  return refuse_statement();
}

void sqlite_session::sync_later(std::function<void()> done) { syncs_.sync_later(std::move(done)); }

gantry_status sqlite_session::commit_early(std::uint64_t& mark) {
  mark = 0;
  if (phase_ == phase::stopped) return refuse_statement();
  if (phase_ == phase::doomed) {
    refuse_statement();
    end_transaction();
    return doom_;
  }
  if (phase_ != phase::writing) return refuse(GANTRY_INVALID, "no write transaction is open");
  close_cursors(0);
  const int code = on_->run_own(control_.commit.get());
  if (code == SQLITE_DONE) {
    end_transaction();
    if (syncs_commits_) mark = syncs_.committed();
    return GANTRY_OK;
  }
  const gantry_status status = commit_status_of(code);
  failure_ = {status, std::string("the commit failed: ") + sqlite3_errmsg(on_->handle())};
  if (status == GANTRY_FAILED) {
    stop(failure_.text);
  } else {
    rollback();
  }
  return status;
}

void sqlite_session::rollback() noexcept {
  if (phase_ == phase::idle || phase_ == phase::reading) return;
  close_cursors(0);
  if (!sqlite3_get_autocommit(on_->handle())) on_->run_own(control_.rollback.get());
  end_transaction();
}

void sqlite_session::end_transaction() noexcept {
  close_cursors(0);
  depth_ = 0;
  if (phase_ != phase::stopped) phase_ = phase::idle;
}

gantry_status sqlite_session::savepoint() {
  if (phase_ >= phase::doomed) return refuse_statement();
  if (phase_ != phase::writing) return refuse(GANTRY_INVALID, "a savepoint needs a write transaction");
  const gantry_status status = run(control_.savepoint, "SAVEPOINT");
  if (status == GANTRY_OK) ++depth_;
  return status;
}

gantry_status sqlite_session::rollback_to() {
  if (phase_ >= phase::doomed) return refuse_statement();
  if (depth_ == 0) return refuse(GANTRY_INVALID, "no savepoint is open");
  close_cursors(depth_);
  return run(control_.rollback_to, "ROLLBACK TO");
}

gantry_status sqlite_session::release() {
  if (phase_ >= phase::doomed) return refuse_statement();
  if (depth_ == 0) return refuse(GANTRY_INVALID, "no savepoint is open");
  close_cursors(depth_);
  const gantry_status status = run(control_.release, "RELEASE");
  if (status == GANTRY_OK) --depth_;
  return status;
}

gantry_status sqlite_session::begin_read() {
  if (phase_ >= phase::doomed) return refuse_statement();
  if (phase_ != phase::idle) return refuse(GANTRY_INVALID, "a transaction is open already");
  if (const auto status = run(control_.begin_read, "BEGIN"); status != GANTRY_OK) return status;
  // BEGIN takes the view only with the first read.
  const int code = on_->run_own(control_.fix_view.get());
  phase_ = phase::reading;
  if (code == SQLITE_ROW || code == SQLITE_DONE) return GANTRY_OK;
  const gantry_status status = fail(code, "BEGIN");
  end_read();
  return status;
}

void sqlite_session::end_read() noexcept {
  if (phase_ != phase::reading) return;
  close_cursors(0);
  if (!sqlite3_get_autocommit(on_->handle())) on_->run_own(control_.rollback.get());
  phase_ = phase::idle;
}

// The log starts over once all of it is in the database and nobody reads it. Between two transactions of the only
// writer one copy gets all of it, and readers that begin afterwards don't look into the log any more. Most of it is
// there by then: the checkpointer's work.
void sqlite_session::checkpoint_if_due() {
  if (on_->log_pages() < last_log_pages_) next_checkpoint_ = checkpoint_pages_;  // it did start over
  last_log_pages_ = on_->log_pages();
  if (on_->log_pages() < next_checkpoint_ || !checkpoints_.request(on_->log_pages())) return;
  finish_checkpoint();
  checkpoints_.finished();
}

void sqlite_session::finish_checkpoint() {
  // Far beyond the goal some reader is always in the way: wait for those that began before the copy.
  const bool overdue = on_->log_pages() / overdue_factor >= checkpoint_pages_;
  on_->wait_for_locks(reader_wait_ms);
  const int code = sqlite3_wal_checkpoint_v2(
      on_->handle(), "main", overdue ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  on_->wait_for_locks(connection::usual_wait_ms);
  if ((code & 0xFF) == SQLITE_IOERR) return static_cast<void>(fail(code, "checkpoint"));
  // A reader, or a full disk, may keep it from starting over: nothing is lost, it only grows, and waits get rarer.
  const bool waited_in_vain = overdue && code != SQLITE_OK;
  next_checkpoint_ = on_->log_pages() + (waited_in_vain ? on_->log_pages() : checkpoint_pages_ / 4);
}

gantry_status sqlite_session::run(const statement_handle& what, std::string_view name) {
  const int code = on_->run_own(what.get());
  return code == SQLITE_DONE ? GANTRY_OK : fail(code, name);
}

gantry_status sqlite_session::fail(int code, std::string_view sql) {
  sqlite3* const db = on_->handle();
  const char* const reason = sqlite3_extended_errcode(db) == code ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  failure_ = {status_of(code), reason};
  if (failure_.status != GANTRY_CONFLICT) failure_.text += ": " + excerpt(sql);
  if (role_ != role::reader && is_sync_failure(code)) {
    stop(failure_.text);
  } else if (phase_ == phase::writing && sqlite3_get_autocommit(db)) {
    doom_ = failure_.status == GANTRY_UNAVAILABLE ? GANTRY_UNAVAILABLE : GANTRY_RETRY;
    phase_ = phase::doomed;
  }
  return failure_.status;
}

void sqlite_session::stop(const std::string& reason) {
  phase_ = phase::stopped;
  failure_.status = GANTRY_FAILED;
  health_.stop(reason);
}

gantry_status sqlite_session::refuse(gantry_status status, std::string text) {
  failure_ = {status, std::move(text)};
  return status;
}

gantry_status sqlite_session::refuse_statement() {
  if (phase_ == phase::stopped) {
    return refuse(GANTRY_FAILED,
                  "writing has stopped, what was committed last is unknown; restart after a check of the "
                  "disk: " +
                      health_.reason());
  }
  // The text of the failure that rolled the transaction back stays.
  failure_.status = doom_;
  return doom_;
}

gantry_status sqlite_session::no_column(std::size_t index, std::size_t columns, bool on_row) {
  if (!on_row) return refuse(GANTRY_INVALID, "no row to read a column of: call next first");
  return refuse(GANTRY_INVALID,
                "no column " + std::to_string(index) + ": the row has " + std::to_string(columns) + ", counted from 0");
}

}  // namespace gantry::store::sqlite
