#include "admin/dead_letter_writes.hpp"

#include <algorithm>

#include "admin/event_json.hpp"
#include "jobs/job_board.hpp"
#include "runtime/text.hpp"
#include "runtime/values.hpp"

namespace gantry::admin {
namespace {

using runtime::integer_at;
using runtime::text_at;
using runtime::value;

class dead_letter_write : public answering_write {
 public:
  dead_letter_write(runtime::instance& owner, std::string id, const char* done, http::responder&& out)
      : answering_write(std::move(out)), owner_(owner), id_(std::move(id)), done_(done) {}

 protected:
  std::string report() const override {
    std::string out = "{";
    append_member(out, "plugin", owner_.id());
    append_member(out, "id", id_);
    append_member(out, done_, count_);
    return out + "}";
  }
  gantry_status not_there() {
    return refuse(404, "not-found", "Not Found", owner_.id() + " has nothing parked with the id " + id_);
  }
  gantry_status broken(store::session& session) { return runtime::fail(GANTRY_RETRY, session.error_text()); }

  runtime::instance& owner_;
  const std::string id_;
  std::uint64_t count_ = 0;

 private:
  const char* const done_;
};

class parked_replay final : public dead_letter_write {
 public:
  parked_replay(runtime::instance& owner, std::int64_t id, http::responder&& out)
      : dead_letter_write(owner, std::to_string(id), "replayed", std::move(out)), number_(id) {}

 protected:
  gantry_status change(gantry_tx& tx) override {
    rows_.clear();
    count_ = 0;
    auto& session = *tx.db.session;
    if (const auto status = load(session); status != GANTRY_OK) return status;
    if (rows_.empty()) return not_there();
    for (const auto& r : rows_)
      if (const auto status = again(tx, r); status != GANTRY_OK) return status;
    // Only now: the lane's account of parked keys does not follow when this write is taken back half way.
    for (const auto& r : rows_)
      if (owner_.writer->parked().remove(session, r.id, r.topic, r.key) != GANTRY_OK) return broken(session);
    count_ = rows_.size();
    return GANTRY_OK;
  }
  void committed() override { owner_.writer->resume(); }

 private:
  struct row {
    std::int64_t id = 0;
    std::string topic, key, source, bytes;
    std::uint32_t partition = 0;
    std::uint64_t offset = 0;
  };

  // All rows, before the first is handled: a handler may leave no cursor open.
  gantry_status load(store::session& session) {
    const gantry_value which[] = {value(number_)};
    store::cursor* found = nullptr;
    if (session.query(
            "SELECT p.id, p.topic, p.part, p.position, p.key, p.source, p.record FROM gantry_parked p"
            " JOIN gantry_parked one ON one.id = $1 AND p.topic = one.topic AND p.key = one.key ORDER BY p.id",
            which, &found) != GANTRY_OK)
      return broken(session);
    while (found->next() == GANTRY_OK) {
      auto& r = rows_.emplace_back();
      r.id = integer_at(*found, 0);
      r.topic = text_at(*found, 1);
      r.partition = static_cast<std::uint32_t>(integer_at(*found, 2));
      r.offset = static_cast<std::uint64_t>(integer_at(*found, 3));
      r.key = text_at(*found, 4);
      r.source = text_at(*found, 5);
      r.bytes = text_at(*found, 6);
    }
    found->close();
    return GANTRY_OK;
  }

  gantry_status again(gantry_tx& tx, const row& r) {
    std::string_view bytes = r.bytes;
    auto record = bus::decode(bytes);
    if (!record) return failed(r, record.failure().text);
    record->offset = r.offset;
    record->source = r.source;
    const auto& all = owner_.declared.subscriptions;
    if (std::none_of(all.begin(), all.end(), [&](const runtime::subscription& s) {
          return s.observe == nullptr && s.topic == r.topic && s.type == record->type;
        }))
      return failed(r, "no handler for " + std::string(record->type) + " any more; it can only be discarded");
    // Parked while the topic was replayed: its first handling has emitted what there was to emit.
    std::uint64_t replay_end = 0;
    if (!read_replay_end(*tx.db.session, r, replay_end)) return broken(*tx.db.session);
    const bool replayed = record->offset < replay_end;
    if (const auto status = owner_.writer->handle(tx, *record, r.topic, r.partition, replayed); status != GANTRY_OK)
      return failed(
          r, runtime::last_failure().empty() ? runtime::status_name(status) : std::string(runtime::last_failure()));
    return GANTRY_OK;
  }

  // From the table: another host may be the one that reads the partition.
  bool read_replay_end(store::session& session, const row& r, std::uint64_t& out) {
    const gantry_value where[] = {value(std::string_view(r.topic)), value(r.partition)};
    store::cursor* found = nullptr;
    if (session.query("SELECT max(replay_end) FROM gantry_position WHERE topic = $1 AND part = $2", where, &found) !=
        GANTRY_OK)
      return false;
    const auto there = found->next();
    if (there == GANTRY_OK) out = static_cast<std::uint64_t>(integer_at(*found, 0));
    found->close();
    return there == GANTRY_OK;
  }

  gantry_status failed(const row& r, const std::string& why) {
    return refuse(409, "replay-failed", "The event failed again",
                  owner_.id() + ": parked event " + std::to_string(r.id) + " of " + r.topic + ", key " + r.key + ": " +
                      why + "; nothing was changed");
  }

  const std::int64_t number_;
  std::vector<row> rows_;
};

class parked_discard final : public dead_letter_write {
 public:
  parked_discard(runtime::instance& owner, std::int64_t id, http::responder&& out)
      : dead_letter_write(owner, std::to_string(id), "discarded", std::move(out)), number_(id) {}

 protected:
  gantry_status change(gantry_tx& tx) override {
    count_ = 0;
    auto& session = *tx.db.session;
    const gantry_value which[] = {value(number_)};
    store::cursor* found = nullptr;
    if (session.query("SELECT topic, key FROM gantry_parked WHERE id = $1", which, &found) != GANTRY_OK)
      return broken(session);
    const bool there = found->next() == GANTRY_OK;
    const std::string topic(there ? text_at(*found, 0) : std::string_view());
    const std::string key(there ? text_at(*found, 1) : std::string_view());
    found->close();
    if (!there) return not_there();
    if (owner_.writer->parked().remove(session, number_, topic, key) != GANTRY_OK) return broken(session);
    count_ = 1;
    return GANTRY_OK;
  }
  void committed() override { owner_.writer->resume(); }

 private:
  const std::int64_t number_;
};

class job_replay final : public dead_letter_write {
 public:
  job_replay(runtime::instance& owner, const std::string& id, http::responder&& out)
      : dead_letter_write(owner, id, "replayed", std::move(out)) {}

 protected:
  gantry_status change(gantry_tx& tx) override {
    auto& session = *tx.db.session;
    const gantry_value which[] = {value(std::string_view(id_)), value(tx.now_us)};
    store::cursor* found = nullptr;
    if (session.query("SELECT kind FROM gantry_job WHERE id = $1 AND state = 2", {which, 1}, &found) != GANTRY_OK)
      return broken(session);
    const bool there = found->next() == GANTRY_OK;
    const std::string kind(there ? text_at(*found, 0) : std::string_view());
    found->close();
    if (!there) return not_there();
    if (owner_.find_job(kind) < 0)
      return refuse(409, "replay-failed", "The job can't run",
                    owner_.id() + " has no jobs of kind " + kind + " any more; it can only be discarded");
    if (session.exec("UPDATE gantry_job SET state = 0, due = $2, attempt = 1, token = '' WHERE id = $1 AND state = 2",
                     which, nullptr) != GANTRY_OK)
      return broken(session);
    due_us_ = tx.now_us;
    count_ = 1;
    return GANTRY_OK;
  }
  void committed() override {
    if (owner_.jobs) owner_.jobs->noted_due(due_us_);
  }

 private:
  std::int64_t due_us_ = 0;
};

class job_discard final : public dead_letter_write {
 public:
  job_discard(runtime::instance& owner, const std::string& id, http::responder&& out)
      : dead_letter_write(owner, id, "discarded", std::move(out)) {}

 protected:
  gantry_status change(gantry_tx& tx) override {
    const gantry_value which[] = {value(std::string_view(id_))};
    std::int64_t changes = 0;
    if (tx.db.session->exec("DELETE FROM gantry_job WHERE id = $1 AND state = 2", which, &changes) != GANTRY_OK)
      return broken(*tx.db.session);
    count_ = static_cast<std::uint64_t>(changes);
    return changes == 0 ? not_there() : GANTRY_OK;
  }
  void committed() override {}
};

}  // namespace

std::unique_ptr<answering_write> replay_parked(runtime::instance& owner, std::int64_t id, http::responder&& out) {
  return std::make_unique<parked_replay>(owner, id, std::move(out));
}
std::unique_ptr<answering_write> discard_parked(runtime::instance& owner, std::int64_t id, http::responder&& out) {
  return std::make_unique<parked_discard>(owner, id, std::move(out));
}
std::unique_ptr<answering_write> replay_job(runtime::instance& owner, const std::string& id, http::responder&& out) {
  return std::make_unique<job_replay>(owner, id, std::move(out));
}
std::unique_ptr<answering_write> discard_job(runtime::instance& owner, const std::string& id, http::responder&& out) {
  return std::make_unique<job_discard>(owner, id, std::move(out));
}

}  // namespace gantry::admin
