#include "store/sqlite/cursor.hpp"

#include <sqlite3.h>

#include <cstring>

#include "store/sqlite/session.hpp"

namespace gantry::store::sqlite {
namespace {

gantry_value read(sqlite3_stmt* from, int index) noexcept {
  gantry_value value{};
  switch (sqlite3_column_type(from, index)) {
    case SQLITE_INTEGER:
      value.type = GANTRY_INT;
      value.as.i = sqlite3_column_int64(from, index);
      break;
    case SQLITE_FLOAT:
      value.type = GANTRY_REAL;
      value.as.r = sqlite3_column_double(from, index);
      break;
    case SQLITE_TEXT:
      value.type = GANTRY_TEXT;
      value.as.s.ptr = reinterpret_cast<const char*>(sqlite3_column_text(from, index));
      value.as.s.len = static_cast<std::size_t>(sqlite3_column_bytes(from, index));
      break;
    case SQLITE_BLOB:
      value.type = GANTRY_BLOB;
      value.as.s.ptr = static_cast<const char*>(sqlite3_column_blob(from, index));
      value.as.s.len = static_cast<std::size_t>(sqlite3_column_bytes(from, index));
      break;
    default:
      value.type = GANTRY_NULL;
  }
  return value;
}

}  // namespace

void sqlite_cursor::open_for(sqlite_session& owner, statement& from) {
  owner_ = &owner;
  statement_ = &from;
  from.in_use = true;
  on_row_ = false;
  next_cell_ = 0;
  end_ = GANTRY_DONE;
  width_ = static_cast<std::size_t>(sqlite3_column_count(from.handle()));
}

int sqlite_cursor::start(sqlite_session& owner, statement& from, std::span<const gantry_value> params) {
  open_for(owner, from);
  if (params.empty()) return SQLITE_OK;
  auto* const copies = static_cast<gantry_value*>(bytes_.allocate(params.size_bytes(), alignof(gantry_value)));
  for (std::size_t i = 0; i < params.size(); ++i) copies[i] = copy(params[i]);
  return from.bind({copies, params.size()});
}

int sqlite_cursor::start_complete(sqlite_session& owner, statement& from, std::span<const gantry_value> params) {
  open_for(owner, from);
  int code = from.bind(params);
  if (code != SQLITE_OK) return code;
  while ((code = sqlite3_step(from.handle())) == SQLITE_ROW) keep_row();
  return code;
}

void sqlite_cursor::keep_row() {
  for (std::size_t i = 0; i < width_; ++i) {
    cells_.push_back(copy(read(statement_->handle(), static_cast<int>(i))));
  }
}

gantry_value sqlite_cursor::copy(const gantry_value& from) {
  gantry_value to = from;
  switch (from.type) {
    case GANTRY_TEXT:
    case GANTRY_BLOB:
      to.as.s = copy(from.as.s);
      break;
    case GANTRY_INT_ARRAY: {
      const std::size_t size = from.count * sizeof(std::int64_t);
      if (size == 0) break;
      auto* const ints = static_cast<std::int64_t*>(bytes_.allocate(size, alignof(std::int64_t)));
      std::memcpy(ints, from.as.ints, size);
      to.as.ints = ints;
      break;
    }
    case GANTRY_TEXT_ARRAY: {
      if (from.count == 0) break;
      auto* const texts =
          static_cast<gantry_str*>(bytes_.allocate(from.count * sizeof(gantry_str), alignof(gantry_str)));
      for (std::uint32_t i = 0; i < from.count; ++i) texts[i] = copy(from.as.texts[i]);
      to.as.texts = texts;
      break;
    }
    default:
      break;
  }
  return to;
}

gantry_str sqlite_cursor::copy(gantry_str from) {
  if (from.len == 0) return {"", 0};
  auto* const to = static_cast<char*>(bytes_.allocate(from.len, 1));
  std::memcpy(to, from.ptr, from.len);
  return {to, from.len};
}

gantry_status sqlite_cursor::next() {
  if (!owner_) return GANTRY_INVALID;
  if (!statement_) {
    on_row_ = next_cell_ < cells_.size();
    if (on_row_) next_cell_ += width_;
    return on_row_ ? GANTRY_OK : end_;
  }
  const int code = sqlite3_step(statement_->handle());
  on_row_ = code == SQLITE_ROW;
  if (on_row_) return GANTRY_OK;
  end_ = code == SQLITE_DONE ? GANTRY_DONE : owner_->fail(code, statement_->text());
  detach();
  return end_;
}

// At the end of the rows: a further step would run the statement anew.
void sqlite_cursor::detach() noexcept {
  sqlite3_reset(statement_->handle());
  statement_->in_use = false;
  statement_ = nullptr;
}

std::size_t sqlite_cursor::columns() const {
  return statement_ ? static_cast<std::size_t>(sqlite3_column_count(statement_->handle())) : width_;
}

gantry_status sqlite_cursor::column(std::size_t index, gantry_value& out) {
  if (!on_row_ || index >= columns()) return owner_ ? owner_->no_column(index, columns(), on_row_) : GANTRY_INVALID;
  out = statement_ ? read(statement_->handle(), static_cast<int>(index)) : cells_[next_cell_ - width_ + index];
  return GANTRY_OK;
}

void sqlite_cursor::release() noexcept {
  if (!owner_) return;
  if (statement_) detach();
  extra_.reset();
  on_row_ = false;
  cells_.clear();
  bytes_.release();
  owner_->closed(*this);
  owner_ = nullptr;
}

}  // namespace gantry::store::sqlite
