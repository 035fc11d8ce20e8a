// A job as its runner sees it: durable work outside a transaction. Valid for the handler.
#pragma once

#include <string_view>

#include "gantry/abi/jobs.h"
#include "gantry/detail/runtime.hpp"
#include "gantry/time.hpp"

namespace gantry {

class job {
 public:
  explicit job(const gantry_job& raw) : raw_(&raw) {}

  // The same for every attempt: the idempotency key of the outside world.
  std::string_view id() const noexcept { return detail::view(raw_->id); }
  std::string_view kind() const noexcept { return detail::view(raw_->kind); }
  // Chosen by schedule(); may be empty.
  std::string_view key() const noexcept { return detail::view(raw_->key); }
  std::string_view payload() const noexcept { return detail::view(raw_->payload); }
  // From 1.
  std::uint32_t attempt() const noexcept { return raw_->attempt; }
  instant due() const noexcept { return {raw_->due_us}; }
  instant deadline() const noexcept { return {raw_->deadline_us}; }
  std::string_view correlation_id() const noexcept { return detail::view(raw_->correlation_id); }

 private:
  const gantry_job* raw_;
};

}  // namespace gantry
