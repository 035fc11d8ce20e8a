// Statements that need not be waited for, gathered: those of one text go out as one, with their parameters as arrays.
#include <libpq-fe.h>

#include <algorithm>
#include <utility>

#include "store/postgres/session.hpp"

namespace gantry::store::postgres {
namespace {

// `params`: of one execution or of several.
bool all_go_into_sets(const prepared& how, std::span<const gantry_value> params) {
  for (std::size_t i = 0; i < params.size(); ++i)
    if (!goes_into_sets(how.types[i % how.types.size()], params[i])) return false;
  return true;
}

// How many of these values are to go together: whole rows, at least one.
std::size_t size_of_set(const prepared& how, std::span<const gantry_value> params) {
  const auto step = how.types.size();
  std::size_t taken = 0;
  for (std::size_t bytes = 0;
       taken < params.size() && taken < gathered_rows::most_rows * step && bytes < gathered_rows::most_bytes;
       taken += step)
    for (const auto& each : params.subspan(taken, step))
      if (each.type == GANTRY_TEXT || each.type == GANTRY_BLOB) bytes += each.as.s.len;
  return taken;
}

}  // namespace

// What is trusted to change one row each time: the count of all then says whether each did. An INSERT adds at most one;
// anything else changes at most one where it names a unique key.
bool postgres_session::takes_sets(statement& what, const prepared& how, gantry_status& status) {
  if (what.for_sets) return !what.for_sets->empty();
  std::vector<std::string_view> types;
  for (const auto type : how.types) types.push_back(name_for_sets(type));
  const bool possible = what.shape.takes_sets && what.table.untouched && (what.shape.inserts || what.table.keyed) &&
                        !types.empty() && std::none_of(types.begin(), types.end(), [](auto t) { return t.empty(); });
  if (!possible) {
    what.for_sets.emplace();
    return false;
  }
  // What is on its way may fail, and take the statement with it.
  const auto text = what.text;
  const auto name = statements_.new_name();
  const auto protection = open_guard();
  to_->prepare(name.c_str(), what.shape.for_sets(types), about(pipeline::part::statement, pipeline::answer::drop));
  const auto prepared = settle(protection);
  if (prepared != GANTRY_OK &&
      (doom_ != GANTRY_OK || spoiled_ != GANTRY_OK || !on_ || statements_.known(*text) != &what)) {
    status = failure_.status;
    return false;
  }
  what.for_sets = prepared == GANTRY_OK ? name : std::string();
  // That answer may have been the first to say that a migration has changed the tables.
  return prepared == GANTRY_OK && what.asked_at == schema_epoch_;
}

bool postgres_session::gather(statement& what, const prepared& how, std::span<const gantry_value> params,
                              gantry_status& status) {
  status = GANTRY_OK;
  if (!options_.trusts || phase_ != phase::writing || relaxed_ || what.past.foreseen(committed_) != 1) return false;
  if (!takes_sets(what, how, status)) return false;
  if (!all_go_into_sets(how, params)) return false;
  if (gathered_.collide_with(what) || gathered_.is_enough()) status = send_rows();
  if (status != GANTRY_OK) return false;
  gathered_.add(what, params);
  used_facts_ = true;
  return true;
}

bool postgres_session::can_add_as_set(statement& what, const prepared& how, std::span<const gantry_value> params,
                                      gantry_status& status) {
  return what.shape.only_adds && takes_sets(what, how, status) && all_go_into_sets(how, params);
}

void postgres_session::add_as_sets(const statement& what, const prepared& how, std::span<const gantry_value> params) {
  used_facts_ = true;
  while (!params.empty()) {
    const auto some = params.first(size_of_set(how, params));
    encoder_.encode_set(how.types, some);
    to_->run(what.for_sets->c_str(), encoder_, false, about(pipeline::part::statement, pipeline::answer::count, &what));
    params = params.subspan(some.size());
  }
}

gantry_status postgres_session::send_rows_before(const statement& what) {
  if (gathered_.empty()) return GANTRY_OK;
  // Where its table has nothing to do with theirs, it sees the same before them and after them.
  if (what.table.alone && !gathered_.touch(what.shape.table)) return GANTRY_OK;
  return send_rows();
}

gantry_status postgres_session::send_rows() {
  if (gathered_.empty() || doom_ != GANTRY_OK || spoiled_ != GANTRY_OK) return doom_ != GANTRY_OK ? doom_ : spoiled_;
  push_rows();
  return to_->pending() < longest_pipeline ? gantry_status{GANTRY_OK} : settle(guard::none);
}

void postgres_session::push_rows() {
  for (std::size_t i = 0; i < scopes_.size(); ++i) {
    const auto end = i + 1 < scopes_.size() ? scopes_[i + 1].first_row : gathered_.size();
    if (scopes_[i].first_row == end) continue;
    send_scopes(i + 1);
    send_sets(gathered_.sets(scopes_[i].first_row, end), scopes_[i]);
    scopes_[i].dirty = true;
  }
  gathered_.clear();
  for (auto& each : scopes_) each.first_row = 0;
}

void postgres_session::send_sets(const std::vector<gathered_rows::set>& all, const scope& in) {
  bool by_key = false;
  const auto find_by_key = [&](bool wanted) {
    if (std::exchange(by_key, wanted) == wanted) return;
    pipeline::command command;
    command.scope = in.serial;
    to_->run(wanted ? "gantry_by_key" : "gantry_by_plan", command);
  };
  for (const auto& each : all) {
    if (each.rows > 1 && !each.of->shape.inserts) find_by_key(true);
    send_set(each, in);
  }
  find_by_key(false);
}

void postgres_session::send_set(const gathered_rows::set& rows, const scope& in) {
  const auto& how = rows.of->variants.front();
  pipeline::command command;
  command.what = pipeline::part::statement;
  command.scope = in.serial;
  command.wants = pipeline::answer::as_foreseen;
  command.trusted = true;
  command.foreseen = static_cast<std::int64_t>(rows.rows);
  command.text = rows.of->text;
  if (rows.rows == 1) {
    // What goes into sets can be encoded.
    encoder_.encode(how.types, rows.values, failure_);
    to_->run(how.name.c_str(), encoder_, how.binary, std::move(command));
  } else {
    encoder_.encode_set(how.types, rows.values);
    to_->run(rows.of->for_sets->c_str(), encoder_, false, std::move(command));
  }
  ++trusted_;
}

}  // namespace gantry::store::postgres
