// The certificates that an endpoint shows now, and the thread that looks every minute whether their files have changed.
// Owned by the service of an endpoint. Thread: any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.hpp"
#include "http/endpoint.hpp"
#include "http/tls_context.hpp"

namespace gantry::http {

class tls_source {
 public:
  // Errors: see read_tls_context.
  static result<std::unique_ptr<tls_source>> open(const endpoint_tls& options);

  tls_source(const endpoint_tls& options, tls_context&& first, std::string stamps);
  tls_source(const tls_source&) = delete;
  tls_source& operator=(const tls_source&) = delete;
  ~tls_source() { stop(); }

  // For a new connection.
  std::shared_ptr<SSL_CTX> current() const;
  std::int64_t valid_until() const;

  // Reads the files. On an error what was read before stays.
  result<void> reload();

  // A client did not get through its handshake.
  void note_refused(const std::string& remote, const std::string& reason);
  void note_accepted() noexcept { accepted_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t accepted() const noexcept { return accepted_.load(std::memory_order_relaxed); }
  std::uint64_t refused() const noexcept { return refused_.load(std::memory_order_relaxed); }

  // Joins the thread; nothing is called from it any more.
  void stop();

 private:
  void watch();
  void look();
  void warn(const std::string& text) const;

  const endpoint_tls options_;
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> refused_{0};

  std::mutex reading_;  // one reader of the files at a time; before mutex_
  std::string stamps_;  // of the files as last read, see stamps_of(); guarded by reading_, as is the next
  std::string warned_;  // the last warning: one that persists is given once

  mutable std::mutex mutex_;
  tls_context now_;  // guarded, as is the next
  bool stopping_ = false;
  std::condition_variable over_;
  std::thread watcher_;
};

}  // namespace gantry::http
