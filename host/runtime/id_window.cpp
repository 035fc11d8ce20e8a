#include "runtime/id_window.hpp"

#include <string>

#include "runtime/values.hpp"

namespace gantry::runtime {
namespace {
constexpr std::int64_t hour_us = 3'600'000'000;
constexpr std::int64_t window_us = 7 * 24 * hour_us;
}  // namespace

result<void> id_window::load(store::session& session) {
  store::cursor* rows = nullptr;
  if (session.query("SELECT max(seen) FROM gantry_seen", {}, &rows) != GANTRY_OK)
    return error{errc::io, "reading the ids of events: " + std::string(session.error_text())};
  const auto there = rows->next();
  newest_us_ = there == GANTRY_OK ? integer_at(*rows, 0) : 0;
  rows->close();
  if (there == GANTRY_OK || there == GANTRY_DONE) return {};
  return error{errc::io, "reading the ids of events: " + std::string(session.error_text())};
}

gantry_status id_window::note(store::session& session, std::string_view topic, const bus::record& r,
                              std::int64_t now_us, bool& is_new) {
  used_ = true;
  const gantry_value params[] = {value(topic), value(r.source), value(r.id), value(now_us)};
  std::int64_t changes = 0;
  const auto status = session.exec(
      "INSERT INTO gantry_seen (topic, source, id, seen) VALUES ($1, $2, $3, $4) ON CONFLICT (topic, source, id) DO "
      "NOTHING",
      params, &changes);
  is_new = changes == 1;
  return status;
}

gantry_status id_window::forget(store::session& session, std::string_view topic) {
  const gantry_value params[] = {value(topic)};
  return session.exec("DELETE FROM gantry_seen WHERE topic = $1", params, nullptr);
}

gantry_status id_window::expire(store::session& session, std::int64_t now_us) {
  const gantry_value params[] = {value(now_us - window_us)};
  const auto status = session.exec("DELETE FROM gantry_seen WHERE seen < $1", params, nullptr);
  if (status == GANTRY_OK) {
    expire_at_us_ = now_us + hour_us;
    used_ = false;
    store::cursor* rows = nullptr;
    if (session.query("SELECT 1 FROM gantry_seen LIMIT 1", {}, &rows) == GANTRY_OK) {
      used_ = rows->next() != GANTRY_DONE;
      rows->close();
    }
  }
  return status;
}

}  // namespace gantry::runtime
