// The host as a plugin sees it: configuration, log, clock, ids, metrics, and blocking writes. A handle: cheap to copy,
// valid as long as the plugin. Thread: any, unless said otherwise.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "gantry/detail/abi_glue.hpp"
#include "gantry/http.hpp"
#include "gantry/log.hpp"
#include "gantry/time.hpp"
#include "gantry/tx.hpp"

namespace gantry {

namespace detail {

// Runs fn(tx) in the write lane, waits for the commit and returns what fn returned. A reply of 400 and more, or an
// outcome that is not ok, rolls back.
template <typename Fn>
auto write_and_wait(const runtime& rt, Fn&& fn) {
  using result = std::invoke_result_t<Fn&, tx&>;
  constexpr bool nothing = std::is_void_v<result>;
  struct state {
    const runtime& rt;
    Fn& fn;
    std::optional<std::conditional_t<nothing, bool, result>> out{};
    bool answered = false;
  } work{rt, fn};
  const auto run = [](void* user, gantry_tx* raw) -> gantry_status {
    auto& w = *static_cast<state*>(user);
    return guard(w.rt, GANTRY_FAILED, [&w, raw]() -> gantry_status {
      tx t(w.rt, raw);
      w.answered = false;
      if constexpr (nothing) {
        w.fn(t);
      } else {
        w.out.emplace(w.fn(t));
        if constexpr (std::is_same_v<result, reply>) {
          w.answered = w.out->status() >= 400;
          if (w.answered) return GANTRY_REJECT;
        } else if constexpr (std::is_same_v<result, outcome>) {
          return status_of(w.rt, *w.out);
        }
      }
      return GANTRY_OK;
    });
  };
  const gantry_status status = rt.need(rt.store, GANTRY_STORE_1).write(rt.host, run, &work);
  if (!work.answered) rt.check(status);
  if constexpr (!nothing) return std::move(*work.out);
}

}  // namespace detail

class host {
 public:
  explicit host(detail::runtime& rt) : rt_(&rt) {}

  // The plugin's part of the topology file, with the schema's defaults. Does not exist before start().
  json_view config() const { return rt_->configuration.root(); }

  logger log() const { return logger(*rt_); }

  // The host's clock, which tests set.
  instant now() const { return {rt_->host->now_us(rt_->host)}; }

  // A UUIDv7 as 36 characters. Those of one host grow.
  std::string new_id() const {
    std::string id(36, '\0');
    rt_->host->new_id(rt_->host, id.data());
    return id;
  }

  // "sqlite" or "postgres".
  std::string_view driver() const { return detail::view(rt_->need(rt_->store, GANTRY_STORE_1).driver(rt_->host)); }

  // Series of the host's metrics, made on first use; the name gets the prefix "plugin_<id>_". Keep what is returned.
  metric counter(std::string_view name, std::string_view help, log_fields labels = {}) const {
    return series(GANTRY_COUNTER, name, help, labels);
  }
  metric gauge(std::string_view name, std::string_view help, log_fields labels = {}) const {
    return series(GANTRY_GAUGE, name, help, labels);
  }
  // Of seconds, in buckets from 100 us to 10 s.
  metric histogram(std::string_view name, std::string_view help, log_fields labels = {}) const {
    return series(GANTRY_HISTOGRAM, name, help, labels);
  }

  // Runs fn(tx) in the store's write lane and waits until its commit is durable; returns what fn returned. fn may run
  // more than once. Throws when nothing was committed. Thread: main inside start(), pool.
  template <typename Fn>
  auto write(Fn&& fn) const {
    return detail::write_and_wait(*rt_, fn);
  }

  const gantry_host* raw() const noexcept { return rt_->host; }

 private:
  metric series(std::int32_t type, std::string_view name, std::string_view help, log_fields labels) const {
    if (rt_->metrics == nullptr) return {};
    const detail::abi_fields list(labels);
    return {rt_->metrics,
            rt_->metrics->series(rt_->host, type, detail::str(name), detail::str(help), list.begin(), list.size())};
  }

  detail::runtime* rt_;
};

}  // namespace gantry
