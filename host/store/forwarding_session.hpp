// A session that passes everything on to another one; what derives from it changes some of that.
// Owned and used as the other one. Thread: as the other one's.
#pragma once

#include <memory>
#include <utility>

#include "store/store.hpp"

namespace gantry::store {

class forwarding_session : public session {
 public:
  gantry_status exec(std::string_view sql, std::span<const gantry_value> params, std::int64_t* changes) override {
    return to_->exec(sql, params, changes);
  }
  gantry_status exec_many(std::string_view sql, std::span<const gantry_value> params, std::size_t param_count,
                          std::size_t row_count, std::int64_t* changes) override {
    return to_->exec_many(sql, params, param_count, row_count, changes);
  }
  gantry_status defer(std::string_view sql, std::span<const gantry_value> params) override {
    return to_->defer(sql, params);
  }
  gantry_status query(std::string_view sql, std::span<const gantry_value> params, cursor** out) override {
    return to_->query(sql, params, out);
  }
  gantry_status script(std::string_view sql) override { return to_->script(sql); }
  gantry_status begin() override { return to_->begin(); }
  gantry_status commit() override { return to_->commit(); }
  void rollback() noexcept override { to_->rollback(); }
  gantry_status savepoint() override { return to_->savepoint(); }
  gantry_status rollback_to() override { return to_->rollback_to(); }
  gantry_status release() override { return to_->release(); }
  gantry_status begin_read() override { return to_->begin_read(); }
  void end_read() noexcept override { to_->end_read(); }
  bool usable() noexcept override { return to_->usable(); }
  std::uint64_t connection_number() const noexcept override { return to_->connection_number(); }
  std::string_view error_text() const noexcept override { return to_->error_text(); }

 protected:
  explicit forwarding_session(std::unique_ptr<session> to) : to_(std::move(to)) {}

  std::unique_ptr<session> to_;
};

}  // namespace gantry::store
