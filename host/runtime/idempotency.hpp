// Replies to requests with an Idempotency-Key, kept for 24 hours in the plugin's store in the transaction of their
// effect.
//
// One row holds the replies of a whole batch, in the order of time, and an hour's rows go together: keeping a reply
// costs a few hundred bytes at the end of a table, whatever the keys look like. Which row has a key is known in memory
// for the newest keys, 16 bytes each, and by sorted runs on disk (key_runs) for the others.
//
// Where several hosts share the store there is a row for each key instead, unique: of two hosts that answer the same
// request one can't commit, runs again, and finds the other's reply. Nobody asks the table before a first attempt that
// writes: what a new key costs is its part of one round trip a batch. The newest keys of this host are known in memory,
// so that a repetition seldom has to run in vain.
//
// Ages count on a clock that nobody sets (age_clock.hpp).
// Owned by a lane. Thread: the lane's, but for begin() and end().
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "runtime/key_runs.hpp"
#include "runtime/reply.hpp"
#include "store/store.hpp"

namespace gantry::runtime {

inline constexpr std::string_view idempotency_schema =
    "CREATE TABLE IF NOT EXISTS gantry_idempotency (id {key}, hour BIGINT NOT NULL, keys BYTEA NOT NULL,"
    " replies BYTEA NOT NULL);";

inline constexpr std::string_view shared_idempotency_schema =
    "CREATE TABLE IF NOT EXISTS gantry_idempotency_key (high BIGINT NOT NULL, low BIGINT NOT NULL, body BIGINT NOT "
    "NULL,"
    " hour BIGINT NOT NULL, reply BYTEA NOT NULL, PRIMARY KEY (high, low));"
    "CREATE INDEX IF NOT EXISTS gantry_idempotency_hour ON gantry_idempotency_key (hour);";

struct idempotency_key {
  std::uint64_t high = 0;  // of the principal, the method, the path and the key
  std::uint64_t low = 0;
  std::uint64_t body = 0;  // of the request's body
  friend auto operator<=>(const idempotency_key&, const idempotency_key&) = default;
};

idempotency_key make_idempotency_key(std::string_view principal, std::string_view method, std::string_view path,
                                     std::string_view key, std::string_view body);

// In a shared store that was filled from one that is not: makes a row for each key of the batches' rows, in the open
// transaction.
result<void> spread_idempotency_rows(store::session& session);

class idempotency {
 public:
  enum class found { nothing, same, other_body, unreadable };

  // As many keys are known in memory; when there are more, they become a run.
  explicit idempotency(std::size_t keys_in_memory = 1U << 17) : keys_in_memory_(keys_in_memory) {}

  // `shared`: with other hosts. Not in a transaction.
  result<void> load(store::session& session, bool shared = false);
  // The begin of the newest hour in which a reply was kept, microseconds; 0: there is none.
  std::int64_t newest_us() const noexcept;
  // How many keys are known in memory, and in how many runs are the others.
  std::size_t in_memory() const noexcept { return recent_.used + before_.used; }
  std::size_t runs() const noexcept { return runs_.count(); }

  // Marks a key as being worked on; false when it is already. [any]
  bool begin(const idempotency_key& key);
  void end(const idempotency_key& key);

  // Looks a key up, among what was stored and what this batch keeps. `same`: `out` is the stored reply.
  // `unreadable`: the store did not answer, so nobody knows. Of what another host has stored since the start only
  // `ask_table` knows: for a request that stores nothing, and so can't run into that host's row.
  found find(store::session& session, const idempotency_key& key, reply& out, bool ask_table = false) const;

  // Keeps a reply with this batch.
  void keep(const idempotency_key& key, const reply& r);
  std::size_t kept() const noexcept { return batch_.size(); }
  void back_to(std::size_t kept) { batch_.resize(kept); }

  // Writes the batch's row, if there is anything to keep, and a part of a run that is being written. `now_us`: its
  // stamp.
  gantry_status write(store::session& session, std::int64_t now_us);
  void committed();
  void begin_batch();

  // Deletes what is older than 24 hours by the clock of ages.
  gantry_status expire(store::session& session, std::int64_t now_us);
  bool wants_expiry(std::int64_t now_us) const;
  void expired(std::int64_t now_us);

 private:
  struct entry {
    idempotency_key key;
    std::string text;  // the encoded reply
  };
  // Open addressing; a slot is empty when row is 0.
  struct print_table {
    std::vector<key_place> places;
    std::size_t used = 0;
    void add(std::uint64_t print, std::uint64_t row);
    // Calls fn(row) for each place of the print, until it says true.
    template <typename F>
    bool any(std::uint64_t print, F&& fn) const;
  };
  void note(std::uint64_t print, std::uint64_t row, std::int64_t hour);
  void make_room();
  result<void> write_runs(store::session& session);
  result<void> load_rows(store::session& session);
  found look(store::session& session, std::uint64_t place, const idempotency_key& key, reply& out) const;
  result<void> load_keys(store::session& session);
  result<void> unpack_rows(store::session& session);
  gantry_status unpack_some(store::session& session, bool& more);
  found find_shared(store::session& session, const idempotency_key& key, reply& out) const;
  gantry_status write_shared(store::session& session);

  bool shared_ = false;
  bool taken_ = false;  // another host has stored one of this batch's keys: the table is asked
  const std::size_t keys_in_memory_;
  print_table recent_;
  print_table before_;  // of a shared store: those that were there when `recent_` was full
  key_runs runs_;
  std::int64_t oldest_hour_ = INT64_MAX;  // that may be in the store
  std::int64_t newest_hour_ = INT64_MIN;
  std::int64_t recent_hour_ = INT64_MIN;  // the newest of those in `recent_`
  std::vector<entry> batch_;
  std::uint64_t next_row_ = 1;
  std::int64_t written_hour_ = 0;
  std::uint64_t written_row_ = 0;
  std::mutex mutex_;
  std::set<idempotency_key> running_;  // guarded by mutex_
};

}  // namespace gantry::runtime
