#include "bench.hpp"

#include <condition_variable>
#include <future>
#include <mutex>
#include <set>

#include "base/hash.hpp"
#include "base/uuid.hpp"
#include "gantry/abi/bus.h"
#include "gantry/abi/http.h"
#include "gantry/abi/jobs.h"
#include "gantry/abi/store.h"
#include "runtime/text.hpp"
#include "runtime/values.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace gantry::testing {
namespace {

using runtime::str;
using runtime::text_at;
using runtime::value;

script* coming = nullptr;  // of the create() that follows

template <typename T>
const T& table(const gantry_host* host, const char* id) {
  return *static_cast<const T*>(host->capability(host, id));
}

script& of(void* user) { return *static_cast<script*>(user); }

// The answer to POST /things: the write is the script's.
struct posting {
  script* self;
  const gantry_request* request;
};

gantry_status answer(void* user, const gantry_request* request, gantry_context* context) {
  auto& self = of(user);
  const auto& http = table<gantry_http_1>(self.host, GANTRY_HTTP_1);
  if (const int refused = self.refuse ? self.refuse() : 0; refused != 0)
    return http.respond(context, refused, nullptr, 0, str("refused"));
  return http.write(
      context,
      [](void* at, gantry_tx* tx) {
        const auto& p = *static_cast<posting*>(at);
        return p.self->post(*p.request, tx);
      },
      new posting{&self, request}, [](void* at) { delete static_cast<posting*>(at); });
}

gantry_status answer_read(void* user, const gantry_request*, gantry_context* context) {
  auto& self = of(user);
  if (const auto status = self.read(context); status != GANTRY_OK) return status;
  return table<gantry_http_1>(self.host, GANTRY_HTTP_1).respond(context, 200, nullptr, 0, str("read"));
}

gantry_status setup(void* user) {
  auto& self = of(user);
  const auto& bus = table<gantry_bus_1>(self.host, GANTRY_BUS_1);
  gantry_subscription s{};
  s.struct_size = sizeof s;
  s.topic = str("in");
  s.type = str("made");
  s.min_version = s.max_version = 1;
  s.user = user;
  if (self.batches) {
    s.on_batch = [](void* at, const gantry_event* e, std::size_t n, gantry_tx* tx, std::size_t* failed) {
      return of(at).batch(e, n, tx, failed);
    };
  } else {
    s.on_event = [](void* at, const gantry_event* e, gantry_tx* tx) { return of(at).event(*e, tx); };
  }
  gantry_subscription o = s;
  o.topic = str("out");
  o.type = str("seen");
  o.on_event = nullptr;
  o.on_batch = nullptr;
  o.observe = [](void* at, const gantry_event* e) { of(at).observe(e); };
  if (self.observe)
    if (const auto status = bus.subscribe(self.host, &o); status != GANTRY_OK) return status;
  gantry_emission e{};
  e.struct_size = sizeof e;
  e.version = 1;
  e.topic = str("out");
  e.type = str("seen");
  gantry_job_kind j{};
  j.struct_size = sizeof j;
  j.name = str("errand");
  j.concurrency = 1;
  j.run = [](void* at, const gantry_job* job, gantry_context* c) { return of(at).job(*job, c); };
  j.on_done = [](void* at, const gantry_job* job, gantry_str result, gantry_tx* tx) {
    return of(at).job_done ? of(at).job_done(*job, result, tx) : GANTRY_OK;
  };
  j.on_failed = [](void* at, const gantry_job* job, gantry_str, gantry_tx* tx) {
    return of(at).job_failed ? of(at).job_failed(*job, tx) : GANTRY_OK;
  };
  j.user = user;
  gantry_timer_kind t{};
  t.struct_size = sizeof t;
  t.name = str("alarm");
  t.fire = [](void* at, gantry_str key, gantry_tx* tx) { return of(at).timer(text(key), tx); };
  t.restore = [](void* at, gantry_db* db) { return of(at).restore ? of(at).restore(db) : gantry_status{GANTRY_OK}; };
  t.user = user;
  gantry_route r{};
  r.struct_size = sizeof r;
  r.flags = GANTRY_ROUTE_IDEMPOTENT;
  r.method = str("POST");
  r.pattern = str("/things");
  r.handler = answer;
  r.user = user;
  gantry_route list{};
  list.struct_size = sizeof list;
  list.flags = GANTRY_ROUTE_MAY_LAG;
  list.method = str("GET");
  list.pattern = str("/list");
  list.handler = answer_read;
  list.user = user;
  gantry_route newest = list;
  newest.flags = 0;
  newest.pattern = str("/newest");
  for (const auto* route : {&list, &newest})
    if (self.read)
      if (const auto status = table<gantry_http_1>(self.host, GANTRY_HTTP_1).route(self.host, route);
          status != GANTRY_OK)
        return status;
  const auto& jobs = table<gantry_jobs_1>(self.host, GANTRY_JOBS_1);
  for (const auto status :
       {bus.subscribe(self.host, &s), bus.emits(self.host, &e), jobs.kind(self.host, &j), jobs.timer(self.host, &t),
        table<gantry_http_1>(self.host, GANTRY_HTTP_1).route(self.host, &r)})
    if (status != GANTRY_OK) return status;
  return GANTRY_OK;
}

struct made {
  gantry_instance table{};
};

gantry_status create(const gantry_host* host, const gantry_instance** out) {
  auto* const m = new made;
  coming->host = host;
  m->table.struct_size = sizeof m->table;
  m->table.self = coming;
  m->table.setup = setup;
  m->table.start = [](void*) -> gantry_status { return GANTRY_OK; };
  m->table.stop = [](void*) {};
  m->table.destroy = [](void*) {};
  *out = &m->table;
  return GANTRY_OK;
}

const gantry_entry entry = {sizeof entry, 1, 0, "tester", "1.0.0", "test", create};

const gantry_host* host_of(gantry_tx* tx) { return tx->owner->host(); }

class function_write final : public runtime::write {
 public:
  function_write(std::function<gantry_status(gantry_tx&)> fn, std::function<void(bool, gantry_status)> ended)
      : fn_(std::move(fn)), ended_(std::move(ended)) {}
  gantry_status run(gantry_tx& tx) override { return fn_(tx); }
  void finished(bool committed, gantry_status status, std::string_view) override { ended_(committed, status); }

 private:
  std::function<gantry_status(gantry_tx&)> fn_;
  std::function<void(bool, gantry_status)> ended_;
};

class nobody final : public bus::producer_events, public bus::consumer_events {
 public:
  void acknowledged(std::uint64_t) override {}
  void failed(std::uint64_t, const error&) override {}
  void assigned(bus::partition_id) override {}
  void revoked(bus::partition_id) override {}
  void available(bus::partition_id) override {}
};

}  // namespace

gantry_status rearm(const script& of, std::string_view key, std::int64_t delay_us) {
  return table<gantry_jobs_1>(of.host, GANTRY_JOBS_1)
      .rearm(of.host, str("alarm"), str(key), static_cast<std::uint64_t>(delay_us));
}

std::shared_ptr<runtime::instance> make_plugin(script& plays, const runtime::surroundings& around,
                                               const bus::bus& events, std::uint32_t generation) {
  auto plugin = std::make_shared<runtime::instance>("tester", "1.0.0", generation, around);
  coming = &plays;
  EXPECT_TRUE(plugin->create(entry));
  for (auto& e : plugin->declared.emissions) {
    e.topic_id = around.topics->at(e.topic);
    e.partitions = events.topic(e.topic_id).partitions;
    e.max_message = events.topic(e.topic_id).max_message;
  }
  return plugin;
}

std::shared_ptr<runtime::instance> next_generation(const runtime::instance& of, script& plays, const bus::bus& events) {
  auto next = make_plugin(plays, of.around, events);
  next->database = of.database;
  next->writer = of.writer;
  next->jobs = of.jobs;
  return next;
}

void end_plugin(std::shared_ptr<runtime::instance>& plugin) {
  const auto* const table = plugin->plugin;
  plugin.reset();
  delete reinterpret_cast<const made*>(table);
}

std::unique_ptr<runtime::write> make_write(std::function<gantry_status(gantry_tx&)> fn,
                                           std::function<void(bool, gantry_status)> ended) {
  return std::make_unique<function_write>(std::move(fn), std::move(ended));
}

std::string text(gantry_str s) { return std::string(runtime::view(s)); }

gantry_status insert(gantry_tx* tx, std::string_view key, std::string_view body) {
  const auto& store = table<gantry_store_1>(host_of(tx), GANTRY_STORE_1);
  const gantry_value params[] = {value(key), value(body)};
  return store.exec(store.of(tx), str("INSERT INTO log (key, body) VALUES ($1, $2)"), params, 2, nullptr);
}

gantry_status emit(gantry_tx* tx, std::string_view key, std::string_view data) {
  gantry_emit e{};
  e.struct_size = sizeof e;
  e.topic = str("out");
  e.type = str("seen");
  e.key = str(key);
  e.data = str(data);
  return table<gantry_bus_1>(host_of(tx), GANTRY_BUS_1).emit(tx, &e, nullptr);
}

static gantry_status schedule(gantry_tx* tx, std::string_view key, std::string_view payload, std::int64_t at_us,
                              std::uint32_t flags) {
  gantry_schedule s{};
  s.struct_size = sizeof s;
  s.flags = flags;
  s.kind = str("errand");
  s.key = str(key);
  s.payload = str(payload);
  s.at_us = at_us;
  return table<gantry_jobs_1>(host_of(tx), GANTRY_JOBS_1).schedule(tx, &s);
}

gantry_status schedule(gantry_tx* tx, std::string_view key, std::string_view payload, std::int64_t at_us) {
  return schedule(tx, key, payload, at_us, 0);
}

gantry_status schedule_new(gantry_tx* tx, std::string_view key, std::string_view payload) {
  return schedule(tx, key, payload, 0, GANTRY_SCHEDULE_NEW_KEY);
}

gantry_status cancel(gantry_tx* tx, std::string_view key) {
  return table<gantry_jobs_1>(host_of(tx), GANTRY_JOBS_1).cancel(tx, str("errand"), str(key));
}

gantry_status arm(gantry_tx* tx, std::string_view key, std::int64_t delay_us, bool after_ack) {
  return table<gantry_jobs_1>(host_of(tx), GANTRY_JOBS_1)
      .arm(tx, str("alarm"), str(key), static_cast<std::uint64_t>(delay_us),
           after_ack ? std::uint32_t{GANTRY_TIMER_AFTER_ACK} : 0U);
}

scratch::scratch() : path(std::filesystem::temp_directory_path() / ("gantry-runtime-" + new_uuid_string())) {
  std::filesystem::create_directories(path);
}
scratch::~scratch() { std::filesystem::remove_all(path); }

bench::bench(script& plays, runtime::lane_options options) : script_(plays), options_(options) {
  bus::local_bus_options o;
  o.directory = where_.path / "bus";
  o.sync_interval = std::chrono::microseconds(0);
  real_bus = std::move(open_local_bus(o)).value();
  events = std::make_unique<cuttable_bus>(*real_bus);
  for (const auto& [name, partitions] : {std::pair<std::string, std::uint32_t>{"in", 3}, {"in.dlq", 1}, {"out", 2}}) {
    bus::topic_spec spec;
    spec.name = name;
    spec.partitions = partitions;
    topics[name] = *events->open_topic(spec);
  }
  start();
}

bench::~bench() { stop(); }

void bench::start() {
  const auto opened = open();
  ASSERT_TRUE(opened) << opened.failure().text;
  run();
}

result<void> bench::open() {
  lanes = std::make_unique<runtime::worker_pool>(2, "lane");
  workers = std::make_unique<runtime::request_pool>(2, 64, "work");
  router = std::make_unique<runtime::dispatcher>(*workers, *workers, time);
  runtime::surroundings around;
  around.time = &time;
  around.metrics = &metrics_;
  around.calls = router.get();
  around.topics = &topics;
  around.deadly = &deadly;
  plugin = make_plugin(script_, around, *events);
  open_store();
  plugin->jobs = std::make_unique<runtime::job_board>(*plugin, *workers, time);
  plugin->writer = std::make_unique<runtime::lane>(*plugin, *plugin->database, *events, time, *lanes, options_);
  return lane().open("/test/tester/");
}

void bench::run() {
  ASSERT_TRUE(plugin->start());
  plugin->state(runtime::phase::running);
  const auto consuming = lane().consume("testers");
  ASSERT_TRUE(consuming) << consuming.failure().text;
  auto routes = std::make_shared<runtime::route_table>();
  ASSERT_TRUE(routes->add(plugin));
  router->routes(routes);
}

void bench::open_store() {
  store::sqlite_options o;
  o.file = where_.path / std::to_string(life_) / "store.db";
  o.promise = store::durability::process;
  auto opened = store::open_sqlite_store(o);
  ASSERT_TRUE(opened) << opened.failure().text;
  plugin->database = std::move(*opened);
  auto writer = plugin->database->open_writer();
  ASSERT_TRUE(writer);
  ASSERT_EQ((*writer)->script("CREATE TABLE IF NOT EXISTS log (n INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL,"
                              " body TEXT NOT NULL CHECK (body <> 'forbidden'));"
                              "CREATE TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY);"
                              "CREATE TABLE IF NOT EXISTS child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL"
                              " REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);"),
            GANTRY_OK);
}

void bench::stop() {
  if (!plugin) return;
  router->routes(std::make_shared<runtime::route_table>());
  lane().stop_events();
  plugin->jobs->stop();
  lane().close();
  workers->stop();  // one that has just answered may still hold the plugin
  end_plugin(plugin);
  lanes->stop();
}

void bench::crash(const std::function<void()>& between) {
  // The lane ends between two runs, with whatever is queued.
  lanes->stop();
  const auto from = where_.path / std::to_string(life_);
  const auto to = where_.path / std::to_string(life_ + 1);
  std::filesystem::create_directories(to);
  for (const char* name : {"store.db", "store.db-wal"})
    if (std::filesystem::exists(from / name)) std::filesystem::copy_file(from / name, to / name);
  stop();
  ++life_;
  if (between) between();
  start();
}

void bench::publish(const std::string& key, const std::string& data) { publish(std::vector<row>{{key, data}}); }

void bench::publish(const std::vector<row>& made_events) {
  nobody listens;
  auto to = std::move(real_bus->open_producer(listens)).value();
  for (const auto& [key, data] : made_events) {
    const std::string id = new_uuid_string();
    bus::record r;
    r.time_us = time.wall_us();
    r.sequence = ++published_;
    r.key = key;
    r.type = "made";
    r.id = id;
    r.data = data;
    std::string bytes;
    bus::encode(r, bytes);
    const bus::batch b{{topics.at("in"), partition_of(key, 3)}, 1, "/test/outside", bytes};
    ASSERT_TRUE(to->append(published_, {&b, 1}));
  }
}

void bench::post(std::function<gantry_status(gantry_tx&)> fn, std::function<void(bool, gantry_status)> ended) {
  auto w = make_write(std::move(fn), std::move(ended));
  if (!lane().enqueue_always(w)) w->finished(false, GANTRY_UNAVAILABLE, "the lane has ended");
}

gantry_status bench::write(std::function<gantry_status(gantry_tx&)> fn) {
  std::mutex mutex;
  std::condition_variable over;
  bool done = false;
  gantry_status end = GANTRY_OK;
  post(std::move(fn), [&](bool, gantry_status status) {
    const std::lock_guard lock(mutex);
    end = status;
    done = true;
    over.notify_one();
  });
  std::unique_lock lock(mutex);
  over.wait(lock, [&] { return done; });
  return end;
}

runtime::reply bench::ask(const std::string& method, const std::string& path, const std::string& body,
                          const std::string& key) {
  struct sink final : runtime::reply_sink {
    void send(runtime::reply&& r) override { to.set_value(std::move(r)); }
    std::promise<runtime::reply> to;
  };
  runtime::inbound in;
  in.method = method;
  in.path = path;
  in.body = body;
  if (!key.empty()) in.headers.emplace_back("idempotency-key", key);
  auto out = std::make_unique<sink>();
  auto end = out->to.get_future();
  router->submit(std::move(in), std::move(out));
  return end.get();
}

void bench::swap(script& plays, const std::vector<runtime::deadly_work>* knows) {
  auto next = next_generation(*plugin, plays, *events);
  next->around.deadly = knows;
  ASSERT_TRUE(next->start());
  next->state(runtime::phase::running);
  std::int64_t paused_us = 0;
  ASSERT_TRUE(lane().hand_over(
      *next, "testers", [] { return result<void>(); }, paused_us));
  plugin.swap(next);
  auto routes = std::make_shared<runtime::route_table>();
  ASSERT_TRUE(routes->add(plugin));
  router->routes(routes);
  end_plugin(next);
}

void bench::until(const std::function<bool()>& condition) {
  while (!condition()) {
    plugin->jobs->tick();
    // A run of the lane, and then another look.
    write([](gantry_tx&) { return GANTRY_OK; });
  }
}

void bench::pass(std::int64_t us) {
  for (std::int64_t step = 1'000'000; us > 0; us -= step) {
    time.pass(std::min(us, step));
    lane().tick();
  }
}

void bench::passing_until(const std::function<bool()>& condition) {
  until([&] {
    if (condition()) return true;
    time.pass(20'000);
    return false;
  });
}

bool bench::settled() {
  for (const auto& [name, records] : lane().lags())
    if (records != 0) return false;
  return lane().idle();
}

void bench::settle() {
  passing_until([&] { return settled(); });
}

void bench::publish_foreign(const std::string& key, const std::string& data, const std::string& id) {
  nobody listens;
  auto to = std::move(real_bus->open_producer(listens)).value();
  bus::record r;
  r.time_us = time.wall_us();
  r.key = key;
  r.type = "made";
  r.id = id;
  const std::string document = R"({"data":)" + data + "}";
  r.document = document;
  r.data = r.document.substr(8, data.size());
  std::string bytes;
  bus::encode(r, bytes);
  const bus::batch b{{topics.at("in"), partition_of(key, 3)}, 1, "/elsewhere", bytes};
  ASSERT_TRUE(to->append(1, {&b, 1}));
}

void bench::replay() {
  struct move {
    runtime::feed* of;
    std::uint64_t end;
  };
  std::vector<move> moves;
  auto w = make_write(
      [&](gantry_tx& tx) {
        moves.clear();
        if (const auto s = tx.db.session->exec("DELETE FROM log", {}, nullptr); s != GANTRY_OK) return s;
        for (auto* f : lane().feeds_of("in")) {
          const gantry_value which[] = {value(f->where.partition)};
          store::cursor* at = nullptr;
          if (const auto s =
                  tx.db.session->query("SELECT next FROM gantry_position WHERE part = $1 AND topic = 'in'", which, &at);
              s != GANTRY_OK)
            return s;
          EXPECT_EQ(at->next(), GANTRY_OK);
          const auto end = std::max(f->next(), static_cast<std::uint64_t>(runtime::integer_at(*at, 0)));
          at->close();
          moves.push_back({f, end});
          if (const auto s = runtime::id_window::forget(*tx.db.session, f->topic); s != GANTRY_OK) return s;
          if (const auto s = f->rewind(*tx.db.session, 0, end, true); s != GANTRY_OK) return s;
        }
        return gantry_status{GANTRY_OK};
      },
      [&](bool committed, gantry_status status) {
        ASSERT_TRUE(committed);
        ASSERT_EQ(status, GANTRY_OK);
        for (const auto& m : moves) m.of->rewound(0, m.end);
      });
  ASSERT_TRUE(lane().enqueue_always(w));
  write([](gantry_tx&) { return GANTRY_OK; });
}

std::vector<row> bench::rows(const std::string& sql) {
  std::vector<row> out;
  auto reader = std::move(plugin->database->acquire_reader()).value();
  EXPECT_EQ(reader->begin_read(), GANTRY_OK);
  store::cursor* at = nullptr;
  EXPECT_EQ(reader->query(sql, {}, &at), GANTRY_OK) << reader->error_text();
  while (at->next() == GANTRY_OK) out.push_back({std::string(text_at(*at, 0)), std::string(text_at(*at, 1))});
  at->close();
  reader->end_read();
  return out;
}

std::string bench::of_key(const std::string& key) {
  std::string out;
  for (const auto& r : rows())
    if (r.key == key) out += r.body + " ";
  if (!out.empty()) out.pop_back();
  return out;
}

std::vector<row> bench::emitted(const std::string& name) { return seen_on(*real_bus, topics.at(name)); }

std::vector<row> seen_on(bus::bus& events, bus::topic_id topic) {
  std::vector<row> out;
  nobody listens;
  const bus::topic_id ids[] = {topic};
  auto from = std::move(events.open_consumer({}, ids, listens)).value();
  for (std::uint32_t p = 0; p < events.topic(topic).partitions; ++p) {
    std::map<std::string, std::uint64_t, std::less<>> seen;
    bus::fetched part;
    std::uint64_t next = 0;
    do {
      EXPECT_TRUE(from->fetch({ids[0], p}, next, 1000, 1 << 20, part));
      for (const auto& r : part.records) {
        auto& last = seen[std::string(r.source)];
        if (r.sequence <= last) continue;
        last = r.sequence;
        out.push_back({std::string(r.key), std::string(r.data)});
      }
      next = part.next;
    } while (part.more);
  }
  return out;
}

std::uint64_t bench::appended(const std::string& name) {
  nobody listens;
  const bus::topic_id ids[] = {topics.at(name)};
  auto from = std::move(real_bus->open_consumer({}, ids, listens)).value();
  std::uint64_t sum = 0;
  for (std::uint32_t p = 0; p < real_bus->topic(ids[0]).partitions; ++p) sum += from->lag({ids[0], p}, 0);
  return sum;
}

}  // namespace gantry::testing
