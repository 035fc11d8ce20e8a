// A change that an operator asked for: works in a plugin's lane, and answers once it is durable or known to have
// failed. Made by a part of the operations; owned by the lane. Thread: the lane's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/endpoint.hpp"
#include "runtime/instance.hpp"
#include "runtime/lane.hpp"

namespace gantry::admin {

class answering_write : public runtime::write {
 public:
  explicit answering_write(http::responder&& out) : out_(std::move(out)) {}

  gantry_status run(gantry_tx& tx) final;
  bool changes_lane() const final { return true; }
  void finished(bool committed, gantry_status status, std::string_view text) final;

  runtime::instance* of() const final { return owner_.get(); }

  // Gives the write to the plugin's lane; answers 503 when it takes none.
  static void enqueue(std::shared_ptr<runtime::instance> owner, std::unique_ptr<answering_write> what);

 protected:
  // Works on the transaction; anything but OK takes it back. May be called again: what it keeps must begin anew.
  virtual gantry_status change(gantry_tx& tx) = 0;
  // After the commit.
  virtual void committed() = 0;
  // The body of the 200.
  virtual std::string report() const = 0;

  // Ends change() with this problem.
  gantry_status refuse(int status, std::string_view slug, std::string_view title, std::string_view detail);

 private:
  http::responder out_;
  std::shared_ptr<runtime::instance> owner_;  // its code stays as long as the write
  http::reply refusal_{0, {}, {}};            // status 0: none
};

}  // namespace gantry::admin
