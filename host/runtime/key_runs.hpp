// Where the older of a store's idempotency keys are, on disk: sorted runs of fingerprints, written once, each with a
// filter in memory that nearly always knows that a key is not there. What is in memory does not grow with the keys
// beyond a bound.
//
// A run comes into the store over several of the lane's transactions; one that a crash has cut off is thrown away,
// since its keys are in the batches' rows as well. Owned by idempotency. Thread: the lane's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/store.hpp"

namespace gantry::runtime {

inline constexpr std::string_view key_run_schema =
    "CREATE TABLE IF NOT EXISTS gantry_idempotency_run (run BIGINT NOT NULL, first BIGINT NOT NULL, hour BIGINT NOT "
    "NULL,"
    " through BIGINT NOT NULL, chunks BIGINT NOT NULL, places BYTEA NOT NULL, PRIMARY KEY (run, first));";

// A key's fingerprint, and where its reply is: 48 bits of a row's id, 16 bits of the place in it.
struct key_place {
  std::uint64_t print = 0;
  std::uint64_t row = 0;
};

// Says of a print whether it may be among those that it was made of: always yes when it is, and of a thousand others
// about one. 2 bytes a print; a question reads one line of the cache.
class print_filter {
 public:
  explicit print_filter(std::size_t prints);
  void add(std::uint64_t print) noexcept;
  bool may_have(std::uint64_t print) const noexcept;
  std::size_t bytes() const noexcept { return words_.size() * sizeof(std::uint64_t); }

 private:
  static constexpr std::size_t block_words = 8;
  std::vector<std::uint64_t> words_;
};

class key_runs {
 public:
  // Of all filters together; beyond, the oldest runs are without one and are asked for every key.
  explicit key_runs(std::size_t filter_bytes_max = 64U << 20) : filter_bytes_max_(filter_bytes_max) {}

  // Reads what there is, and throws away what is not whole.
  result<void> load(store::session& session);

  // The last of the batches' rows whose keys are in runs.
  std::uint64_t through() const noexcept { return through_; }
  std::size_t count() const noexcept { return runs_.size(); }
  // Of all keys in runs; INT64_MIN: there is none.
  std::int64_t newest_hour() const noexcept;
  std::size_t filter_bytes() const noexcept { return filter_bytes_; }

  // Makes a run of these places. Only when none is being written.
  void take(std::vector<key_place> places, std::uint64_t through, std::int64_t newest_hour);
  bool writing() const noexcept { return !unwritten_.empty(); }

  // Writes some of the run in the open transaction.
  gantry_status write(store::session& session);
  void committed();
  void begin_batch() noexcept { written_ = written_before_; }

  // Adds the rows where this print may be, the newest first. False: the store does not answer.
  bool find(store::session& session, std::uint64_t print, std::vector<std::uint64_t>& rows) const;

  // Deletes runs that have no key of this hour or a later one.
  gantry_status expire(store::session& session, std::int64_t oldest_hour);
  void expired(std::int64_t oldest_hour);

 private:
  struct run {
    std::int64_t id = 0;
    std::int64_t newest_hour = 0;
    std::vector<print_filter> filter;  // none when there are too many
  };
  void add_run(run&& made);

  const std::size_t filter_bytes_max_;
  std::vector<run> runs_;  // the oldest first
  std::size_t filter_bytes_ = 0;
  std::uint64_t through_ = 0;
  std::int64_t next_run_ = 1;

  // The one that is being written.
  std::vector<key_place> unwritten_;  // sorted; all of it until it is whole
  std::size_t written_before_ = 0;    // places, by what was committed
  std::size_t written_ = 0;           // and by this batch
  std::int64_t chunks_ = 0;
  std::uint64_t taken_through_ = 0;
  std::int64_t taken_hour_ = 0;
};

}  // namespace gantry::runtime
