#include "runtime/server_time.hpp"

#include <utility>

#include "runtime/values.hpp"

namespace gantry::runtime {

std::optional<server_time> ask_server_time(store::session& session, const clock& time) {
  const auto begun = time.steady_us();
  const auto wall = time.wall_us();
  if (session.begin_read() != GANTRY_OK) return std::nullopt;
  store::cursor* rows = nullptr;
  std::optional<server_time> out;
  if (session.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", {}, &rows) == GANTRY_OK) {
    if (rows->next() == GANTRY_OK) {
      const auto half = (time.steady_us() - begun) / 2;
      const auto now = integer_at(*rows, 0);
      out = server_time{now, wall + half - now, half, begun + half};
    }
    rows->close();
  }
  session.end_read();
  return out;
}

skew_watch::news skew_watch::look(const server_time& at) noexcept {
  const auto far = at.ahead_us < 0 ? -at.ahead_us : at.ahead_us;
  if (!wrong_ && far - at.uncertain_us > clock_skew_allowed_us) {
    wrong_ = true;
    return news::wrong;
  }
  // Some way back, so that a clock at the bound is not told of again and again.
  if (wrong_ && far + at.uncertain_us < clock_skew_allowed_us * 4 / 5) {
    wrong_ = false;
    return news::right;
  }
  return news::none;
}

}  // namespace gantry::runtime
