#include "call/remote/remote_calls.hpp"

#include <mutex>
#include <optional>
#include <tuple>

#include "call/remote/attempt.hpp"
#include "call/remote/resolver.hpp"

namespace gantry::call {
namespace {

using ending = attempt::ending;

// What an attempt says about its host.
verdict judge(const attempt& of, const remote_host& host) {
  // A process of our own is back soon, and asking a port of this machine in vain costs nothing meanwhile.
  if (of.how == ending::unreached && !host.inner_key.empty()) return verdict::undecided;
  switch (of.how) {
    case ending::answered:
      if (of.outcome.reply.status == 503) return verdict::down;
      return of.outcome.reply.status >= 500 ? verdict::failed : verdict::good;
    case ending::unreached:
    case ending::lost:
      return verdict::down;
    case ending::final:
      return of.outcome.status == GANTRY_TOO_LARGE ? verdict::undecided : verdict::down;
    case ending::stale:
    case ending::crowded:
      return verdict::undecided;
  }
  return verdict::undecided;
}

remote_outcome no_reply(gantry_status status, std::string text) { return {status, std::move(text), {}}; }

remote_outcome unsendable(const error& why) {
  return no_reply(why.code == errc::too_large ? GANTRY_TOO_LARGE : GANTRY_INVALID, why.text);
}

// One call over all its attempts.
class attempts {
 public:
  attempts(const call_in_progress& call, replica_set& among, const clock& time)
      : call_(call), among_(among), time_(time) {}

  remote_outcome run() {
    while (!call_.by.passed()) {
      const auto next = among_.pick(tried_, time_.steady_us());
      if (next.who == nullptr) return nobody_left();
      if (last_ && last_->status == GANTRY_OK && !next.healthy) {
        // Instead of an answer of 503 only a better one will do.
        next.who->report(verdict::undecided, 0, time_.steady_us());
        return std::move(*last_);
      }
      auto one = try_host(*next.who);
      if (!goes_on(one, *next.who)) return std::move(one.outcome);
      // A reply of 503 says more than a host that can't be reached.
      if (!last_ || last_->status != GANTRY_OK || one.outcome.status == GANTRY_OK) last_ = std::move(one.outcome);
    }
    if (last_ && last_->status == GANTRY_OK) return std::move(*last_);
    return no_reply(GANTRY_TIMEOUT, "the deadline passed before " + std::string(call_.request.plugin) + " was reached" +
                                        (last_ ? "; " + last_->text : ""));
  }

 private:
  attempt try_host(replica& who) {
    const auto begun = time_.steady_us();
    auto one = try_once(call_, who, false);
    if (one.how == ending::stale) one = try_once(call_, who, true);
    who.report(judge(one, who.host), begun, time_.steady_us());
    if (one.outcome.status != GANTRY_OK)
      one.outcome.text = std::string(call_.request.plugin) + " on host " + who.host.name + " (" + who.host.address +
                         "): " + one.outcome.text;
    return one;
  }

  bool goes_on(const attempt& one, replica& who) {
    switch (one.how) {
      case ending::answered:
        if (one.outcome.reply.status != 503 || !call_.head.repeatable()) return false;
        tried_.push_back(&who);
        return true;
      case ending::unreached:
      case ending::crowded:
        tried_.push_back(&who);
        return true;
      case ending::lost:
        return !std::exchange(repeated_, true);
      case ending::stale:
      case ending::final:
        return false;
    }
    return false;
  }

  remote_outcome nobody_left() {
    if (last_) return std::move(*last_);
    return no_reply(GANTRY_UNAVAILABLE,
                    "the breaker of " + std::string(call_.request.plugin) + " is open on " +
                        (among_.all().size() == 1 ? "host " + among_.all().front()->host.name : "all its hosts") +
                        " after repeated failures");
  }

  const call_in_progress& call_;
  replica_set& among_;
  const clock& time_;
  std::vector<replica*> tried_;
  std::optional<remote_outcome> last_;
  bool repeated_ = false;
};

class pooled_calls final : public remote_calls {
 public:
  pooled_calls(const remote_options& options, const clock& time) : options_(options), time_(time), names_(time) {}

  result<void> place(const placement& where) override {
    const std::lock_guard lock(placing_);
    pools kept;
    table next;
    for (const auto& [plugin, hosts] : where) {
      if (hosts.empty()) continue;
      const auto before = set_of(plugin);
      replica_list list;
      for (const auto& host : hosts) {
        auto one = replica_for(host, before.get(), kept);
        if (!one) return error{one.failure().code, "host " + host.name + ": " + one.failure().text};
        list.push_back(std::move(*one));
      }
      next.emplace(plugin, std::make_shared<replica_set>(std::move(list)));
    }
    const std::lock_guard swap(mutex_);
    table_ = std::move(next);
    pools_ = std::move(kept);
    return {};
  }

  bool knows(std::string_view plugin) const override { return set_of(plugin) != nullptr; }

  remote_outcome call(const remote_request& request) override {
    const auto among = set_of(request.plugin);
    if (!among) return no_reply(GANTRY_UNAVAILABLE, "no other host runs " + std::string(request.plugin));
    const auto head = request_head::make(request, options_.max_headers);
    if (!head) return unsendable(head.failure());
    const deadline by(time_, request.deadline_us);
    return attempts({request, *head, options_, by}, *among, time_).run();
  }

  void close_idle() override {
    std::vector<std::shared_ptr<connection_pool>> all;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [where, pool] : pools_) all.push_back(pool);
    }
    for (const auto& pool : all) pool->close_idle();
  }

  std::vector<remote_figures> figures() const override {
    table now;
    {
      const std::lock_guard lock(mutex_);
      now = table_;
    }
    std::vector<remote_figures> out;
    for (const auto& [plugin, set] : now)
      for (const auto& one : set->all()) out.push_back(figures_of(plugin, *one, time_.steady_us()));
    return out;
  }

 private:
  using table = std::map<std::string, std::shared_ptr<replica_set>, std::less<>>;
  using pools = std::map<std::tuple<std::string, bool, std::string>, std::shared_ptr<connection_pool>>;

  static remote_figures figures_of(const std::string& plugin, const replica& of, std::int64_t now_us) {
    const auto pool = of.pool->now();
    const std::lock_guard lock(of.mutex);
    return {plugin,
            of.host.name,
            now_us < of.paused_until_us,
            of.fuse.open(now_us),
            of.failures,
            pool.open,
            pool.idle,
            pool.waiting,
            pool.connected,
            pool.reused};
  }

  std::shared_ptr<replica_set> set_of(std::string_view plugin) const {
    const std::lock_guard lock(mutex_);
    const auto found = table_.find(plugin);
    return found == table_.end() ? nullptr : found->second;
  }

  result<std::shared_ptr<replica>> replica_for(const remote_host& host, const replica_set* before, pools& kept) {
    auto pool = pool_for(host, kept);
    if (!pool) return pool.failure();
    if (before != nullptr)
      for (const auto& one : before->all())
        if (one->host == host) return one;
    auto made = std::make_shared<replica>();
    made->host = host;
    made->pool = std::move(*pool);
    return made;
  }

  result<std::shared_ptr<connection_pool>> pool_for(const remote_host& host, pools& kept) {
    auto at = split_host_port(host.address);
    if (!at) return at.failure();
    auto& slot = kept[{host.address, host.tls, host.server_name}];
    if (slot) return slot;
    if (const auto old = pools_.find({host.address, host.tls, host.server_name}); old != pools_.end())
      return slot = old->second;
    tls_choice how;
    if (host.tls) {
      if (auto ready = prepare_tls(); !ready) return ready.failure();
      how = {tls_, host.server_name.empty() ? at->host : host.server_name};
    }
    const pool_limits limits{options_.max_connections, options_.max_waiting, options_.connect_timeout_us,
                             options_.idle_us};
    return slot = std::make_shared<connection_pool>(std::move(*at), std::move(how), limits, names_, time_);
  }

  // Only when a host asks for TLS: the system's list of authorities takes a while to read.
  result<void> prepare_tls() {
    if (tls_) return {};
    auto made = make_tls_context(options_.tls);
    if (!made) return made.failure();
    tls_ = std::move(*made);
    return {};
  }

  const remote_options options_;
  const clock& time_;
  resolver names_;
  std::mutex placing_;
  std::shared_ptr<const tls_context> tls_;  // guarded by placing_
  mutable std::mutex mutex_;
  table table_;  // guarded by mutex_
  pools pools_;  // written under both, read under either
};

}  // namespace

std::unique_ptr<remote_calls> make_remote_calls(const remote_options& options, const clock& time) {
  return std::make_unique<pooled_calls>(options, time);
}

}  // namespace gantry::call
