#include "admin/operations.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "admin/access.hpp"
#include "admin/dead_letters.hpp"
#include "admin/event_log.hpp"
#include "admin/events.hpp"
#include "admin/plugins.hpp"
#include "admin/question.hpp"
#include "admin/replay.hpp"
#include "admin/sagas.hpp"
#include "admin/scrapes.hpp"
#include "admin/swaps.hpp"
#include "admin/worker.hpp"
#include "base/uri.hpp"
#include "http/url.hpp"
#include "http/problem.hpp"

namespace gantry::admin {
namespace {

constexpr std::size_t waiting_at_most = 64;
constexpr std::chrono::milliseconds lag_at_most{1000};  // a scrape waits for the bus

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
          observability::registry& metrics, observability::health& checks, const std::string& host)
      : model_(model),
        plugins_(plugins),
        bus_(bus),
        checks_(checks),
        access_(tokens_of(model, host)),
        log_(bus, plugins.topics(), stopping_),
        scrapes_(metrics, [&plugins] { static_cast<void>(plugins.measure_lags()); }, lag_at_most),
        swaps_(plugins, *model.state, host),
        worker_(waiting_at_most, stopping_) {}

  void end_swaps() { swaps_.end(); }

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
    std::string_view pattern;
    void (*run)(service&, const question&, http::responder&&);
  };

  static const std::array<route, 12> routes;

  void admin(const http::request& in, http::responder&& out) {
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
        asked->out = std::move(out);
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

  void submit(const route& to, const std::shared_ptr<waiting>& asked) {
    const bool taken = worker_.submit([this, run = to.run, asked] {
      if (asked->out.wanted()) run(*this, asked->what, std::move(asked->out));
    });
    if (taken) return;
    auto busy = http::problem(503, "too many operations wait for an answer");
    busy.headers.push_back({"retry-after", "1"});
    asked->out.send(std::move(busy));
  }

  const topology::topology& model_;
  lifecycle::plugin_set& plugins_;
  bus::bus& bus_;
  observability::health& checks_;
  const access access_;
  std::atomic<bool> stopping_{false};
  event_log log_;
  scrapes scrapes_;
  swaps swaps_;
  worker worker_;  // last: it uses what stands above
};

const std::array<operations::service::route, 12> operations::service::routes = {{
    {"GET", "plugins", [](service& s, const question&, http::responder&& out) { out.send(plugins(s.plugins_)); }},
    {"GET", "topics",
     [](service& s, const question&, http::responder&& out) { out.send(topics(s.log_, s.plugins_, s.model_)); }},
    {"GET", "events", [](service& s, const question& q, http::responder&& out) { out.send(events(s.log_, q)); }},
    {"GET", "trace/*", [](service& s, const question& q, http::responder&& out) { out.send(trace(s.log_, q)); }},
    {"GET", "sagas/*", [](service& s, const question& q, http::responder&& out) { out.send(saga(s.plugins_, q)); }},
    {"GET", "dlq", [](service& s, const question& q, http::responder&& out) { out.send(dead_letters(s.plugins_, q)); }},
    {"GET", "dlq/*/*",
     [](service& s, const question& q, http::responder&& out) { out.send(dead_letter(s.plugins_, q)); }},
    {"POST", "dlq/*/*/replay",
     [](service& s, const question& q, http::responder&& out) { replay_dead_letter(s.plugins_, q, std::move(out)); }},
    {"POST", "dlq/*/*/discard",
     [](service& s, const question& q, http::responder&& out) { discard_dead_letter(s.plugins_, q, std::move(out)); }},
    {"GET", "swap/*", [](service& s, const question& q, http::responder&& out) { out.send(s.swaps_.progress(q)); }},
    {"POST", "swap/*", [](service& s, const question& q, http::responder&& out) { out.send(s.swaps_.begin(q)); }},
    {"POST", "replay/*/*",
     [](service& s, const question& q,
        http::responder&& out) { replay_topic(s.plugins_, s.bus_.id(), q, std::move(out)); }},
}};

operations::operations(const topology::topology& model, lifecycle::plugin_set& plugins, bus::bus& bus,
                       observability::registry& metrics, observability::health& checks, const std::string& host)
    : service_(std::make_unique<service>(model, plugins, bus, metrics, checks, host)) {}

operations::~operations() = default;

void operations::end_swaps() { service_->end_swaps(); }

bool operations::serves(std::string_view path) const noexcept {
  return path.starts_with("/health/") || path == "/metrics" || path == "/admin" || path.starts_with("/admin/");
}

void operations::answer(http::request&& in, http::responder&& out) { service_->answer(std::move(in), std::move(out)); }

}  // namespace gantry::admin
