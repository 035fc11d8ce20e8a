#include "store/postgres/cursor.hpp"

#include <libpq-fe.h>

#include <utility>

#include "store/postgres/session.hpp"
#include "store/postgres/values.hpp"

namespace gantry::store::postgres {

void postgres_cursor::open_for(postgres_session& owner, result_handle rows, std::size_t depth) {
  owner_ = &owner;
  rows_ = std::move(rows);
  depth_ = depth;
  row_ = -1;
  count_ = PQntuples(rows_.get());
}

gantry_status postgres_cursor::next() {
  if (!owner_) return GANTRY_INVALID;
  if (row_ < count_) ++row_;
  bytes_.release();
  return row_ < count_ ? GANTRY_OK : GANTRY_DONE;
}

std::size_t postgres_cursor::columns() const { return rows_ ? static_cast<std::size_t>(PQnfields(rows_.get())) : 0; }

gantry_status postgres_cursor::column(std::size_t index, gantry_value& out) {
  if (!owner_) return GANTRY_INVALID;
  const bool on_row = row_ >= 0 && row_ < count_;
  if (!on_row || index >= columns()) return owner_->no_column(index, columns(), on_row);
  out = decode(rows_.get(), row_, static_cast<int>(index), bytes_);
  return GANTRY_OK;
}

void postgres_cursor::release() noexcept {
  if (!owner_) return;
  owner_ = nullptr;
  rows_.reset();
  bytes_.release();
}

}  // namespace gantry::store::postgres
