#include "http/tls_source.hpp"

#include <sys/stat.h>

#include <ctime>
#include <utility>

#include "http/certificate.hpp"

namespace gantry::http {
namespace {

// Changes whenever one of the files does, be it written anew, replaced by another, or a link that points elsewhere now.
std::string stamps_of(const endpoint_tls& files) {
  std::string all;
  for (const auto* path : {&files.cert, &files.key, &files.ca}) {
    struct stat found {};
    if (path->empty() || ::stat(path->c_str(), &found) != 0) {
      all += "none;";
      continue;
    }
    for (const auto number : {static_cast<std::int64_t>(found.st_dev), static_cast<std::int64_t>(found.st_ino),
                              static_cast<std::int64_t>(found.st_size), static_cast<std::int64_t>(found.st_mtim.tv_sec),
                              static_cast<std::int64_t>(found.st_mtim.tv_nsec)})
      all += std::to_string(number) + ',';
    all += ';';
  }
  return all;
}

}  // namespace

result<std::unique_ptr<tls_source>> tls_source::open(const endpoint_tls& options) {
  // Before the files are read: what is written meanwhile is then seen as a change.
  auto stamps = stamps_of(options);
  auto first = read_tls_context(options);
  if (!first) return first.failure();
  return std::make_unique<tls_source>(options, std::move(*first), std::move(stamps));
}

tls_source::tls_source(const endpoint_tls& options, tls_context&& first, std::string stamps)
    : options_(options), stamps_(std::move(stamps)), now_(std::move(first)) {
  if (!now_.warning.empty()) warn(now_.warning);
  watcher_ = std::thread([this] { watch(); });
}

std::shared_ptr<SSL_CTX> tls_source::current() const {
  const std::lock_guard lock(mutex_);
  return now_.context;
}

std::int64_t tls_source::valid_until() const {
  const std::lock_guard lock(mutex_);
  return now_.valid_until;
}

result<void> tls_source::reload() {
  const std::lock_guard reading(reading_);
  auto stamps = stamps_of(options_);
  auto fresh = read_tls_context(options_);
  if (!fresh) return fresh.failure();
  stamps_ = std::move(stamps);
  if (!fresh->warning.empty() && std::exchange(warned_, fresh->warning) != fresh->warning) warn(fresh->warning);
  const std::lock_guard lock(mutex_);
  std::swap(now_, *fresh);
  return {};
}

void tls_source::watch() {
  std::unique_lock lock(mutex_);
  while (!over_.wait_for(lock, options_.check_every, [this] { return stopping_; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void tls_source::look() {
  bool changed = false;
  {
    const std::lock_guard reading(reading_);
    changed = stamps_of(options_) != stamps_;
  }
  std::string problem;
  if (changed) {
    // What fails is tried again next time: a renewal that writes one file after the other is seen half done at first.
    if (const auto done = reload(); !done) problem = done.failure().text + "; the certificate read before stays in use";
  }
  if (const auto until = valid_until(); problem.empty() && until < std::time(nullptr))
    problem =
        "http: tls.cert " + options_.cert + " has expired at " + shown_time(until) + ": clients refuse it; renew it";
  const std::lock_guard reading(reading_);
  if (std::exchange(warned_, problem) != problem && !problem.empty()) warn(problem);
}

void tls_source::note_refused(const std::string& remote, const std::string& reason) {
  refused_.fetch_add(1, std::memory_order_relaxed);
  if (options_.refused) options_.refused(remote, reason);
}

void tls_source::warn(const std::string& text) const {
  if (options_.warn) options_.warn(text);
}

void tls_source::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  over_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

}  // namespace gantry::http
