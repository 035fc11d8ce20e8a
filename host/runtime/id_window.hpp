// Which events of foreign producers were handled. They carry no sequence, so what tells a repetition is their id, kept
// for seven days in the transaction of the event's effect. Owned by a lane. Thread: the lane's.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "bus/record.hpp"
#include "store/store.hpp"

namespace gantry::runtime {

inline constexpr std::string_view id_window_schema =
    "CREATE TABLE IF NOT EXISTS gantry_seen (topic TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,"
    " seen BIGINT NOT NULL, PRIMARY KEY (topic, source, id));"
    "CREATE INDEX IF NOT EXISTS gantry_seen_age ON gantry_seen (seen);";

class id_window {
 public:
  // When the newest id was seen: newest_us(); 0: none is kept.
  result<void> load(store::session& session);
  std::int64_t newest_us() const noexcept { return newest_us_; }

  // Notes the event's id within the open transaction; `is_new` says whether nobody had. `now_us`: its stamp.
  gantry_status note(store::session& session, std::string_view topic, const bus::record& r, std::int64_t now_us,
                     bool& is_new);

  // Forgets a topic, so that a replay handles its events again.
  static gantry_status forget(store::session& session, std::string_view topic);

  // True once an hour while there may be ids to let go.
  bool wants_expiry(std::int64_t now_us) const noexcept { return used_ && now_us >= expire_at_us_; }
  // Deletes what is older than seven days by the clock of ages, within the open transaction.
  gantry_status expire(store::session& session, std::int64_t now_us);

 private:
  std::int64_t newest_us_ = 0;
  bool used_ = true;  // by an earlier life, perhaps
  std::int64_t expire_at_us_ = 0;
};

}  // namespace gantry::runtime
