#include "store/postgres/pipeline.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace gantry::store::postgres {
namespace {

std::string field(const PGresult* from, int which) {
  const char* const text = PQresultErrorField(from, which);
  return text ? text : "";
}

std::string one_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  std::string out(text);
  for (char& c : out)
    if (c == '\n' || c == '\t') c = ' ';
  return out;
}

}  // namespace

void result_closer::operator()(pg_result* result) const noexcept { PQclear(result); }

pipeline::pipeline(pg_conn* on, std::chrono::milliseconds patience) : on_(on), patience_(patience) {
  lost_ = PQenterPipelineMode(on_) != 1;
}

bool pipeline::added(int sent, command&& about) {
  if (sent != 1) lost_ = true;
  if (lost_) return false;
  commands_.push_back(std::move(about));
  ++unsynced_;
  return true;
}

bool pipeline::run(const char* name, command about) {
  return added(PQsendQueryPrepared(on_, name, 0, nullptr, nullptr, nullptr, 0), std::move(about));
}

bool pipeline::run(const char* name, const encoder& with, bool binary, command about) {
  return added(
      PQsendQueryPrepared(on_, name, with.count(), with.places(), with.lengths(), with.formats(), binary ? 1 : 0),
      std::move(about));
}

bool pipeline::run_text(std::string_view sql, command about) {
  return added(PQsendQueryParams(on_, std::string(sql).c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1),
               std::move(about));
}

bool pipeline::prepare(const char* name, const std::string& sql, command about) {
  return added(PQsendPrepare(on_, name, sql.c_str(), 0, nullptr), std::move(about));
}

bool pipeline::describe(const char* name, command about) {
  return added(PQsendDescribePrepared(on_, name), std::move(about));
}

void pipeline::send() {
  if (lost_ || unsynced_ == 0) return;
  if (PQpipelineSync(on_) != 1) lost_ = true;
  for (auto& each : commands_) each.wants = answer::drop;
  commands_.push_back({});  // the sync itself
  forgotten_ = commands_.size();
  unsynced_ = 0;
}

pipeline::outcome pipeline::settle() {
  outcome out;
  if (!lost_ && unsynced_ != 0) {
    if (PQpipelineSync(on_) != 1) lost_ = true;
    commands_.push_back({});
  }
  if (patience_.count() != 0) until_ = steady::now() + patience_;
  if (!lost_) receive(out);
  if (lost_) lose(out);
  commands_.clear();
  unsynced_ = 0;
  forgotten_ = 0;
  return out;
}

result_handle pipeline::take_answer() {
  while (patience_.count() != 0 && PQisBusy(on_) != 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until_ - steady::now()).count();
    pollfd socket{PQsocket(on_), POLLIN, 0};
    late_ = ::poll(&socket, 1, static_cast<int>(std::max<decltype(left)>(left, 0))) == 0;
    if (late_) lost_ = true;
    if (late_ || PQconsumeInput(on_) != 1) break;
  }
  return late_ ? result_handle() : result_handle(PQgetResult(on_));
}

void pipeline::receive(outcome& into) {
  for (std::size_t i = 0; i < commands_.size() && !lost_; ++i) {
    command& about = commands_[i];
    auto got = take_answer();
    const auto status = got ? PQresultStatus(got.get()) : PGRES_FATAL_ERROR;
    if (status == PGRES_PIPELINE_SYNC) continue;
    if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR) {
      const auto state = got ? field(got.get(), PG_DIAG_SQLSTATE) : std::string();
      // Who is told this in the middle of a pipeline hears no more. Without a code the words are libpq's own.
      lost_ = state.empty() || ends_connection(state) || PQstatus(on_) == CONNECTION_BAD;
      if (i < forgotten_ && !lost_) {
        while (auto more = take_answer()) more.reset();
        continue;
      }
      into.message = got ? one_line(field(got.get(), PG_DIAG_MESSAGE_PRIMARY)) : std::string();
      if (into.message.empty() && got) into.message = one_line(PQresultErrorMessage(got.get()));
      if (lost_) return;
      // Behind a surprise a failure says nothing: it may be of what would not have been sent.
      if (!into.surprised) {
        into.failed = true;
        into.by = std::move(about);
        into.sqlstate = state;
        into.routine = got ? field(got.get(), PG_DIAG_SOURCE_FUNCTION) : std::string();
      }
    } else if (about.wants == answer::count && status == PGRES_COMMAND_OK) {
      into.changed += std::strtoll(PQcmdTuples(got.get()), nullptr, 10);
    } else if (about.wants == answer::learn && status == PGRES_COMMAND_OK) {
      into.learned.emplace_back(std::move(about.text), std::strtoll(PQcmdTuples(got.get()), nullptr, 10));
    } else if (about.wants == answer::as_foreseen && status == PGRES_COMMAND_OK) {
      if (!into.surprised && !into.failed && std::strtoll(PQcmdTuples(got.get()), nullptr, 10) != about.foreseen) {
        into.surprised = true;
        into.by = std::move(about);
      }
    } else if (about.wants == answer::keep && status != PGRES_PIPELINE_ABORTED) {
      into.kept.push_back(std::move(got));
    }
    // The empty answer that ends a command.
    while (auto more = take_answer()) more.reset();
  }
}

void pipeline::lose(outcome& into) {
  lost_ = true;
  into.lost = true;
  into.kept.clear();
  into.late = late_;
  if (late_) into.message = "no answer within " + std::to_string(patience_.count()) + " ms";
  if (into.message.empty()) into.message = one_line(PQerrorMessage(on_));
  if (into.message.empty()) into.message = "the server has closed the connection";
}

}  // namespace gantry::store::postgres
