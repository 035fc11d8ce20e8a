#include "runtime/idempotency.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>

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

void idempotency::hour_index::add(std::uint64_t print, std::uint64_t row) {
  if ((used + 1) * 10 > places.size() * 7) {
    std::vector<place> old(std::max<std::size_t>(64, places.size() * 2));
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

idempotency::hour_index& idempotency::index_of(std::int64_t hour) {
  for (auto& h : hours_)
    if (h.hour == hour) return h;
  hours_.insert(hours_.begin(), hour_index{hour, {}, 0});
  return hours_.front();
}

result<void> idempotency::load(store::session& session, bool shared) {
  shared_ = shared;
  return shared ? load_keys(session) : load_rows(session);
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
      status = session.defer("INSERT INTO gantry_idempotency_key (high, low, body, hour, reply)"
                             " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (high, low) DO NOTHING",
                             params);
    }
  }
  rows->close();
  if (status != GANTRY_DONE) return status;
  const gantry_value done[] = {value(last)};
  return more ? session.defer("DELETE FROM gantry_idempotency WHERE id <= $1", done) : gantry_status{GANTRY_OK};
}

// Which keys there were at the start. Those of other hosts since then are not among them.
result<void> idempotency::load_keys(store::session& session) {
  if (auto done = unpack_rows(session); !done) return done;
  store::cursor* rows = nullptr;
  if (session.query("SELECT high, hour FROM gantry_idempotency_key", {}, &rows) != GANTRY_OK)
    return error{errc::io, "reading idempotency keys: " + std::string(session.error_text())};
  while (rows->next() == GANTRY_OK)
    index_of(integer_at(*rows, 1)).add(static_cast<std::uint64_t>(integer_at(*rows, 0)), 1);
  rows->close();
  return {};
}

result<void> idempotency::load_rows(store::session& session) {
  // Old rows too: they are forgotten by wants_expiry(), and no id of theirs may be given again.
  store::cursor* rows = nullptr;
  if (session.query("SELECT id, hour, keys FROM gantry_idempotency", {}, &rows) != GANTRY_OK)
    return error{errc::io, "reading idempotency keys: " + std::string(session.error_text())};
  while (rows->next() == GANTRY_OK) {
    const auto id = static_cast<std::uint64_t>(integer_at(*rows, 0));
    auto& index = index_of(integer_at(*rows, 1));
    const auto keys = text_at(*rows, 2);
    for (std::size_t i = 0; (i + 1) * key_bytes <= keys.size(); ++i)
      index.add(read_key(keys.data() + i * key_bytes).high, (id << 16) | i);
    next_row_ = std::max(next_row_, id + 1);
  }
  rows->close();
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
      const gantry_value row[] = {value(key.high), value(key.low), value(key.body), value(hour), blob(take_text(replies))};
      status = session.defer("INSERT INTO gantry_idempotency_key (high, low, body, hour, reply) VALUES ($1, $2, $3, $4, $5)"
                             " ON CONFLICT (high, low) DO NOTHING",
                             row);
    }
    if (status != GANTRY_OK)
      return error{errc::io, "writing idempotency keys: " + std::string(session.error_text())};
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
  if (shared_) return ask_table || taken_ || knows(key.high) ? find_shared(session, key, out) : found::nothing;
  for (const auto& h : hours_) {
    if (h.places.empty()) continue;
    for (std::size_t at = key.high & (h.places.size() - 1); h.places[at].row != 0; at = (at + 1) & (h.places.size() - 1)) {
      if (h.places[at].print != key.high) continue;
      const gantry_value row[] = {value(h.places[at].row >> 16)};
      const std::size_t index = h.places[at].row & 0xFFFF;
      store::cursor* rows = nullptr;
      if (session.query("SELECT keys, replies FROM gantry_idempotency WHERE id = $1", row, &rows) != GANTRY_OK)
        return found::unreadable;
      auto answer = found::nothing;
      const auto there = rows->next();
      if (there != GANTRY_OK && there != GANTRY_DONE) answer = found::unreadable;
      if (there == GANTRY_OK) {
        const auto keys = text_at(*rows, 0);
        if ((index + 1) * key_bytes <= keys.size()) {
          const auto stored = read_key(keys.data() + index * key_bytes);
          if (stored.high == key.high && stored.low == key.low) {
            answer = stored.body == key.body ? found::same : found::other_body;
            auto replies = text_at(*rows, 1);
            for (std::size_t skip = 0; skip < index; ++skip) take_text(replies);
            if (answer == found::same) out = decode_reply(take_text(replies));
          }
        }
      }
      rows->close();
      if (answer != found::nothing) return answer;
    }
  }
  return found::nothing;
}

bool idempotency::knows(std::uint64_t print) const {
  for (const auto& h : hours_) {
    if (h.places.empty()) continue;
    for (std::size_t at = print & (h.places.size() - 1); h.places[at].row != 0; at = (at + 1) & (h.places.size() - 1))
      if (h.places[at].print == print) return true;
  }
  return false;
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
  const auto status = session.exec_many(
      "INSERT INTO gantry_idempotency_key (high, low, body, hour, reply) VALUES ($1, $2, $3, $4, $5)", params, 5,
      batch_.size(), nullptr);
  taken_ = taken_ || status == GANTRY_CONFLICT;
  return status;
}

void idempotency::keep(const idempotency_key& key, const reply& r) { batch_.push_back({key, encode_reply(r)}); }

void idempotency::begin_batch() {
  batch_.clear();
  written_row_ = 0;
}

gantry_status idempotency::write(store::session& session, std::int64_t wall_us) {
  if (batch_.empty()) return GANTRY_OK;
  written_hour_ = wall_us / hour_us;
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
  if (written_row_ != 0) {
    auto& index = index_of(written_hour_);
    for (std::size_t i = 0; i < batch_.size(); ++i) index.add(batch_[i].key.high, (written_row_ << 16) | i);
    ++next_row_;
  }
  taken_ = false;
  begin_batch();
}

bool idempotency::wants_expiry(std::int64_t wall_us) const {
  return std::any_of(hours_.begin(), hours_.end(),
                     [&](const hour_index& h) { return h.hour < wall_us / hour_us - kept_hours; });
}

gantry_status idempotency::expire(store::session& session, std::int64_t wall_us) {
  const gantry_value oldest[] = {value(wall_us / hour_us - kept_hours)};
  return session.exec(shared_ ? "DELETE FROM gantry_idempotency_key WHERE hour < $1"
                              : "DELETE FROM gantry_idempotency WHERE hour < $1",
                      oldest, nullptr);
}

void idempotency::expired(std::int64_t wall_us) {
  std::erase_if(hours_, [&](const hour_index& h) { return h.hour < wall_us / hour_us - kept_hours; });
}

}  // namespace gantry::runtime
