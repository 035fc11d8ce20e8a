// A snapshot that may lag: on the replica, and where that does not answer before anything of the snapshot was seen, on
// the first server. Owned by whoever reads. Thread: one at a time.
#pragma once

#include <memory>
#include <string>

#include "store/forwarding_session.hpp"
#include "store/reader_pool.hpp"

namespace gantry::store::postgres {
class replica;

// It only reads: what else is asked of it is refused by either server's session.
class lagging_session final : public forwarding_session {
 public:
  // `near` is a session on the replica; `of` and `first`, the readers of the first server, outlive this.
  lagging_session(std::unique_ptr<session> near, replica& of, reader_pool& first);

  gantry_status query(std::string_view sql, std::span<const gantry_value> params, cursor** out) override;
  gantry_status begin_read() override;
  std::string_view error_text() const noexcept override { return text_.empty() ? to_->error_text() : text_; }

 private:
  // Goes on with the first server if that makes sense after this failure; otherwise it is the answer.
  gantry_status stand_in(gantry_status failed);

  replica& of_;
  reader_pool& first_;
  bool near_ = true;   // to_ is on the replica
  bool seen_ = false;  // something of the snapshot was
  std::string text_;   // why the first server can't stand in
};

}  // namespace gantry::store::postgres
