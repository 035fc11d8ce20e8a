// One partition as its plugin reads it: fetched records, the position in the plugin's store, and what was seen of each source.
// Owned by a lane. Thread: the lane's, but for `available`.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "runtime/declarations.hpp"
#include "store/store.hpp"

namespace gantry::runtime {

// Tables of positions; one row a partition and bus.
//   next        the offset to read next
//   epoch       grows when a reader takes the partition over, and when the position is set from outside (replay): a stale
//               reader's update then matches no row
//   replay_end  per partition: below it events are handled again, and emit nothing
//   sources     the last sequence seen of each source: lines of "<sequence> <source>"
inline constexpr std::string_view feed_schema =
    "CREATE TABLE IF NOT EXISTS gantry_position (bus TEXT NOT NULL, topic TEXT NOT NULL, part BIGINT NOT NULL,"
    " next BIGINT NOT NULL, epoch BIGINT NOT NULL, replay_end BIGINT NOT NULL, sources TEXT NOT NULL,"
    " PRIMARY KEY (bus, topic, part)){by key};";

class feed {
 public:
  // `latest`: without a position reading begins at the end.
  feed(bus::partition_id where, std::string topic, bus::consumer& from, std::string bus_id, std::size_t batch_max,
       bool latest);

  // Takes the partition over, in the open transaction: moves the epoch, so that who had it before can't commit any more, and
  // reads the position, or makes the first one. On another bus than before, sequences carry over and reading begins at the
  // start. What was fetched before is dropped.
  // `shared`: another host may be about to move it; unavailable while that one's transaction is open.
  result<void> claim(store::session& session, bool shared = false);
  // For a partition that begins at the end and has no position yet: writes one, in the open transaction, so that what comes
  // before it is claimed is not passed over. Does nothing for others.
  result<void> begin_at_end(store::session& session);
  // The claim has committed: records may be taken.
  void claimed();
  // Somebody else reads it now, or nobody.
  void let_go();
  bool held() const noexcept { return held_.load(std::memory_order_acquire); }

  // Fetches when all records were taken and there may be more. False: nothing to take.
  result<bool> fill();

  // The next record that was not taken, with `ahead` records skipped; null when there is none.
  const bus::record* peek(std::size_t ahead) const noexcept {
    return at_ + ahead < fetched_.records.size() ? &fetched_.records[at_ + ahead] : nullptr;
  }
  std::size_t ready() const noexcept { return fetched_.records.size() - at_; }

  // Begins the account of a batch; then each record in turn: true when it is new, false when it was seen.
  void begin_batch() noexcept;
  bool is_new(const bus::record& r);
  // Writes the position behind `count` records, as a compare-and-set: CONFLICT says that somebody else has moved it.
  gantry_status save(store::session& session, std::size_t count);
  // The batch has committed (or, unsaved, had nothing to keep). The bus is not told: that has to wait for the commit to be
  // durable.
  void taken(std::size_t count, bool saved);
  // Sets the position, under a new epoch: what was fetched is dropped.
  gantry_status rewind(store::session& session, std::uint64_t next, std::uint64_t replay_end, bool forget_sources);
  void rewound(std::uint64_t next, std::uint64_t replay_end);
  bool replaying(const bus::record& r) const noexcept { return r.offset < replay_end_; }
  std::uint64_t next() const noexcept { return next_; }
  // Whether somebody else has moved the position, as it stands in the store; `back`: to a place before this reader's, as a
  // replay does.
  bool moved(std::uint64_t stored_epoch) const noexcept { return held() && stored_epoch != epoch_; }
  bool back(std::uint64_t stored_next) const noexcept { return stored_next < saved_next_; }
  std::uint64_t lag() const { return consumer_.lag(where, next_); }
  std::uint64_t unsaved() const noexcept { return unsaved_; }
  bus::consumer& from() noexcept { return consumer_; }

  const bus::partition_id where;
  const std::string topic;
  std::atomic<bool> available{true};  // the bus may have records beyond those fetched

  bool wanted = false;           // the bus says that this reader has it
  std::int64_t claim_at_us = 0;  // steady: not claimed before

  // Failure of the record at the head.
  std::uint32_t attempts = 0;
  std::int64_t blocked_until_us = 0;  // steady
  bool park_head = false;
  std::string last_error;
  std::string halted;  // not empty: why nothing is taken any more

 private:
  struct source {
    std::string name;
    std::uint64_t last = 0;       // committed
    std::uint64_t tentative = 0;  // in this batch
  };
  std::string encode_sources() const;
  void decode_sources(std::string_view text);
  void forget();
  result<void> begin_position(store::session& session);

  bus::consumer& consumer_;
  const std::string bus_id_;
  const std::size_t batch_max_;
  const bool latest_;
  std::atomic<bool> held_{false};
  bus::fetched fetched_;
  std::size_t at_ = 0;
  std::atomic<std::uint64_t> next_{0};  // in memory; read by others for the lag
  std::uint64_t saved_next_ = 0;  // in the store
  std::uint64_t fetch_from_ = 0;
  std::uint64_t epoch_ = 0;
  std::uint64_t replay_end_ = 0;
  std::uint64_t unsaved_ = 0;
  bool forgets_ = false;  // the rewinding in progress also forgets the sources
  std::vector<source> sources_;
  std::size_t last_source_ = 0;
};

}  // namespace gantry::runtime
