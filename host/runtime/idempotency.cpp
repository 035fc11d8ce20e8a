#include "runtime/idempotency.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "runtime/values.hpp"

namespace gantry::runtime {
namespace {

constexpr std::int64_t hour_us = 3'600'000'000;
constexpr std::int64_t kept_hours = 24;
constexpr std::size_t key_bytes = 24;

template <typename T>
void put(T v, std::string& out) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}

template <typename T>
T take(std::string_view& from) {
  T v{};
  if (from.size() >= sizeof v) {
    std::memcpy(&v, from.data(), sizeof v);
    from.remove_prefix(sizeof v);
  } else {
    from = {};
  }
  return v;
}

std::string_view take_text(std::string_view& from) {
  const auto n = std::min<std::size_t>(take<std::uint32_t>(from), from.size());
  const auto text = from.substr(0, n);
  from.remove_prefix(n);
  return text;
}

// status, number of headers, then name and value each, then the body; texts with a u32 length.
std::string encode_reply(const reply& r) {
  std::string out;
  put(static_cast<std::uint32_t>(r.status), out);
  put(static_cast<std::uint32_t>(r.headers.size()), out);
  const auto text = [&](std::string_view s) {
    put(static_cast<std::uint32_t>(s.size()), out);
    out.append(s);
  };
  for (const auto& [name, content] : r.headers) {
    text(name);
    text(content);
  }
  text(r.body);
  return out;
}

reply decode_reply(std::string_view from) {
  reply r;
  r.status = static_cast<int>(take<std::uint32_t>(from));
  const auto headers = take<std::uint32_t>(from);
  for (std::uint32_t i = 0; i < headers && !from.empty(); ++i) {
    const auto name = take_text(from);
    r.headers.emplace_back(name, take_text(from));
  }
  r.body = take_text(from);
  return r;
}

idempotency_key read_key(const char* at) {
  idempotency_key k;
  std::memcpy(&k.high, at, 8);
  std::memcpy(&k.low, at + 8, 8);
  std::memcpy(&k.body, at + 16, 8);
  return k;
}

}  // namespace

idempotency_key make_idempotency_key(std::string_view principal, std::string_view method, std::string_view path,
                                     std::string_view key, std::string_view body) {
  unsigned char digest[16];
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, sizeof digest);
  for (const auto part : {principal, method, path, key}) {
    const std::uint64_t size = part.size();
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&size), sizeof size);
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()), part.size());
  }
  crypto_generichash_final(&state, digest, sizeof digest);
  idempotency_key out;
  std::memcpy(&out.high, digest, 8);
  std::memcpy(&out.low, digest + 8, 8);
  crypto_generichash(digest, sizeof digest, reinterpret_cast<const unsigned char*>(body.data()), body.size(), nullptr,
                     0);
  std::memcpy(&out.body, digest, 8);
  return out;
}

void idempotency::print_table::add(std::uint64_t print, std::uint64_t row) {
  if ((used + 1) * 10 > places.size() * 7) {
    std::vector<key_place> old(std::max<std::size_t>(64, places.size() * 2));
    old.swap(places);
    used = 0;
    for (const auto& p : old)
      if (p.row != 0) add(p.print, p.row);
  }
  std::size_t at = print & (places.size() - 1);
  while (places[at].row != 0) at = (at + 1) & (places.size() - 1);
  places[at] = {print, row};
  ++used;
}

template <typename F>
bool idempotency::print_table::any(std::uint64_t print, F&& fn) const {
  if (places.empty()) return false;
  for (std::size_t at = print & (places.size() - 1); places[at].row != 0; at = (at + 1) & (places.size() - 1))
    if (places[at].print == print && fn(places[at].row)) return true;
  return false;
}

void idempotency::note(std::uint64_t print, std::uint64_t row, std::int64_t hour) {
  recent_.add(print, row);
  oldest_hour_ = std::min(oldest_hour_, hour);
  newest_hour_ = std::max(newest_hour_, hour);
  recent_hour_ = std::max(recent_hour_, hour);
}

// Behind a batch whose keys are all in: a run ends with a row.
void idempotency::make_room() {
  if (recent_.used < keys_in_memory_ || runs_.writing()) return;
  if (shared_) {
    before_ = std::move(recent_);
    recent_ = {};
    return;
  }
  std::vector<key_place> places;
  places.reserve(recent_.used);
  std::copy_if(recent_.places.begin(), recent_.places.end(), std::back_inserter(places),
               [](const key_place& p) { return p.row != 0; });
  recent_ = {};
  runs_.take(std::move(places), next_row_ - 1, std::exchange(recent_hour_, INT64_MIN));
}

std::int64_t idempotency::newest_us() const noexcept { return newest_hour_ == INT64_MIN ? 0 : newest_hour_ * hour_us; }

result<void> idempotency::load(store::session& session, bool shared) {
  shared_ = shared;
  if (!shared) return load_rows(session);
  if (auto done = unpack_rows(session); !done) return done;
  // In a snapshot: hosts that write meanwhile must not have this one told to try again.
  if (session.begin_read() != GANTRY_OK)
    return error{errc::io, "reading idempotency keys: " + std::string(session.error_text())};
  auto loaded = load_keys(session);
  session.end_read();
  return loaded;
}

// Rows of whole batches, which came with a copy of a store that one host had: each of their keys gets a row.
result<void> idempotency::unpack_rows(store::session& session) {
  for (bool more = true; more;) {
    auto status = session.begin();
    if (status == GANTRY_OK) status = unpack_some(session, more);
    if (status == GANTRY_OK) status = session.commit();
    if (status == GANTRY_OK) continue;
    error why{errc::io, "taking over idempotency keys: " + std::string(session.error_text())};
    session.rollback();
    // Another host has taken them over.
    if (status != GANTRY_RETRY && status != GANTRY_CONFLICT) return why;
    more = true;
  }
  return {};
}

gantry_status idempotency::unpack_some(store::session& session, bool& more) {
  store::cursor* rows = nullptr;
  auto status = session.query("SELECT id, hour, keys, replies FROM gantry_idempotency ORDER BY id LIMIT 16", {}, &rows);
  if (status != GANTRY_OK) return status;
  std::int64_t last = 0;
  more = false;
  while (status == GANTRY_OK && (status = rows->next()) == GANTRY_OK) {
    more = true;
    last = integer_at(*rows, 0);
    const auto hour = integer_at(*rows, 1);
    const auto keys = text_at(*rows, 2);
    auto replies = text_at(*rows, 3);
    for (std::size_t i = 0; status == GANTRY_OK && (i + 1) * key_bytes <= keys.size(); ++i) {
      const auto key = read_key(keys.data() + i * key_bytes);
      const gantry_value params[] = {value(key.high), value(key.low), value(key.body), value(hour),
                                     blob(take_text(replies))};
      status = session.defer(
          "INSERT INTO gantry_idempotency_key (high, low, body, hour, reply)"
          " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (high, low) DO NOTHING",
          params);
    }
  }
  rows->close();
  if (status != GANTRY_DONE) return status;
  const gantry_value done[] = {value(last)};
  return more ? session.defer("DELETE FROM gantry_idempotency WHERE id <= $1", done) : gantry_status{GANTRY_OK};
}

// Some of the keys that there were at the start. Those of other hosts since then are not among them.
result<void> idempotency::load_keys(store::session& session) {
  const auto failed = [&] { return error{errc::io, "reading idempotency keys: " + std::string(session.error_text())}; };
  store::cursor* rows = nullptr;
  if (session.query("SELECT min(hour), max(hour) FROM gantry_idempotency_key", {}, &rows) != GANTRY_OK) return failed();
  gantry_value oldest{};
  auto row = rows->next();
  if (row == GANTRY_OK && rows->column(0, oldest) == GANTRY_OK && oldest.type == GANTRY_INT) {
    oldest_hour_ = oldest.as.i;
    newest_hour_ = integer_at(*rows, 1);
  }
  rows->close();
  if (row != GANTRY_OK && row != GANTRY_DONE) return failed();
  if (newest_hour_ == INT64_MIN) return {};
  const gantry_value some[] = {value(newest_hour_ - 1), value(static_cast<std::int64_t>(keys_in_memory_))};
  if (session.query("SELECT high FROM gantry_idempotency_key WHERE hour >= $1 LIMIT $2", some, &rows) != GANTRY_OK)
    return failed();
  while ((row = rows->next()) == GANTRY_OK) recent_.add(static_cast<std::uint64_t>(integer_at(*rows, 0)), 1);
  rows->close();
  if (row != GANTRY_DONE) return failed();
  make_room();
  return {};
}

// Old rows too: they are forgotten by wants_expiry(), and no id of theirs may be given again.
result<void> idempotency::load_rows(store::session& session) {
  constexpr std::size_t rows_at_once = 64;
  if (auto done = runs_.load(session); !done) return done;
  const auto failed = [&] { return error{errc::io, "reading idempotency keys: " + std::string(session.error_text())}; };
  store::cursor* rows = nullptr;
  if (session.query("SELECT hour FROM gantry_idempotency ORDER BY id LIMIT 1", {}, &rows) != GANTRY_OK) return failed();
  const auto first = rows->next();
  if (first == GANTRY_OK) oldest_hour_ = newest_hour_ = integer_at(*rows, 0);
  rows->close();
  if (first != GANTRY_OK && first != GANTRY_DONE) return failed();
  newest_hour_ = std::max(newest_hour_, runs_.newest_hour());
  next_row_ = runs_.through() + 1;
  for (std::size_t read = rows_at_once; read == rows_at_once;) {
    const gantry_value next[] = {value(next_row_), value(static_cast<std::int64_t>(rows_at_once))};
    if (session.query("SELECT id, hour, keys FROM gantry_idempotency WHERE id >= $1 ORDER BY id LIMIT $2", next,
                      &rows) != GANTRY_OK)
      return failed();
    gantry_status row = GANTRY_OK;
    for (read = 0; (row = rows->next()) == GANTRY_OK; ++read) {
      const auto id = static_cast<std::uint64_t>(integer_at(*rows, 0));
      const auto hour = integer_at(*rows, 1);
      const auto keys = text_at(*rows, 2);
      for (std::size_t i = 0; (i + 1) * key_bytes <= keys.size(); ++i)
        note(read_key(keys.data() + i * key_bytes).high, (id << 16) | i, hour);
      next_row_ = id + 1;
    }
    rows->close();
    if (row != GANTRY_DONE) return failed();
    make_room();
    if (auto done = write_runs(session); !done) return done;
  }
  return {};
}

// All of the run that waits. Only at a start; else a batch takes a part of it.
result<void> idempotency::write_runs(store::session& session) {
  while (runs_.writing()) {
    runs_.begin_batch();
    if (session.begin() != GANTRY_OK || runs_.write(session) != GANTRY_OK || session.commit() != GANTRY_OK) {
      error why{errc::io, "writing idempotency keys: " + std::string(session.error_text())};
      session.rollback();
      return why;
    }
    runs_.committed();
  }
  return {};
}

result<void> spread_idempotency_rows(store::session& session) {
  std::int64_t id = 0;
  for (;;) {
    const gantry_value after[] = {value(id)};
    store::cursor* rows = nullptr;
    if (session.query("SELECT id, hour, keys, replies FROM gantry_idempotency WHERE id > $1 ORDER BY id LIMIT 1", after,
                      &rows) != GANTRY_OK)
      return error{errc::io, "reading idempotency keys: " + std::string(session.error_text())};
    const auto there = rows->next();
    if (there == GANTRY_OK) id = integer_at(*rows, 0);
    const auto hour = there == GANTRY_OK ? integer_at(*rows, 1) : 0;
    const std::string keys(there == GANTRY_OK ? text_at(*rows, 2) : std::string_view());
    const std::string stored(there == GANTRY_OK ? text_at(*rows, 3) : std::string_view());
    rows->close();
    if (there == GANTRY_DONE) break;
    std::string_view replies = stored;
    auto status = there;
    for (std::size_t at = 0; status == GANTRY_OK && at + key_bytes <= keys.size(); at += key_bytes) {
      const auto key = read_key(keys.data() + at);
      const gantry_value row[] = {value(key.high), value(key.low), value(key.body), value(hour),
                                  blob(take_text(replies))};
      status = session.defer(
          "INSERT INTO gantry_idempotency_key (high, low, body, hour, reply) VALUES ($1, $2, $3, $4, $5)"
          " ON CONFLICT (high, low) DO NOTHING",
          row);
    }
    if (status != GANTRY_OK) return error{errc::io, "writing idempotency keys: " + std::string(session.error_text())};
  }
  if (session.exec("DELETE FROM gantry_idempotency", {}, nullptr) != GANTRY_OK)
    return error{errc::io, "writing idempotency keys: " + std::string(session.error_text())};
  return {};
}

bool idempotency::begin(const idempotency_key& key) {
  const std::lock_guard lock(mutex_);
  return running_.insert({key.high, key.low, 0}).second;
}

void idempotency::end(const idempotency_key& key) {
  const std::lock_guard lock(mutex_);
  running_.erase({key.high, key.low, 0});
}

idempotency::found idempotency::find(store::session& session, const idempotency_key& key, reply& out,
                                     bool ask_table) const {
  for (const auto& e : batch_) {
    if (e.key.high != key.high || e.key.low != key.low) continue;
    if (e.key.body != key.body) return found::other_body;
    out = decode_reply(e.text);
    return found::same;
  }
  if (shared_) {
    const auto known = [](std::uint64_t) { return true; };
    return ask_table || taken_ || recent_.any(key.high, known) || before_.any(key.high, known)
               ? find_shared(session, key, out)
               : found::nothing;
  }
  auto answer = found::nothing;
  const auto there = [&](std::uint64_t place) {
    answer = look(session, place, key, out);
    return answer != found::nothing;
  };
  if (recent_.any(key.high, there)) return answer;
  std::vector<std::uint64_t> older;
  if (!runs_.find(session, key.high, older)) return found::unreadable;
  for (const auto place : older)
    if (there(place)) break;
  return answer;
}

// In one row, at the place where the key's print was found. The row may have expired.
idempotency::found idempotency::look(store::session& session, std::uint64_t place, const idempotency_key& key,
                                     reply& out) const {
  const gantry_value row[] = {value(place >> 16)};
  const std::size_t index = place & 0xFFFF;
  store::cursor* rows = nullptr;
  if (session.query("SELECT keys, replies FROM gantry_idempotency WHERE id = $1", row, &rows) != GANTRY_OK)
    return found::unreadable;
  auto answer = found::nothing;
  const auto there = rows->next();
  if (there != GANTRY_OK && there != GANTRY_DONE) answer = found::unreadable;
  const auto keys = there == GANTRY_OK ? text_at(*rows, 0) : std::string_view();
  if ((index + 1) * key_bytes <= keys.size()) {
    const auto stored = read_key(keys.data() + index * key_bytes);
    if (stored.high == key.high && stored.low == key.low) {
      answer = stored.body == key.body ? found::same : found::other_body;
      auto replies = text_at(*rows, 1);
      for (std::size_t skip = 0; skip < index; ++skip) take_text(replies);
      if (answer == found::same) out = decode_reply(take_text(replies));
    }
  }
  rows->close();
  return answer;
}

idempotency::found idempotency::find_shared(store::session& session, const idempotency_key& key, reply& out) const {
  const gantry_value which[] = {value(key.high), value(key.low)};
  store::cursor* rows = nullptr;
  if (session.query("SELECT body, reply FROM gantry_idempotency_key WHERE high = $1 AND low = $2", which, &rows) !=
      GANTRY_OK)
    return found::unreadable;
  auto answer = found::nothing;
  const auto there = rows->next();
  if (there != GANTRY_OK && there != GANTRY_DONE) answer = found::unreadable;
  if (there == GANTRY_OK) {
    answer = static_cast<std::uint64_t>(integer_at(*rows, 0)) == key.body ? found::same : found::other_body;
    if (answer == found::same) out = decode_reply(text_at(*rows, 1));
  }
  rows->close();
  return answer;
}

gantry_status idempotency::write_shared(store::session& session) {
  std::vector<gantry_value> params;
  params.reserve(batch_.size() * 5);
  for (const auto& e : batch_)
    for (const auto& v : {value(e.key.high), value(e.key.low), value(e.key.body), value(written_hour_), blob(e.text)})
      params.push_back(v);
  // Not deferred: that it was a key, and nothing else, must be known.
  const auto status =
      session.exec_many("INSERT INTO gantry_idempotency_key (high, low, body, hour, reply) VALUES ($1, $2, $3, $4, $5)",
                        params, 5, batch_.size(), nullptr);
  taken_ = taken_ || status == GANTRY_CONFLICT;
  return status;
}

void idempotency::keep(const idempotency_key& key, const reply& r) { batch_.push_back({key, encode_reply(r)}); }

void idempotency::begin_batch() {
  batch_.clear();
  written_row_ = 0;
  runs_.begin_batch();
}

gantry_status idempotency::write(store::session& session, std::int64_t now_us) {
  if (runs_.writing())
    if (const auto status = runs_.write(session); status != GANTRY_OK) return status;
  if (batch_.empty()) return GANTRY_OK;
  written_hour_ = now_us / hour_us;
  written_row_ = next_row_;
  if (shared_) return write_shared(session);
  std::string keys;
  std::string replies;
  for (const auto& e : batch_) {
    put(e.key.high, keys);
    put(e.key.low, keys);
    put(e.key.body, keys);
    put(static_cast<std::uint32_t>(e.text.size()), replies);
    replies.append(e.text);
  }
  const gantry_value params[] = {value(next_row_), value(written_hour_), blob(keys), blob(replies)};
  return session.defer("INSERT INTO gantry_idempotency (id, hour, keys, replies) VALUES ($1, $2, $3, $4)", params);
}

void idempotency::committed() {
  runs_.committed();
  if (written_row_ != 0) {
    for (std::size_t i = 0; i < batch_.size(); ++i) note(batch_[i].key.high, (written_row_ << 16) | i, written_hour_);
    ++next_row_;
    make_room();
  }
  taken_ = false;
  begin_batch();
}

bool idempotency::wants_expiry(std::int64_t now_us) const { return oldest_hour_ < now_us / hour_us - kept_hours; }

gantry_status idempotency::expire(store::session& session, std::int64_t now_us) {
  const auto oldest = now_us / hour_us - kept_hours;
  const gantry_value params[] = {value(oldest)};
  const auto status = session.exec(
      shared_ ? "DELETE FROM gantry_idempotency_key WHERE hour < $1" : "DELETE FROM gantry_idempotency WHERE hour < $1",
      params, nullptr);
  return status != GANTRY_OK || shared_ ? status : runs_.expire(session, oldest);
}

// What is known in memory of rows that are gone does no harm: they are looked for and not there.
void idempotency::expired(std::int64_t now_us) {
  oldest_hour_ = now_us / hour_us - kept_hours;
  runs_.expired(oldest_hour_);
}

}  // namespace gantry::runtime
