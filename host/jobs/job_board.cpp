#include "jobs/job_board.hpp"

#include <algorithm>

#include "base/uuid.hpp"
#include "blackbox/box.hpp"
#include "observability/log.hpp"
#include "runtime/context.hpp"
#include "runtime/instance.hpp"
#include "runtime/lane.hpp"
#include "runtime/text.hpp"
#include "runtime/values.hpp"
#include "runtime/watch.hpp"
#include "store/dialect.hpp"

namespace gantry::runtime {
namespace {

constexpr std::int64_t first_pause_us = 100'000;
constexpr std::int64_t longest_pause_us = 30'000'000;
constexpr std::int64_t claimed_at_once = 256;
constexpr std::size_t longest_key = 255;  // an index holds it

// By the server's clock, as the leases are.
#define GANTRY_JOBS_LEFT                                                                 \
  "state = 1 AND token NOT IN (SELECT holder FROM gantry_lease WHERE name LIKE 'host.%'" \
  " AND until >= (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
constexpr std::string_view give_back_sql =
    "UPDATE gantry_job SET state = 0, token = '' WHERE id IN (SELECT id FROM gantry_job WHERE " GANTRY_JOBS_LEFT
    " FOR UPDATE SKIP LOCKED)";
constexpr std::string_view left_sql = "SELECT 1 FROM gantry_job WHERE " GANTRY_JOBS_LEFT " LIMIT 1";
#undef GANTRY_JOBS_LEFT

gantry_job describe(const ready_job& job, const job_kind& kind, std::int64_t deadline_us) {
  gantry_job out{};
  out.struct_size = sizeof out;
  out.attempt = job.attempt;
  out.id = str(job.id);
  out.kind = str(kind.name);
  out.key = str(job.key);
  out.payload = str(job.payload);
  out.due_us = job.due_us;
  out.deadline_us = deadline_us;
  out.correlation_id = str(job.correlation_id);
  return out;
}

// A statement of the runtime's own, on a thread that is noted as being in a plugin's code.
gantry_status exec(store::session& session, std::string_view sql, std::span<const gantry_value> params,
                   std::int64_t* changes = nullptr) {
  const blackbox::host_time waits;
  return session.exec(sql, params, changes);
}

// Parameters for the names of all kinds, added to `params`, as SQL lists them.
std::string names_of(const std::vector<job_kind>& kinds, std::vector<gantry_value>& params) {
  std::string out;
  for (const auto& k : kinds) {
    params.push_back(value(std::string_view(k.name)));
    out.append(out.empty() ? "$" : ", $").append(std::to_string(params.size()));
  }
  return out;
}

}  // namespace

// Runs jobs of one kind until none is ready.
class job_board::run_work final : public work {
 public:
  run_work(job_board& board, std::uint32_t kind) : board_(board), kind_(kind) {}
  void run() override {
    for (;;) {
      ready_job job;
      {
        const std::lock_guard lock(board_.mutex_);
        auto& k = board_.kinds_[kind_];
        if (k.ready.empty() || board_.stopping_ || board_.held_ || !k.breaker.allows(board_.clock_.steady_us())) {
          --k.running;
          --board_.running_;
          board_.stopped_.notify_all();
          return;
        }
        auto next = k.ready.begin();
        // One that has failed before says little about its counterpart, and must not keep those out that would succeed.
        if (k.breaker.in_question())
          next = std::min_element(k.ready.begin(), k.ready.end(),
                                  [](const ready_job& a, const ready_job& b) { return a.attempt < b.attempt; });
        job = std::move(*next);
        k.ready.erase(next);
        --board_.ready_;
      }
      board_.run(std::move(job));
    }
  }

 private:
  job_board& board_;
  const std::uint32_t kind_;
};

// Takes what a job's attempt has come to into the store.
class job_end final : public write {
 public:
  job_end(job_board& board, ready_job job, gantry_status status, std::string result, std::string error)
      : board_(board), job_(std::move(job)), status_(status), result_(std::move(result)), error_(std::move(error)) {}

  cause why() const override { return {job_.correlation_id, job_.id, {}}; }
  std::uint32_t note() const override {
    const auto& known = board_.owner_->declared.jobs;
    return job_.kind < known.size() ? known[job_.kind].note : 0;
  }

  gantry_status run(gantry_tx& tx) override {
    parking_ = false;
    auto& owner = *board_.owner_;
    auto& session = *tx.db.session;
    const gantry_value mine[] = {value(std::string_view(job_.id)), value(std::string_view(board_.token_))};
    if (job_.kind >= owner.declared.jobs.size())
      // Of the generation that this one took the work back from: it waits for one that knows its kind again.
      return exec(session, "UPDATE gantry_job SET state = 0, token = '' WHERE id = $1 AND token = $2", mine);
    const auto& kind = owner.declared.jobs[job_.kind];
    std::int64_t changes = 0;
    const auto described = describe(job_, kind, tx.now_us);
    if (status_ == GANTRY_OK) {
      if (const auto s = exec(session, "DELETE FROM gantry_job WHERE id = $1 AND token = $2", mine, &changes);
          s != GANTRY_OK)
        return fail(s, session.error_text());
      if (changes == 0 || kind.on_done == nullptr) return GANTRY_OK;
      return owner.guarded([&] { return kind.on_done(kind.user, &described, str(result_), &tx); }, "on_done");
    }
    const bool more = status_ != GANTRY_REJECT && job_.attempt < kind.max_attempts;
    if (more || postponed) {
      // Postponed: beyond its last attempt, so that it does not run again but ends again.
      const auto next = postponed ? std::max(job_.attempt, kind.max_attempts) + 1 : job_.attempt + 1;
      const gantry_value again[] = {mine[0], mine[1], value(wait_until_us), value(next),
                                    value(std::string_view(error_))};
      return exec(session,
                  "UPDATE gantry_job SET state = 0, token = '', due = $3, attempt = $4, error = $5 WHERE id = $1 AND"
                  " token = $2",
                  again);
    }
    const gantry_value parked[] = {mine[0], mine[1], value(std::string_view(error_))};
    if (const auto s =
            exec(session, "UPDATE gantry_job SET state = 2, token = '', error = $3 WHERE id = $1 AND token = $2",
                 parked, &changes);
        s != GANTRY_OK)
      return fail(s, session.error_text());
    if (changes == 0 || kind.on_failed == nullptr) return GANTRY_OK;
    parking_ = true;
    return owner.guarded([&] { return kind.on_failed(kind.user, &described, str(error_), &tx); }, "on_failed");
  }

  void finished(bool committed, gantry_status status, std::string_view text) override {
    if (!committed && status == GANTRY_UNAVAILABLE) {
      // The store can't be written now; what the attempt has come to is kept and tried again.
      board_.again(std::move(job_), status_, std::move(result_), std::move(error_), wait_until_us, postponed);
      return;
    }
    if (committed && status == GANTRY_OK) {
      if (status_ != GANTRY_OK && wait_until_us != 0) board_.noted_due(wait_until_us);
      return;
    }
    // Nobody took notice that no attempt is left: they are told again later.
    if (parking_) return board_.ended(std::move(job_), GANTRY_RETRY, {}, std::move(error_), true);
    // The result could not be taken: the attempt counts as failed, and the job runs again with its stable id.
    board_.ended(std::move(job_), status == GANTRY_REJECT ? GANTRY_REJECT : GANTRY_RETRY, {}, std::string(text));
  }

  std::int64_t wait_until_us = 0;  // wall; of a further attempt
  bool postponed = false;          // its end is to be tried again then

 private:
  job_board& board_;
  ready_job job_;
  const gantry_status status_;
  std::string result_;
  std::string error_;
  bool parking_ = false;  // the last run has called on_failed
};

// Claims what is due.
class claim_write final : public write {
 public:
  explicit claim_write(job_board& board) : board_(board) {}

  gantry_status run(gantry_tx& tx) override {
    const blackbox::host_time waits;
    next_due_us_ = INT64_MAX;
    auto& session = *tx.db.session;
    const auto taken = board_.backlog() + board_.owner_->writer->held_jobs();
    const auto room = static_cast<std::int64_t>(board_.ready_max_) - static_cast<std::int64_t>(taken);
    // Jobs of a version that had more kinds stay until their kind is back.
    const auto& kinds = board_.owner_->declared.jobs;
    std::vector<gantry_value> due;
    const auto known = names_of(kinds, due);
    const auto parameter = [&](std::size_t ahead) { return "$" + std::to_string(kinds.size() + ahead); };
    due.push_back(value(tx.now_us));
    due.push_back(value(std::clamp<std::int64_t>(room, 0, claimed_at_once)));
    due.push_back(value(std::string_view(board_.token_)));
    const std::string claim_sql =
        store::for_driver("UPDATE gantry_job SET state = 1, token = " + parameter(3) +
                              " WHERE id IN (SELECT id FROM gantry_job"
                              " WHERE state = 0 AND kind IN (" +
                              known + ") AND due <= " + parameter(1) + " ORDER BY due LIMIT " + parameter(2) +
                              "{skip locked}) RETURNING id, kind, key, payload, due, attempt, correlation",
                          board_.owner_->database->driver());
    store::cursor* rows = nullptr;
    if (session.query(claim_sql, due, &rows) != GANTRY_OK) return fail(GANTRY_RETRY, session.error_text());
    const auto first = static_cast<std::ptrdiff_t>(tx.jobs.size());
    while (rows->next() == GANTRY_OK) {
      ready_job job;
      const int kind = board_.owner_->find_job(text_at(*rows, 1));
      if (kind < 0) continue;
      job.kind = static_cast<std::uint32_t>(kind);
      job.id = text_at(*rows, 0);
      job.key = text_at(*rows, 2);
      job.payload = text_at(*rows, 3);
      job.due_us = integer_at(*rows, 4);
      job.attempt = static_cast<std::uint32_t>(integer_at(*rows, 5));
      job.correlation_id = text_at(*rows, 6);
      tx.jobs.push_back(std::move(job));
    }
    rows->close();
    // The rows come back in no order.
    std::stable_sort(tx.jobs.begin() + first, tx.jobs.end(),
                     [](const ready_job& a, const ready_job& b) { return a.due_us < b.due_us; });
    return board_.least_due(session, next_due_us_) ? GANTRY_OK : fail(GANTRY_RETRY, session.error_text());
  }

  void finished(bool committed, gantry_status status, std::string_view) override {
    board_.claiming_ = false;
    board_.noted_due(committed && status == GANTRY_OK ? next_due_us_ : board_.owner_->now_us() + 1'000'000);
  }

 private:
  job_board& board_;
  std::int64_t next_due_us_ = INT64_MAX;
};

job_board::job_board(instance& owner, request_pool& workers, const clock& time, std::size_t ready_max)
    : owner_(owner), workers_(workers), clock_(time), ready_max_(ready_max), token_(new_uuid_string()) {
  kinds_.resize(owner.declared.jobs.size());
}

job_board::~job_board() { stop(); }

result<bool> job_board::recover(store::session& session, bool shared) {
  auto status = session.begin_relaxed();
  if (status == GANTRY_OK)
    status = session.exec(shared ? give_back_sql : "UPDATE gantry_job SET state = 0, token = '' WHERE state = 1", {},
                          nullptr);
  bool all = true;
  if (status == GANTRY_OK && shared) {
    store::cursor* rows = nullptr;
    status = session.query(left_sql, {}, &rows);
    if (status == GANTRY_OK) {
      all = rows->next() == GANTRY_DONE;
      rows->close();
    }
  }
  if (status == GANTRY_OK) status = session.commit();
  if (status != GANTRY_OK) {
    error why{errc::io, "giving back claimed jobs: " + std::string(session.error_text())};
    session.rollback();
    return why;
  }
  next_due_us_ = 0;
  return all;
}

bool job_board::least_due(store::session& session, std::int64_t& due_us) const {
  std::vector<gantry_value> names;
  const std::string sql =
      "SELECT min(due) FROM gantry_job WHERE state = 0 AND kind IN (" + names_of(owner_->declared.jobs, names) + ")";
  store::cursor* rows = nullptr;
  if (session.query(sql, names, &rows) != GANTRY_OK) return false;
  gantry_value least{};
  due_us = INT64_MAX;
  if (rows->next() == GANTRY_OK && rows->column(0, least) == GANTRY_OK && least.type == GANTRY_INT) due_us = least.as.i;
  rows->close();
  return true;
}

void job_board::look(store::session& session) {
  if (kinds_.empty() || session.begin_read() != GANTRY_OK) return;
  std::int64_t due = 0;
  if (least_due(session, due)) noted_due(due);
  session.end_read();
}

gantry_status job_board::schedule(gantry_tx& tx, std::uint32_t kind, std::string_view key, std::string_view payload,
                                  std::int64_t at_us, bool new_key) {
  if (tx.suppressed) return GANTRY_OK;
  auto& session = *tx.db.session;
  const auto& name = tx.owner->declared.jobs[kind].name;
  if (key.size() > longest_key)
    return fail(GANTRY_INVALID, "schedule " + name + ": a key has at most " + std::to_string(longest_key) +
                                    " bytes, found " + std::to_string(key.size()));
  std::size_t replaced = 0;
  if (!new_key)
    if (const auto s = drop(tx, name, key, replaced); s != GANTRY_OK) return s;
  const auto uuid = new_uuid(tx.now_us);
  const std::string_view id(uuid.data(), uuid.size());
  const auto ahead = backlog() + owner_->writer->held_jobs() + tx.jobs.size();
  const bool now = at_us <= tx.now_us && ahead < ready_max_;
  const std::int64_t due = std::max(at_us, tx.now_us);
  const gantry_value row[] = {value(id),
                              value(std::string_view(name)),
                              value(key),
                              value(payload),
                              value(due),
                              value(std::int64_t{now ? 1 : 0}),
                              value(now ? std::string_view(token_) : std::string_view()),
                              value(tx.why.correlation_id)};
  if (const auto s = session.defer(
          "INSERT INTO gantry_job (id, kind, key, payload, due, attempt, state, token, correlation, error)"
          " VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, '')",
          row);
      s != GANTRY_OK)
    return fail(s, session.error_text());
  if (now) {
    tx.jobs.push_back(
        {kind, std::string(id), std::string(key), std::string(payload), std::string(tx.why.correlation_id), 1, due});
  } else {
    // Before the commit: at worst the lane looks once for nothing.
    noted_due(due);
  }
  return GANTRY_OK;
}

gantry_status job_board::cancel(gantry_tx& tx, std::string_view kind, std::string_view key) {
  if (tx.suppressed) return GANTRY_OK;
  std::size_t count = 0;
  if (const auto s = drop(tx, kind, key, count); s != GANTRY_OK) return s;
  return count != 0 ? GANTRY_OK : fail(GANTRY_NOT_FOUND, "no such job waits");
}

gantry_status job_board::drop(gantry_tx& tx, std::string_view kind, std::string_view key, std::size_t& count) {
  if (key.empty()) return GANTRY_OK;
  auto& session = *tx.db.session;
  const gantry_value which[] = {value(kind), value(key)};
  store::cursor* rows = nullptr;
  if (const auto s = session.query("SELECT id, state FROM gantry_job WHERE kind = $1 AND key = $2 AND key <> ''"
                                   " AND state < 2",
                                   which, &rows);
      s != GANTRY_OK)
    return fail(s, session.error_text());
  std::vector<std::string> ids;
  while (rows->next() == GANTRY_OK) {
    // A claimed one may still wait here for its worker.
    const auto id = text_at(*rows, 0);
    const bool claimed = integer_at(*rows, 1) == 1;
    if (claimed && !waits(tx, id)) continue;
    ids.emplace_back(id);
    if (claimed) tx.dropped_jobs.emplace_back(id);
  }
  rows->close();
  for (const auto& id : ids) {
    const gantry_value one[] = {value(std::string_view(id))};
    if (const auto s = session.exec("DELETE FROM gantry_job WHERE id = $1", one, nullptr); s != GANTRY_OK)
      return fail(s, session.error_text());
  }
  count = ids.size();
  return GANTRY_OK;
}

bool job_board::waits(const gantry_tx& tx, std::string_view id) const {
  const auto is_it = [&](const ready_job& job) { return job.id == id; };
  if (std::any_of(tx.jobs.begin(), tx.jobs.end(), is_it)) return true;
  if (owner_->writer && owner_->writer->holds_job(id)) return true;
  const std::lock_guard lock(mutex_);
  return std::any_of(kinds_.begin(), kinds_.end(),
                     [&](const kind_state& k) { return std::any_of(k.ready.begin(), k.ready.end(), is_it); });
}

void job_board::start(std::vector<ready_job>&& jobs, const std::vector<std::string>& dropped) {
  std::vector<std::uint32_t> touched;
  const auto is_dropped = [&](const ready_job& job) {
    return std::find(dropped.begin(), dropped.end(), job.id) != dropped.end();
  };
  {
    const std::lock_guard lock(mutex_);
    if (!dropped.empty()) {
      std::erase_if(jobs, is_dropped);
      for (auto& k : kinds_) ready_ -= std::erase_if(k.ready, is_dropped);
    }
    for (auto& job : jobs) {
      if (std::find(touched.begin(), touched.end(), job.kind) == touched.end()) touched.push_back(job.kind);
      kinds_[job.kind].ready.push_back(std::move(job));
      ++ready_;
    }
  }
  for (const auto kind : touched) pump(kind);
}

void job_board::pump(std::uint32_t kind) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      auto& k = kinds_[kind];
      // One worker takes many jobs; a second one pays when several wait.
      const auto& known = owner_->declared.jobs;
      const std::uint32_t most = kind < known.size() ? known[kind].concurrency : 1;
      const bool enough = k.running >= most || k.ready.size() <= k.running;
      if (stopping_ || held_ || k.ready.empty() || enough || k.breaker.open(clock_.steady_us())) return;
      ++k.running;
      ++running_;
    }
    std::unique_ptr<work> w = std::make_unique<run_work>(*this, kind);
    if (!workers_.submit_always(w)) {
      const std::lock_guard lock(mutex_);
      --kinds_[kind].running;
      --running_;
      return;
    }
  }
}

void job_board::run(ready_job&& job) {
  instance* who = nullptr;
  {
    // A generation is not taken away while a job of it runs.
    const std::lock_guard lock(mutex_);
    who = &*owner_;
    who->enter();
  }
  run_by(*who, std::move(job));
  who->leave();
}

// What is known of this job by deaths of the process; null: nothing.
const deadly_work* job_board::deadly(const instance& who, std::string_view kind, std::string_view id) {
  if (who.around.deadly == nullptr) return nullptr;
  for (const auto& d : *who.around.deadly)
    if (d.job && d.plugin == who.id() && d.name == kind && id.substr(0, d.id.size()) == d.id) return &d;
  return nullptr;
}

void job_board::run_by(instance& who, ready_job&& job) {
  if (job.kind >= who.declared.jobs.size()) {
    refuse(std::move(job), GANTRY_RETRY, who.id() + " does not know this kind of job now");
    return;
  }
  const auto& kind = who.declared.jobs[job.kind];
  if (job.attempt > kind.max_attempts) {
    // All attempts were made; only its end is outstanding.
    refuse(std::move(job), GANTRY_REJECT, "no attempt is left");
    return;
  }
  if (const auto* const known = deadly(who, kind.name, job.id);
      known != nullptr && (known->poison || job.attempt + known->crashes > kind.max_attempts)) {
    refuse(std::move(job), GANTRY_REJECT,
           "the process died " + std::to_string(known->crashes) + " times in this job, the last time in " + known->why);
    return;
  }
  gantry_context context(who);
  context.is_job = true;
  context.why = {job.correlation_id, job.id, {}};
  context.deadline_us = clock_.steady_us() + kind.timeout_us;
  const auto described = describe(job, kind, owner_->now_us() + kind.timeout_us);
  const observability::work_scope scope({who.id(), who.generation(), job.correlation_id, kind.name});
  const watched_work watched(who, {.kind = work_kind::job, .what = kind.note, .id = job.id});
  fail(GANTRY_OK, {});
  auto status = who.guarded([&] { return kind.run(kind.user, &described, &context); }, "job");
  context.end_read();
  std::string text;
  if (status != GANTRY_OK) text = last_failure().empty() ? status_name(status) : std::string(last_failure());
  {
    const std::lock_guard lock(mutex_);
    // A rejected job is an answer, not a sick counterpart.
    if (status == GANTRY_OK || status == GANTRY_REJECT) {
      kinds_[job.kind].breaker.succeeded();
    } else {
      kinds_[job.kind].breaker.failed(clock_.steady_us(), job.attempt > 1);
    }
  }
  (status == GANTRY_OK ? who.counts.jobs_done : who.counts.job_errors)->add();
  if (status != GANTRY_OK) who.failures.keep(text);
  if (status != GANTRY_OK)
    observability::log_warn("A job failed.", {{"plugin", who.id()},
                                              {"job", kind.name},
                                              {"id", job.id},
                                              {"attempt", std::to_string(job.attempt)},
                                              {"error", text}});
  ended(std::move(job), status, std::move(context.result), std::move(text));
}

void job_board::refuse(ready_job&& job, gantry_status status, std::string error) {
  {
    // It may have been the one that an open breaker has let through: it says nothing, so another one may try.
    const std::lock_guard lock(mutex_);
    kinds_[job.kind].breaker.undecided();
  }
  ended(std::move(job), status, {}, std::move(error));
}

void job_board::ended(ready_job&& job, gantry_status status, std::string outcome, std::string error, bool postponed) {
  std::int64_t wait = 0;
  if (status != GANTRY_OK) {
    const std::lock_guard lock(mutex_);
    random_state_ = random_state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    const std::int64_t bound =
        std::min(longest_pause_us, first_pause_us << std::min<std::uint32_t>(job.attempt - 1, 20));
    wait = static_cast<std::int64_t>((random_state_ >> 33) % static_cast<std::uint64_t>(bound)) + bound / 2;
  }
  auto end = std::make_unique<job_end>(*this, std::move(job), status, std::move(outcome), std::move(error));
  if (wait != 0) end->wait_until_us = owner_->now_us() + wait;
  end->postponed = postponed;
  std::unique_ptr<write> w = std::move(end);
  // When the lane has ended, the row stays claimed, and the next process gives it back.
  owner_->writer->enqueue_always(w);
}

void job_board::again(ready_job&& job, gantry_status status, std::string outcome, std::string error,
                      std::int64_t wait_until_us, bool postponed) {
  auto end = std::make_unique<job_end>(*this, std::move(job), status, std::move(outcome), std::move(error));
  end->wait_until_us = wait_until_us;
  end->postponed = postponed;
  std::unique_ptr<write> w = std::move(end);
  owner_->writer->enqueue_always(w);
}

void job_board::noted_due(std::int64_t due_us) {
  auto seen = next_due_us_.load();
  while (due_us < seen && !next_due_us_.compare_exchange_weak(seen, due_us)) {
  }
}

std::size_t job_board::backlog() const {
  const std::lock_guard lock(mutex_);
  return ready_;
}

void job_board::tick() {
  std::size_t kinds = 0;
  {
    const std::lock_guard lock(mutex_);
    kinds = kinds_.size();
  }
  if (kinds == 0) return;
  for (std::uint32_t kind = 0; kind < kinds; ++kind) pump(kind);
  if (owner_->state() != phase::running || owner_->now_us() < next_due_us_ || backlog() * 2 > ready_max_) return;
  if (claiming_.exchange(true)) return;
  next_due_us_ = INT64_MAX;
  std::unique_ptr<write> w = std::make_unique<claim_write>(*this);
  if (!owner_->writer->enqueue_always(w)) claiming_ = false;
}

void job_board::become(instance& next) {
  const std::lock_guard lock(mutex_);
  kinds_.resize(std::max(kinds_.size(), next.declared.jobs.size()));
  owner_.become(next);
}

void job_board::hold(bool held) {
  const std::lock_guard lock(mutex_);
  held_ = held;  // the next tick goes on
}

void job_board::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  stopped_.wait(lock, [this] { return running_ == 0; });
}

std::size_t job_board::active() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

std::size_t job_board::running() const {
  const std::lock_guard lock(mutex_);
  return running_ + ready_;
}

}  // namespace gantry::runtime
