#include "app/host_process.hpp"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "admin/operations.hpp"
#include "app/buses.hpp"
#include "app/callers.hpp"
#include "app/elsewhere.hpp"
#include "app/endpoints.hpp"
#include "app/former_life.hpp"
#include "app/isolated_plugin.hpp"
#include "app/process_metrics.hpp"
#include "app/stores.hpp"
#include "lifecycle/loading.hpp"
#include "observability/health.hpp"
#include "observability/log.hpp"
#include "observability/metrics.hpp"
#include "supervisor/quarantine.hpp"

namespace gantry::app {
namespace {

constexpr auto tick_every = std::chrono::milliseconds(20);
constexpr int ticks_a_second = 50;
constexpr auto least_for_isolated = std::chrono::seconds(1);
constexpr std::string_view its_plugins_start = "its plugins are starting";
constexpr std::size_t job_threads = 4;
constexpr std::size_t callback_threads = 2;

class local_host final : public host_process {
 public:
  local_host(const topology::topology& model, host_options options)
      : options_(std::move(options)),
        process_(topology::split_process(options_.host)),
        whole_(options_.topology_text.empty() ? nullptr : std::make_shared<const topology::topology>(model)),
        model_(topology::expand_isolation(model, process_.host, options_.family.inner)),
        lanes_(workers(options_.lane_workers, 3), "lane"),
        requests_(workers(options_.request_workers, 2), static_cast<std::size_t>(*model_.limits.requests), "request"),
        jobs_(job_threads, 65'536, "job"),
        callbacks_(callback_threads, 1024, "callback"),
        router_(requests_, callbacks_, system_clock(), model_.limits.deadline->count()),
        watch_(system_clock(), *box_, [this](runtime::work_kind kind) { replace_worker(kind); }) {}

  ~local_host() override { drain_and_stop(std::chrono::seconds(30)); }

  result<void> open() {
    if (auto done = pick_host(); !done) return done;
    if (auto done = check_isolation(); !done) return done;
    // First, so that others learn why the host is not ready yet, and a port that is taken is found before any file is
    // open.
    watch_process(metrics_, own_series_, process_.plugin);
    checks_.add(observability::health_kind::live, "process", [] { return result<void>(); });
    checks_.add(observability::health_kind::ready, "start", [this] { return start_health(); });
    if (options_.serve_http)
      if (auto done = endpoints_.open(known_callers(model_, options_.host)); !done) return done;
    auto opened = former_.once_free([this] {
      return app::open_bus(model_, options_.host, metrics_,
                           [this](std::string_view reason) { return goes_on(reason); });
    });
    if (!opened) return opened.failure();
    bus_ = std::move(opened->events);
    shared_bus_ = std::move(opened->shared);
    goes_on(its_plugins_start);
    if (auto done = open_elsewhere(); !done) return done;
    if (auto done = open_isolated(); !done) return done;
    lifecycle::host_parts parts;
    parts.model = &model_;
    parts.host_name = options_.host;
    parts.home = process_.host;
    parts.events = bus_.get();
    parts.lanes = &lanes_;
    parts.jobs = &jobs_;
    parts.router = &router_;
    parts.watch = &watch_;
    parts.deadly = &options_.deadly;
    parts.swapped = [this](const std::string& plugin) { end_quarantine(plugin); };
    parts.metrics = &metrics_;
    parts.checks = &checks_;
    parts.time = &system_clock();
    parts.open_store = [this](const topology::topology& model, const std::string& plugin) {
      return former_.once_free([&] { return open_store(model, plugin); });
    };
    parts.bus_is_away = [this](std::string_view reason) {
      return reason.empty() ? goes_on(its_plugins_start) : goes_on("waits for the bus: " + std::string(reason));
    };
    if (!isolated_.empty()) parts.add_apart = [this](runtime::route_table& table) { add_isolated(table); };
    plugins_ = std::make_unique<lifecycle::plugin_set>(std::move(parts));
    checks_.add(observability::health_kind::ready, "bus", [this] { return bus_->health(); });
    admin_ = std::make_unique<admin::operations>(model_, *plugins_, *bus_, metrics_, checks_, options_.host,
                                                 isolated_.empty() ? nullptr : &others_, what_changes());
    watch_quarantine();
    if (auto done = plugins_->start(); !done) return done;
    for (auto& one : isolated_) watch_isolated(*one);
    ticker_ = std::thread([this] { tick(); });
    checks_.remove(observability::health_kind::ready, "start");
    // Only now: who asks before would see half a host.
    endpoints_.serve(*admin_, *plugins_, *bus_);
    // Loading leaves large free blocks behind that the host will not need again.
    malloc_trim(0);
    return {};
  }

  std::string address() const override { return endpoints_.address(); }
  lifecycle::plugin_set& plugins() override { return *plugins_; }
  runtime::dispatcher& router() override { return router_; }
  bus::bus& events() override { return *bus_; }
  admin::changes& changes() override { return admin_->own_changes(); }

  bool drain_and_stop(std::chrono::milliseconds at_most) override {
    if (stopped_) return !stuck_;
    stopped_ = true;
    bool all = true;  // that plugins had to do has ended
    const auto until = std::chrono::steady_clock::now() + at_most;
    endpoints_.stop_accepting();
    if (admin_) admin_->end_swaps();
    endpoints_.end_exchanges(until);
    if (plugins_) {
      const auto left = std::max(std::chrono::steady_clock::duration::zero(), until - std::chrono::steady_clock::now());
      all = plugins_->drain(std::chrono::duration_cast<std::chrono::milliseconds>(left));
    }
    if (all) endpoints_.end_exchanges(until);  // whose answers came meanwhile
    // A start that has failed is tried again: who waits for this process goes on with the next one.
    if (all && (endpoints_.serving() || is_asked_to_end())) end_isolated(until);
    for (auto& one : isolated_) one->stop();
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
    endpoints_.stop();
    // The operations and the endpoints' series look at them.
    metrics_.remove_owner(own_series_);
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
    shared_bus_.reset();
    bus_.reset();
    return all;
  }

 private:
  // Last of what works here, for requests of this process may have called them, and before the bus goes, which they
  // still write to. They get what is left of the time, and a moment when nothing is. What overruns is the supervisor's
  // to end.
  void end_isolated(std::chrono::steady_clock::time_point until) {
    until = std::max(until, std::chrono::steady_clock::now() + least_for_isolated);
    const auto gone = [](const auto& one) { return one->has_ended(); };
    for (auto now = std::chrono::steady_clock::now(); now < until; now = std::chrono::steady_clock::now()) {
      // It ends a little before we give it up.
      const auto within = std::chrono::duration_cast<std::chrono::milliseconds>((until - now) * 9 / 10);
      for (auto& one : isolated_) one->end(within);
      if (std::ranges::all_of(isolated_, gone)) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  static std::size_t workers(std::size_t asked, std::size_t beside) {
    if (asked != 0) return asked;
    // Lanes sleep in fsync: more of them than processors keep the processors busy.
    return std::max<std::size_t>(std::thread::hardware_concurrency(), 1) + beside;
  }

  result<void> pick_host() {
    if (options_.host.empty()) {
      if (model_.hosts.size() != 1)
        return error{errc::invalid,
                     "the topology has " + std::to_string(model_.hosts.size()) + " hosts: say which one with --host"};
      options_.host = model_.hosts.begin()->first;
      process_.host = options_.host;
    }
    if (model_.hosts.contains(options_.host)) return {};
    std::string known;
    for (const auto& [name, settings] : model_.hosts) known += (known.empty() ? "" : ", ") + name;
    return error{errc::not_found, "host " + options_.host + " is not in the topology; it has " + known};
  }

  // A plugin that is to run apart never runs here instead.
  result<void> check_isolation() const {
    for (const auto& plugin : topology::isolated_on(model_, options_.host, {}))
      if (!is_isolated())
        return error{errc::unsupported, "plugins." + plugin + ".isolation is process, which `gantry run` has to look " +
                                            "after: run it without --no-supervisor"};
    return {};
  }

  // Whether this process runs one isolated plugin and nothing else.
  bool is_isolated() const noexcept { return !process_.plugin.empty(); }

  // The plugins of this host that run in other processes; there are none in those.
  result<void> open_isolated() {
    if (is_isolated()) return {};
    auto made = isolated_plugins_of(model_, process_.host, options_.family, metrics_, system_clock());
    if (!made) return made.failure();
    isolated_ = std::move(*made);
    return {};
  }

  void add_isolated(runtime::route_table& table) const {
    for (const auto& one : isolated_)
      if (auto done = table.add(one, one->routes()); !done)
        observability::log_error("Routes could not be added.", {{"plugin", one->id()}, {"error", done.failure().text}});
  }

  void watch_isolated(isolated_plugin& one) {
    // Who is there in quarantine may die again: the host does what it can without.
    const bool vital = confined_.now().find(one.id()) == nullptr;
    checks_.add(
        observability::health_kind::ready, one.id(), [&one] { return one.health(); }, vital);
    one.watch([this] { plugins_->publish_routes(); });
  }

  // Its code is another one now.
  void end_quarantine(const std::string& plugin) {
    const auto done = supervisor::change_quarantine(supervisor::quarantine_path(*model_.state, process_.host),
                                                    [&](supervisor::quarantine& all) { return all.release(plugin); });
    if (!done)
      observability::log_error("A quarantine could not be ended.",
                               {{"plugin", plugin}, {"error", done.failure().text}});
  }

  void watch_quarantine() {
    if (is_isolated()) return;
    // Who comes to be there is there from this process's start on.
    if (!confined_.now().plugins.empty()) {
      checks_.add(
          observability::health_kind::ready, "quarantine",
          [this]() -> result<void> {
            std::string names;
            for (const auto& p : confined_.now().plugins) names += (names.empty() ? "" : ", ") + p.plugin;
            if (names.empty()) return {};
            return error{errc::unavailable, "run apart because the host died in their code: " + names};
          },
          false);
    }
    for (const auto& [id, plugin] : model_.plugins) {
      const auto done = metrics_.watch(
          observability::metric_type::gauge, "gantry_quarantined",
          "1: the plugin runs apart because the host died in its code.", {{"plugin", id}},
          [this, plugin = id] { return confined_.now().find(plugin) != nullptr ? 1.0 : 0.0; }, own_series_);
      if (!done) observability::log_warn("A metric could not be added.", {{"error", done.failure().text}});
    }
  }

  // Says why the host is not ready yet. False: it was asked to end.
  bool goes_on(std::string_view reason) {
    const std::lock_guard lock(start_mutex_);
    starting_ = reason;
    return !is_asked_to_end();
  }

  bool is_asked_to_end() const { return options_.asked_to_end && options_.asked_to_end(); }

  result<void> start_health() {
    const std::lock_guard lock(start_mutex_);
    return error{errc::unavailable, "the host is starting: " + starting_};
  }

  // Calls to plugins that other hosts run.
  result<void> open_elsewhere() {
    const auto callers = workers(options_.request_workers, 2) + job_threads + callback_threads +
                         model_.plugins.size() * runtime::request_pool::reserved_workers;
    elsewhere_ = call::make_remote_calls(remote_options_of(model_, options_.host, callers), system_clock());
    if (auto done = place(model_); !done) return done;
    router_.elsewhere(*elsewhere_);
    return {};
  }

  // Calls to plugins go where this topology says that they run.
  result<void> place(const topology::topology& model) {
    const auto where = placed_elsewhere(model, options_.host, options_.family);
    if (auto done = elsewhere_->place(where); !done)
      return error{done.failure().code, "calls to other hosts: " + done.failure().text};
    for (const auto& [plugin, hosts] : where)
      for (const auto& host : hosts)
        if (watched_hosts_.emplace(plugin, host.name).second) watch_host(plugin, host.name);
    return {};
  }

  admin::change_parts what_changes() {
    admin::change_parts out;
    out.home = process_.host;
    out.file = options_.topology_file;
    out.text = options_.topology_text;
    out.model = whole_;
    out.keeps = !is_isolated();
    out.others = isolated_.empty() ? nullptr : &others_;
    out.as_process = [this](const topology::topology& model) {
      return topology::expand_isolation(model, process_.host, options_.family.inner);
    };
    out.place = [this](const topology::topology& model) { return place(model); };
    out.restart = options_.restart;
    return out;
  }

  void watch_host(const std::string& plugin, const std::string& host) {
    const auto gauge = [&](const char* name, const char* help, auto read) {
      const auto done = metrics_.watch(
          observability::metric_type::gauge, name, help, {{"callee", plugin}, {"host", host}},
          [this, plugin, host, read]() -> double {
            for (const auto& one : elsewhere_->figures())
              if (one.plugin == plugin && one.host == host) return read(one);
            return 0;
          },
          own_series_);
      if (!done)
        observability::log_warn("A metric could not be added.", {{"metric", name}, {"error", done.failure().text}});
    };
    gauge("gantry_remote_breaker_open", "1: no call of this plugin goes to that host, after repeated failures.",
          [](const call::remote_figures& f) { return f.breaker_open ? 1.0 : 0.0; });
    gauge("gantry_remote_host_paused", "1: calls of this plugin go to other hosts while there are any.",
          [](const call::remote_figures& f) { return f.paused ? 1.0 : 0.0; });
    gauge("gantry_remote_connections", "Connections to that host, those for all its plugins.",
          [](const call::remote_figures& f) { return static_cast<double>(f.open); });
  }

  // One worker is stuck in plugin code: another one takes its place.
  void replace_worker(runtime::work_kind kind) {
    switch (kind) {
      case runtime::work_kind::request:
        requests_.grow();
        break;
      case runtime::work_kind::event:
      case runtime::work_kind::write:
        lanes_.grow();
        break;
      case runtime::work_kind::job:
        jobs_.grow();
        break;
      case runtime::work_kind::none:
      case runtime::work_kind::other:
        break;
    }
  }

  void tick() {
    int ticks = 0;
    std::unique_lock lock(tick_mutex_);
    while (!tick_wake_.wait_for(lock, tick_every, [this] { return ending_; })) {
      lock.unlock();
      plugins_->tick();
      watch_.tick();
      if (++ticks % ticks_a_second == 0) {
        if (elsewhere_) elsewhere_->close_idle();
        for (const auto& one : isolated_) one->close_idle();
      }
      lock.lock();
    }
  }

  host_options options_;
  const former_life former_{options_.asked_to_end};
  topology::process_name process_;
  const std::shared_ptr<const topology::topology> whole_;  // as the file has it; null: nothing can be changed
  const topology::topology model_;
  supervisor::quarantine_view confined_{supervisor::quarantine_path(*model_.state, process_.host)};
  // Outlives all threads.
  const std::unique_ptr<blackbox::box> own_box_ = options_.box == nullptr ? blackbox::box::in_memory() : nullptr;
  blackbox::box* const box_ = options_.box == nullptr ? own_box_.get() : options_.box;
  observability::registry metrics_;
  observability::health checks_;
  observability::owner_id own_series_ = metrics_.new_owner();  // that ask what stops with the host
  std::unique_ptr<bus::bus> bus_;
  std::unique_ptr<bus::bus_server> shared_bus_;  // null: no other host uses our journal
  std::unique_ptr<call::remote_calls> elsewhere_;
  std::set<std::pair<std::string, std::string>> watched_hosts_;  // of plugins elsewhere; by whoever changes the host
  runtime::worker_pool lanes_;
  runtime::request_pool requests_;
  runtime::request_pool jobs_;
  runtime::request_pool callbacks_;
  runtime::dispatcher router_;
  runtime::work_watch watch_;
  std::vector<std::shared_ptr<isolated_plugin>> isolated_;
  isolated_operations others_{isolated_};
  std::unique_ptr<lifecycle::plugin_set> plugins_;
  std::unique_ptr<admin::operations> admin_;
  endpoints endpoints_{{model_, options_, process_, former_, router_, metrics_, own_series_, checks_}};
  std::mutex start_mutex_;
  std::string starting_ = "its bus is opened";  // why it is not ready yet; guarded by start_mutex_
  std::thread ticker_;
  std::mutex tick_mutex_;
  std::condition_variable tick_wake_;
  bool ending_ = false;  // guarded by tick_mutex_
  bool stopped_ = false;
  bool stuck_ = false;  // a thread is inside plugin code and does not come back
};

}  // namespace

result<std::unique_ptr<host_process>> host_process::start(const topology::topology& model,
                                                          const host_options& options) {
  auto host = std::make_unique<local_host>(model, options);
  if (auto done = host->open(); !done) return done.failure();
  return std::unique_ptr<host_process>(std::move(host));
}

}  // namespace gantry::app
