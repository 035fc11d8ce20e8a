#include "store/postgres/session.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/uuid.hpp"

namespace gantry::store::postgres {
namespace {

constexpr std::chrono::milliseconds first_pause{50};

std::int64_t changed_rows(const result_handle& from) {
  const char* const count = PQcmdTuples(from.get());
  return count[0] == '\0' ? 0 : std::strtoll(count, nullptr, 10);
}

}  // namespace

postgres_session::postgres_session(const postgres_options& options, const address& where, role role,
                                   write_health& health, const patience& patience)
    : options_(options),
      where_(where),
      role_(role),
      patience_(patience),
      health_(health),
      writer_id_(new_uuid_string()) {}

result<std::unique_ptr<postgres_session>> postgres_session::open(const postgres_options& options, const address& where,
                                                                 role role, write_health& health,
                                                                 std::optional<patience> patience) {
  std::unique_ptr<postgres_session> self(new postgres_session(
      options, where, role, health, patience.value_or(postgres::patience{options.connect_timeout})));
  if (auto connected = self->connect(); !connected) return std::move(connected).failure();
  return self;
}

postgres_session::~postgres_session() {
  if (phase_ == phase::reading) {
    end_read();
  } else {
    rollback();
  }
  close_cursors(0);
  // Its row has served; what a crash leaves behind goes when a store is opened.
  if (on_ && to_ && role_ == role::writer && phase_ == phase::idle) {
    to_->run_text("DELETE FROM gantry_commit WHERE writer = '" + writer_id_ + "'", {});
    to_->settle();
  }
  drop_connection();
  if (open_flag_) open_flag_->store(false, std::memory_order_release);
}

result<void> postgres_session::connect() {
  drop_connection();
  auto opened = connection::open(options_, where_, role_, patience_.connect);
  if (!opened) return std::move(opened).failure();
  struct named {
    const char* name;
    std::string sql;
  };
  connection::refusal why;
  std::vector<named> control{{"gantry_begin", "BEGIN"}, {"gantry_rollback", "ROLLBACK"}};
  if (role_ == role::writer) {
    // Gives the transaction its number, and leaves it in the writer's row: see doubt.hpp.
    control.push_back({"gantry_number",
                       "INSERT INTO gantry_commit AS mine (writer, number) VALUES ('" + writer_id_ +
                           "', pg_current_xact_id()::text) ON CONFLICT (writer) DO UPDATE SET number = excluded.number,"
                           " used_at = excluded.used_at RETURNING mine.number, (SELECT coalesce(max(number), 0) FROM "
                           "gantry_migrations)"});
    control.push_back({"gantry_begin_relaxed", "BEGIN ISOLATION LEVEL READ COMMITTED"});
    // What is only looked at must not count as a read that others' writes contradict.
    control.push_back({"gantry_begin_read", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"});
    control.push_back({"gantry_commit", "COMMIT"});
    // Savepoints of one name nest: each command means the innermost.
    control.push_back({"gantry_savepoint", "SAVEPOINT gantry_step"});
    control.push_back({"gantry_rollback_to", "ROLLBACK TO SAVEPOINT gantry_step"});
    control.push_back({"gantry_release", "RELEASE SAVEPOINT gantry_step"});
    control.push_back({"gantry_guard", "SAVEPOINT gantry_guard"});
    control.push_back({"gantry_undo", "ROLLBACK TO SAVEPOINT gantry_guard"});
    control.push_back({"gantry_unguard", "RELEASE SAVEPOINT gantry_guard"});
    // Rows of a table are then found by the values of a set, each by the index, whatever the statistics say. Without
    // that a set may be joined to the whole table, which takes long and contradicts every other writer.
    const auto usual = (*opened)->ask(
        "SELECT name, setting FROM pg_settings WHERE name IN ('enable_indexscan', 'enable_indexonlyscan', "
        "'enable_hashjoin', 'enable_mergejoin')",
        {}, why);
    if (!usual)
      return error{errc::unavailable, "postgres " + where_.shown() + ": a connection can't be set up: " + why.text};
    std::string by_key;
    std::string by_plan;
    for (const auto& row : *usual) {
      const auto set = [&](const std::string& to) { return "set_config('" + *row.at(0) + "', '" + to + "', true)"; };
      by_key += (by_key.empty() ? "SELECT " : ", ") + set("off");
      by_plan += (by_plan.empty() ? "SELECT " : ", ") + set(*row.at(1));
    }
    control.push_back({"gantry_by_key", by_key});
    control.push_back({"gantry_by_plan", by_plan});
  }
  for (const auto& each : control) {
    if (!(*opened)->prepare(each.name, each.sql, why))
      return error{errc::unavailable, "postgres " + where_.shown() + ": a connection can't be set up: " + why.text};
  }
  // The server gives a statement up a little before nobody waits for it any more.
  if (const auto most = patience_.answer * 4 / 5; most.count() != 0) {
    const std::string limit[] = {std::to_string(most.count())};
    if (!(*opened)->ask("SELECT set_config('statement_timeout', $1, false)", limit, why))
      return error{errc::unavailable, "postgres " + where_.shown() + ": a connection can't be set up: " + why.text};
  }
  on_ = std::move(opened).value();
  static std::atomic<std::uint64_t> connections{0};
  connection_number_ = ++connections;
  to_ = std::make_unique<pipeline>(on_->handle(), patience_.answer);
  return {};
}

bool postgres_session::connected() noexcept {
  if (!on_) return false;
  pollfd socket{PQsocket(on_->handle()), POLLIN, 0};
  // A server's last words and the end of the stream come one after the other.
  for (int reads = 0; reads < 3 && PQstatus(on_->handle()) == CONNECTION_OK && ::poll(&socket, 1, 0) == 1; ++reads)
    PQconsumeInput(on_->handle());
  return PQstatus(on_->handle()) == CONNECTION_OK;
}

// False: there is no connection now; failure_ says why.
bool postgres_session::ensure_connected() {
  // A server that hung up in the meantime is found here, not in the middle of a transaction.
  if (connected()) return true;
  drop_connection();
  const auto now = std::chrono::steady_clock::now();
  if (now < retry_at_) {
    failure_ = {GANTRY_UNAVAILABLE, last_doubt_};
    return false;
  }
  auto connected = connect();
  if (connected) {
    pause_ = {};
    return true;
  }
  pause_ = std::min(std::max(pause_ * 2, first_pause), options_.longest_pause);
  retry_at_ = std::chrono::steady_clock::now() + pause_;
  last_doubt_ = connected.failure().text;
  failure_ = {GANTRY_UNAVAILABLE, last_doubt_};
  return false;
}

void postgres_session::drop_connection() noexcept {
  gathered_.clear();
  to_.reset();
  on_.reset();
  statements_.clear();
}

statement* postgres_session::ready(std::string_view sql, std::size_t params) {
  if (phase_ == phase::stopped || doom_ != GANTRY_OK || spoiled_ != GANTRY_OK) {
    refuse_doomed();
    return nullptr;
  }
  if (statements_.makes_room_for(sql) && send_rows() != GANTRY_OK) return nullptr;
  statement* const found = statements_.find(sql, failure_);
  if (!found) return nullptr;
  if (found->sql.parameters != params) {
    refuse(GANTRY_INVALID, "the statement has " + std::to_string(found->sql.parameters) + " parameters, " +
                               std::to_string(params) + " were given: " + excerpt(sql));
    return nullptr;
  }
  if (role_ == role::reader && found->sql.may_change) {
    refuse(GANTRY_REFUSED, "a snapshot can't be changed; write in a transaction: " + excerpt(sql));
    return nullptr;
  }
  return found;
}

void postgres_session::note_changed_schema() {
  ++schema_epoch_;
  changed_schema_ = phase_ == phase::writing;
}

pipeline::command postgres_session::about(pipeline::part what, pipeline::answer wants, const statement* of) const {
  pipeline::command out;
  out.what = what;
  out.scope = scopes_.empty() ? 0 : scopes_.back().serial;
  out.wants = wants;
  out.guarded = under_guard_;
  if (of) out.text = of->text;
  return out;
}

// BEGIN and the savepoints that the server doesn't know yet, with the rows that wait for being sent before these. Waits
// for nothing, so what the caller holds stays.
void postgres_session::send_begin() {
  if (phase_ == phase::idle) return;
  if (std::any_of(scopes_.begin(), scopes_.end(), [](const scope& each) { return !each.sent && each.first_row != 0; }))
    push_rows();
  send_scopes(scopes_.size());
}

// BEGIN, and of the savepoints as many as this.
void postgres_session::send_scopes(std::size_t depth) {
  if (!begun_) {
    to_->run(role_ != role::writer      ? "gantry_begin"
             : phase_ == phase::reading ? "gantry_begin_read"
             : relaxed_                 ? "gantry_begin_relaxed"
                                        : "gantry_begin",
             {});
    if (phase_ == phase::writing) {
      pipeline::command number;
      number.wants = pipeline::answer::keep;
      to_->run("gantry_number", number);
    }
    begun_ = true;
  }
  for (std::size_t i = 0; i < depth; ++i) {
    auto& each = scopes_[i];
    if (each.sent) continue;
    pipeline::command opening;
    opening.scope = each.serial;
    to_->run("gantry_savepoint", opening);
    each.sent = true;
  }
}

// Lets a failure of what follows take back nothing else.
postgres_session::guard postgres_session::open_guard() {
  send_begin();
  if (phase_ != phase::writing) return guard::none;
  auto& inner = scopes_.back();
  under_guard_ = true;
  if (inner.serial != 0 && !inner.dirty) return guard::scope_begin;
  if (inner.guarded) to_->run("gantry_unguard", about(pipeline::part::control, pipeline::answer::drop));
  to_->run("gantry_guard", about(pipeline::part::control, pipeline::answer::drop));
  inner.guarded = true;
  return guard::own_savepoint;
}

bool postgres_session::add(const prepared& which, std::span<const gantry_value> params, const statement& what,
                           pipeline::answer wants, bool trusted, std::int64_t foreseen) {
  if (!encoder_.encode(which.types, params, failure_)) {
    failure_.text += ": " + excerpt(*what.text);
    return false;
  }
  auto command = about(pipeline::part::statement, wants, &what);
  command.trusted = trusted;
  command.foreseen = foreseen;
  to_->run(which.name.c_str(), encoder_, which.binary, std::move(command));
  if (trusted) ++trusted_;
  return true;
}

bool postgres_session::send_trusted(statement& what, const prepared& how, std::span<const gantry_value> params,
                                    std::int64_t* changes, gantry_status& status) {
  if (!options_.trusts || phase_ != phase::writing || relaxed_ || !what.sql.may_change || what.sql.changes_schema)
    return false;
  if (gather(what, how, params, status)) {
    if (changes) *changes = 1;
    return true;
  }
  if (status != GANTRY_OK) return true;
  const auto foreseen = changes ? what.past.foreseen(committed_) : -1;
  if (changes ? foreseen < 0 : !what.past.trusted(committed_)) return false;
  status = send_rows_before(what);
  if (status != GANTRY_OK) return true;
  send_begin();
  if (!add(how, params, what, changes ? pipeline::answer::as_foreseen : pipeline::answer::drop, true, foreseen)) {
    status = failure_.status;
    return true;
  }
  scopes_.back().dirty = true;
  if (changes) *changes = foreseen;
  status = to_->pending() < longest_pipeline ? gantry_status{GANTRY_OK} : settle(guard::none);
  return true;
}

gantry_status postgres_session::confirm() {
  if (phase_ != phase::writing) return GANTRY_OK;
  send_rows();
  if (doom_ == GANTRY_OK && spoiled_ == GANTRY_OK && to_ && to_->pending() != 0) settle(guard::none);
  return doom_;
}

// The statement as the server has it, prepared if need be; null: failure_ says why not.
prepared* postgres_session::prepare(statement& what, std::span<const gantry_value> params) {
  prepared* const found = what.variant(params, failure_);
  if (!found) return found;
  const bool is_new = found->name.empty();
  const bool asks = role_ == role::writer && !what.shape.table.empty() && what.asked_at != schema_epoch_;
  if (!is_new && !asks) return found;
  const auto name = is_new ? statements_.new_name() : found->name;
  // Their name for sets goes with what was known of the table.
  if (asks && gathered_.touch(what.shape.table)) push_rows();
  const auto protection = open_guard();
  for (const auto& old : statements_.take_evicted())
    to_->run_text("DEALLOCATE " + old, about(pipeline::part::control, pipeline::answer::drop));
  if (is_new) {
    to_->prepare(name.c_str(), what.sql.with_types(found->texts),
                 about(pipeline::part::statement, pipeline::answer::drop, &what));
    to_->describe(name.c_str(), about(pipeline::part::statement, pipeline::answer::keep, &what));
  }
  if (asks)
    to_->run_text(table_facts::question(what.shape), about(pipeline::part::statement, pipeline::answer::keep, &what));
  std::vector<result_handle> kept;
  if (settle(protection, &kept) != GANTRY_OK || kept.empty()) return nullptr;
  if (is_new) {
    found->describe(kept.front().get());
    found->name = name;
  }
  if (asks) {
    statements_.learn(what, table_facts::read(kept.back().get()));
    what.asked_at = schema_epoch_;
  }
  return found;
}

template <typename F>
gantry_status postgres_session::attempt(F&& once) {
  if (phase_ == phase::idle && !ensure_connected()) return failure_.status;
  const bool first_read = phase_ == phase::reading && !answered_;
  if (first_read && !ensure_connected()) return failure_.status;
  outdated_ = false;
  late_ = false;
  const auto status = once();
  // The schema has changed since it was prepared; what was done before it still stands.
  if (status != GANTRY_OK && std::exchange(outdated_, false) && on_ && doom_ == GANTRY_OK && spoiled_ == GANTRY_OK)
    return once();
  // Nothing was seen of the snapshot yet, so another one does as well.
  if (status == GANTRY_OK || on_ || !first_read || late_) return status;
  begun_ = false;
  doom_ = GANTRY_OK;
  if (!ensure_connected()) return failure_.status;
  return once();
}

gantry_status postgres_session::run_statement(std::string_view sql, std::span<const gantry_value> params, bool rows,
                                              std::int64_t* changes, cursor** out) {
  return attempt([&]() -> gantry_status {
    statement* const what = ready(sql, params.size());
    if (!what) return failure_.status;
    const prepared* const how = prepare(*what, params);
    if (!how) return failure_.status;
    if (rows != (how->columns != 0)) {
      return refuse(GANTRY_INVALID,
                    (rows ? "the statement returns no rows: use exec: " : "the statement returns rows: use query: ") +
                        excerpt(sql));
    }
    postgres_cursor* const free = rows ? free_cursor() : nullptr;
    if (rows && !free) {
      return refuse(GANTRY_INVALID,
                    std::to_string(cursors_.size()) + " cursors are open, close one first: " + excerpt(sql));
    }
    gantry_status sent = GANTRY_OK;
    if (!rows && send_trusted(*what, *how, params, changes, sent)) return sent;
    if (const auto failed = send_rows_before(*what); failed != GANTRY_OK) return failed;
    const bool changing = what->sql.may_change && phase_ == phase::writing;
    const bool trusted = changing && !relaxed_ && options_.trusts && what->past.trusted(committed_);
    const bool guarded = changing && !trusted;
    const auto protection = guarded ? open_guard() : guard::none;
    send_begin();
    if (!add(*how, params, *what, pipeline::answer::keep, trusted)) {
      under_guard_ = false;  // the guard protects nothing: what is sent next must not count as behind it
      return failure_.status;
    }
    if (changing) scopes_.back().dirty = true;
    std::vector<result_handle> kept;
    const auto status = settle(protection, &kept);
    if (status != GANTRY_OK) {
      if (auto* const failed = guarded ? statements_.known(sql) : nullptr) failed->past.disappointed(committed_);
      return status;
    }
    if (kept.empty()) return refuse(GANTRY_FAILED, "the server has not answered: " + excerpt(sql));
    if (changing) what->past.went_well(changed_rows(kept.back()));
    if (what->sql.changes_schema) note_changed_schema();
    if (changes) *changes = changed_rows(kept.back());
    if (out) {
      free->open_for(*this, std::move(kept.back()), scopes_.empty() ? 0 : scopes_.size() - 1);
      *out = free;
    }
    return GANTRY_OK;
  });
}

gantry_status postgres_session::exec(std::string_view sql, std::span<const gantry_value> params,
                                     std::int64_t* changes) {
  if (changes) *changes = 0;
  return run_statement(sql, params, false, changes, nullptr);
}

gantry_status postgres_session::query(std::string_view sql, std::span<const gantry_value> params, cursor** out) {
  *out = nullptr;
  return run_statement(sql, params, true, nullptr, out);
}

gantry_status postgres_session::defer(std::string_view sql, std::span<const gantry_value> params) {
  if (phase_ != phase::writing) return exec(sql, params, nullptr);
  statement* const what = ready(sql, params.size());
  if (!what) return failure_.status;
  const prepared* const how = prepare(*what, params);
  if (!how) return failure_.status;
  if (how->columns != 0) return refuse(GANTRY_INVALID, "the statement returns rows: use query: " + excerpt(sql));
  auto status = gantry_status{GANTRY_OK};
  if (gather(*what, *how, params, status) || status != GANTRY_OK) return status;
  if (status = send_rows_before(*what); status != GANTRY_OK) return status;
  send_begin();
  if (!add(*how, params, *what, pipeline::answer::learn)) return failure_.status;
  if (what->sql.changes_schema) note_changed_schema();
  scopes_.back().dirty = true;
  return to_->pending() < longest_pipeline ? GANTRY_OK : settle(guard::none);
}

gantry_status postgres_session::exec_many(std::string_view sql, std::span<const gantry_value> params,
                                          std::size_t param_count, std::size_t row_count, std::int64_t* changes) {
  if (changes) *changes = 0;
  statement* const what = ready(sql, param_count);
  if (!what) return failure_.status;
  if (params.size() != param_count * row_count) {
    return refuse(GANTRY_INVALID, std::to_string(row_count) + " rows of " + std::to_string(param_count) +
                                      " parameters need " + std::to_string(param_count * row_count) + " values, " +
                                      std::to_string(params.size()) + " were given: " + excerpt(sql));
  }
  if (row_count == 0) return GANTRY_OK;
  if (row_count == 1) return exec(sql, params, changes);
  if (phase_ != phase::writing) return refuse(GANTRY_INVALID, "several rows need a transaction: " + excerpt(sql));
  const prepared* const how = prepare(*what, params.first(param_count));
  if (!how) return failure_.status;
  if (how->columns != 0) return refuse(GANTRY_INVALID, "the statement returns rows: use query: " + excerpt(sql));
  gantry_status status = GANTRY_OK;
  const bool together = can_add_as_set(*what, *how, params, status);
  if (status == GANTRY_OK) status = send_rows_before(*what);
  if (status != GANTRY_OK) return status;
  const auto protection = open_guard();
  if (together) add_as_sets(*what, *how, params);
  for (std::size_t row = together ? row_count : 0; row < row_count; ++row) {
    if (add(*how, params.subspan(row * param_count, param_count), *what, pipeline::answer::count)) continue;
    const auto refused = failure_;
    // The rows before it are on their way: they are taken back with the rest.
    if (settle(protection) == GANTRY_OK)
      to_->run(protection == guard::own_savepoint ? "gantry_undo" : "gantry_rollback_to",
               about(pipeline::part::control, pipeline::answer::drop));
    failure_ = refused;
    return refused.status;
  }
  scopes_.back().dirty = true;
  status = settle(protection);
  if (status == GANTRY_OK && changes) *changes = changed_;
  return status;
}

gantry_status postgres_session::script(std::string_view sql) {
  if (phase_ == phase::stopped || doom_ != GANTRY_OK || spoiled_ != GANTRY_OK) return refuse_doomed();
  if (role_ == role::reader) return refuse(GANTRY_REFUSED, "a snapshot can't be changed: " + excerpt(sql));
  std::vector<std::string_view> steps;
  if (!split_script(sql, steps, failure_)) return failure_.status;
  if (steps.empty()) return GANTRY_OK;
  if (phase_ == phase::idle && !ensure_connected()) return failure_.status;
  if (const auto sent = send_rows(); sent != GANTRY_OK) return sent;
  const auto protection = open_guard();
  for (const auto& step : steps) {
    auto named = about(pipeline::part::statement, pipeline::answer::drop);
    named.text = std::make_shared<const std::string>(step);
    to_->run_text(step, std::move(named));
  }
  if (!scopes_.empty()) scopes_.back().dirty = true;
  note_changed_schema();
  return settle(protection);
}

postgres_cursor* postgres_session::free_cursor() noexcept {
  const auto found = std::find_if(cursors_.begin(), cursors_.end(), [](const auto& each) { return !each.is_open(); });
  return found == cursors_.end() ? nullptr : &*found;
}

void postgres_session::close_cursors(std::size_t from_depth) noexcept {
  for (auto& each : cursors_)
    if (each.is_open() && each.depth_ >= from_depth) each.release();
}

}  // namespace gantry::store::postgres
