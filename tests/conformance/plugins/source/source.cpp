// Does what a request asks for, in one transaction: writes, emits, schedules, cancels, and fails if told to.
#include <gantry/plugin.hpp>

#include <chrono>
#include <map>
#include <mutex>
#include <thread>

namespace {

using gantry::json_view;

// How often the write of a request ran; kept outside the store on purpose, because a rollback takes rows back.
class run_counter {
 public:
  std::int64_t add(std::string_view name) {
    const std::lock_guard hold(mutex_);
    return ++runs_[std::string(name)];
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::int64_t> runs_;
};

std::int64_t number_of(gantry::db& db, std::string_view name) {
  const auto row = db.one("SELECT number FROM entry WHERE name = $1", name);
  return row ? row->get<std::int64_t>(0) : 0;
}

// Reads, then writes what it read: only a serializable transaction gets this right beside others.
std::int64_t add(gantry::tx& tx, std::string_view name, std::int64_t by, std::int64_t pause_ms) {
  const auto now = number_of(tx, name) + by;
  if (pause_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
  if (tx.exec("UPDATE entry SET number = $2 WHERE name = $1", name, now) == 0) {
    tx.exec("INSERT INTO entry (name, number) VALUES ($1, $2)", name, now);
  }
  return now;
}

// Takes one away where the sum of two allows it.
void take(gantry::tx& tx, const json_view& what) {
  const auto mine = what["from"].text();
  const auto both = number_of(tx, mine) + number_of(tx, what["beside"].text());
  if (both - 1 < what["leave"].integer()) throw gantry::failure(GANTRY_CONFLICT, "the two have not enough");
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  tx.exec("UPDATE entry SET number = number - 1 WHERE name = $1", mine);
}

std::string emit(gantry::tx& tx, const json_view& what) {
  const auto topic = what["topic"].text();
  const auto type = what["type"].text();
  const auto key = what["key"].text();
  if (what["numbered"].boolean()) {
    return tx.emit(topic, type, key, {{"n", add(tx, key, 1, 0)}, {"more", what["data"]}});
  }
  if (what["pad"].is_int()) {
    return tx.emit(topic, type, key, {{"pad", std::string(static_cast<std::size_t>(what["pad"].integer()), 'x')}});
  }
  gantry::json_writer data;
  data.value(what["data"]);
  return tx.emit(topic, type, key, data);
}

void schedule(gantry::tx& tx, const json_view& what) {
  const std::int64_t delay_ms = what["delayMs"].integer();
  tx.schedule("work", what["payload"].raw(),
              {.at = delay_ms > 0 ? gantry::instant{tx.now().us + delay_ms * 1000} : gantry::instant{},
               .key = what["key"].text()});
}

gantry::reply end(std::string_view how, gantry::json_writer& out) {
  if (how == "throw") throw std::runtime_error("told to throw");
  if (how == "retry") throw gantry::retry_later("told to ask for another time");
  if (how == "reject") throw gantry::rejected("told to reject");
  if (how == "refuse") return gantry::conflict("told-to", "told to refuse");
  if (how == "fail") return gantry::problem(500, "told-to", "Failed", "told to fail");
  return gantry::created("/source/entries", gantry::json(std::move(out)));
}

class source : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override {
    s.post("/source/do", &source::act);
    s.post("/source/do-once", &source::act, gantry::idempotent);
    s.put("/source/do-once", &source::act, gantry::idempotent);
    s.post("/source/do-once-too", &source::act, gantry::idempotent);
    s.get("/source/entries/{name}", &source::entry);
    s.get("/source/jobs/{key}", &source::jobs);
    s.get("/source/twice/{name}", &source::twice);
    for (const auto* type : {"Recorded", "Echo", "Watched"}) s.emits("conf-events", type);
    s.emits("conf-batches", "Batched");
    s.emits("conf-small", "Small");
    s.emits("conf-first", "First");
    s.emits("conf-last", "Last");
    s.emits("conf-plain", "Plain");
    s.emits("conf-plain", "Added");
    s.job("work", &source::run, &source::done, &source::failed, {.max_attempts = 4});
  }

  gantry::reply act(const gantry::request& q, gantry::context& ctx) {
    if (const auto pause = q.json()["waitMs"].integer(); pause > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(pause));
    }
    return ctx.write([this, &q](gantry::tx& tx) -> gantry::reply {
      const auto program = q.json();
      gantry::json_writer out;
      const auto run = runs_.add(program["name"].text_or("unnamed"));
      out.object().field("runs", run);
      out.key("numbers").array();
      for (const auto& what : program["add"]) {
        out.value(add(tx, what["name"].text(), what["by"].integer(1), what["pauseMs"].integer()));
      }
      if (const auto what = program["take"]; what.exists()) take(tx, what);
      out.end().key("ids").array();
      for (const auto& what : program["emit"]) out.value(emit(tx, what));
      out.end().key("cancelled").array();
      for (const auto& what : program["cancel"]) out.value(tx.cancel("work", what.text()));
      out.end();
      for (const auto& what : program["schedule"]) schedule(tx, what);
      out.end();
      if (program["failFirst"].boolean() && run == 1) throw std::runtime_error("told to fail the first time");
      return end(program["end"].text(), out);
    });
  }

  gantry::reply entry(const gantry::request& q, gantry::context& ctx) {
    return gantry::ok({{"number", number_of(ctx.read(), q.path("name"))}});
  }

  // Reads, waits, reads again.
  gantry::reply twice(const gantry::request& q, gantry::context& ctx) {
    const auto first = number_of(ctx.read(), q.path("name"));
    std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(std::string(q.query("ms").value_or("0")))));
    return gantry::ok({{"first", first}, {"second", number_of(ctx.read(), q.path("name"))}});
  }

  gantry::reply jobs(const gantry::request& q, gantry::context& ctx) {
    gantry::json_writer out;
    out.object().key("runs").array();
    ctx.read().each(
        "SELECT job_id, attempt FROM job_run WHERE key = $1 ORDER BY place",
        [&out](const gantry::row_view& r) {
          out.object().field("id", r.get<std::string_view>(0)).field("attempt", r.get<std::int64_t>(1)).end();
        },
        q.path("key"));
    out.end();
    const auto end = ctx.read().one("SELECT done, failed, result FROM job_end WHERE key = $1", q.path("key"));
    out.field("done", end ? end->get<std::int64_t>(0) : 0).field("failed", end ? end->get<std::int64_t>(1) : 0);
    out.field("result", end ? end->get<std::string_view>(2) : std::string_view{}).end();
    return gantry::ok(gantry::json(std::move(out)));
  }

  // What a job does to the outside world is a row of a transaction of its own, which the job's failure leaves alone.
  std::string run(const gantry::job& j, gantry::context& ctx) {
    const auto payload = gantry::json_document::parse(j.payload());
    const auto what = payload.root();
    const auto attempt = static_cast<std::int64_t>(j.attempt());
    ctx.write([&](gantry::tx& tx) -> gantry::reply {
      tx.exec(
          "INSERT INTO job_run (key, place, job_id, attempt) "
          "SELECT $1, count(*), $2, $3 FROM job_run WHERE key = $1",
          j.key(), j.id(), attempt);
      return gantry::no_content();
    });
    if (const auto pause = what["pauseMs"].integer(); pause > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(pause));
    }
    if (what["reject"].boolean()) throw gantry::rejected("told to reject");
    if (attempt <= what["failures"].integer()) throw gantry::retry_later("told to fail");
    return std::string(what["result"].text_or("done"));
  }

  void done(const gantry::job& j, std::string_view result, gantry::tx& tx) { ended(j, 1, 0, result, tx); }
  void failed(const gantry::job& j, std::string_view error, gantry::tx& tx) { ended(j, 0, 1, error, tx); }

 private:
  static void ended(const gantry::job& j, std::int64_t done, std::int64_t failed, std::string_view text,
                    gantry::tx& tx) {
    tx.exec(
        "INSERT INTO job_end (key, done, failed, result) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO UPDATE "
        "SET done = job_end.done + excluded.done, failed = job_end.failed + excluded.failed, "
        "result = excluded.result",
        j.key(), done, failed, text);
  }

  run_counter runs_;
};

}  // namespace

GANTRY_PLUGIN(source, "1.0.0")
