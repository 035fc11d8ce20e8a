// What every object of the SDK needs of the host: its capability tables and the configuration, one per instance.
// Owned by detail::instance, which outlives all of those objects.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "gantry/abi/bus.h"
#include "gantry/abi/call.h"
#include "gantry/abi/config.h"
#include "gantry/abi/host.h"
#include "gantry/abi/http.h"
#include "gantry/abi/jobs.h"
#include "gantry/abi/log.h"
#include "gantry/abi/metrics.h"
#include "gantry/abi/saga.h"
#include "gantry/abi/store.h"
#include "gantry/failure.hpp"
#include "gantry/json.hpp"

namespace gantry::detail {

inline gantry_str str(std::string_view text) noexcept { return {text.data(), text.size()}; }
inline std::string_view view(gantry_str text) noexcept {
  return text.len == 0 ? std::string_view{} : std::string_view{text.ptr, text.len};
}

// Parse documents that keep their memory from event to event. Lock-free; threads tend to find the document that they
// gave back. (A thread_local would do it more simply, but pins the library against dlclose.)
class json_pool {
 public:
  json_pool() = default;
  json_pool(const json_pool&) = delete;
  json_pool& operator=(const json_pool&) = delete;
  ~json_pool() {
    for (auto& slot : slots_) delete slot.load();
  }

  std::unique_ptr<json_document> take() {
    const std::size_t first = hint();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      auto& slot = slots_[(first + i) % slots_.size()];
      if (slot.load(std::memory_order_relaxed) == nullptr) continue;
      if (json_document* found = slot.exchange(nullptr, std::memory_order_acquire)) {
        return std::unique_ptr<json_document>(found);
      }
    }
    return std::make_unique<json_document>();
  }

  void give(std::unique_ptr<json_document> document) noexcept {
    const std::size_t first = hint();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      json_document* empty = nullptr;
      if (slots_[(first + i) % slots_.size()].compare_exchange_strong(empty, document.get(), std::memory_order_release,
                                                                      std::memory_order_relaxed)) {
        static_cast<void>(document.release());  // the slot owns it now
        return;
      }
    }
  }

 private:
  // Stacks are megabytes apart, so the address of a local tells threads apart.
  static std::size_t hint() noexcept {
    const char local = 0;
    return reinterpret_cast<std::uintptr_t>(&local) >> 20U;
  }

  std::array<std::atomic<json_document*>, 16> slots_{};
};

// Borrows a document of the pool and parses into it on first use.
class lazy_json {
 public:
  explicit lazy_json(json_pool& pool) : pool_(&pool) {}
  lazy_json(lazy_json&&) noexcept = default;
  lazy_json& operator=(lazy_json&&) = delete;
  ~lazy_json() {
    if (document_) pool_->give(std::move(document_));
  }

  // Throws json_error; the next use then throws again.
  json_view of(std::string_view text) {
    if (!document_) {
      auto fresh = pool_->take();
      fresh->parse_into(text);
      document_ = std::move(fresh);
    }
    return document_->root();
  }

 private:
  json_pool* pool_;
  std::unique_ptr<json_document> document_;
};

struct runtime {
  explicit runtime(const gantry_host* of)
      : host(of),
        http(find<gantry_http_1>(GANTRY_HTTP_1)),
        bus(find<gantry_bus_1>(GANTRY_BUS_1)),
        store(find<gantry_store_1>(GANTRY_STORE_1)),
        call(find<gantry_call_1>(GANTRY_CALL_1)),
        jobs(find<gantry_jobs_1>(GANTRY_JOBS_1)),
        config(find<gantry_config_1>(GANTRY_CONFIG_1)),
        log(find<gantry_log_1>(GANTRY_LOG_1)),
        metrics(find<gantry_metrics_1>(GANTRY_METRICS_1)),
        saga(find<gantry_saga_1>(GANTRY_SAGA_1)) {}

  template <typename Table>
  const Table* find(const char* id) const {
    return static_cast<const Table*>(host->capability(host, id));
  }

  // The table, or a failure that names the capability which this host lacks.
  template <typename Table>
  const Table& need(const Table* table, const char* id) const {
    if (table == nullptr) throw failure(GANTRY_UNSUPPORTED, std::string("this host has no ") + id);
    return *table;
  }

  // Throws what the host says about a call that did not succeed.
  void check(gantry_status status) const {
    if (status != GANTRY_OK) throw_last(status);
  }
  [[noreturn]] void throw_last(gantry_status status) const {
    throw failure(status, std::string(view(host->error(host))));
  }

  const gantry_host* host;
  const gantry_http_1* http;
  const gantry_bus_1* bus;
  const gantry_store_1* store;
  const gantry_call_1* call;
  const gantry_jobs_1* jobs;
  const gantry_config_1* config;
  const gantry_log_1* log;
  const gantry_metrics_1* metrics;
  const gantry_saga_1* saga;

  json_pool documents;
  json_document configuration;  // parsed before start()
};

}  // namespace gantry::detail
