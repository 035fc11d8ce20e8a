// The hosts of one plugin: whose turn it is, and who is left out for how long.
// Owned by remote_calls. Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "call/breaker.hpp"
#include "call/remote/connection_pool.hpp"
#include "call/remote/remote_calls.hpp"

namespace gantry::call {

// How a call to a host went, as far as the host is concerned.
enum class verdict {
  good,
  failed,     // it answered with a status of 5xx
  down,       // it could not be reached, did not answer, or answered that it is not ready
  undecided,  // the call says nothing about the host
};

// One host as the callee of one plugin. Lives on when the placement changes and it stays.
struct replica {
  static constexpr std::int64_t first_pause_us = 100'000;
  static constexpr std::int64_t longest_pause_us = 10'000'000;

  // True when calls should go elsewhere.
  bool paused(std::int64_t now_us) const;
  // `begun_us`: when the attempt began. One that began before the last failure was known makes no pause longer.
  void report(verdict how, std::int64_t begun_us, std::int64_t now_us);

  remote_host host;
  std::shared_ptr<connection_pool> pool;

  mutable std::mutex mutex{};
  breaker fuse{};              // guarded, as all below
  std::uint32_t downs = 0;     // in a row
  std::uint32_t failures = 0;  // in a row, of the breaker's kind
  std::int64_t down_at_us = 0;
  std::int64_t paused_until_us = 0;
};

using replica_list = std::vector<std::shared_ptr<replica>>;

class replica_set {
 public:
  explicit replica_set(replica_list all) : all_(std::move(all)) {}

  struct choice {
    replica* who = nullptr;  // null: none is left whose breaker lets a call through
    bool healthy = false;    // it is not known to be down
  };

  // The next host in turn; those that are paused only when no other is left. None of `tried`. Whoever gets one reports.
  choice pick(const std::vector<replica*>& tried, std::int64_t now_us);

  const replica_list& all() const noexcept { return all_; }

 private:
  const replica_list all_;
  std::atomic<std::uint32_t> turn_{0};
};

}  // namespace gantry::call
