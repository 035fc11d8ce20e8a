#include "store/sqlite/session.hpp"

#include <sqlite3.h>

#include <algorithm>

#include "store/sqlite/status.hpp"

namespace gantry::store::sqlite {

result<std::unique_ptr<sqlite_session>> sqlite_session::open(const sqlite_options& options, role role,
                                                             write_health& health, checkpointer& checkpoints,
                                                             log_syncer& syncs) {
  auto on = connection::open(options, role);
  if (!on) return std::move(on).failure();
  std::unique_ptr<sqlite_session> self(new sqlite_session(std::move(on).value(), role, options, health, checkpoints, syncs));
  if (auto compiled = self->compile_control(); !compiled) return std::move(compiled).failure();
  if (role == role::writer && options.promise == durability::power)
    if (auto taken = self->take_over_syncs(); !taken) return std::move(taken).failure();
  return self;
}

// Once the log is open, which the first statement saw to. Should it not be, SQLite syncs each commit.
result<void> sqlite_session::take_over_syncs() {
  const auto taken = syncs_.attach(*on_);
  if (taken == log_syncer::attached::failed) return error{errc::io, health_.reason()};
  syncs_commits_ = taken == log_syncer::attached::yes;
  if (syncs_commits_) return {};
  auto full = on_->prepare_own("PRAGMA synchronous=FULL");
  if (!full) return std::move(full).failure();
  on_->run_own(full->get());
  return {};
}

sqlite_session::sqlite_session(std::unique_ptr<connection> on, role role, const sqlite_options& options,
                               write_health& health, checkpointer& checkpoints, log_syncer& syncs)
    : on_(std::move(on)),
      role_(role),
      health_(health),
      checkpoints_(checkpoints),
      syncs_(syncs),
      statements_(*on_),
      checkpoint_pages_(options.checkpoint_pages),
      next_checkpoint_(options.checkpoint_pages) {}

sqlite_session::~sqlite_session() {
  if (phase_ == phase::reading) {
    end_read();
  } else {
    rollback();
  }
  if (syncs_commits_) syncs_.detach();
  close_cursors(0);
  control_ = {};
  statements_.clear();
  on_.reset();
  if (open_flag_) open_flag_->store(false, std::memory_order_release);
}

result<void> sqlite_session::compile_control() {
  struct {
    statement_handle& into;
    const char* sql;
  } const all[] = {
      {control_.begin, "BEGIN IMMEDIATE"},
      {control_.begin_read, "BEGIN"},
      {control_.fix_view, "SELECT 1 FROM sqlite_schema LIMIT 1"},
      {control_.commit, "COMMIT"},
      {control_.rollback, "ROLLBACK"},
      // Savepoints of one name nest: each command means the innermost.
      {control_.savepoint, "SAVEPOINT gantry_step"},
      {control_.rollback_to, "ROLLBACK TO gantry_step"},
      {control_.release, "RELEASE gantry_step"},
      {control_.many, "SAVEPOINT gantry_many"},
      {control_.undo_many, "ROLLBACK TO gantry_many"},
      {control_.release_many, "RELEASE gantry_many"},
  };
  for (const auto& [into, sql] : all) {
    auto compiled = on_->prepare_own(sql);
    if (!compiled) return std::move(compiled).failure();
    into = std::move(compiled).value();
  }
  return {};
}

statement* sqlite_session::ready(std::string_view sql, std::size_t params) {
  if (phase_ >= phase::doomed) {
    refuse_statement();
    return nullptr;
  }
  statement* const found = statements_.find(sql, failure_);
  if (!found) return nullptr;
  if (found->parameters() != params) {
    refuse(GANTRY_INVALID, "the statement has " + std::to_string(found->parameters()) + " parameters, " +
                               std::to_string(params) + " were given: " + excerpt(sql));
    return nullptr;
  }
  if (role_ == role::reader && found->changes_rows()) {
    refuse(GANTRY_REFUSED, "a snapshot can't be changed; write in a transaction: " + excerpt(sql));
    return nullptr;
  }
  return found;
}

gantry_status sqlite_session::exec(std::string_view sql, std::span<const gantry_value> params, std::int64_t* changes) {
  statement* const found = ready(sql, params.size());
  return found ? run_rows(*found, params, 1, changes) : failure_.status;
}

gantry_status sqlite_session::defer(std::string_view sql, std::span<const gantry_value> params) {
  return exec(sql, params, nullptr);
}

gantry_status sqlite_session::exec_many(std::string_view sql, std::span<const gantry_value> params,
                                        std::size_t param_count, std::size_t row_count, std::int64_t* changes) {
  if (changes) *changes = 0;
  statement* const found = ready(sql, param_count);
  if (!found) return failure_.status;
  if (params.size() != param_count * row_count) {
    return refuse(GANTRY_INVALID, std::to_string(row_count) + " rows of " + std::to_string(param_count) +
                                      " parameters need " + std::to_string(param_count * row_count) + " values, " +
                                      std::to_string(params.size()) + " were given: " + excerpt(sql));
  }
  if (row_count == 0) return GANTRY_OK;
  if (row_count == 1) return run_rows(*found, params, 1, changes);
  if (phase_ != phase::writing) return refuse(GANTRY_INVALID, "several rows need a transaction: " + excerpt(sql));

  if (const auto status = run(control_.many, "SAVEPOINT"); status != GANTRY_OK) return status;
  const gantry_status status = run_rows(*found, params, row_count, changes);
  if (phase_ >= phase::doomed) return status;
  if (status == GANTRY_OK) return run(control_.release_many, "RELEASE");
  if (changes) *changes = 0;
  const failure_text first = failure_;
  if (const auto undone = run(control_.undo_many, "ROLLBACK TO"); undone != GANTRY_OK) return undone;
  if (const auto released = run(control_.release_many, "RELEASE"); released != GANTRY_OK) return released;
  failure_ = first;
  return status;
}

gantry_status sqlite_session::run_rows(statement& what, std::span<const gantry_value> params, std::size_t row_count,
                                       std::int64_t* changes) {
  if (what.returns_rows()) {
    return refuse(GANTRY_INVALID, "the statement returns rows: use query: " + excerpt(what.text()));
  }
  // sqlite3_changes keeps the count of an earlier statement when this one changes no rows at all.
  sqlite3* const db = on_->handle();
  std::int64_t total = 0;
  const std::size_t width = what.parameters();
  for (std::size_t row = 0; row < row_count; ++row) {
    const auto before = changes ? sqlite3_total_changes64(db) : 0;
    if (const auto status = run_once(what, params.subspan(row * width, width)); status != GANTRY_OK) return status;
    if (changes && sqlite3_total_changes64(db) != before) total += sqlite3_changes64(db);
  }
  if (changes) *changes = total;
  return GANTRY_OK;
}

gantry_status sqlite_session::run_once(statement& what, std::span<const gantry_value> params) {
  int code = what.bind(params);
  if (code == SQLITE_OK) code = sqlite3_step(what.handle());
  const gantry_status status = code == SQLITE_DONE ? GANTRY_OK : fail(code, what.text());
  sqlite3_reset(what.handle());
  return status;
}

gantry_status sqlite_session::query(std::string_view sql, std::span<const gantry_value> params, cursor** out) {
  *out = nullptr;
  statement* found = ready(sql, params.size());
  if (!found) return failure_.status;
  if (!found->returns_rows()) {
    return refuse(GANTRY_INVALID, "the statement returns no rows: use exec: " + excerpt(sql));
  }
  sqlite_cursor* const rows = free_cursor();
  if (!rows) {
    return refuse(GANTRY_INVALID,
                  std::to_string(cursors_.size()) + " cursors are open, close one first: " + excerpt(sql));
  }
  if (found->in_use) {  // an open cursor of the same text: this one runs a statement of its own
    auto extra = statement::compile(*on_, sql, false, failure_);
    if (!extra) return failure_.status;
    found = extra.get();
    rows->adopt(std::move(extra));
  }
  ++open_cursors_;
  rows->depth_ = depth_;
  const bool changes = found->changes_rows();
  const int code = changes ? rows->start_complete(*this, *found, params) : rows->start(*this, *found, params);
  if (code != (changes ? SQLITE_DONE : SQLITE_OK)) {
    const gantry_status status = fail(code, sql);
    rows->close();
    return status;
  }
  if (changes) rows->detach();
  *out = rows;
  return GANTRY_OK;
}

sqlite_cursor* sqlite_session::free_cursor() noexcept {
  const auto found = std::find_if(cursors_.begin(), cursors_.end(), [](const auto& each) { return !each.is_open(); });
  return found == cursors_.end() ? nullptr : &*found;
}

void sqlite_session::close_cursors(std::size_t from_depth) noexcept {
  if (open_cursors_ == 0) return;
  for (auto& each : cursors_) {
    if (each.is_open() && each.depth_ >= from_depth) each.release();
  }
}

gantry_status sqlite_session::script(std::string_view sql) {
  if (phase_ >= phase::doomed) return refuse_statement();
  if (role_ == role::reader) return refuse(GANTRY_REFUSED, "a snapshot can't be changed: " + excerpt(sql));
  const std::string text(sql);
  const char* at = text.c_str();
  while (*at != '\0') {
    sqlite3_stmt* next = nullptr;
    const char* const from = at;
    int code = sqlite3_prepare_v2(on_->handle(), from, -1, &next, &at);
    const statement_handle owned(next);
    if (code == SQLITE_OK && !owned) continue;  // a comment or blanks
    if (code == SQLITE_OK && sqlite3_bind_parameter_count(next) > 0) {
      return refuse(GANTRY_INVALID, "a script has no parameters: " + excerpt(from));
    }
    while (code == SQLITE_OK || code == SQLITE_ROW) code = sqlite3_step(next);
    if (code != SQLITE_DONE) return fail(code, owned ? std::string_view(sqlite3_sql(next)) : std::string_view(from));
  }
  return GANTRY_OK;
}

}  // namespace gantry::store::sqlite
