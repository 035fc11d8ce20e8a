// Rows of one query. Sixteen of them lie ready in each session.
// Thread: that of the session.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <vector>

#include "store/sqlite/statement_cache.hpp"
#include "store/store.hpp"

namespace gantry::store::sqlite {

class sqlite_session;

class sqlite_cursor final : public cursor {
 public:
  sqlite_cursor() = default;

  gantry_status next() override;
  std::size_t columns() const override;
  gantry_status column(std::size_t index, gantry_value& out) override;
  void close() override { release(); }

 private:
  friend class sqlite_session;

  // Rows come from `from` as they are asked for; the parameters are copied, since the caller lends them for one call.
  int start(sqlite_session& owner, statement& from, std::span<const gantry_value> params);

  // Runs `from` to its end and keeps its rows: what it changes is done, and has been checked, before anybody reads one.
  // Returns SQLite's code: SQLITE_DONE, or why it failed; the statement is not reset yet.
  int start_complete(sqlite_session& owner, statement& from, std::span<const gantry_value> params);

  // Takes over a statement that the cache doesn't hold.
  void adopt(std::unique_ptr<statement> extra) noexcept { extra_ = std::move(extra); }

  void release() noexcept;
  void detach() noexcept;
  void open_for(sqlite_session& owner, statement& from);
  bool is_open() const noexcept { return owner_ != nullptr; }
  gantry_value copy(const gantry_value& from);
  gantry_str copy(gantry_str from);
  void keep_row();

  static constexpr std::size_t row_bytes = 1024;  // what most rows and parameters fit in

  sqlite_session* owner_ = nullptr;  // null: free
  statement* statement_ = nullptr;   // null: all rows are kept in cells_
  std::unique_ptr<statement> extra_;
  std::size_t depth_ = 0;  // savepoints that were open at the start
  std::size_t width_ = 0;
  bool on_row_ = false;
  gantry_status end_ = GANTRY_DONE;  // what next() answers after the last row
  std::size_t next_cell_ = 0;        // kept rows: where the next one begins
  std::vector<gantry_value> cells_;
  std::array<std::byte, row_bytes> first_bytes_;
  std::pmr::monotonic_buffer_resource bytes_{first_bytes_.data(), first_bytes_.size()};
};

}  // namespace gantry::store::sqlite
