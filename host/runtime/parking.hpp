// Events that a plugin could not handle, kept in its own store: rows of gantry_parked. Later events of a parked key park behind
// it, so that the order per key survives until an operator replays or discards them.
// Owned by a lane. Thread: the lane's.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "bus/record.hpp"
#include "store/store.hpp"

namespace gantry::runtime {

inline constexpr std::string_view parking_schema =
    "CREATE TABLE IF NOT EXISTS gantry_parked (id {numbered key}, topic TEXT NOT NULL, part BIGINT NOT NULL,"
    " position BIGINT NOT NULL, key TEXT NOT NULL, type TEXT NOT NULL, event_id TEXT NOT NULL, source TEXT NOT NULL,"
    " record BYTEA NOT NULL, error TEXT NOT NULL, attempts BIGINT NOT NULL, parked_at BIGINT NOT NULL);";

// What happens to the events behind one that could not be handled.
enum class poison_policy { park_key, skip, halt };

class parking {
 public:
  result<void> load(store::session& session);

  // Reads again whether events of a key are parked, in the open transaction: another host may have taken them out.
  gantry_status look(store::session& session, std::string_view topic, std::string_view key);

  bool has(std::string_view topic, std::string_view key) const;
  std::uint64_t count() const noexcept { return count_; }

  // Adds a row. The account in memory follows with committed().
  gantry_status add(store::session& session, std::string_view topic, std::uint32_t partition, const bus::record& r,
                    std::string_view why, std::uint32_t attempts, std::int64_t wall_us);
  // Takes a row away.
  gantry_status remove(store::session& session, std::int64_t id, std::string_view topic, std::string_view key);

  // A write in the middle of a batch is taken back to here, with what it removed.
  std::size_t removed() const noexcept { return removed_.size(); }
  void back_to(std::size_t removed) { removed_.resize(removed); }

  void begin_batch();
  void committed();

 private:
  static std::string name_of(std::string_view topic, std::string_view key);

  std::unordered_map<std::string, std::uint64_t> keys_;
  std::vector<std::string> added_;
  std::vector<std::string> removed_;
  std::atomic<std::uint64_t> count_{0};  // read by others
};

}  // namespace gantry::runtime
