// Rows of one query; all of them have come with its answer. Sixteen cursors lie ready in each session.
// Thread: that of the session.
#pragma once

#include <array>
#include <cstddef>
#include <memory_resource>

#include "store/postgres/pipeline.hpp"
#include "store/store.hpp"

namespace gantry::store::postgres {

class postgres_session;

class postgres_cursor final : public cursor {
 public:
  gantry_status next() override;
  std::size_t columns() const override;
  gantry_status column(std::size_t index, gantry_value& out) override;
  void close() override { release(); }

 private:
  friend class postgres_session;

  void open_for(postgres_session& owner, result_handle rows, std::size_t depth);
  void release() noexcept;
  bool is_open() const noexcept { return owner_ != nullptr; }

  postgres_session* owner_ = nullptr;  // null: free
  result_handle rows_;
  std::size_t depth_ = 0;  // savepoints that were open at the start
  int row_ = -1;
  int count_ = 0;
  std::array<std::byte, 256> first_bytes_;
  std::pmr::monotonic_buffer_resource bytes_{first_bytes_.data(), first_bytes_.size()};
};

}  // namespace gantry::store::postgres
