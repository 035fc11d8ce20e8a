// What a plugin declares. A handler is a member function of the plugin class or anything that can be called. A
// declaration that the host refuses throws. Thread: main; only inside plugin::setup.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "gantry/detail/handlers.hpp"
#include "gantry/service.hpp"

namespace gantry {

// Marks a route whose requests need an Idempotency-Key.
struct idempotent_t {};
inline constexpr idempotent_t idempotent{};

// Marks a route that is content with a state some seconds old: it may be read from a replica of the database, where the
// topology names one. The client may then not see what it has just written.
struct may_lag_t {};
inline constexpr may_lag_t may_lag{};

struct subscribe_options {
  bool latest = false;  // where to begin when there is no position yet; else at the earliest event
  std::uint32_t min_version = 1;
  std::uint32_t max_version = 1;
};

struct job_options {
  std::uint32_t max_attempts = 4;
  std::uint32_t concurrency = 8;                                 // of one host
  std::chrono::microseconds timeout = std::chrono::seconds(30);  // of one attempt
};

namespace detail {
template <typename T>
struct class_of;
template <typename Class, typename Member>
struct class_of<Member Class::*> {
  using type = Class;
};

// A member function of the plugin's class, bound to it; anything else as it is.
template <typename Fn>
auto bound(plugin& owner, Fn fn) {
  if constexpr (std::is_member_function_pointer_v<Fn>) {
    auto* self = static_cast<typename class_of<Fn>::type*>(&owner);
    return [self, fn](auto&&... args) -> decltype(auto) { return (self->*fn)(std::forward<decltype(args)>(args)...); };
  } else {
    return fn;
  }
}
}  // namespace detail

class setup {
 public:
  using handlers = std::vector<std::unique_ptr<detail::handler>>;

  setup(detail::runtime& rt, plugin& owner, handlers& keep) : rt_(rt), owner_(owner), keep_(keep) {}

  gantry::host host() const { return gantry::host(rt_); }

  // Routes: "/orders/{id}/history". Handler: reply(const request&, context&). [pool]
  template <typename Fn>
  void get(std::string_view pattern, Fn fn) {
    route("GET", pattern, fn, 0);
  }
  template <typename Fn>
  void get(std::string_view pattern, Fn fn, may_lag_t) {
    route("GET", pattern, fn, GANTRY_ROUTE_MAY_LAG);
  }
  template <typename Fn>
  void post(std::string_view pattern, Fn fn) {
    route("POST", pattern, fn, 0);
  }
  template <typename Fn>
  void put(std::string_view pattern, Fn fn) {
    route("PUT", pattern, fn, 0);
  }
  template <typename Fn>
  void del(std::string_view pattern, Fn fn) {
    route("DELETE", pattern, fn, 0);
  }
  template <typename Fn>
  void patch(std::string_view pattern, Fn fn) {
    route("PATCH", pattern, fn, 0);
  }
  template <typename Fn>
  void post(std::string_view pattern, Fn fn, idempotent_t) {
    route("POST", pattern, fn, GANTRY_ROUTE_IDEMPOTENT);
  }
  template <typename Fn>
  void put(std::string_view pattern, Fn fn, idempotent_t) {
    route("PUT", pattern, fn, GANTRY_ROUTE_IDEMPOTENT);
  }
  template <typename Fn>
  void del(std::string_view pattern, Fn fn, idempotent_t) {
    route("DELETE", pattern, fn, GANTRY_ROUTE_IDEMPOTENT);
  }
  template <typename Fn>
  void patch(std::string_view pattern, Fn fn, idempotent_t) {
    route("PATCH", pattern, fn, GANTRY_ROUTE_IDEMPOTENT);
  }

  // Events of one type, each exactly once in effect. Handler: outcome(const event&, tx&). [lane]
  template <typename Fn>
  void on(std::string_view topic, std::string_view type, Fn fn, subscribe_options options = {}) {
    gantry_subscription s = subscription(topic, type, options);
    s.user = bind<detail::event_handler>(fn, s.on_event);
    subscribe(s);
  }
  // The same, a batch at once. Handler: outcome(std::span<const event>, tx&); it may throw batch_failure. [lane]
  template <typename Fn>
  void on_batch(std::string_view topic, std::string_view type, Fn fn, subscribe_options options = {}) {
    gantry_subscription s = subscription(topic, type, options);
    s.user = bind<detail::batch_handler>(fn, s.on_batch);
    subscribe(s);
  }
  // Events as they pass, at most once. Handler: void(const event*); nullptr: events may have been missed. [any]
  template <typename Fn>
  void observe(std::string_view topic, std::string_view type, Fn fn, subscribe_options options = {}) {
    gantry_subscription s = subscription(topic, type, options);
    s.user = bind<detail::observe_handler>(fn, s.observe);
    subscribe(s);
  }
  // Clears what was derived from a topic, before a replay. Handler: void(tx&). [lane]
  template <typename Fn>
  void on_replay(std::string_view topic, Fn fn) {
    gantry_replay_handler call = nullptr;
    void* user = bind<detail::replay_handler>(fn, call);
    rt_.check(bus().on_replay(rt_.host, detail::str(topic), call, user));
  }

  // An event type that this plugin emits; the JSON Schema of its data may be given.
  void emits(std::string_view topic, std::string_view type, std::uint32_t version = 1,
             std::string_view json_schema = {}) {
    const gantry_emission e{sizeof e, version, detail::str(topic), detail::str(type), detail::str(json_schema)};
    rt_.check(bus().emits(rt_.host, &e));
  }

  // A plugin that this one calls.
  void calls(std::string_view plugin_id) {
    rt_.check(rt_.need(rt_.call, GANTRY_CALL_1).calls(rt_.host, detail::str(plugin_id)));
  }

  // Durable work outside transactions. run: std::string(const job&, context&), returns the result [pool]; on_done:
  // void(const job&, std::string_view result, tx&) [lane]; on_failed: void(const job&, std::string_view error, tx&)
  // [lane]. The last two may be nullptr.
  template <typename Run, typename Done = std::nullptr_t, typename Failed = std::nullptr_t>
  void job(std::string_view kind, Run run, Done on_done = nullptr, Failed on_failed = nullptr,
           job_options options = {}) {
    auto r = detail::bound(owner_, run);
    auto d = detail::bound(owner_, on_done);
    auto f = detail::bound(owner_, on_failed);
    using handler = detail::job_handler<decltype(r), decltype(d), decltype(f)>;
    gantry_job_kind k{};
    k.struct_size = sizeof k;
    k.max_attempts = options.max_attempts;
    k.name = detail::str(kind);
    k.timeout_us = static_cast<std::uint64_t>(options.timeout.count());
    k.concurrency = options.concurrency;
    k.run = &handler::call_run;
    if constexpr (!std::is_null_pointer_v<decltype(d)>) k.on_done = &handler::call_done;
    if constexpr (!std::is_null_pointer_v<decltype(f)>) k.on_failed = &handler::call_failed;
    k.user = add(std::make_unique<handler>(rt_, std::move(r), std::move(d), std::move(f)));
    rt_.check(rt_.need(rt_.jobs, GANTRY_JOBS_1).kind(rt_.host, &k));
  }

  // Timers that follow from rows. fire: void(std::string_view key, tx&) [lane]; restore: void(db&, const rearm_fn&),
  // arms again after a start what the rows ask for [main], may be nullptr.
  template <typename Fire, typename Restore = std::nullptr_t>
  void timer(std::string_view kind, Fire fire, Restore restore = nullptr) {
    auto f = detail::bound(owner_, fire);
    auto r = detail::bound(owner_, restore);
    using handler = detail::timer_handler<decltype(f), decltype(r)>;
    gantry_timer_kind k{};
    k.struct_size = sizeof k;
    k.name = detail::str(kind);
    k.fire = &handler::call_fire;
    if constexpr (!std::is_null_pointer_v<decltype(r)>) k.restore = &handler::call_restore;
    k.user = add(std::make_unique<handler>(rt_, kind, std::move(f), std::move(r)));
    rt_.check(rt_.need(rt_.jobs, GANTRY_JOBS_1).timer(rt_.host, &k));
  }

  // A long-running process that operators can look into. describe: std::optional<json>(db&, std::string_view key).
  // [pool]
  template <typename Describe>
  void saga(std::string_view name, Describe describe) {
    gantry_saga s{};
    s.struct_size = sizeof s;
    s.name = detail::str(name);
    s.user = bind<detail::saga_handler>(describe, s.describe);
    rt_.check(rt_.need(rt_.saga, GANTRY_SAGA_1).declare(rt_.host, &s));
  }

  // The JSON Schema that the plugin's configuration is checked against.
  void config_schema(std::string_view json_schema) {
    rt_.check(rt_.need(rt_.config, GANTRY_CONFIG_1).schema(rt_.host, detail::str(json_schema)));
  }

 private:
  const gantry_bus_1& bus() const { return rt_.need(rt_.bus, GANTRY_BUS_1); }

  template <typename Handler>
  void* add(std::unique_ptr<Handler> h) {
    void* user = h.get();
    keep_.push_back(std::move(h));
    return user;
  }

  // Stores the handler and sets the C function that calls it.
  template <template <typename> typename Handler, typename Fn, typename Call>
  void* bind(Fn fn, Call& call) {
    auto f = detail::bound(owner_, fn);
    using handler = Handler<decltype(f)>;
    call = &handler::call;
    return add(std::make_unique<handler>(rt_, std::move(f)));
  }

  template <typename Fn>
  void route(std::string_view method, std::string_view pattern, Fn fn, std::uint32_t flags) {
    auto f = detail::bound(owner_, fn);
    using handler = detail::route_handler<decltype(f)>;
    gantry_route r{};
    r.struct_size = sizeof r;
    r.flags = flags;
    r.method = detail::str(method);
    r.pattern = detail::str(pattern);
    r.handler = &handler::call;
    r.user = add(std::make_unique<handler>(rt_, std::move(f), (flags & GANTRY_ROUTE_IDEMPOTENT) != 0));
    rt_.check(rt_.need(rt_.http, GANTRY_HTTP_1).route(rt_.host, &r));
  }

  static gantry_subscription subscription(std::string_view topic, std::string_view type,
                                          const subscribe_options& options) {
    gantry_subscription s{};
    s.struct_size = sizeof s;
    if (options.latest) s.start = GANTRY_START_LATEST;
    s.topic = detail::str(topic);
    s.type = detail::str(type);
    s.min_version = options.min_version;
    s.max_version = options.max_version;
    return s;
  }
  void subscribe(const gantry_subscription& s) { rt_.check(bus().subscribe(rt_.host, &s)); }

  detail::runtime& rt_;
  plugin& owner_;
  handlers& keep_;
};

}  // namespace gantry
