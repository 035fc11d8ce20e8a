#include "admin/operations.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/access.hpp"
#include "admin/dead_letters.hpp"
#include "admin/event_log.hpp"
#include "admin/events.hpp"
#include "admin/plugins.hpp"
#include "admin/quarantine.hpp"
#include "admin/question.hpp"
#include "admin/replay.hpp"
#include "admin/sagas.hpp"
#include "admin/scrapes.hpp"
#include "admin/swaps.hpp"
#include "admin/worker.hpp"
#include "base/uri.hpp"
#include "http/problem.hpp"
#include "http/url.hpp"
#include "topology/isolation.hpp"

namespace gantry::admin {
namespace {

constexpr std::size_t waiting_at_most = 64;
constexpr std::chrono::milliseconds lag_at_most{1000};  // a scrape waits for the bus
constexpr std::chrono::seconds apart_at_most{60};       // an operation, for another process

std::vector<std::string> tokens_of(const topology::topology& model, const std::string& host) {
  std::vector<std::string> out;
  for (const auto& [name, settings] : model.hosts)
    if ((host.empty() || name == host) && !settings.admin.token->empty()) out.push_back(*settings.admin.token);
  return out;
}

http::reply not_allowed(const std::string& method, const std::string& allowed) {
  auto out = http::problem(405, "method " + method + " has no meaning here: expected " + allowed);
  out.headers.push_back({"allow", allowed});
  return out;
}

// "dlq/*/*" against the segments behind /admin; what stands for a star is kept.
bool fits(std::string_view pattern, const std::vector<std::string>& segments, std::vector<std::string>& names) {
  names.clear();
  for (std::size_t i = 1;; ++i) {
    const auto part = pattern.substr(0, pattern.find('/'));
    if (i >= segments.size() || segments[i].empty() || (part != "*" && part != segments[i])) return false;
    if (part == "*") names.push_back(segments[i]);
    if (part.size() == pattern.size()) return i + 1 == segments.size();
    pattern.remove_prefix(part.size() + 1);
  }
}

}  // namespace

class operations::service {
 public:
  service(const topology::topology& model, lifecycle::plugin_set& plugins, bus::bus& bus,
          observability::registry& metrics, observability::health& checks, const std::string& host, apart* others,
          change_parts changed_by)
      : model_(model),
        plugins_(plugins),
        bus_(bus),
        checks_(checks),
        others_(others),
        apart_series_(others == nullptr ? std::nullopt : std::optional<apart_series>(std::in_place, *others)),
        isolated_(!topology::split_process(host).plugin.empty()),
        home_(topology::split_process(host).host),
        restart_(changed_by.restart),
        access_(tokens_of(model, host)),
        log_(
            bus, [&plugins]() -> const runtime::topic_directory& { return plugins.topics(); }, stopping_),
        scrapes_(
            metrics, [&plugins] { static_cast<void>(plugins.measure_lags()); }, lag_at_most,
            [this](std::string& text) { complete(text); }),
        swaps_(plugins, *model.state, topology::split_process(host).host),
        changes_(plugins, std::move(changed_by)),
        worker_(waiting_at_most, stopping_) {
    if (others == nullptr) return;
    lists_.emplace(waiting_at_most, stopping_);
    for (const auto& plugin : others->plugins())
      apart_workers_.emplace(plugin, std::make_unique<worker>(waiting_at_most, stopping_));
  }

  void end_swaps() {
    swaps_.end();
    changes_.end();
  }

  changes& own_changes() noexcept { return changes_; }

  void answer(http::request&& in, http::responder&& out) {
    if (in.target == "/admin" || in.target.starts_with("/admin/")) {
      admin(in, std::move(out));
    } else if (in.target != "/health/live" && in.target != "/health/ready" && in.target != "/metrics") {
      out.send(http::problem(404, "no such operation: " + in.target));
    } else if (in.method != "GET" && in.method != "HEAD") {
      out.send(not_allowed(in.method, "GET, HEAD"));
    } else if (in.target == "/metrics") {
      scrapes_.answer(std::move(out));
    } else {
      using observability::health_kind;
      auto report = checks_.report(in.target == "/health/live" ? health_kind::live : health_kind::ready);
      out.send({report.ok ? 200 : 503, {{"content-type", "application/json"}}, std::move(report.body)});
    }
  }

 private:
  struct route {
    std::string_view method;
    std::string_view pattern;  // with `of_plugin` the first star is a plugin
    bool of_plugin;
    bool of_all;  // it waits for the processes of all plugins that run apart
    void (*run)(service&, const question&, http::responder&&);
  };

  static const std::array<route, 20> routes;

  void admin(http::request& in, http::responder&& out) {
    if (auto refusal = access_.refuse(in)) {
      out.send(std::move(*refusal));
      return;
    }
    const auto path = http::parse_path(in.target);
    auto query = parse_query(in.query);
    if (!path || !query) {
      out.send(http::problem(400, path ? query.failure().text : path.failure().text));
      return;
    }
    auto asked = std::make_shared<waiting>();
    asked->what.query = std::move(*query);
    std::string allowed;
    for (const auto& at : routes) {
      if (!fits(at.pattern, path->segments, asked->what.names)) continue;
      if (in.method == at.method || (in.method == "HEAD" && at.method == "GET")) {
        asked->what.body = std::move(in.body);
        asked->out = std::move(out);
        if (const auto plugin = apart_of(at, asked->what); !plugin.empty())
          submit_apart(plugin, in, asked);
        else
          submit(at, asked);
        return;
      }
      if (!allowed.empty()) allowed += ", ";
      allowed += at.method == "GET" ? "GET, HEAD" : "POST";
    }
    out.send(allowed.empty() ? http::problem(404, "no such operation: " + in.target) : not_allowed(in.method, allowed));
  }

  struct waiting {
    question what;
    http::responder out;
    waiting() = default;
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;
    ~waiting() {
      out.send(http::problem(503, "the operation was given up: the host is stopping, or its log says why"));
    }
  };

  // The plugin that is asked and does not run in this process. Empty: it does, or none is meant.
  std::string apart_of(const route& to, const question& what) const {
    if (others_ == nullptr) return {};
    const std::string named = to.of_plugin ? what.names[0] : std::string(what.asked("plugin"));
    const auto all = others_->plugins();
    return std::ranges::find(all, named) == all.end() ? std::string() : named;
  }

  void submit(const route& to, const std::shared_ptr<waiting>& asked) {
    auto& by = to.of_all && lists_ ? *lists_ : worker_;
    if (by.submit([this, run = to.run, asked] {
          if (asked->out.wanted()) run(*this, asked->what, std::move(asked->out));
        }))
      return;
    refuse_busy(*asked);
  }

  // On the plugin's own thread: what waits for one process keeps nothing else waiting.
  void submit_apart(const std::string& plugin, const http::request& in, const std::shared_ptr<waiting>& asked) {
    const auto target = in.query.empty() ? in.target : in.target + "?" + in.query;
    if (apart_workers_.at(plugin)->submit([this, plugin, method = in.method, target, asked] {
          if (!asked->out.wanted()) return;
          auto reply = others_->ask(plugin, method, target, apart_at_most, {});
          asked->out.send(reply ? std::move(*reply) : http::problem(503, plugin + ": " + reply.failure().text));
        }))
      return;
    refuse_busy(*asked);
  }

  // The series of plugins that run apart.
  void complete(std::string& text) {
    if (apart_series_) apart_series_->complete(text, lag_at_most * 2);
  }

  static void refuse_busy(waiting& asked) {
    auto busy = http::problem(503, "too many operations wait for an answer");
    busy.headers.push_back({"retry-after", "1"});
    asked.out.send(std::move(busy));
  }

  const topology::topology& model_;
  lifecycle::plugin_set& plugins_;
  bus::bus& bus_;
  observability::health& checks_;
  apart* const others_;  // null: all plugins of this host run here
  std::optional<apart_series> apart_series_;
  const bool isolated_;  // this process runs one plugin, apart from its host
  const std::string home_;
  const std::function<void()> restart_;
  const access access_;
  std::atomic<bool> stopping_{false};
  event_log log_;
  scrapes scrapes_;
  swaps swaps_;
  changes changes_;
  worker worker_;  // these last: they use what stands above
  std::optional<worker> lists_;
  std::map<std::string, std::unique_ptr<worker>> apart_workers_;  // by plugin
};

const std::array<operations::service::route, 20> operations::service::routes = {{
    {"GET", "plugins", false, true,
     [](service& s, const question&, http::responder&& out) {
       out.send(plugins(s.plugins_, s.isolated_, s.others_, &s.model_, s.home_));
     }},
    {"GET", "topics", false, true,
     [](service& s, const question&, http::responder&& out) {
       out.send(topics(s.log_, s.plugins_, s.model_, s.others_));
     }},
    {"GET", "lags", false, false,
     [](service& s, const question&, http::responder&& out) { out.send(lags(s.plugins_)); }},
    {"GET", "events", false, false,
     [](service& s, const question& q, http::responder&& out) { out.send(events(s.log_, q)); }},
    {"GET", "trace/*", false, false,
     [](service& s, const question& q, http::responder&& out) { out.send(trace(s.log_, q)); }},
    {"GET", "sagas/*", false, true,
     [](service& s, const question& q, http::responder&& out) { out.send(saga(s.plugins_, q, s.others_)); }},
    {"GET", "dlq", false, true,
     [](service& s, const question& q, http::responder&& out) { out.send(dead_letters(s.plugins_, q, s.others_)); }},
    {"GET", "dlq/*/*", true, false,
     [](service& s, const question& q, http::responder&& out) { out.send(dead_letter(s.plugins_, q)); }},
    {"POST", "dlq/*/*/replay", true, false,
     [](service& s, const question& q, http::responder&& out) { replay_dead_letter(s.plugins_, q, std::move(out)); }},
    {"POST", "dlq/*/*/discard", true, false,
     [](service& s, const question& q, http::responder&& out) { discard_dead_letter(s.plugins_, q, std::move(out)); }},
    {"GET", "swap/*", true, false,
     [](service& s, const question& q, http::responder&& out) { out.send(s.swaps_.progress(q)); }},
    {"POST", "swap/*", true, false,
     [](service& s, const question& q, http::responder&& out) { out.send(s.swaps_.begin(q)); }},
    {"GET", "quarantine", false, false,
     [](service& s, const question&, http::responder&& out) { out.send(quarantine(s.model_, s.home_)); }},
    {"POST", "quarantine/*/release", false, false,
     [](service& s, const question& q, http::responder&& out) { out.send(release(s.model_, s.home_, q, s.restart_)); }},
    {"GET", "topology", false, false,
     [](service& s, const question&, http::responder&& out) { out.send(s.changes_.topology()); }},
    {"GET", "running", false, false,
     [](service& s, const question&, http::responder&& out) { out.send(s.changes_.files()); }},
    {"POST", "plan", false, false,
     [](service& s, const question& q, http::responder&& out) { out.send(s.changes_.plan(q)); }},
    {"POST", "step/*/*", false, false,
     [](service& s, const question& q, http::responder&& out) { out.send(s.changes_.begin(q)); }},
    {"GET", "step", false, false,
     [](service& s, const question& q, http::responder&& out) { out.send(s.changes_.progress(q)); }},
    {"POST", "replay/*/*", true, false,
     [](service& s, const question& q,
        http::responder&& out) { replay_topic(s.plugins_, s.bus_.id(), q, std::move(out)); }},
}};

operations::operations(const topology::topology& model, lifecycle::plugin_set& plugins, bus::bus& bus,
                       observability::registry& metrics, observability::health& checks, const std::string& host,
                       apart* others, change_parts changed_by)
    : service_(std::make_unique<service>(model, plugins, bus, metrics, checks, host, others, std::move(changed_by))) {}

operations::~operations() = default;

void operations::end_swaps() { service_->end_swaps(); }

changes& operations::own_changes() noexcept { return service_->own_changes(); }

bool operations::serves(std::string_view path) const noexcept {
  return path.starts_with("/health/") || path == "/metrics" || path == "/admin" || path.starts_with("/admin/");
}

void operations::answer(http::request&& in, http::responder&& out) { service_->answer(std::move(in), std::move(out)); }

}  // namespace gantry::admin
