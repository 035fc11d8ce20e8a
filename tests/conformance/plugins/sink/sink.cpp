// Records what it handles, in the order in which it handles it, and fails when an event tells it to.
//
// Data of an event: n, a number to record; do: retry, reject or throw, until the gate of the event's key is opened;
// failures: how many attempts fail; pauseMs: how long an attempt takes.
#include <gantry/plugin.hpp>

#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using gantry::event;
using gantry::outcome;

constexpr auto record_sql =
    "INSERT INTO handled (event_id, topic, type, key, place, times, n, batch, part, spot, sequence, source, "
    "correlation, "
    "causation, trace, version, occurred, replayed) "
    "SELECT $1, $2, $3, $4, count(*), 1, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 FROM handled "
    "WHERE key = $4 AND topic = $2 ON CONFLICT (event_id) DO UPDATE SET times = handled.times + 1";

void record(const event& e, std::int64_t batch, gantry::tx& tx) {
  tx.exec(record_sql, e.id(), e.topic(), e.type(), e.key(), e.data("n").integer(), batch,
          static_cast<std::int64_t>(e.partition()), static_cast<std::int64_t>(e.offset()),
          static_cast<std::int64_t>(e.sequence()), e.source(), e.correlation_id(), e.causation_id(), e.traceparent(),
          static_cast<std::int64_t>(e.version()), e.occurred_at().us, e.replayed());
}

class sink : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override {
    s.on("conf-events", "Recorded", &sink::handle);
    s.on("conf-events", "Echo", &sink::echo);
    s.observe("conf-events", "Watched", [this](const event* e) { watch(e); });
    s.on_batch("conf-batches", "Batched", &sink::handle_batch);
    s.on("conf-first", "First", &sink::handle);
    s.on("conf-last", "Last", &sink::handle, {.latest = true});
    s.on("conf-plain", "Plain", &sink::handle);
    s.on("conf-foreign", "Foreign", &sink::handle);
#if defined(CONF_SINK_NEXT)
    s.on("conf-plain", "Added", &sink::handle);
#endif
    s.on_replay("conf-events", [](gantry::tx& tx) { tx.exec("DELETE FROM handled WHERE topic = 'conf-events'"); });
    s.emits("conf-answers", "Echoed");
    s.job(
        "echo-work", [](const gantry::job&, gantry::context&) { return std::string(); },
        [](const gantry::job& j, std::string_view, gantry::tx& tx) {
          tx.exec(
              "INSERT INTO echo_end (key, done) VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET done = "
              "echo_end.done + 1",
              j.key());
        });
    s.get("/sink/handled", &sink::list);
    s.get("/sink/watched", &sink::watched);
    s.get("/sink/attempts/{id}", &sink::attempts);
    s.get("/sink/echoes/{key}", &sink::echoes);
    s.put("/sink/gates/{key}", &sink::open);
  }

  outcome handle(const event& e, gantry::tx& tx) {
    const auto attempt = count(e.id());
    record(e, 1, tx);
    if (const auto pause = e.data("pauseMs").integer(); pause > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(pause));
    }
    if (attempt <= e.data("failures").integer()) return gantry::retry("told to fail");
    const auto how = e.data("do").text();
    if (how.empty() || tx.one("SELECT key FROM gate WHERE key = $1", e.key())) return gantry::ok;
    if (how == "throw") throw std::runtime_error("told to throw");
    if (how == "reject") return gantry::reject("told to reject");
    if (how == "write-outside") host().write([](gantry::tx&) {});
    return gantry::retry("told to ask for another time");
  }

  // Emits and schedules as an effect of an event.
  outcome echo(const event& e, gantry::tx& tx) {
    count(e.id());
    record(e, 1, tx);
    tx.emit("conf-answers", "Echoed", e.key(), {{"n", e.data("n")}});
    tx.schedule("echo-work", "", {.key = e.key()});
    return gantry::ok;
  }

  outcome handle_batch(std::span<const event> events, gantry::tx& tx) {
    for (std::size_t i = 0; i < events.size(); ++i) {
      const auto attempt = count(events[i].id());
      record(events[i], static_cast<std::int64_t>(events.size()), tx);
      if (attempt <= events[i].data("failures").integer()) throw gantry::batch_failure(i, "told to fail");
      if (events[i].data("do").text() == "reject") throw gantry::batch_failure(i, "told to reject", GANTRY_REJECT);
    }
    return gantry::ok;
  }

  gantry::reply list(const gantry::request& q, gantry::context& ctx) {
    gantry::json_writer out;
    out.object().key("events").array();
    const auto write = [&out](const gantry::row_view& r) {
      static constexpr std::string_view texts[] = {"id",     "topic",       "type",      "key",
                                                   "source", "correlation", "causation", "trace"};
      static constexpr std::string_view numbers[] = {"place",  "times",    "n",       "batch",    "partition",
                                                     "offset", "sequence", "version", "occurred", "replayed"};
      out.object();
      std::size_t column = 0;
      for (const auto name : texts) out.field(name, r.get<std::string_view>(column++));
      for (const auto name : numbers) out.field(name, r.get<std::int64_t>(column++));
      out.end();
    };
    ctx.read().each(
        "SELECT event_id, topic, type, key, source, correlation, causation, trace, place, times, n, batch, part, spot, "
        "sequence, version, occurred, replayed FROM handled WHERE substr(key, 1, length($1)) = $1 ORDER BY key, topic, "
        "place",
        write, q.query("key").value_or(""));
    out.end().end();
    return gantry::ok(gantry::json(std::move(out)));
  }

  gantry::reply watched(const gantry::request& q, gantry::context&) {
    const std::lock_guard hold(mutex_);
    gantry::json_writer out;
    out.object().field("gaps", gaps_).key("events").array();
    for (const auto& [key, n] : watched_) {
      if (key == q.query("key")) out.value(n);
    }
    out.end().end();
    return gantry::ok(gantry::json(std::move(out)));
  }

  gantry::reply attempts(const gantry::request& q, gantry::context&) {
    const std::lock_guard hold(mutex_);
    const auto found = attempts_.find(std::string(q.path("id")));
    return gantry::ok({{"attempts", found == attempts_.end() ? 0 : found->second}});
  }

  gantry::reply echoes(const gantry::request& q, gantry::context& ctx) {
    const auto row = ctx.read().one("SELECT done FROM echo_end WHERE key = $1", q.path("key"));
    return gantry::ok({{"done", row ? row->get<std::int64_t>(0) : 0}});
  }

  gantry::reply open(const gantry::request& q, gantry::context& ctx) {
    return ctx.write([&q](gantry::tx& tx) -> gantry::reply {
      tx.exec("INSERT INTO gate (key) VALUES ($1) ON CONFLICT (key) DO NOTHING", q.path("key"));
      return gantry::no_content();
    });
  }

 private:
  // Attempts are counted outside the store on purpose: a rollback would take them back.
  std::int64_t count(std::string_view id) {
    const std::lock_guard hold(mutex_);
    return ++attempts_[std::string(id)];
  }

  void watch(const event* e) {
    const std::lock_guard hold(mutex_);
    if (e == nullptr) {
      ++gaps_;
      watched_.clear();
    } else {
      watched_.emplace_back(e->key(), e->data("n").integer());
    }
  }

  std::mutex mutex_;
  std::map<std::string, std::int64_t> attempts_;
  std::vector<std::pair<std::string, std::int64_t>> watched_;
  std::int64_t gaps_ = 0;
};

}  // namespace

#if defined(CONF_SINK_NEXT)
#undef GANTRY_PLUGIN_ID
#define GANTRY_PLUGIN_ID "conf-sink"
#endif

GANTRY_PLUGIN(sink, "1.0.0")
