#include "app/host_process.hpp"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "admin/access.hpp"
#include "admin/operations.hpp"
#include "app/buses.hpp"
#include "app/callers.hpp"
#include "app/elsewhere.hpp"
#include "app/isolated_plugin.hpp"
#include "app/process_metrics.hpp"
#include "app/process_state.hpp"
#include "app/stores.hpp"
#include "http/endpoint.hpp"
#include "http/problem.hpp"
#include "lifecycle/loading.hpp"
#include "observability/health.hpp"
#include "observability/log.hpp"
#include "observability/metrics.hpp"
#include "supervisor/quarantine.hpp"
#include "topology/address.hpp"

namespace gantry::app {
namespace {

constexpr auto tick_every = std::chrono::milliseconds(20);
constexpr int ticks_a_second = 50;
constexpr auto last_moments = std::chrono::seconds(2);
constexpr auto between_attempts = std::chrono::milliseconds(5);
constexpr auto least_for_isolated = std::chrono::seconds(1);
constexpr auto patience_with_processes = std::chrono::seconds(5);
constexpr std::size_t job_threads = 4;
constexpr std::size_t callback_threads = 2;

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

// Of "within_ms=1500"; without it there is no bound.
std::chrono::milliseconds within_of(std::string_view query) {
  constexpr std::string_view name = "within_ms=";
  std::int64_t out = std::chrono::milliseconds::max().count();
  if (query.starts_with(name)) std::from_chars(query.data() + name.size(), query.data() + query.size(), out);
  return std::chrono::milliseconds(out);
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
      if (auto done = open_endpoints(); !done) return done;
    auto opened = once_free([this] {
      return app::open_bus(model_, options_.host, metrics_,
                           [this](std::string_view reason) { return goes_on(reason); });
    });
    if (!opened) return opened.failure();
    bus_ = std::move(opened->events);
    shared_bus_ = std::move(opened->shared);
    goes_on("its plugins are starting");
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
      return once_free([&] { return open_store(model, plugin); });
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
    open_.store(true, std::memory_order_release);
    // Loading leaves large free blocks behind that the host will not need again.
    malloc_trim(0);
    return {};
  }

  std::string address() const override { return address_; }
  lifecycle::plugin_set& plugins() override { return *plugins_; }
  runtime::dispatcher& router() override { return router_; }
  bus::bus& events() override { return *bus_; }
  admin::changes& changes() override { return admin_->own_changes(); }

  bool drain_and_stop(std::chrono::milliseconds at_most) override {
    if (stopped_) return !stuck_;
    stopped_ = true;
    bool all = true;  // that plugins had to do has ended
    const auto until = std::chrono::steady_clock::now() + at_most;
    if (endpoint_) endpoint_->stop_accepting();
    if (admin_) admin_->end_swaps();
    end_exchanges(until);
    if (plugins_) {
      const auto left = std::max(std::chrono::steady_clock::duration::zero(), until - std::chrono::steady_clock::now());
      all = plugins_->drain(std::chrono::duration_cast<std::chrono::milliseconds>(left));
    }
    if (all) end_exchanges(until);  // whose answers came meanwhile
    // A start that has failed is tried again: who waits for this process goes on with the next one.
    if (all && (open_ || is_asked_to_end())) end_isolated(until);
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
    if (endpoint_) endpoint_->stop();
    if (admin_endpoint_) admin_endpoint_->stop();
    if (inner_endpoint_) inner_endpoint_->stop();
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
  // Exchanges get half of the time that is left: what is cut off then waits for its client, who must not decide how the
  // host ends. Those that wait for a plugin go on; they are its work.
  void end_exchanges(std::chrono::steady_clock::time_point until) {
    if (!endpoint_) return;
    const auto now = std::chrono::steady_clock::now();
    const auto half = now + (until - now) / 2;
    while (!endpoint_->in_progress().none() && std::chrono::steady_clock::now() < half)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (const auto left = endpoint_->in_progress(); left.with_client != 0)
      observability::log_warn("Clients that did not finish their request, or did not read the reply, are cut off.",
                              {{"connections", std::to_string(left.with_client)}});
    endpoint_->hang_up();
  }

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
    if (model_.hosts.contains(options_.host)) {
      callers_.emplace(model_, options_.host);
      return {};
    }
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

  // What a process that has just been killed had open is free a moment later: until this one has been there for as long
  // as that may take, it is asked for again.
  template <typename Open>
  auto once_free(const Open& open) const -> decltype(open()) {
    for (;;) {
      auto out = open();
      if (out || out.failure().code != errc::conflict || std::chrono::steady_clock::now() >= free_by_ ||
          is_asked_to_end())
        return out;
      std::this_thread::sleep_for(between_attempts);
    }
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
    for (const auto& one : isolated_) out.apart.insert(one->id());
    out.ask_apart = [this](const std::string& plugin, const std::string& method, const std::string& target,
                           const std::string& body) -> result<http::reply> {
      for (const auto& one : isolated_)
        if (one->id() == plugin) return one->ask(method, target, patience_with_processes, body);
      return error{errc::not_found, "plugin " + plugin + " has no process of its own here"};
    };
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

  result<void> open_endpoints() {
    if (auto done = open_inner(); !done || is_isolated()) return done;
    const auto& settings = model_.hosts.at(options_.host);
    const bool apart = settings.admin.address.given;
    auto at = split_address(*settings.http);
    if (!at) return at.failure();
    if (apart) {
      auto opened = open_endpoint(*settings.admin.address, is_loopback_address(*settings.admin.address),
                                  [this](http::request&& in, http::responder&& out) {
                                    if (is_early(in, out)) return;
                                    if (admin_->serves(in.target)) {
                                      admin_->answer(std::move(in), std::move(out));
                                    } else {
                                      out.send(http::problem(404, "operations alone are answered at this address"));
                                    }
                                  });
      if (!opened) return opened.failure();
      admin_endpoint_ = std::move(*opened);
    }
    const auto address =
        options_.override_port ? at->first + ":" + std::to_string(options_.port_override) : *settings.http;
    auto opened = open_endpoint(address, false, [this, apart](http::request&& in, http::responder&& out) {
      if (is_early(in, out)) return;
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
    if (settings.tls.given) watch_certificate();
    return {};
  }

  // Where the processes of this host reach each other. That of an isolated plugin has no other endpoint.
  result<void> open_inner() {
    const auto at = options_.family.inner.find(options_.host);
    if (at == options_.family.inner.end()) return {};
    auto opened = open_endpoint(
        at->second, true,
        [this](http::request&& in, http::responder&& out) { serve_inner(std::move(in), std::move(out)); }, true);
    if (!opened) return opened.failure();
    if (!is_isolated()) {
      inner_endpoint_ = std::move(*opened);
      return {};
    }
    endpoint_ = std::move(*opened);
    address_ = at->second;
    return {};
  }

  // What other processes of this host ask. Nobody else knows the key.
  void serve_inner(http::request&& in, http::responder&& out) {
    if (!admin::same_text(http::find_header(in.headers, "gantry-inner-key"), options_.family.key)) {
      out.send(http::problem(403, "this address is for the processes of host " + process_.host + " alone"));
    } else if (in.target == "/inner/end") {
      out.send({200, {{"content-type", "text/plain"}}, std::to_string(getpid())});
      if (options_.end) options_.end(within_of(in.query));
    } else if (is_early(in, out)) {
      return;
    } else if (in.target == "/inner/state") {
      out.send({200, {{"content-type", "text/plain"}}, to_text(state_of_process(*plugins_, *bus_))});
    } else if (is_isolated() && admin_->serves(in.target)) {
      admin_->answer(std::move(in), std::move(out));
    } else {
      const std::string caller(http::find_header(in.headers, "gantry-caller"));
      const bool is_call = !caller.empty() || !http::find_header(in.headers, "gantry-call").empty();
      submit(std::move(in), std::move(out), is_call, caller);
    }
  }

  // `plain`: without TLS in any case. Operations at an address of this machine alone need no certificate.
  result<std::unique_ptr<http::endpoint>> open_endpoint(const std::string& address, bool plain, http::handler serve,
                                                        bool inner = false) const {
    auto at = split_address(address);
    if (!at) return at.failure();
    http::endpoint_options o;
    o.address = at->first;
    o.port = at->second;
    o.max_body = *model_.limits.body;
    o.max_headers = *model_.limits.headers;
    o.reserved = inner;
    // What the host's own process adds.
    if (inner) o.max_headers += 4 * 1024;
    const auto& settings = model_.hosts.at(options_.host);
    if (settings.tls.given && !plain) o.tls = tls_of(settings.tls);
    return once_free([&] { return http::open_endpoint(o, serve); });
  }

  static bool is_loopback_address(const std::string& address) {
    const auto at = topology::parse_address(address);
    return at && topology::is_loopback(*at);
  }

  static http::endpoint_tls tls_of(const topology::tls_settings& settings) {
    http::endpoint_tls out;
    out.cert = *settings.cert;
    out.key = *settings.key;
    out.ca = *settings.ca;
    out.warn = [](std::string_view text) {
      observability::log_warn("The endpoint's certificate needs care.", {{"text", text}});
    };
    out.refused = [](std::string_view remote, std::string_view reason) {
      observability::log_info("A client did not get through its TLS handshake.",
                              {{"client", remote}, {"reason", reason}});
    };
    return out;
  }

  void watch_certificate() {
    using observability::metric_type;
    const auto series = [this](metric_type type, const char* name, const char* help, auto read) {
      const auto done = metrics_.watch(
          type, name, help, {}, [this, read] { return static_cast<double>(read(endpoint_->tls())); }, own_series_);
      if (!done)
        observability::log_warn("A metric could not be added.", {{"metric", name}, {"error", done.failure().text}});
    };
    series(metric_type::counter, "gantry_tls_handshakes_total", "TLS handshakes with clients.",
           [](const http::tls_figures& f) { return f.accepted; });
    series(metric_type::counter, "gantry_tls_refusals_total", "TLS handshakes that failed.",
           [](const http::tls_figures& f) { return f.refused; });
    series(metric_type::gauge, "gantry_tls_certificate_until_seconds",
           "When the certificate expires, in seconds since 1970.",
           [](const http::tls_figures& f) { return f.certificate_until; });
  }

  // While the host starts, only its health and metrics are answered.
  bool is_early(const http::request& in, http::responder& out) {
    if (open_.load(std::memory_order_acquire)) return false;
    using observability::health_kind;
    if (in.target == "/health/live" || in.target == "/health/ready") {
      auto report = checks_.report(in.target == "/health/live" ? health_kind::live : health_kind::ready);
      out.send({report.ok ? 200 : 503, {{"content-type", "application/json"}}, std::move(report.body)});
    } else if (in.target == "/metrics") {
      out.send({200, {{"content-type", std::string(observability::exposition_type)}}, metrics_.exposition()});
    } else {
      auto answer = http::problem(503, "the host is starting");
      answer.headers.push_back({"retry-after", "1"});
      answer.headers.push_back({"gantry-starting", "1"});
      out.send(std::move(answer));
    }
    return true;
  }

  // To the plugin that has the route.
  void pass_on(http::request&& in, http::responder&& out) {
    const auto from = callers_->of(http::find_header(in.headers, "gantry-caller"), in.peer);
    submit(std::move(in), std::move(out), from.is_call, std::string(from.caller));
  }

  void submit(http::request&& in, http::responder&& out, bool is_call, std::string caller) {
    runtime::inbound request;
    request.is_call = is_call;
    request.caller = std::move(caller);
    request.method = std::move(in.method);
    request.path = std::move(in.target);
    request.query = std::move(in.query);
    request.body = std::move(in.body);
    request.headers.reserve(in.headers.size());
    for (auto& h : in.headers) {
      // Who calls is said by gantry_request's caller, where it is proven: what anybody can write is not handed on.
      if (h.name != "gantry-caller" && h.name != "gantry-call" && h.name != "gantry-inner-key")
        request.headers.emplace_back(std::move(h.name), std::move(h.value));
    }
    router_.submit(std::move(request), std::make_unique<http_sink>(std::move(out)));
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
  const std::chrono::steady_clock::time_point free_by_ = std::chrono::steady_clock::now() + last_moments;
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
  std::optional<known_callers> callers_;
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
  std::unique_ptr<http::endpoint> endpoint_;
  std::unique_ptr<http::endpoint> inner_endpoint_;  // null: this host is one process, or endpoint_ is the inner one
  std::unique_ptr<http::endpoint> admin_endpoint_;  // null: endpoint_ answers operations
  std::string address_;
  std::atomic<bool> open_{false};  // everything is in place
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
