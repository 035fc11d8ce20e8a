#include "runtime/key_runs.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "runtime/values.hpp"

namespace gantry::runtime {
namespace {

constexpr std::size_t chunk_places = 512;
constexpr std::size_t chunks_a_batch = 16;
constexpr std::size_t place_bytes = 2 * sizeof(std::uint64_t);
constexpr std::size_t prints_a_block = 32;  // of 512 bits
constexpr int bits_a_print = 7;

// SQL's integers are signed; the order stays.
std::int64_t sortable(std::uint64_t print) noexcept { return static_cast<std::int64_t>(print ^ (1ULL << 63)); }

// Where the chunk that begins here ends: equal prints stay together, so that one chunk has them all.
std::size_t chunk_end(const std::vector<key_place>& places, std::size_t begin) noexcept {
  std::size_t end = std::min(begin + chunk_places, places.size());
  while (end < places.size() && places[end].print == places[end - 1].print) ++end;
  return end;
}

key_place place_at(std::string_view chunk, std::size_t index) noexcept {
  key_place out;
  std::memcpy(&out.print, chunk.data() + index * place_bytes, sizeof out.print);
  std::memcpy(&out.row, chunk.data() + index * place_bytes + sizeof out.print, sizeof out.row);
  return out;
}

error unreadable(const store::session& session) {
  return {errc::io, "reading idempotency keys: " + std::string(session.error_text())};
}

}  // namespace

print_filter::print_filter(std::size_t prints) : words_((prints / prints_a_block + 1) * block_words) {}

// A print is a hash already: its upper half chooses the block, its lower bits those within it.
void print_filter::add(std::uint64_t print) noexcept {
  auto* const block = &words_[(print >> 32) % (words_.size() / block_words) * block_words];
  auto bits = print * 0x9E3779B97F4A7C15ULL;
  for (int i = 0; i < bits_a_print; ++i, bits >>= 9) block[(bits >> 6) & 7] |= 1ULL << (bits & 63);
}

bool print_filter::may_have(std::uint64_t print) const noexcept {
  const auto* const block = &words_[(print >> 32) % (words_.size() / block_words) * block_words];
  auto bits = print * 0x9E3779B97F4A7C15ULL;
  for (int i = 0; i < bits_a_print; ++i, bits >>= 9)
    if ((block[(bits >> 6) & 7] & (1ULL << (bits & 63))) == 0) return false;
  return true;
}

void key_runs::add_run(run&& made) {
  if (!made.filter.empty()) filter_bytes_ += made.filter.front().bytes();
  runs_.push_back(std::move(made));
  for (std::size_t i = 0; filter_bytes_ > filter_bytes_max_ && i < runs_.size(); ++i) {
    if (runs_[i].filter.empty()) continue;
    filter_bytes_ -= runs_[i].filter.front().bytes();
    runs_[i].filter.clear();
  }
}

result<void> key_runs::load(store::session& session) {
  // The last one may have been cut off.
  if (session.exec("DELETE FROM gantry_idempotency_run WHERE run IN (SELECT run FROM gantry_idempotency_run"
                   " GROUP BY run HAVING count(*) < max(chunks))",
                   {}, nullptr) != GANTRY_OK)
    return unreadable(session);
  store::cursor* rows = nullptr;
  if (session.query("SELECT run, hour, through, chunks, places FROM gantry_idempotency_run ORDER BY run, first", {},
                    &rows) != GANTRY_OK)
    return unreadable(session);
  gantry_status row = GANTRY_OK;
  run open;
  const auto close = [&] {
    if (open.id != 0) add_run(std::move(open));
    open = {};
  };
  while ((row = rows->next()) == GANTRY_OK) {
    if (const auto id = integer_at(*rows, 0); id != open.id) {
      close();
      open.id = id;
      open.newest_hour = integer_at(*rows, 1);
      open.filter.emplace_back(static_cast<std::size_t>(integer_at(*rows, 3)) * chunk_places);
      through_ = std::max(through_, static_cast<std::uint64_t>(integer_at(*rows, 2)));
      next_run_ = id + 1;
    }
    const auto chunk = text_at(*rows, 4);
    for (std::size_t i = 0; (i + 1) * place_bytes <= chunk.size(); ++i)
      open.filter.front().add(place_at(chunk, i).print);
  }
  rows->close();
  close();
  if (row != GANTRY_DONE) return unreadable(session);
  return {};
}

std::int64_t key_runs::newest_hour() const noexcept {
  std::int64_t out = INT64_MIN;
  for (const auto& r : runs_) out = std::max(out, r.newest_hour);
  return out;
}

void key_runs::take(std::vector<key_place> places, std::uint64_t through, std::int64_t newest_hour) {
  std::sort(places.begin(), places.end(), [](const key_place& a, const key_place& b) {
    return a.print != b.print ? a.print < b.print : a.row < b.row;
  });
  unwritten_ = std::move(places);
  written_ = written_before_ = 0;
  taken_through_ = through;
  taken_hour_ = newest_hour;
  chunks_ = 0;
  for (std::size_t at = 0; at < unwritten_.size(); at = chunk_end(unwritten_, at)) ++chunks_;
}

gantry_status key_runs::write(store::session& session) {
  std::string bytes;
  for (std::size_t i = 0; i < chunks_a_batch && written_ < unwritten_.size(); ++i) {
    const auto end = chunk_end(unwritten_, written_);
    bytes.clear();
    for (std::size_t at = written_; at < end; ++at) {
      bytes.append(reinterpret_cast<const char*>(&unwritten_[at].print), sizeof unwritten_[at].print);
      bytes.append(reinterpret_cast<const char*>(&unwritten_[at].row), sizeof unwritten_[at].row);
    }
    const gantry_value chunk[] = {value(next_run_),   value(sortable(unwritten_[written_].print)),
                                  value(taken_hour_), value(taken_through_),
                                  value(chunks_),     blob(bytes)};
    if (const auto status =
            session.defer("INSERT INTO gantry_idempotency_run (run, first, hour, through, chunks, places)"
                          " VALUES ($1, $2, $3, $4, $5, $6)",
                          chunk);
        status != GANTRY_OK)
      return status;
    written_ = end;
  }
  return GANTRY_OK;
}

void key_runs::committed() {
  written_before_ = written_;
  if (unwritten_.empty() || written_ < unwritten_.size()) return;
  run made{next_run_++, taken_hour_, {}};
  made.filter.emplace_back(unwritten_.size());
  for (const auto& p : unwritten_) made.filter.front().add(p.print);
  through_ = taken_through_;
  add_run(std::move(made));
  unwritten_ = {};
  written_ = written_before_ = 0;
}

bool key_runs::find(store::session& session, std::uint64_t print, std::vector<std::uint64_t>& rows) const {
  const auto less = [](const key_place& a, std::uint64_t b) { return a.print < b; };
  for (auto p = std::lower_bound(unwritten_.begin(), unwritten_.end(), print, less);
       p != unwritten_.end() && p->print == print; ++p)
    rows.push_back(p->row);
  for (auto r = runs_.rbegin(); r != runs_.rend(); ++r) {
    if (!r->filter.empty() && !r->filter.front().may_have(print)) continue;
    const gantry_value which[] = {value(r->id), value(sortable(print))};
    store::cursor* found = nullptr;
    if (session.query(
            "SELECT places FROM gantry_idempotency_run WHERE run = $1 AND first <= $2 ORDER BY first DESC LIMIT 1",
            which, &found) != GANTRY_OK)
      return false;
    const auto there = found->next();
    const auto chunk = there == GANTRY_OK ? text_at(*found, 0) : std::string_view();
    for (std::size_t i = 0; (i + 1) * place_bytes <= chunk.size(); ++i)
      if (const auto p = place_at(chunk, i); p.print == print) rows.push_back(p.row);
    found->close();
    if (there != GANTRY_OK && there != GANTRY_DONE) return false;
  }
  return true;
}

gantry_status key_runs::expire(store::session& session, std::int64_t oldest_hour) {
  for (const auto& r : runs_) {
    if (r.newest_hour >= oldest_hour) continue;
    const gantry_value which[] = {value(r.id)};
    if (const auto status = session.exec("DELETE FROM gantry_idempotency_run WHERE run = $1", which, nullptr);
        status != GANTRY_OK)
      return status;
  }
  return GANTRY_OK;
}

void key_runs::expired(std::int64_t oldest_hour) {
  std::erase_if(runs_, [&](const run& r) {
    if (r.newest_hour >= oldest_hour) return false;
    if (!r.filter.empty()) filter_bytes_ -= r.filter.front().bytes();
    return true;
  });
}

}  // namespace gantry::runtime
