#include "http/endpoint.hpp"

#include <arpa/inet.h>
#include <pistache/listener.h>
#include <pistache/transport.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "http/transport.hpp"

namespace gantry::http {
namespace {

namespace tcp = Pistache::Tcp;

constexpr int backlog = 1024;

class pistache_endpoint final : public endpoint {
 public:
  pistache_endpoint(std::shared_ptr<service> what, std::unique_ptr<tcp::Listener> listener)
      : service_(std::move(what)),
        listener_(std::move(listener)),
        port_(static_cast<std::uint16_t>(listener_->getPort())) {}
  pistache_endpoint(const pistache_endpoint&) = delete;
  pistache_endpoint& operator=(const pistache_endpoint&) = delete;
  ~pistache_endpoint() override { close(); }

  std::uint16_t port() const override { return port_; }

  void stop_accepting() override {
    service_->draining.store(true, std::memory_order_relaxed);
    wake_all();
  }

  void hang_up() override {
    service_->hanging_up.store(true, std::memory_order_relaxed);
    wake_all();
  }

  exchange_figures in_progress() const override {
    const std::lock_guard lock(service_->mutex);
    std::uint64_t sum = 0;
    for (const auto& box : service_->boxes) sum += box->in_progress.load(std::memory_order_acquire);
    return {sum / mailbox::handled, sum % mailbox::handled};
  }

  result<void> reload() override { return service_->tls ? service_->tls->reload() : result<void>(); }

  tls_figures tls() const override {
    const auto* const of = service_->tls.get();
    if (of == nullptr) return {};
    return {of->accepted(), of->refused(), of->valid_until()};
  }

  void stop() override { close(); }

 private:
  void wake_all() {
    const std::lock_guard lock(service_->mutex);
    for (const auto& box : service_->boxes) box->wake();
  }

  void close() {
    const std::lock_guard lock(mutex_);
    if (!listener_) return;
    listener_->shutdown();
    listener_.reset();  // joins the threads and closes the connections
    if (service_->tls) service_->tls->stop();
  }

  std::shared_ptr<service> service_;
  std::mutex mutex_;
  std::unique_ptr<tcp::Listener> listener_;
  std::uint16_t port_;
};

// How Pistache wants to read the address; empty when it is none.
std::string listen_address(const std::string& address, std::uint16_t port) {
  in6_addr ignored{};
  const std::string host = address == "localhost" ? "127.0.0.1" : address;
  if (inet_pton(AF_INET, host.c_str(), &ignored) == 1) return host + ":" + std::to_string(port);
  if (inet_pton(AF_INET6, host.c_str(), &ignored) == 1) return "[" + host + "]:" + std::to_string(port);
  return {};
}

// Connections must leave descriptors for everything else: an accept that fails for want of one is tried again at once,
// forever.
std::size_t affordable_connections(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const auto open = static_cast<std::size_t>(limit.rlim_cur);
  return std::max<std::size_t>(1, std::min(wanted, open - std::min<std::size_t>(open / 2, 256)));
}

error bind_failure(const std::string& where, const std::string& reason) {
  const bool taken = reason == std::strerror(EADDRINUSE);
  return {taken ? errc::conflict : errc::io,
          "http: can't listen on " + where + ": " + reason +
              (taken ? "; another program has this address: stop it or choose another port" : "")};
}

}  // namespace

result<std::unique_ptr<endpoint>> open_endpoint(const endpoint_options& options, handler serve) {
  const auto where = listen_address(options.address, options.port);
  if (where.empty()) {
    return error{errc::invalid, "http: found '" + options.address + "', expected a numeric IPv4 or IPv6 address"};
  }
  auto what = std::make_shared<service>();
  what->options = options;
  what->options.max_connections = affordable_connections(options.max_connections);
  what->serve = std::move(serve);
  if (options.tls) {
    auto source = tls_source::open(*options.tls);
    if (!source) return source.failure();
    what->tls = std::move(*source);
  }
  try {
    auto listener = std::make_unique<tcp::Listener>(Pistache::Address(where));
    auto flags =
        Pistache::Flags<tcp::Options>(tcp::Options::ReuseAddr) | tcp::Options::NoDelay | tcp::Options::CloseOnExec;
    if (options.reserved) flags = flags | tcp::Options::ReusePort;
    listener->init(std::max<std::size_t>(1, options.threads), flags, "gantry-http", backlog);
    listener->setTransportFactory([what] { return make_transport(what); });
    listener->bind();
    listener->runThreaded();
    return std::unique_ptr<endpoint>(std::make_unique<pistache_endpoint>(what, std::move(listener)));
  } catch (const std::exception& failure) {
    return bind_failure(where, failure.what());
  }
}

}  // namespace gantry::http
