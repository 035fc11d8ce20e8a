#include "call/remote/replicas.hpp"

#include <algorithm>

namespace gantry::call {
namespace {

std::int64_t pause_after(std::uint32_t downs) {
  const auto doublings = std::min<std::uint32_t>(downs - 1, 20);
  return std::min(replica::first_pause_us << doublings, replica::longest_pause_us);
}

}  // namespace

bool replica::paused(std::int64_t now_us) const {
  const std::lock_guard lock(mutex);
  return now_us < paused_until_us;
}

void replica::report(verdict how, std::int64_t begun_us, std::int64_t now_us) {
  const std::lock_guard lock(mutex);
  switch (how) {
    case verdict::good:
      fuse.succeeded();
      failures = downs = 0;
      paused_until_us = 0;
      return;
    case verdict::failed:
      // It answers, so it is there.
      fuse.failed(now_us);
      ++failures;
      downs = 0;
      paused_until_us = 0;
      return;
    case verdict::down:
      fuse.failed(now_us);
      ++failures;
      // Calls that fail together are one incident.
      if (downs != 0 && begun_us < down_at_us) return;
      ++downs;
      down_at_us = now_us;
      paused_until_us = now_us + pause_after(downs);
      return;
    case verdict::undecided:
      fuse.undecided();
      return;
  }
}

replica_set::choice replica_set::pick(const std::vector<replica*>& tried, std::int64_t now_us) {
  const auto count = all_.size();
  const auto first = turn_.fetch_add(1, std::memory_order_relaxed);
  std::vector<replica*> paused;
  for (std::size_t i = 0; i < count; ++i) {
    auto* const one = all_[(first + i) % count].get();
    if (std::find(tried.begin(), tried.end(), one) != tried.end()) continue;
    const std::lock_guard lock(one->mutex);
    if (now_us < one->paused_until_us) {
      paused.push_back(one);
      continue;
    }
    if (!one->fuse.allows(now_us)) continue;
    // A pause that is over is tried by one call; the others wait for how that ends.
    if (one->downs != 0) one->paused_until_us = now_us + pause_after(one->downs);
    return {one, one->failures == 0};
  }
  // Nobody else is left: a refusal would be certain, an attempt may succeed.
  for (auto* const one : paused) {
    const std::lock_guard lock(one->mutex);
    if (one->fuse.allows(now_us)) return {one, false};
  }
  return {};
}

}  // namespace gantry::call
