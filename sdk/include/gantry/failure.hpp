// How things go wrong: `failure` for what a function throws, `outcome` for what a handler answers.
// Thread: any.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "gantry/abi/types.h"

namespace gantry {

// What the functions of this SDK throw: a status of the runtime and a text for people. Thrown out of a handler it
// becomes that handler's status.
class failure : public std::runtime_error {
 public:
  failure(gantry_status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  gantry_status status() const noexcept { return status_; }

 private:
  gantry_status status_;
};

// Thrown by a job whose work may succeed later: it runs again with backoff.
class retry_later : public failure {
 public:
  explicit retry_later(const std::string& text) : failure(GANTRY_RETRY, text) {}
};

// Thrown by a job, or by an event handler, whose work will never succeed: no further attempt.
class rejected : public failure {
 public:
  explicit rejected(const std::string& text) : failure(GANTRY_REJECT, text) {}
};

// Thrown by an on_batch handler that knows which event of the span is to blame.
class batch_failure : public failure {
 public:
  explicit batch_failure(std::size_t index, const std::string& text = "failed", gantry_status status = GANTRY_RETRY)
      : failure(status, text), index_(index) {}
  std::size_t index() const noexcept { return index_; }

 private:
  std::size_t index_;
};

class json;
class reply;

// The answer of a handler that went well: `return gantry::ok;`. Called with a body it is a reply of status 200:
// `return gantry::ok(body);`.
struct ok_t {
  reply operator()(const json& body) const;
};
inline constexpr ok_t ok{};

// What an event handler answers: ok, retry (transient) or reject (poison, with a reason).
class [[nodiscard]] outcome {
 public:
  outcome(ok_t) {}  // NOLINT(google-explicit-constructor)
  outcome(gantry_status status, std::string text) : status_(status), text_(std::move(text)) {}

  explicit operator bool() const noexcept { return status_ == GANTRY_OK; }
  gantry_status status() const noexcept { return status_; }
  const std::string& text() const noexcept { return text_; }

 private:
  gantry_status status_ = GANTRY_OK;
  std::string text_;
};

// The event is handled again: three attempts after the first, then it is parked.
inline outcome retry(std::string_view text) { return {GANTRY_RETRY, std::string(text)}; }

// The event is parked at once.
inline outcome reject(std::string_view text) { return {GANTRY_REJECT, std::string(text)}; }

}  // namespace gantry
