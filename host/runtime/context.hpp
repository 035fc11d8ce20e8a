// A request or a job in progress on a worker, as plugin code sees it through the ABI.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "gantry/abi/http.h"
#include "runtime/reply.hpp"
#include "runtime/transaction.hpp"
#include "store/store.hpp"

namespace gantry::runtime {
class instance;
struct route;
}  // namespace gantry::runtime

// Lives for one request or one attempt of a job. Thread: the worker's.
struct gantry_context {
  explicit gantry_context(gantry::runtime::instance& of_instance) : owner(of_instance) {}
  ~gantry_context();
  gantry_context(const gantry_context&) = delete;
  gantry_context& operator=(const gantry_context&) = delete;

  // Ends the snapshot, if one was taken, so that its session goes back to the pool.
  void end_read() noexcept;

  gantry::runtime::instance& owner;
  gantry::runtime::cause why;
  const gantry::runtime::route* at = nullptr;  // of a request
  std::int64_t deadline_us = 0;                // steady time
  std::optional<gantry::runtime::reply> reply;
  gantry_write_handler write = nullptr;  // set by gantry_http_1::write
  void* write_user = nullptr;
  void (*write_drop)(void* user) = nullptr;
  std::string result;  // of a job
  bool is_job = false;
  bool may_lag = false;  // the snapshot may come from a replica
  std::unique_ptr<gantry::store::session> snapshot;
  gantry_db db;
};
