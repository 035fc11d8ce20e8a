// A snapshot that may lag: on the replica, and where that does not answer before anything of the snapshot was seen, on
// the first server. Owned by whoever reads. Thread: one at a time.
#pragma once

#include <memory>
#include <string>

#include "store/reader_pool.hpp"
#include "store/store.hpp"

namespace gantry::store::postgres {
class replica;

class lagging_session final : public session {
 public:
  // `near` is a session on the replica; `of` and `first`, the readers of the first server, outlive this.
  lagging_session(std::unique_ptr<session> near, replica& of, reader_pool& first);

  gantry_status query(std::string_view sql, std::span<const gantry_value> params, cursor** out) override;
  gantry_status begin_read() override;
  void end_read() noexcept override { on_->end_read(); }
  std::string_view error_text() const noexcept override { return text_.empty() ? on_->error_text() : text_; }

  // It only reads: what follows is refused by either server's session.
  gantry_status exec(std::string_view sql, std::span<const gantry_value> params, std::int64_t* changes) override {
    return on_->exec(sql, params, changes);
  }
  gantry_status exec_many(std::string_view sql, std::span<const gantry_value> params, std::size_t param_count,
                          std::size_t row_count, std::int64_t* changes) override {
    return on_->exec_many(sql, params, param_count, row_count, changes);
  }
  gantry_status defer(std::string_view sql, std::span<const gantry_value> params) override {
    return on_->defer(sql, params);
  }
  gantry_status script(std::string_view sql) override { return on_->script(sql); }
  gantry_status begin() override { return on_->begin(); }
  gantry_status commit() override { return on_->commit(); }
  void rollback() noexcept override { on_->rollback(); }
  gantry_status savepoint() override { return on_->savepoint(); }
  gantry_status rollback_to() override { return on_->rollback_to(); }
  gantry_status release() override { return on_->release(); }

 private:
  // Goes on with the first server if that makes sense after this failure; otherwise it is the answer.
  gantry_status stand_in(gantry_status failed);

  replica& of_;
  reader_pool& first_;
  std::unique_ptr<session> on_;
  bool near_ = true;   // on_ is on the replica
  bool seen_ = false;  // something of the snapshot was
  std::string text_;   // why the first server can't stand in
};

}  // namespace gantry::store::postgres
