#include "app/endpoints.hpp"

#include <unistd.h>

#include <charconv>
#include <thread>
#include <utility>

#include "admin/access.hpp"
#include "app/process_state.hpp"
#include "http/problem.hpp"
#include "observability/log.hpp"

namespace gantry::app {
namespace {

result<topology::network_address> address_of(const std::string& text) {
  auto at = topology::parse_address(text);
  if (!at) return error{errc::invalid, "address " + text + ": expected host:port, with a port from 0 to 65535"};
  return std::move(*at);
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

http::endpoint_tls tls_of(const topology::tls_settings& settings) {
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

}  // namespace

result<void> endpoints::open(known_callers callers) {
  callers_.emplace(std::move(callers));
  if (auto done = open_inner(); !done || is_isolated()) return done;
  const auto& settings = parts_.model.hosts.at(parts_.options.host);
  const bool apart = settings.admin.address.given;
  auto at = address_of(*settings.http);
  if (!at) return at.failure();
  if (apart) {
    const auto own = address_of(*settings.admin.address);
    if (!own) return own.failure();
    auto made = open_one(*own, topology::is_loopback(*own), [this](http::request&& in, http::responder&& out) {
      serve_admin(std::move(in), std::move(out));
    });
    if (!made) return made.failure();
    admin_endpoint_ = std::move(*made);
  }
  if (parts_.options.override_port) at->port = parts_.options.port_override;
  auto made = open_one(*at, false, [this, apart](http::request&& in, http::responder&& out) {
    serve_clients(std::move(in), std::move(out), apart);
  });
  if (!made) return made.failure();
  endpoint_ = std::move(*made);
  address_ = at->host + ":" + std::to_string(endpoint_->port());
  if (settings.tls.given) watch_certificate();
  return {};
}

void endpoints::serve(admin::operations& admin, const lifecycle::plugin_set& plugins, const bus::bus& events) {
  admin_ = &admin;
  plugins_ = &plugins;
  events_ = &events;
  open_.store(true, std::memory_order_release);
}

void endpoints::stop_accepting() {
  if (endpoint_) endpoint_->stop_accepting();
}

void endpoints::end_exchanges(std::chrono::steady_clock::time_point until) {
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

void endpoints::stop() {
  if (endpoint_) endpoint_->stop();
  if (admin_endpoint_) admin_endpoint_->stop();
  if (inner_endpoint_) inner_endpoint_->stop();
}

// Where the processes of this host reach each other. That of an isolated plugin has no other endpoint.
result<void> endpoints::open_inner() {
  const auto at = parts_.options.family.inner.find(parts_.options.host);
  if (at == parts_.options.family.inner.end()) return {};
  const auto own = address_of(at->second);
  if (!own) return own.failure();
  auto made = open_one(
      *own, true, [this](http::request&& in, http::responder&& out) { serve_inner(std::move(in), std::move(out)); },
      true);
  if (!made) return made.failure();
  if (!is_isolated()) {
    inner_endpoint_ = std::move(*made);
    return {};
  }
  endpoint_ = std::move(*made);
  address_ = at->second;
  return {};
}

void endpoints::serve_admin(http::request&& in, http::responder&& out) {
  if (is_early(in, out)) return;
  if (admin_->serves(in.target)) {
    admin_->answer(std::move(in), std::move(out));
  } else {
    out.send(http::problem(404, "operations alone are answered at this address"));
  }
}

// With an address of their own, of the operations only health is answered here as well: that is what balancers ask.
void endpoints::serve_clients(http::request&& in, http::responder&& out, bool admin_is_apart) {
  if (is_early(in, out)) return;
  if (admin_->serves(in.target) && (!admin_is_apart || in.target.starts_with("/health/"))) {
    admin_->answer(std::move(in), std::move(out));
    return;
  }
  const auto from = callers_->of(http::find_header(in.headers, "gantry-caller"), in.peer);
  submit(std::move(in), std::move(out), from.is_call, std::string(from.caller));
}

// What other processes of this host ask. Nobody else knows the key.
void endpoints::serve_inner(http::request&& in, http::responder&& out) {
  if (!admin::same_text(http::find_header(in.headers, "gantry-inner-key"), parts_.options.family.key)) {
    out.send(http::problem(403, "this address is for the processes of host " + parts_.process.host + " alone"));
  } else if (in.target == "/inner/end") {
    out.send({200, {{"content-type", "text/plain"}}, std::to_string(getpid())});
    if (parts_.options.end) parts_.options.end(within_of(in.query));
  } else if (is_early(in, out)) {
    return;
  } else if (in.target == "/inner/state") {
    out.send({200, {{"content-type", "text/plain"}}, to_text(state_of_process(*plugins_, *events_))});
  } else if (is_isolated() && admin_->serves(in.target)) {
    admin_->answer(std::move(in), std::move(out));
  } else {
    const std::string caller(http::find_header(in.headers, "gantry-caller"));
    const bool is_call = !caller.empty() || !http::find_header(in.headers, "gantry-call").empty();
    submit(std::move(in), std::move(out), is_call, caller);
  }
}

endpoints::opened endpoints::open_one(const topology::network_address& at, bool plain, http::handler serve,
                                      bool inner) const {
  http::endpoint_options o;
  o.address = at.host;
  o.port = at.port;
  o.max_body = *parts_.model.limits.body;
  o.max_headers = *parts_.model.limits.headers;
  o.reserved = inner;
  // What the host's own process adds.
  if (inner) o.max_headers += 4 * 1024;
  const auto& settings = parts_.model.hosts.at(parts_.options.host);
  if (settings.tls.given && !plain) o.tls = tls_of(settings.tls);
  return parts_.former.once_free([&] { return http::open_endpoint(o, serve); });
}

void endpoints::watch_certificate() {
  using observability::metric_type;
  const auto series = [this](metric_type type, const char* name, const char* help, auto read) {
    const auto done = parts_.metrics.watch(
        type, name, help, {}, [this, read] { return static_cast<double>(read(endpoint_->tls())); }, parts_.own_series);
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
bool endpoints::is_early(const http::request& in, http::responder& out) const {
  if (serving()) return false;
  using observability::health_kind;
  if (in.target == "/health/live" || in.target == "/health/ready") {
    auto report = parts_.checks.report(in.target == "/health/live" ? health_kind::live : health_kind::ready);
    out.send({report.ok ? 200 : 503, {{"content-type", "application/json"}}, std::move(report.body)});
  } else if (in.target == "/metrics") {
    out.send({200, {{"content-type", std::string(observability::exposition_type)}}, parts_.metrics.exposition()});
  } else {
    auto answer = http::problem(503, "the host is starting");
    answer.headers.push_back({"retry-after", "1"});
    answer.headers.push_back({"gantry-starting", "1"});
    out.send(std::move(answer));
  }
  return true;
}

// To the plugin that has the route.
void endpoints::submit(http::request&& in, http::responder&& out, bool is_call, std::string caller) {
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
  parts_.router.submit(std::move(request), std::make_unique<http_sink>(std::move(out)));
}

}  // namespace gantry::app
