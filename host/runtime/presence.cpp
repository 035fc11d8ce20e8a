#include "runtime/presence.hpp"

#include <algorithm>

#include "runtime/values.hpp"

namespace gantry::runtime {
namespace {

constexpr std::string_view relay_row = "relay";
constexpr std::string_view host_rows = "host.";

#define GANTRY_SERVER_NOW "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

constexpr std::string_view enter_sql =
    "INSERT INTO gantry_lease (name, holder, until) VALUES ($1, $2, " GANTRY_SERVER_NOW
    " + $3)"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until";
constexpr std::string_view first_relay_sql =
    "INSERT INTO gantry_lease (name, holder, until) VALUES ($1, '', 0) ON CONFLICT (name) DO NOTHING";
constexpr std::string_view inherit_sql =
    "UPDATE gantry_lease SET holder = $1, until = " GANTRY_SERVER_NOW
    " + $2 WHERE name = $3"
    " AND (until < " GANTRY_SERVER_NOW " OR holder IN (SELECT holder FROM gantry_lease WHERE name = $4))";
constexpr std::string_view look_sql = "SELECT name, holder, until >= " GANTRY_SERVER_NOW " FROM gantry_lease";
constexpr std::string_view renew_sql =
    "UPDATE gantry_lease SET until = " GANTRY_SERVER_NOW " + $1 WHERE name = $2 AND holder = $3";
constexpr std::string_view lead_sql = "UPDATE gantry_lease SET holder = $1, until = " GANTRY_SERVER_NOW
                                      " + $2 WHERE name = $3"
                                      " AND (holder = $1 OR until < " GANTRY_SERVER_NOW ")";
constexpr std::string_view runs_sql =
    "INSERT INTO gantry_running (name, holder, version) VALUES ($1, $2, $3)"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, version = excluded.version";
constexpr std::string_view known_sql = "SELECT (to_regclass('gantry_running') IS NOT NULL)::int::bigint";
// A host that has said nothing of its version runs another one.
constexpr std::string_view others_sql =
    "SELECT l.name FROM gantry_lease AS l LEFT JOIN gantry_running AS r ON r.name = l.name AND r.holder = l.holder"
    " WHERE l.name LIKE 'host.%' AND l.name <> $1 AND l.until >= " GANTRY_SERVER_NOW
    " AND coalesce(r.version, '') <> $2 ORDER BY l.name";
constexpr std::string_view leave_sql = "UPDATE gantry_lease SET until = 0 WHERE holder = $1";

#undef GANTRY_SERVER_NOW

constexpr std::string_view above_rows_sql =
    "SELECT setval('gantry_outbox_id', rows.last) FROM (SELECT max(id) AS last FROM gantry_outbox) AS rows,"
    " gantry_outbox_id AS given WHERE rows.last > given.last_value";

// The row of this host is locked until the commit, so that whoever takes its name waits, or makes this transaction
// fail.
constexpr std::string_view append_sql =
    "INSERT INTO gantry_outbox (id, source, bytes) SELECT nextval('gantry_outbox_id'), $1, $2"
    " FROM (SELECT pg_advisory_xact_lock(hashtextextended('gantry outbox ' || current_schema(), 0))) AS late,"
    " (SELECT 1 FROM gantry_lease WHERE name = $3 AND holder = $4 FOR SHARE) AS mine RETURNING id";

error failed(const store::session& session) {
  return {errc::io, "the hosts of the store: " + std::string(session.error_text())};
}

}  // namespace

result<std::vector<std::string>> hosts_of_other_versions(store::session& session, std::string_view host,
                                                         std::string_view version) {
  const std::string name = std::string(host_rows).append(host);
  const gantry_value here[] = {value(std::string_view(name)), value(version)};
  std::vector<std::string> out;
  if (session.begin_read() != GANTRY_OK) return failed(session);
  store::cursor* rows = nullptr;
  gantry_status row = session.query(known_sql, {}, &rows);
  if (row == GANTRY_OK) row = rows->next();
  // Nobody has ever opened this store when the table is not there.
  const bool known = row == GANTRY_OK && integer_at(*rows, 0) != 0;
  if (rows != nullptr) rows->close();
  rows = nullptr;
  if (row == GANTRY_OK && !known) row = GANTRY_DONE;
  if (known) row = session.query(others_sql, here, &rows);
  while (row == GANTRY_OK && (row = rows->next()) == GANTRY_OK)
    out.emplace_back(text_at(*rows, 0).substr(host_rows.size()));
  auto done = row == GANTRY_DONE ? result<void>() : result<void>(failed(session));
  if (rows != nullptr) rows->close();
  session.end_read();
  if (!done) return done.failure();
  return out;
}

presence::presence(std::string host, std::string token, std::int64_t lease_us, std::int64_t lead_us)
    : host_(std::move(host)),
      name_(std::string(host_rows) + host_),
      token_(std::move(token)),
      lease_us_(lease_us),
      lead_us_(lead_us) {}

gantry_status presence::join(store::session& session, std::string_view version) {
  const gantry_value relay[] = {value(relay_row)};
  if (const auto s = session.exec(first_relay_sql, relay, nullptr); s != GANTRY_OK) return s;
  const gantry_value inherit[] = {value(std::string_view(token_)), value(lead_us_), value(relay_row),
                                  value(std::string_view(name_))};
  std::int64_t changes = 0;
  if (const auto s = session.exec(inherit_sql, inherit, &changes); s != GANTRY_OK) return s;
  // Rows that came with a copy of the store.
  store::cursor* none = nullptr;
  if (const auto s = session.query(above_rows_sql, {}, &none); s != GANTRY_OK) return s;
  none->close();
  const gantry_value enter[] = {value(std::string_view(name_)), value(std::string_view(token_)), value(lease_us_)};
  if (const auto s = session.exec(enter_sql, enter, nullptr); s != GANTRY_OK) return s;
  const gantry_value now[] = {value(std::string_view(name_)), value(std::string_view(token_)), value(version)};
  if (const auto s = session.exec(runs_sql, now, nullptr); s != GANTRY_OK) return s;
  leads_ = changes == 1;
  return GANTRY_OK;
}

result<void> presence::runs(store::session& session, std::string_view version) {
  const gantry_value now[] = {value(std::string_view(name_)), value(std::string_view(token_)), value(version)};
  if (session.begin_relaxed() == GANTRY_OK && session.exec(runs_sql, now, nullptr) == GANTRY_OK &&
      session.commit() == GANTRY_OK)
    return {};
  auto why = failed(session);
  session.rollback();
  return why;
}

bool presence::knows(const std::string& holder) const {
  return std::find(others_.begin(), others_.end(), holder) != others_.end();
}

result<presence::news> presence::round(store::session& session) {
  std::vector<std::string> there;
  bool may_lead = false;
  if (session.begin_read() != GANTRY_OK) return failed(session);
  store::cursor* rows = nullptr;
  gantry_status row = session.query(look_sql, {}, &rows);
  while (row == GANTRY_OK && (row = rows->next()) == GANTRY_OK) {
    const auto name = text_at(*rows, 0);
    const auto holder = text_at(*rows, 1);
    const bool alive = integer_at(*rows, 2) != 0;
    if (name == relay_row) {
      may_lead = holder == token_ || !alive;
    } else if (alive && name != name_) {
      there.emplace_back(holder);
    }
  }
  const auto looked = row == GANTRY_DONE ? result<void>() : result<void>(failed(session));
  if (rows != nullptr) rows->close();
  session.end_read();
  if (!looked) return looked.failure();

  const gantry_value renew[] = {value(lease_us_), value(std::string_view(name_)), value(std::string_view(token_))};
  const gantry_value lead[] = {value(std::string_view(token_)), value(lead_us_), value(relay_row)};
  std::int64_t mine = 0;
  std::int64_t leading = 0;
  const bool good = session.begin_relaxed() == GANTRY_OK && session.exec(renew_sql, renew, &mine) == GANTRY_OK &&
                    (!may_lead || mine == 0 || session.exec(lead_sql, lead, &leading) == GANTRY_OK);
  if (!good) {
    auto why = failed(session);
    session.rollback();
    return why;
  }
  if (session.commit() != GANTRY_OK) return failed(session);
  news out;
  out.expelled = mine == 0;
  leads_ = leading == 1;
  others_.swap(there);
  out.somebody_left = std::any_of(there.begin(), there.end(), [&](const auto& holder) { return !knows(holder); });
  return out;
}

void presence::leave(store::session& session) {
  const gantry_value mine[] = {value(std::string_view(token_))};
  if (session.begin_relaxed() == GANTRY_OK && session.exec(leave_sql, mine, nullptr) == GANTRY_OK) {
    session.commit();
  } else {
    session.rollback();
  }
}

gantry_status presence::append(store::session& session, std::string_view source, std::string_view bytes,
                               std::uint64_t& id, bool& expelled) {
  const gantry_value row[] = {value(source), blob(bytes), value(std::string_view(name_)),
                              value(std::string_view(token_))};
  store::cursor* rows = nullptr;
  if (const auto s = session.query(append_sql, row, &rows); s != GANTRY_OK) return s;
  const auto there = rows->next();
  if (there == GANTRY_OK) id = static_cast<std::uint64_t>(integer_at(*rows, 0));
  rows->close();
  expelled = there == GANTRY_DONE;
  return there == GANTRY_OK ? gantry_status{GANTRY_OK} : gantry_status{GANTRY_FAILED};
}

}  // namespace gantry::runtime
