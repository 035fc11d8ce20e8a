// Transactions, savepoints and failures of a session.
#include <libpq-fe.h>

#include <utility>

#include "store/postgres/session.hpp"

namespace gantry::store::postgres {

gantry_status postgres_session::begin() {
  if (phase_ == phase::stopped) return refuse_doomed();
  if (phase_ != phase::idle) return refuse(GANTRY_INVALID, "a transaction is open already");
  if (role_ != role::writer) return refuse(GANTRY_REFUSED, "a reader's session can't begin a write transaction");
  if (!ensure_connected()) return failure_.status;
  phase_ = phase::writing;
  relaxed_ = false;
  scopes_.assign(1, scope{0, true, false, false, 0});
  return GANTRY_OK;
}

gantry_status postgres_session::begin_relaxed() {
  const auto status = begin();
  relaxed_ = status == GANTRY_OK;
  return status;
}

gantry_status postgres_session::commit() {
  if (phase_ == phase::stopped) return refuse_doomed();
  if (phase_ != phase::writing) return refuse(GANTRY_INVALID, "no write transaction is open");
  close_cursors(0);
  if (doom_ == GANTRY_OK && spoiled_ != GANTRY_OK) doom(GANTRY_RETRY);
  if (doom_ == GANTRY_OK) send_rows();
  if (doom_ == GANTRY_OK && !begun_) {
    end_transaction();
    return GANTRY_OK;
  }
  // Its number must be known before COMMIT goes out, and that all went as it was taken for granted.
  if (doom_ == GANTRY_OK && (number_.empty() || trusted_ != 0)) settle(guard::none);
  if (doom_ != GANTRY_OK) {
    const auto status = doom_;
    const auto text = failure_;
    rollback();
    failure_ = text;
    return status;
  }
  to_->run("gantry_commit", about(pipeline::part::commit, pipeline::answer::keep));
  auto done = to_->settle();
  if (done.lost) {
    const int backend = on_->backend();
    drop_connection();
    const doubtful_commit which{number_, writer_id_, backend};
    failure_.text = "the connection was lost during the commit: " + done.message;
    return resolve_doubt(which);
  }
  if (!done.failed && !done.kept.empty() && std::string_view(PQcmdStatus(done.kept.back().get())) == "COMMIT") {
    ++committed_;
    end_transaction();
    return GANTRY_OK;
  }
  // What fails with the commit is a conflict or worth a rerun, whatever it was: nothing is committed.
  const auto status = done.failed ? status_of(done.sqlstate) : GANTRY_RETRY;
  failure_ = {status, "the commit failed: " + done.message};
  if (done.by.text) failure_.text += ": " + excerpt(*done.by.text);
  if (status != GANTRY_CONFLICT && status != GANTRY_UNAVAILABLE) failure_.status = GANTRY_RETRY;
  const auto text = failure_;
  rollback();
  failure_ = text;
  return text.status;
}

gantry_status postgres_session::resolve_doubt(const doubtful_commit& which) {
  std::string why;
  const auto was = failure_.text;
  if (relaxed_) {
    // Claims, leases, deletions: done again they do no harm, so nobody needs to know.
    end_transaction();
    return refuse(GANTRY_UNAVAILABLE, was);
  }
  switch (resolve(options_, where_, which, why)) {
    case fate::committed:
      end_transaction();
      return GANTRY_OK;
    case fate::undone:
      end_transaction();
      return refuse(GANTRY_RETRY, was + "; it was not committed");
    case fate::unknown:
      break;
  }
  end_transaction();
  phase_ = phase::stopped;
  refuse(GANTRY_FAILED, was + "; whether it was committed could not be found out in " +
                            std::to_string(options_.doubt_timeout.count()) + " ms: " + why);
  health_.stop(failure_.text);
  return GANTRY_FAILED;
}

void postgres_session::rollback() noexcept {
  if (phase_ != phase::writing) return;
  close_cursors(0);
  if (on_ && begun_) {
    // What waits in the pipeline may fail: the ROLLBACK stands behind a sync of its own.
    to_->settle();
    if (PQtransactionStatus(on_->handle()) != PQTRANS_IDLE) {
      to_->run("gantry_rollback", {});
      if (to_->settle().lost) drop_connection();
    }
  }
  end_transaction();
}

void postgres_session::end_transaction() noexcept {
  close_cursors(0);
  gathered_.clear();
  scopes_.clear();
  begun_ = false;
  answered_ = false;
  number_.clear();
  doom_ = GANTRY_OK;
  spoiled_ = GANTRY_OK;
  trusted_ = 0;
  used_facts_ = false;
  if (std::exchange(changed_schema_, false)) ++schema_epoch_;
  if (phase_ != phase::stopped) phase_ = phase::idle;
}

gantry_status postgres_session::savepoint() {
  if (phase_ != phase::writing) {
    if (phase_ == phase::stopped) return refuse_doomed();
    return refuse(GANTRY_INVALID, "a savepoint needs a write transaction");
  }
  if (doom_ != GANTRY_OK || spoiled_ != GANTRY_OK) return refuse_doomed();
  scopes_.push_back({++serials_, false, false, false, gathered_.size()});
  return GANTRY_OK;
}

gantry_status postgres_session::rollback_to() {
  if (phase_ == phase::stopped || doom_ != GANTRY_OK) return refuse_doomed();
  if (scopes_.size() < 2) return refuse(GANTRY_INVALID, "no savepoint is open");
  close_cursors(scopes_.size() - 1);
  auto& inner = scopes_.back();
  // Whoever takes them back may do so because of what they were told.
  if (spoiled_ == GANTRY_OK && gathered_.size() > inner.first_row) push_rows();
  // A statement of it was sent, and what was before it went out first.
  if (spoiled_ != GANTRY_OK) gathered_.clear();
  if (changed_schema_) ++schema_epoch_;
  if (!inner.sent) return GANTRY_OK;
  // A deferred statement of this savepoint may fail, which would skip the way back.
  if (spoiled_ == GANTRY_OK && to_->pending() != 0) settle(guard::none);
  if (doom_ != GANTRY_OK) return refuse_doomed();
  to_->run("gantry_rollback_to", about(pipeline::part::control, pipeline::answer::drop));
  spoiled_ = GANTRY_OK;
  inner.dirty = false;
  inner.guarded = false;
  return GANTRY_OK;
}

gantry_status postgres_session::release() {
  if (phase_ == phase::stopped || doom_ != GANTRY_OK) return refuse_doomed();
  if (scopes_.size() < 2) return refuse(GANTRY_INVALID, "no savepoint is open");
  // Whoever ignored the failure of a statement can't keep the rest.
  if (spoiled_ != GANTRY_OK) {
    doom(GANTRY_RETRY);
    return refuse_doomed();
  }
  close_cursors(scopes_.size() - 1);
  const bool sent = scopes_.back().sent;
  if (sent) to_->run("gantry_release", about(pipeline::part::control, pipeline::answer::drop));
  scopes_.pop_back();
  if (sent) scopes_.back().dirty = true;
  return GANTRY_OK;
}

gantry_status postgres_session::begin_read() {
  if (phase_ == phase::stopped) return refuse_doomed();
  if (phase_ != phase::idle) return refuse(GANTRY_INVALID, "a transaction is open already");
  if (!ensure_connected()) return failure_.status;
  phase_ = phase::reading;
  answered_ = false;
  return GANTRY_OK;
}

// Nobody waits for its answer: the next statement reads it.
void postgres_session::end_read() noexcept {
  if (phase_ != phase::reading) return;
  close_cursors(0);
  if (on_ && begun_) {
    to_->run("gantry_rollback", {});
    to_->send();
  }
  end_transaction();
}

gantry_status postgres_session::settle(guard protection, std::vector<result_handle>* kept) {
  auto done = to_->settle();
  under_guard_ = false;
  trusted_ = 0;
  changed_ = done.changed;
  for (const auto& [text, changed] : done.learned)
    if (auto* const known = statements_.known(*text)) known->past.went_well(changed);
  if (done.lost) return settle_lost(done);
  // The first answer of a write transaction is its number.
  if (phase_ == phase::writing && number_.empty() && !done.kept.empty()) {
    number_ = PQgetvalue(done.kept.front().get(), 0, 0);
    const std::string schema = PQgetvalue(done.kept.front().get(), 0, 1);
    done.kept.erase(done.kept.begin());
    const std::string before = std::exchange(schema_, schema);
    if (before != schema && !before.empty()) {
      ++schema_epoch_;
      if (used_facts_) return refuse_for_new_schema();
    }
  }
  if (done.failed) return settle_failed(done, protection);
  if (done.surprised) return settle_surprised(done);
  answered_ = true;
  if (kept) *kept = std::move(done.kept);
  return GANTRY_OK;
}

// What was gathered in this transaction went by tables that a migration has changed since.
gantry_status postgres_session::refuse_for_new_schema() {
  refuse(GANTRY_RETRY, "a migration has changed the tables; what was known of them is asked again");
  return doom(GANTRY_RETRY);
}

gantry_status postgres_session::settle_lost(const pipeline::outcome& what) {
  late_ = what.late;
  drop_connection();
  refuse(GANTRY_RETRY, "the connection was lost, nothing is committed: " + what.message);
  if (phase_ == phase::writing) return doom(GANTRY_RETRY);
  // Alone, or in a snapshot, nothing can be rerun by the runtime.
  failure_.status = GANTRY_UNAVAILABLE;
  failure_.text = "the connection was lost: " + what.message;
  if (phase_ == phase::reading) doom(GANTRY_UNAVAILABLE);
  return GANTRY_UNAVAILABLE;
}

// Whoever sent it has gone on with a number that is wrong: the whole batch runs again, and waits for this statement.
gantry_status postgres_session::settle_surprised(const pipeline::outcome& what) {
  if (auto* const known = statements_.known(*what.by.text)) known->past.disappointed(committed_);
  refuse(GANTRY_RETRY, "changed another number of rows than every time before: " + excerpt(*what.by.text));
  return doom(GANTRY_RETRY);
}

gantry_status postgres_session::settle_failed(const pipeline::outcome& what, guard protection) {
  const auto status = status_of(what.sqlstate);
  refuse(status, what.message);
  if (what.by.text && status != GANTRY_CONFLICT) failure_.text += ": " + excerpt(*what.by.text);
  // Prepared before a change of the schema: it is prepared anew the next time.
  const bool outdated = what.routine == "RevalidateCachedQuery";
  if (outdated && what.by.text) {
    outdated_ = true;
    if (auto* const old = statements_.known(*what.by.text)) statements_.forget(*old);
    failure_.status = GANTRY_RETRY;
  }
  if (what.by.trusted) {
    if (auto* const known = what.by.text ? statements_.known(*what.by.text) : nullptr)
      known->past.disappointed(committed_);
    return doom(status == GANTRY_UNAVAILABLE ? status : gantry_status{GANTRY_RETRY});
  }
  if (phase_ == phase::idle) return failure_.status;
  if (phase_ == phase::reading) {
    doom(failure_.status);
    return failure_.status;
  }
  const bool control = what.by.what == pipeline::part::control;
  if (control || status == GANTRY_RETRY || status == GANTRY_UNAVAILABLE) {
    // A server that only reads (a standby, after a failover) takes no writes now.
    return doom(control && status != GANTRY_RETRY ? GANTRY_UNAVAILABLE : status);
  }
  auto& inner = scopes_.back();
  const bool here = what.by.scope == inner.serial;
  if (!what.by.guarded) protection = guard::none;  // a deferred statement before it
  if (here && protection == guard::own_savepoint) {
    to_->run("gantry_undo", about(pipeline::part::control, pipeline::answer::drop));
  } else if (here && protection == guard::scope_begin) {
    to_->run("gantry_rollback_to", about(pipeline::part::control, pipeline::answer::drop));
    inner.dirty = false;
  } else if (here && inner.serial != 0) {
    spoiled_ = failure_.status;
  } else {
    const auto told = failure_.status;
    doom(GANTRY_RETRY);
    return here ? told : GANTRY_RETRY;
  }
  return failure_.status;
}

gantry_status postgres_session::doom(gantry_status status) {
  doom_ = status;
  gathered_.clear();
  failure_.status = status;
  return status;
}

gantry_status postgres_session::refuse(gantry_status status, std::string text) {
  failure_ = {status, std::move(text)};
  return status;
}

gantry_status postgres_session::refuse_doomed() {
  if (phase_ == phase::stopped) {
    return refuse(GANTRY_FAILED,
                  "writing has stopped, what was committed last is unknown; restart once the server can be "
                  "reached: " +
                      health_.reason());
  }
  // The text of the failure that ended the transaction stays.
  failure_.status = doom_ != GANTRY_OK ? doom_ : spoiled_;
  return failure_.status;
}

gantry_status postgres_session::no_column(std::size_t index, std::size_t columns, bool on_row) {
  if (!on_row) return refuse(GANTRY_INVALID, "no row to read a column of: call next first");
  return refuse(GANTRY_INVALID,
                "no column " + std::to_string(index) + ": the row has " + std::to_string(columns) + ", counted from 0");
}

}  // namespace gantry::store::postgres
