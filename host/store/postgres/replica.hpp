// A streaming replica for snapshots that may lag: whether it is there, how far it is behind, and sessions on it.
//
// It is looked at once a second, by whoever wants to read then, on a connection of its own; the others don't wait for
// that. While it can't be reached, does not answer in time, or is further behind than it may, snapshots come from the
// first server: that is said once, and once when it is over. Owned by the store. Thread: any.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "store/postgres/postgres_store.hpp"
#include "store/postgres/session.hpp"
#include "store/reader_pool.hpp"

namespace gantry::store::postgres {

class replica {
 public:
  // `options` and `health` outlive it.
  replica(const postgres_options& options, address where, write_health& health);

  // A session on the replica, for which one of `first` stands in when need be; null: it is not to be read now, or all
  // of its readers are busy.
  std::unique_ptr<session> acquire(reader_pool& first);
  // A reader got no answer: it is left alone until a look finds it well.
  void away(const std::string& why);

 private:
  using steady = std::chrono::steady_clock;

  // `answer`: how long it may take.
  result<std::unique_ptr<session>> open(std::chrono::milliseconds answer);
  bool is_good();
  // Why it is not to be read; empty: all is well.
  std::string look();
  void note(const std::string& why);

  const postgres_options& options_;
  const address where_;
  write_health& health_;
  reader_pool readers_;
  std::unique_ptr<session> looks_;  // of whoever looks: looking_

  std::mutex mutex_;  // guards what follows
  steady::time_point next_look_{};
  bool looking_ = false;
  bool good_ = false;
  bool told_ = false;  // that it is not read
};

}  // namespace gantry::store::postgres
