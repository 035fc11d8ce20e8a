#include "app/host_process.hpp"

#include <malloc.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "admin/operations.hpp"
#include "bus/kafka/kafka_bus.hpp"
#include "bus/local/local_bus.hpp"
#include "http/endpoint.hpp"
#include "http/problem.hpp"
#include "observability/health.hpp"
#include "observability/log.hpp"
#include "observability/metrics.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace gantry::app {
namespace {

constexpr auto tick_every = std::chrono::milliseconds(20);
constexpr auto longest_bus_wait = std::chrono::seconds(60);

// Splits "host:port"; the host may be in brackets.
result<std::pair<std::string, std::uint16_t>> split_address(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return error{errc::invalid, "address " + text + ": expected host:port"};
  auto host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  unsigned long port = 0;
  try {
    port = std::stoul(text.substr(colon + 1));
  } catch (const std::exception&) {
    port = 65'536;
  }
  if (port > 65'535) return error{errc::invalid, "address " + text + ": expected a port from 0 to 65535"};
  return std::pair{host, static_cast<std::uint16_t>(port)};
}

class http_sink final : public runtime::reply_sink {
 public:
  explicit http_sink(http::responder&& to) : to_(std::move(to)) {}
  void send(runtime::reply&& r) override {
    http::reply out;
    out.status = r.status;
    out.body = std::move(r.body);
    out.headers.reserve(r.headers.size());
    for (auto& [name, text] : r.headers) out.headers.push_back({std::move(name), std::move(text)});
    to_.send(std::move(out));
  }

 private:
  http::responder to_;
};

class local_host final : public host_process {
 public:
  local_host(const topology::topology& model, host_options options)
      : model_(model),
        options_(std::move(options)),
        lanes_(workers(options_.lane_workers, 3), "lane"),
        requests_(workers(options_.request_workers, 2), 4096, "request"),
        jobs_(4, 65'536, "job"),
        callbacks_(2, 1024, "callback"),
        router_(requests_, callbacks_, system_clock(), model_.limits.deadline->count()),
        watch_(system_clock(), [this](runtime::work_kind kind) { replace_worker(kind); }) {}

  ~local_host() override { drain_and_stop(std::chrono::seconds(30)); }

  result<void> open() {
    if (auto done = pick_host(); !done) return done;
    if (auto done = check_isolation(); !done) return done;
    if (auto done = open_bus(); !done) return done;
    lifecycle::host_parts parts;
    parts.model = &model_;
    parts.host_name = options_.host;
    parts.events = bus_.get();
    parts.lanes = &lanes_;
    parts.jobs = &jobs_;
    parts.router = &router_;
    parts.watch = &watch_;
    parts.metrics = &metrics_;
    parts.checks = &checks_;
    parts.time = &system_clock();
    parts.open_store = [this](const std::string& plugin) { return open_store(plugin); };
    plugins_ = std::make_unique<lifecycle::plugin_set>(std::move(parts));
    checks_.add(observability::health_kind::live, "process", [] { return result<void>(); });
    checks_.add(observability::health_kind::ready, "bus", [this] { return bus_->health(); });
    admin_ = std::make_unique<admin::operations>(model_, *plugins_, *bus_, metrics_, checks_, options_.host);
    if (auto done = plugins_->start(); !done) return done;
    ticker_ = std::thread([this] { tick(); });
    // Only now: who asks before would see half a host.
    if (options_.serve_http)
      if (auto done = open_endpoints(); !done) return done;
    // Loading leaves large free blocks behind that the host will not need again.
    malloc_trim(0);
    return {};
  }

  std::string address() const override { return address_; }
  lifecycle::plugin_set& plugins() override { return *plugins_; }
  runtime::dispatcher& router() override { return router_; }
  bus::bus& events() override { return *bus_; }

  bool drain_and_stop(std::chrono::milliseconds at_most) override {
    if (stopped_) return !stuck_;
    stopped_ = true;
    bool all = true;
    const auto until = std::chrono::steady_clock::now() + at_most;
    if (endpoint_) {
      endpoint_->stop_accepting();
      while (endpoint_->in_progress() != 0 && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      all = endpoint_->in_progress() == 0;
    }
    if (plugins_) {
      const auto left = std::max(std::chrono::steady_clock::duration::zero(), until - std::chrono::steady_clock::now());
      all = plugins_->drain(std::chrono::duration_cast<std::chrono::milliseconds>(left)) && all;
    }
    if (!all) {
      stuck_ = true;
      return false;
    }
    {
      const std::lock_guard lock(tick_mutex_);
      ending_ = true;
    }
    tick_wake_.notify_all();
    if (ticker_.joinable()) ticker_.join();
    if (endpoint_) endpoint_->stop();
    if (admin_endpoint_) admin_endpoint_->stop();
    admin_.reset();
    if (plugins_ && !plugins_->stop()) {
      stuck_ = true;
      return false;
    }
    requests_.stop();
    callbacks_.stop();
    jobs_.stop();
    lanes_.stop();
    plugins_.reset();
    bus_.reset();
    return all;
  }

 private:
  static std::size_t workers(std::size_t asked, std::size_t beside) {
    if (asked != 0) return asked;
    // Lanes sleep in fsync: more of them than processors keep the processors busy.
    return std::max<std::size_t>(std::thread::hardware_concurrency(), 1) + beside;
  }

  result<void> pick_host() {
    if (options_.host.empty()) {
      if (model_.hosts.size() != 1)
        return error{errc::invalid, "the topology has " + std::to_string(model_.hosts.size()) + " hosts: say which one with --host"};
      options_.host = model_.hosts.begin()->first;
    }
    if (model_.hosts.contains(options_.host)) return {};
    std::string known;
    for (const auto& [name, settings] : model_.hosts) known += (known.empty() ? "" : ", ") + name;
    return error{errc::not_found, "host " + options_.host + " is not in the topology; it has " + known};
  }

  result<void> check_isolation() const {
    for (const auto& [id, plugin] : model_.plugins)
      if (*plugin.isolation == topology::isolation_mode::process)
        return error{errc::unsupported, "plugins." + id +
                                            ".isolation is process, which this build of gantry does not have: expected none"};
    return {};
  }

  result<void> open_bus() {
    auto opened = *model_.bus.driver == topology::bus_driver::kafka ? open_kafka() : open_journal();
    if (!opened) return opened.failure();
    bus_ = std::move(*opened);
    return {};
  }

  result<std::unique_ptr<bus::bus>> open_journal() const {
    bus::local_bus_options o;
    o.directory = *model_.bus.path;
    o.sync_interval = *model_.bus.sync;
    return bus::open_local_bus(o);
  }

  // Waits until the brokers answer: what is to run needs its topics.
  result<std::unique_ptr<bus::bus>> open_kafka() const {
    bus::kafka_bus_options o;
    o.brokers = *model_.bus.brokers;
    for (const auto& [name, text] : model_.bus.properties) o.properties.emplace(name, *text);
    o.member = *model_.name + "." + options_.host;
    o.on_log = [](int level, std::string_view text) {
      constexpr int syslog_error = 3;
      if (level <= syslog_error) observability::log_warn("The Kafka client reports trouble.", {{"text", text}});
    };
    auto opened = bus::open_kafka_bus(o);
    if (!opened) return opened;
    const auto until = std::chrono::steady_clock::now() + longest_bus_wait;
    while (!model_.topics.empty()) {
      bus::topic_spec probe = lifecycle::spec_of(model_, model_.topics.begin()->first);
      const auto topic = (*opened)->open_topic(probe);
      if (topic || topic.failure().code != errc::unavailable) break;  // the rest says more of what is wrong
      if (std::chrono::steady_clock::now() >= until)
        return error{errc::unavailable, "bus.brokers: " + topic.failure().text + "; waited for " +
                                            std::to_string(longest_bus_wait.count()) + " s"};
      observability::log_warn("Waiting for the bus.", {{"brokers", *model_.bus.brokers}, {"reason", topic.failure().text}});
    }
    return opened;
  }

  result<std::unique_ptr<store::store>> open_store(const std::string& plugin) {
    const auto& settings = model_.stores.at(*model_.plugins.at(plugin).store);
    const auto promise = *settings.durability == topology::store_durability::power ? store::durability::power
                                                                                   : store::durability::process;
    if (*settings.driver == topology::store_driver::postgres) {
      store::postgres_options o;
      o.url = *settings.url;
      o.schema = topology::for_plugin(*settings.schema, plugin);
      o.readers = std::max<std::size_t>(static_cast<std::size_t>(*settings.pool), 2) - 1;
      o.promise = promise;
      o.warn = [plugin](std::string_view text) {
        observability::log_warn("The store does not keep its promise.", {{"plugin", plugin}, {"reason", text}});
      };
      return store::open_postgres_store(o);
    }
    store::sqlite_options o;
    o.file = topology::for_plugin(*settings.path, plugin);
    o.promise = promise;
    return store::open_sqlite_store(o);
  }

  result<void> open_endpoints() {
    const auto& settings = model_.hosts.at(options_.host);
    const bool apart = settings.admin.address.given;
    http::endpoint_options o;
    o.max_body = *model_.limits.body;
    o.max_headers = *model_.limits.headers;
    const auto open = [&o](const std::string& address, http::handler serve) -> result<std::unique_ptr<http::endpoint>> {
      auto at = split_address(address);
      if (!at) return at.failure();
      o.address = at->first;
      o.port = at->second;
      return http::open_endpoint(o, std::move(serve));
    };
    auto at = split_address(*settings.http);
    if (!at) return at.failure();
    if (apart) {
      auto opened = open(*settings.admin.address, [this](http::request&& in, http::responder&& out) {
        if (admin_->serves(in.target)) {
          admin_->answer(std::move(in), std::move(out));
        } else {
          out.send(http::problem(404, "operations alone are answered at this address"));
        }
      });
      if (!opened) return opened.failure();
      admin_endpoint_ = std::move(*opened);
    }
    const auto address = options_.override_port ? at->first + ":" + std::to_string(options_.port_override) : *settings.http;
    auto opened = open(address, [this, apart](http::request&& in, http::responder&& out) {
      // With an address of their own, only health is answered here as well: that is what balancers ask.
      if (admin_->serves(in.target) && (!apart || in.target.starts_with("/health/"))) {
        admin_->answer(std::move(in), std::move(out));
      } else {
        pass_on(std::move(in), std::move(out));
      }
    });
    if (!opened) return opened.failure();
    endpoint_ = std::move(*opened);
    address_ = at->first + ":" + std::to_string(endpoint_->port());
    return {};
  }

  // To the plugin that has the route.
  void pass_on(http::request&& in, http::responder&& out) {
    runtime::inbound request;
    request.method = std::move(in.method);
    request.path = std::move(in.target);
    request.query = std::move(in.query);
    request.body = std::move(in.body);
    request.headers.reserve(in.headers.size());
    for (auto& h : in.headers) request.headers.emplace_back(std::move(h.name), std::move(h.value));
    router_.submit(std::move(request), std::make_unique<http_sink>(std::move(out)));
  }

  // One worker is stuck in plugin code: another one takes its place.
  void replace_worker(runtime::work_kind kind) {
    switch (kind) {
      case runtime::work_kind::request: requests_.grow(); break;
      case runtime::work_kind::event:
      case runtime::work_kind::write: lanes_.grow(); break;
      case runtime::work_kind::job: jobs_.grow(); break;
    }
  }

  void tick() {
    std::unique_lock lock(tick_mutex_);
    while (!tick_wake_.wait_for(lock, tick_every, [this] { return ending_; })) {
      lock.unlock();
      plugins_->tick();
      watch_.tick();
      lock.lock();
    }
  }

  const topology::topology model_;
  host_options options_;
  observability::registry metrics_;
  observability::health checks_;
  std::unique_ptr<bus::bus> bus_;
  runtime::worker_pool lanes_;
  runtime::request_pool requests_;
  runtime::request_pool jobs_;
  runtime::request_pool callbacks_;
  runtime::dispatcher router_;
  runtime::work_watch watch_;
  std::unique_ptr<lifecycle::plugin_set> plugins_;
  std::unique_ptr<admin::operations> admin_;
  std::unique_ptr<http::endpoint> endpoint_;
  std::unique_ptr<http::endpoint> admin_endpoint_;  // null: endpoint_ answers operations
  std::string address_;
  std::thread ticker_;
  std::mutex tick_mutex_;
  std::condition_variable tick_wake_;
  bool ending_ = false;  // guarded by tick_mutex_
  bool stopped_ = false;
  bool stuck_ = false;  // a thread is inside plugin code and does not come back
};

}  // namespace

result<std::unique_ptr<host_process>> host_process::start(const topology::topology& model, const host_options& options) {
  auto host = std::make_unique<local_host>(model, options);
  if (auto done = host->open(); !done) return done.failure();
  return std::unique_ptr<host_process>(std::move(host));
}

}  // namespace gantry::app
