#include "admin/scrapes.hpp"

#include <exception>
#include <memory>
#include <string>

#include "http/problem.hpp"
#include "observability/log.hpp"

namespace gantry::admin {
namespace {

constexpr std::size_t waiting_at_most = 64;

}  // namespace

scrapes::scrapes(const observability::registry& metrics, std::function<void()> measure,
                 std::chrono::milliseconds at_most, std::function<void(std::string&)> complete)
    : metrics_(metrics),
      measure_(std::move(measure)),
      at_most_(at_most),
      complete_(std::move(complete)),
      measurer_(1, stopping_),
      scraper_(waiting_at_most, stopping_) {}

scrapes::~scrapes() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  measured_.notify_all();
}

void scrapes::answer(http::responder&& out) {
  const auto asked = std::make_shared<http::responder>(std::move(out));
  if (scraper_.submit([this, asked] { scrape(std::move(*asked)); })) return;
  auto busy = http::problem(503, "too many scrapes wait for an answer");
  busy.headers.push_back({"retry-after", "1"});
  asked->send(std::move(busy));
}

void scrapes::scrape(http::responder&& out) {
  if (!out.wanted()) return;
  {
    std::unique_lock lock(mutex_);
    // One that is still under way has kept an earlier scrape waiting already.
    if (!measuring_) {
      measuring_ = measurer_.submit([this] { measure(); });
      measured_.wait_for(lock, at_most_, [this] { return !measuring_ || stopping_; });
    }
  }
  auto text = metrics_.exposition();
  if (complete_) complete_(text);
  out.send({200, {{"content-type", std::string(observability::exposition_type)}}, std::move(text)});
}

void scrapes::measure() {
  try {
    measure_();
  } catch (const std::exception& e) {
    observability::log_error("A measurement for the metrics ended with an exception.", {{"error", e.what()}});
  }
  {
    const std::lock_guard lock(mutex_);
    measuring_ = false;
  }
  measured_.notify_all();
}

}  // namespace gantry::admin
