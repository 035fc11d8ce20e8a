// A real endpoint whose handler belongs to the test.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "http/endpoint.hpp"

namespace gantry::call {

// Echoes method, target and body. /later waits until answer_later(); /status/NNN answers so; /headers keeps what it was
// sent.
class service {
 public:
  explicit service(std::string name = {}, const http::endpoint_options& options = {}) : name_(std::move(name)) {
    auto opened = http::open_endpoint(
        options, [this](http::request&& in, http::responder&& out) { serve(std::move(in), std::move(out)); });
    if (!opened) throw std::runtime_error(opened.failure().text);
    endpoint_ = std::move(*opened);
  }
  ~service() { endpoint_->stop(); }

  std::uint16_t port() const { return endpoint_->port(); }
  http::endpoint& endpoint() { return *endpoint_; }

  void wait_for_later(std::size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return later_.size() >= count; });
  }
  void answer_later() {
    std::vector<http::responder> all;
    {
      const std::lock_guard lock(mutex_);
      all.swap(later_);
    }
    for (auto& one : all) one.send({200, {}, "later"});
  }
  http::request last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  // From now on every request is answered with this status; 0: as before.
  void answer_always(int status) {
    const std::lock_guard lock(mutex_);
    always_ = status;
  }

 private:
  void serve(http::request&& in, http::responder&& out) {
    const std::lock_guard lock(mutex_);
    last_ = in;
    if (always_ != 0) return out.send({always_, {{"content-type", "application/problem+json"}}, R"({"title":"no"})"});
    if (in.target == "/later") {
      later_.push_back(std::move(out));
      arrived_.notify_all();
      return;
    }
    if (in.target.starts_with("/status/"))
      return out.send(
          {std::stoi(in.target.substr(8)), {{"content-type", "application/problem+json"}}, R"({"title":"t"})"});
    if (in.target == "/large") return out.send({200, {}, std::string(3'000'000, 'x')});
    out.send({200,
              {{"X-From", name_}},
              in.method + " " + in.target + (in.query.empty() ? "" : "?" + in.query) + " " + in.body});
  }

  const std::string name_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<http::responder> later_;  // guarded, as all below
  http::request last_;
  int always_ = 0;
  std::unique_ptr<http::endpoint> endpoint_;
};

}  // namespace gantry::call
