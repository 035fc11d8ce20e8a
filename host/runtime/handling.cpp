#include "runtime/handling.hpp"

#include "blackbox/box.hpp"
#include "observability/log.hpp"
#include "runtime/lane.hpp"
#include "runtime/text.hpp"
#include "runtime/watch.hpp"

namespace gantry::runtime {
namespace {

bool refuses(const instance& owner, gantry_status status) {
  if (is_known(status)) return false;
  observability::log_error("A handler returned a status that the ABI does not name.",
                           {{"plugin", owner.id()}, {"status", std::to_string(status)}});
  return true;
}

}  // namespace

reply failed_reply(instance& owner, const gantry_context& context, gantry_status status, std::string_view text) {
  auto out = problem_for(status, text);
  if (out.status != 500) return out;
  const std::string said = text.empty() ? status_name(status) : std::string(text);
  const auto& id = context.why.correlation_id;
  if (const auto silent = owner.failures.note(owner.around.time->steady_us(), said)) {
    const std::string at = context.at == nullptr ? "" : context.at->method + " " + context.at->pattern;
    const observability::work_scope scope({owner.id(), owner.generation(), id, at});
    observability::log_error(
        "A plugin failed in a request.",
        {{"plugin", owner.id()}, {"route", at}, {"error", said}, {"without_a_line_since", std::to_string(*silent)}});
  }
  return problem_for(GANTRY_FAILED, owner.id() + " failed; see the log, correlation id " + std::string(id));
}

void handle(instance& owner, const route& r, const gantry_request& request, gantry_context& context) {
  const observability::work_scope scope({owner.id(), owner.generation(), context.why.correlation_id, r.pattern});
  const watched_work watched(owner, {.kind = work_kind::request, .what = r.note, .id = context.why.correlation_id});
  context.at = &r;
  fail(GANTRY_OK, {});
  auto status = owner.guarded([&] { return r.handler(r.user, &request, &context); }, "request handler");
  context.end_read();
  if (refuses(owner, status)) {
    context.reply = problem_for(GANTRY_FAILED, owner.id() + " answered with " + status_name(status));
    context.write = nullptr;
    return;
  }
  if (status != GANTRY_OK) {
    // Also when it asked for a write before it failed.
    context.reply = failed_reply(owner, context, status, last_failure());
    context.write = nullptr;
    return;
  }
  if (!context.reply && context.write == nullptr)
    context.reply = problem_for(GANTRY_FAILED, owner.id() + " gave no reply to " + r.method + " " + r.pattern);
  if (r.idempotent && context.reply && context.write == nullptr && context.reply->status < 400)
    context.reply =
        problem_for(GANTRY_FAILED, owner.id() + ": " + r.pattern + " is idempotent and must answer by a write");
}

gantry_status run_write(instance& owner, const gantry_context& context, gantry_tx& tx, reply& out) {
  auto status = owner.guarded([&] { return context.write(context.write_user, &tx); }, "write");
  if (refuses(owner, status)) status = fail(GANTRY_FAILED, owner.id() + " answered with " + status_name(status));
  // What is rolled back can't be answered as done.
  if (status != GANTRY_OK && tx.reply && tx.reply->status < 400) tx.reply.reset();
  if (tx.reply) {
    out = std::move(*tx.reply);
    tx.reply.reset();
  } else if (status == GANTRY_OK) {
    out = problem_for(GANTRY_FAILED, owner.id() + " gave no reply in its write");
    status = fail(GANTRY_FAILED, "no reply");
  } else {
    out = failed_reply(owner, context, status, last_failure());
  }
  return status;
}

namespace {

// Answers from what is stored under the key. Nothing: nothing is.
std::optional<gantry_status> repeat(instance& owner, const idempotency_key& key, bool ask_table, gantry_tx& tx,
                                    reply& out) {
  const blackbox::host_time waits;
  auto& session = *tx.db.session;
  reply stored;
  switch (owner.writer->replies().find(session, key, stored, ask_table)) {
    case idempotency::found::nothing:
      break;
    case idempotency::found::same:
      out = std::move(stored);
      out.headers.emplace_back("idempotency-replayed", "true");
      return GANTRY_OK;
    case idempotency::found::other_body:
      out = problem(422, "idempotency-key-reused", "Idempotency-Key Reused",
                    "this Idempotency-Key was used with another request body");
      return GANTRY_OK;
    case idempotency::found::unreadable:
      out = problem_for(GANTRY_UNAVAILABLE, session.error_text());
      return fail(GANTRY_RETRY, session.error_text());
  }
  return std::nullopt;
}

}  // namespace

gantry_status run_keyed_write(instance& owner, const gantry_context& context, const idempotency_key& key, gantry_tx& tx,
                              reply& out) {
  const bool refused = context.write == nullptr;
  if (const auto repeated = repeat(owner, key, refused, tx, out)) return *repeated;
  if (refused) {
    // There was no earlier reply to repeat.
    out = *context.reply;
    return GANTRY_OK;
  }
  const auto status = run_write(owner, context, tx, out);
  if (out.status < 500) {
    owner.writer->replies().keep(key, out);
    return status;
  }
  // It is not stored either. A statement that failed may stand in the way of the next one.
  tx.db.close_cursors();
  if (status != GANTRY_OK) {
    const blackbox::host_time waits;
    if (tx.db.session->rollback_to() != GANTRY_OK) return status;
  }
  if (const auto repeated = repeat(owner, key, true, tx, out))
    // What this one has done is taken back.
    return *repeated != GANTRY_OK ? *repeated : fail(GANTRY_CONFLICT, "another host has answered the same request");
  return status;
}

std::optional<reply> held_key::take(std::string_view principal, std::string_view method, std::string_view path,
                                    std::string_view key, std::string_view body) {
  if (key.empty() || key.size() > 255)
    return problem(400, "idempotency-key-missing", "Bad Request",
                   key.empty() ? "this route needs an Idempotency-Key header"
                               : "an Idempotency-Key has at most 255 characters, found " + std::to_string(key.size()));
  key_ = make_idempotency_key(principal, method, path, key, body);
  marked_ = of_.writer->replies().begin(*key_);
  if (marked_) return std::nullopt;
  key_.reset();
  return problem(409, "idempotency-key-in-use", "Conflict", "a request with this Idempotency-Key is still running");
}

void held_key::release() {
  if (marked_) of_.writer->replies().end(*key_);
  marked_ = false;
}

}  // namespace gantry::runtime
