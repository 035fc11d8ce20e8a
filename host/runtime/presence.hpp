// This host among the hosts that have the same store open: that it is there, who else is, and which one leads the
// relay.
//
// Each has a row in gantry_lease that it renews, by the server's clock, so hosts' clocks don't matter. One whose row
// has run out counts as gone: others take its jobs and timers over. A process that comes back under a host's name puts
// its own token in the row, and what an earlier process still tries to commit with events is refused. Owned by a lane.
// Thread: the lane's, but for what says otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/store.hpp"

namespace gantry::runtime {

// Only in stores that are shared. Rows "host.<name>" and "relay"; and which version of the plugin each host runs.
inline constexpr std::string_view presence_schema =
    "CREATE TABLE IF NOT EXISTS gantry_lease (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until BIGINT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS gantry_running (name TEXT PRIMARY KEY, holder TEXT NOT NULL, version TEXT NOT NULL);"
    "CREATE SEQUENCE IF NOT EXISTS gantry_outbox_id;";

// Hosts that have the store open now and run another version of its plugin than `version`, without `host` itself. In a
// transaction of its own, which may be one that only reads.
result<std::vector<std::string>> hosts_of_other_versions(store::session& session, std::string_view host,
                                                         std::string_view version);

class presence {
 public:
  // What a look at the others has shown.
  struct news {
    bool somebody_left = false;  // or has begun anew: what it had claimed is free
    bool expelled = false;       // another process has this host's name now
  };

  // `token` is this process's own. Beyond the last renewal it is there for `lease_us`, and leads for `lead_us`.
  presence(std::string host, std::string token, std::int64_t lease_us, std::int64_t lead_us);

  // Enters the host's name, in the open transaction; what an earlier process of this name led is taken over. `version`:
  // of the plugin that it runs.
  gantry_status join(store::session& session, std::string_view version);
  // Another version runs here now. A transaction of its own.
  result<void> runs(store::session& session, std::string_view version);
  // Renews, leads when nobody does, and looks at the others. Transactions of its own.
  result<news> round(store::session& session);
  // Gives everything back, so that others need not wait for the leases to run out.
  void leave(store::session& session);

  // Writes an outbox row as the last statement of the open transaction, and numbers it in the order of commits over all
  // hosts: the lock is let go when the row can be seen. `expelled`: another process has this host's name, nothing was
  // written.
  gantry_status append(store::session& session, std::string_view source, std::string_view bytes, std::uint64_t& id,
                       bool& expelled);

  bool leads() const noexcept { return leads_.load(std::memory_order_relaxed); }  // [any]
  bool alone() const noexcept { return others_.empty(); }
  const std::string& host() const noexcept { return host_; }
  const std::string& token() const noexcept { return token_; }

 private:
  bool knows(const std::string& holder) const;

  const std::string host_;
  const std::string name_;  // of its row
  const std::string token_;
  const std::int64_t lease_us_;
  const std::int64_t lead_us_;
  std::atomic<bool> leads_{false};
  std::vector<std::string> others_;  // tokens of those that were there at the last look
};

}  // namespace gantry::runtime
