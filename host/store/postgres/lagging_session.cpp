#include "store/postgres/lagging_session.hpp"

#include <utility>

#include "store/postgres/replica.hpp"

namespace gantry::store::postgres {

lagging_session::lagging_session(std::unique_ptr<session> near, replica& of, reader_pool& first)
    : forwarding_session(std::move(near)), of_(of), first_(first) {}

gantry_status lagging_session::begin_read() {
  seen_ = false;
  const auto status = to_->begin_read();
  return status == GANTRY_OK ? status : stand_in(status);
}

gantry_status lagging_session::query(std::string_view sql, std::span<const gantry_value> params, cursor** out) {
  auto status = to_->query(sql, params, out);
  if (status != GANTRY_OK && near_) {
    status = stand_in(status);
    if (status == GANTRY_OK) status = to_->query(sql, params, out);
  }
  if (status == GANTRY_OK) seen_ = true;
  return status;
}

gantry_status lagging_session::stand_in(gantry_status failed) {
  if (!near_ || (failed != GANTRY_UNAVAILABLE && failed != GANTRY_RETRY)) return failed;
  // Otherwise it answers, but has ended the statement: that took too long, or was in the way of what it has to apply.
  if (!to_->usable()) of_.away(std::string(to_->error_text()));
  if (seen_) return failed;
  auto first = first_.acquire();
  if (!first) {
    text_ = std::move(first).failure().text;
    return GANTRY_UNAVAILABLE;
  }
  to_ = std::move(first).value();
  near_ = false;
  return to_->begin_read();
}

}  // namespace gantry::store::postgres
