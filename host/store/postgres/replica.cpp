#include "store/postgres/replica.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "store/postgres/lagging_session.hpp"

namespace gantry::store::postgres {
namespace {

constexpr std::chrono::seconds between_looks{1};
constexpr std::chrono::seconds between_looks_away{2};
// A replica is there to be quick: who looks at it must not wait as long for it as for the server that all depends on.
constexpr std::chrono::milliseconds longest_connect{1000};
constexpr std::chrono::milliseconds longest_look{1000};

// Microseconds since the commit that it has applied last. A host renews its lease in the store every second or so, so a
// store that is in use always has a commit of that age. Negative: a primary, which has all.
constexpr std::string_view lag_sql =
    "SELECT CASE WHEN pg_is_in_recovery() THEN coalesce((extract(epoch FROM clock_timestamp() -"
    " pg_last_xact_replay_timestamp()) * 1000000)::bigint, 9223372036854775807) ELSE -1 END";

}  // namespace

replica::replica(const postgres_options& options, address where, write_health& health)
    : options_(options),
      where_(std::move(where)),
      health_(health),
      readers_(
          options.readers, "postgres " + where_.shown(),
          [this]() -> result<std::unique_ptr<session>> {
            // Whoever has waited for a reader meanwhile need not find out once more.
            if (std::unique_lock lock(mutex_); !good_)
              return error{errc::timeout, "the replica " + where_.shown() + " is not read now"};
            return open(options_.read_patience);
          },
          options.read_patience) {}

result<std::unique_ptr<session>> replica::open(std::chrono::milliseconds answer) {
  auto opened = postgres_session::open(options_, where_, role::reader, health_,
                                       patience{std::min(options_.connect_timeout, longest_connect), answer});
  if (!opened) return std::move(opened).failure();
  return std::unique_ptr<session>(std::move(opened).value());
}

bool replica::is_good() {
  std::unique_lock lock(mutex_);
  if (!looking_ && steady::now() >= next_look_) {
    looking_ = true;
    lock.unlock();
    const auto why = look();
    lock.lock();
    looking_ = false;
    next_look_ = steady::now() + (why.empty() ? between_looks : between_looks_away);
    note(why);
  }
  return good_;
}

std::unique_ptr<session> replica::acquire(reader_pool& first) {
  if (!is_good()) return nullptr;
  auto reader = readers_.acquire();
  if (reader) return std::make_unique<lagging_session>(std::move(reader).value(), *this, first);
  // That all are busy says nothing about the server.
  if (reader.failure().code != errc::timeout) away(reader.failure().text);
  return nullptr;
}

void replica::away(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    note(why);
  }
  readers_.clear();
}

std::string replica::look() {
  if (!looks_) {
    auto opened = open(std::min(options_.read_patience, longest_look));
    if (!opened) return opened.failure().text;
    looks_ = std::move(opened).value();
  }
  auto& s = *looks_;
  if (s.begin_read() != GANTRY_OK) return std::string(s.error_text());
  cursor* rows = nullptr;
  gantry_value lag{};
  std::string why;
  if (s.query(lag_sql, {}, &rows) != GANTRY_OK || rows->next() != GANTRY_OK || rows->column(0, lag) != GANTRY_OK) {
    why = s.error_text();
  } else if (lag.as.i > std::chrono::microseconds(options_.read_max_lag).count()) {
    why = lag.as.i == INT64_MAX ? std::string("it has applied nothing yet")
                                : "it is " + std::to_string(lag.as.i / 1'000'000) + " s behind, " +
                                      std::to_string(options_.read_max_lag.count() / 1000) + " s are allowed";
  }
  if (rows) rows->close();
  s.end_read();
  return why;
}

void replica::note(const std::string& why) {
  good_ = why.empty();
  if (good_ == !told_) return;
  told_ = !good_;
  if (!options_.tell) return;
  options_.tell(good_ ? "snapshots that may lag come from the replica " + where_.shown() + " again"
                      : "the replica " + where_.shown() + " is not read, snapshots come from the first server: " + why);
}

}  // namespace gantry::store::postgres
