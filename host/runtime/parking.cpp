#include "runtime/parking.hpp"

#include <algorithm>

#include "runtime/values.hpp"

namespace gantry::runtime {

std::string parking::name_of(std::string_view topic, std::string_view key) {
  std::string out(topic);
  out.push_back('\0');
  return out.append(key);
}

result<void> parking::load(store::session& session) {
  const auto failed = [&] { return error{errc::io, "reading parked events: " + std::string(session.error_text())}; };
  // What was known stays until all is read: a key that were forgotten would let its events overtake.
  decltype(keys_) keys;
  std::uint64_t count = 0;
  store::cursor* rows = nullptr;
  if (session.query("SELECT topic, key, count(*) FROM gantry_parked GROUP BY topic, key", {}, &rows) != GANTRY_OK)
    return failed();
  gantry_status got = GANTRY_OK;
  while ((got = rows->next()) == GANTRY_OK) {
    const auto n = static_cast<std::uint64_t>(integer_at(*rows, 2));
    keys[name_of(text_at(*rows, 0), text_at(*rows, 1))] = n;
    count += n;
  }
  rows->close();
  if (got != GANTRY_DONE) return failed();
  keys_.swap(keys);
  count_ = count;
  return {};
}

gantry_status parking::look(store::session& session, std::string_view topic, std::string_view key) {
  const gantry_value which[] = {value(topic), value(key)};
  store::cursor* rows = nullptr;
  if (const auto status =
          session.query("SELECT 1 FROM gantry_parked WHERE topic = $1 AND key = $2 LIMIT 1", which, &rows);
      status != GANTRY_OK)
    return status;
  const auto found = rows->next();
  rows->close();
  if (found == GANTRY_OK) return GANTRY_OK;
  if (found != GANTRY_DONE) return found;
  const auto at = keys_.find(name_of(topic, key));
  if (at != keys_.end()) {
    count_ -= at->second;
    keys_.erase(at);
  }
  return GANTRY_OK;
}

bool parking::has(std::string_view topic, std::string_view key) const {
  if (keys_.empty() && added_.empty()) return false;
  const auto name = name_of(topic, key);
  if (std::find(added_.begin(), added_.end(), name) != added_.end()) return true;
  const auto at = keys_.find(name);
  if (at == keys_.end()) return false;
  const auto gone = static_cast<std::uint64_t>(std::count(removed_.begin(), removed_.end(), name));
  return at->second > gone;
}

gantry_status parking::add(store::session& session, std::string_view topic, std::uint32_t partition,
                           const bus::record& r, std::string_view why, std::uint32_t attempts, std::int64_t wall_us) {
  std::string encoded;
  bus::encode(r, encoded);
  const gantry_value params[] = {value(topic),
                                 value(partition),
                                 value(r.offset),
                                 value(r.key),
                                 value(r.type),
                                 value(r.id),
                                 value(r.source),
                                 blob(encoded),
                                 value(why),
                                 value(attempts),
                                 value(wall_us)};
  const auto status = session.exec(
      "INSERT INTO gantry_parked (topic, part, position, key, type, event_id, source, record, error, attempts, parked_at)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
      params, nullptr);
  if (status == GANTRY_OK) added_.push_back(name_of(topic, r.key));
  return status;
}

gantry_status parking::remove(store::session& session, std::int64_t id, std::string_view topic, std::string_view key) {
  const gantry_value params[] = {value(id)};
  std::int64_t changes = 0;
  const auto status = session.exec("DELETE FROM gantry_parked WHERE id = $1", params, &changes);
  if (status != GANTRY_OK) return status;
  if (changes == 1) removed_.push_back(name_of(topic, key));
  return changes == 1 ? GANTRY_OK : GANTRY_NOT_FOUND;
}

void parking::begin_batch() {
  added_.clear();
  removed_.clear();
}

void parking::committed() {
  for (auto& name : added_) ++keys_[name];
  count_ += added_.size();
  for (const auto& name : removed_) {
    const auto at = keys_.find(name);
    if (at == keys_.end()) continue;
    --count_;
    if (--at->second == 0) keys_.erase(at);
  }
  begin_batch();
}

}  // namespace gantry::runtime
