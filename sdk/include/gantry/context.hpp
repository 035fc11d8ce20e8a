// What a request or a job can do outside a transaction: read a snapshot, call other plugins, and write.
// Thread: pool; one at a time.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "gantry/call.hpp"
#include "gantry/detail/abi_glue.hpp"
#include "gantry/host.hpp"
#include "gantry/http.hpp"
#include "gantry/tx.hpp"

namespace gantry {

namespace detail {

template <typename Fn>
class write_of final : public pending_write {
 public:
  write_of(const runtime& rt, Fn fn) : rt_(rt), fn_(std::move(fn)) {}
  gantry_status run(gantry_tx* raw) noexcept override {
    return guard(rt_, GANTRY_FAILED, [this, raw] {
      tx t(rt_, raw);
      const reply answer = fn_(t);
      return answer_in(rt_, raw, answer);
    });
  }

 private:
  const runtime& rt_;
  Fn fn_;
};

}  // namespace detail

class context {
 public:
  enum class of { request, job };

  context(detail::runtime& rt, gantry_context* raw, of kind) : rt_(&rt), raw_(raw), kind_(kind) {}
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  ~context() = default;

  gantry::host host() const { return gantry::host(*rt_); }

  // A snapshot of the last commit, the same one for the rest of this request or job.
  db& read() {
    if (!snapshot_) {
      gantry_db* raw = nullptr;
      rt_->check(rt_->need(rt_->store, GANTRY_STORE_1).snapshot(raw_, &raw));
      snapshot_.emplace(*rt_, raw);
    }
    return *snapshot_;
  }

  // Answers a request by a transaction: `return ctx.write([=](tx& t) -> reply {...});`. fn runs in the store's write
  // lane after the handler has returned; what it returns is sent after the commit is durable. A reply of status 400 and
  // more rolls back what fn did and is sent. fn may run more than once and must not consume what it captured; it may
  // refer to the request, but not to locals of the handler. In a job it runs at once and this waits for the commit.
  template <typename Fn>
  reply write(Fn fn) {
    static_assert(std::is_convertible_v<std::invoke_result_t<Fn&, tx&>, reply>, "a write function returns a reply");
    if (kind_ == of::job) {
      return detail::write_and_wait(*rt_, [&fn](tx& t) -> reply { return fn(t); });
    }
    return reply(std::make_unique<detail::write_of<Fn>>(*rt_, std::move(fn)));
  }

  // Calls another plugin and waits; any HTTP status is an answer. Throws failure: REFUSED (not declared with calls()),
  // UNAVAILABLE, TIMEOUT.
  call_reply call(std::string_view plugin, const call_request& what) { return detail::call(*rt_, raw_, plugin, what); }
  call_reply get(std::string_view plugin, std::string_view target, header_list headers = {}) {
    return call(plugin, {"GET", std::string(target), std::move(headers)});
  }
  call_reply post(std::string_view plugin, std::string_view target, const json& body, header_list headers = {}) {
    headers.emplace_back("content-type", "application/json");
    return call(plugin, {"POST", std::string(target), std::move(headers), body.text()});
  }

  gantry_context* raw() const noexcept { return raw_; }

 private:
  detail::runtime* rt_;
  gantry_context* raw_;
  of kind_;
  std::optional<db> snapshot_;
};

}  // namespace gantry
