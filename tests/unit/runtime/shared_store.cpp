#include "shared_store.hpp"

#include <chrono>
#include <cstdlib>

#include "../store_postgres/store_fixture.hpp"
#include "base/uuid.hpp"
#include "runtime/values.hpp"

namespace gantry::testing {

// Holds the only thread that runs the host's lane.
class replica::standstill final : public runtime::task {
 public:
  void run() override {
    std::unique_lock lock(mutex_);
    reached_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return over_; });
    reached_ = false;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return reached_; });
  }
  void end() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool reached_ = false;
  bool over_ = false;
};

replica::replica(std::string host, script& plays, place at) : events(*at.events), at_(std::move(at)) {
  lanes_ = std::make_unique<runtime::worker_pool>(1, "lane");
  workers_ = std::make_unique<runtime::request_pool>(2, 64, "work");
  router = std::make_unique<runtime::dispatcher>(*workers_, *workers_, *at_.time);
  runtime::surroundings around;
  around.time = at_.time;
  around.metrics = &metrics_;
  around.calls = router.get();
  around.topics = at_.topics;
  plugin = make_plugin(plays, around, events);
  auto opened = store::open_postgres_store(at_.store);
  if (!opened) throw std::runtime_error(opened.failure().text);
  plugin->database = std::move(*opened);
  plugin->jobs = std::make_unique<runtime::job_board>(*plugin, *workers_, *at_.time);
  runtime::lane_options options;
  options.host = std::move(host);
  options.lease_us = at_.lease_us;
  options.lead_us = 1'000'000;
  plugin->writer = std::make_unique<runtime::lane>(*plugin, *plugin->database, events, *at_.time, *lanes_, options);
  if (const auto done = lane().open("/test/tester/"); !done) throw std::runtime_error(done.failure().text);
  if (const auto done = plugin->start(); !done) throw std::runtime_error(done.failure().text);
  plugin->state(runtime::phase::running);
  if (const auto done = lane().consume("testers"); !done) throw std::runtime_error(done.failure().text);
  auto routes = std::make_shared<runtime::route_table>();
  EXPECT_TRUE(routes->add(plugin));
  router->routes(routes);
  ticker_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, std::chrono::milliseconds(2), [this] { return ending_; })) {
      lock.unlock();
      lane().tick();
      plugin->jobs->tick();
      lock.lock();
    }
  });
}

replica::~replica() { stop(); }

void replica::stop() {
  if (!plugin) return;
  thaw();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    wake_.notify_one();
  }
  ticker_.join();
  router->routes(std::make_shared<runtime::route_table>());
  lane().stop_events();
  plugin->jobs->stop();
  lane().close();
  end_plugin(plugin);
  workers_->stop();
  lanes_->stop();
}

void replica::freeze() {
  still_ = std::make_unique<standstill>();
  lanes_->schedule(*still_);
  still_->wait();
}

void replica::thaw() {
  if (!still_) return;
  still_->end();
  lanes_->quiesce(*still_);
  still_.reset();
}

gantry_status replica::write(std::function<gantry_status(gantry_tx&)> fn) {
  std::promise<gantry_status> end;
  auto w = make_write(std::move(fn), [&](bool committed, gantry_status status) {
    end.set_value(committed || status != GANTRY_OK ? status : gantry_status{GANTRY_UNAVAILABLE});
  });
  if (!lane().enqueue_always(w)) return GANTRY_UNAVAILABLE;
  return end.get_future().get();
}

void replica::replay() {
  std::vector<std::pair<runtime::feed*, std::uint64_t>> ends;
  std::promise<void> over;
  auto w = make_write(
      [&](gantry_tx& tx) -> gantry_status {
        auto& session = *tx.db.session;
        ends.clear();
        if (const auto s = session.exec("DELETE FROM log", {}, nullptr); s != GANTRY_OK) return s;
        for (auto* f : lane().feeds_of("in")) {
          const gantry_value part[] = {runtime::value(f->where.partition)};
          store::cursor* at = nullptr;
          if (const auto s =
                  session.query("SELECT next FROM gantry_position WHERE topic = 'in' AND part = $1", part, &at);
              s != GANTRY_OK)
            return s;
          EXPECT_EQ(at->next(), GANTRY_OK);
          ends.emplace_back(f, static_cast<std::uint64_t>(runtime::integer_at(*at, 0)));
          at->close();
          if (const auto s = f->rewind(session, 0, ends.back().second, true); s != GANTRY_OK) return s;
        }
        return GANTRY_OK;
      },
      [&](bool committed, gantry_status status) {
        EXPECT_TRUE(committed && status == GANTRY_OK);
        for (const auto& [f, end] : ends) f->rewound(0, end);
        over.set_value();
      });
  EXPECT_TRUE(lane().enqueue_always(w));
  over.get_future().wait();
}

std::future<runtime::reply> replica::ask(const std::string& key, const std::string& body) {
  struct sink final : runtime::reply_sink {
    void send(runtime::reply&& r) override { to.set_value(std::move(r)); }
    std::promise<runtime::reply> to;
  };
  runtime::inbound in;
  in.method = "POST";
  in.path = "/things";
  in.body = body;
  in.headers.emplace_back("idempotency-key", key);
  auto out = std::make_unique<sink>();
  auto end = out->to.get_future();
  router->submit(std::move(in), std::move(out));
  return end;
}

void shared_store::SetUp() {
  const char* const file = std::getenv("POSTGRES_ENV");
  const auto server = server_place::read(file ? file : "");
  ASSERT_FALSE(server.url.empty()) << "POSTGRES_ENV names no file of deploy/servers/postgres.sh";
  bus::local_bus_options o;
  o.directory = where_.path / "bus";
  o.sync_interval = std::chrono::microseconds(0);
  bus_ = std::move(open_local_bus(o)).value();
  for (const auto& [name, count] : {std::pair<std::string, std::uint32_t>{"in", partitions}, {"in.dlq", 1}, {"out", 2}}) {
    bus::topic_spec spec;
    spec.name = name;
    spec.partitions = count;
    topics_[name] = *bus_->open_topic(spec);
  }
  place_.events = bus_.get();
  place_.topics = &topics_;
  place_.store.url = server.url;
  place_.store.schema = "test_" + new_uuid_string();
  place_.store.longest_halt = std::chrono::milliseconds(500);
  store_ = std::move(store::open_postgres_store(place_.store)).value();
  auto writer = std::move(store_->open_writer()).value();
  ASSERT_EQ(writer->script("CREATE TABLE log (n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key TEXT NOT NULL,"
                           " body TEXT NOT NULL)"),
            GANTRY_OK);
}

void shared_store::TearDown() {
  if (!store_) return;
  auto writer = std::move(store_->open_writer()).value();
  EXPECT_EQ(writer->exec("DROP SCHEMA \"" + place_.store.schema + "\" CASCADE", {}, nullptr), GANTRY_OK)
      << writer->error_text();
}

void shared_store::publish(const std::string& key, const std::string& data) {
  class nobody final : public bus::producer_events {
    void acknowledged(std::uint64_t) override {}
    void failed(std::uint64_t, const error&) override {}
  } listens;
  auto to = std::move(bus_->open_producer(listens)).value();
  const std::string id = new_uuid_string();
  bus::record r;
  r.time_us = system_clock().wall_us();
  r.sequence = ++published_;
  r.key = key;
  r.type = "made";
  r.id = id;
  r.data = data;
  std::string bytes;
  bus::encode(r, bytes);
  const bus::batch b{{topics_.at("in"), partition(key)}, 1, "/test/outside", bytes};
  ASSERT_TRUE(to->append(published_, {&b, 1}));
}

std::string shared_store::key_in(std::uint32_t wanted, int nth) const {
  for (int i = 0;; ++i) {
    auto key = "key-" + std::to_string(i);
    if (partition(key) == wanted && nth-- == 0) return key;
  }
}

std::string shared_store::rows(const std::string& sql) {
  auto reader = std::move(store_->acquire_reader()).value();
  EXPECT_EQ(reader->begin_read(), GANTRY_OK);
  store::cursor* at = nullptr;
  EXPECT_EQ(reader->query(sql, {}, &at), GANTRY_OK) << reader->error_text();
  std::string out;
  for (bool first = true; at != nullptr && at->next() == GANTRY_OK; first = false) {
    if (!first) out += ";";
    for (std::size_t i = 0; i < at->columns(); ++i) {
      gantry_value v{};
      at->column(i, v);
      out += (i ? "," : "") + shown(v);
    }
  }
  if (at != nullptr) at->close();
  reader->end_read();
  return out;
}

void shared_store::until(const std::function<bool()>& condition, const char* what) {
  const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  // The condition is another host's doing, in the database: nobody tells, so it is looked at.
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), late) << what;
    never.wait_for(lock, std::chrono::milliseconds(2));
  }
}

}  // namespace gantry::testing
