#include "http/exchange.hpp"

#include <sys/eventfd.h>

#include <utility>

#include "http/problem.hpp"

namespace gantry::http {

void mailbox::post(letter&& what) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  letters_.push_back(std::move(what));
  const bool inside = owner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  // Under the lock, since close() promises not to touch the descriptor.
  if (letters_.size() == 1 && !inside) eventfd_write(event_fd_, 1);
}

void mailbox::wake() {
  const std::lock_guard lock(mutex_);
  if (!closed_) eventfd_write(event_fd_, 1);
}

void mailbox::collect(std::vector<letter>& out) {
  const std::lock_guard lock(mutex_);
  std::swap(out, letters_);
}

void mailbox::close() {
  std::vector<letter> dropped;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  std::swap(dropped, letters_);
}

exchange::exchange(std::shared_ptr<mailbox> box, std::uint64_t connection)
    : box_(std::move(box)), connection_(connection) {}

void exchange::send(reply&& answer) {
  if (answered_.exchange(true, std::memory_order_acq_rel)) return;
  box_->post({connection_, std::move(answer)});
}

responder& responder::operator=(responder&& other) noexcept {
  if (this != &other) {
    responder gone(std::move(*this));
    exchange_ = std::move(other.exchange_);
  }
  return *this;
}

responder::~responder() {
  if (exchange_) exchange_->send(problem(500, "the service gave no answer"));
}

void responder::send(reply&& answer) {
  if (const auto what = std::exchange(exchange_, nullptr)) what->send(std::move(answer));
}

bool responder::wanted() const noexcept { return exchange_ && exchange_->wanted(); }

std::string_view find_header(const std::vector<header>& headers, std::string_view name) noexcept {
  for (const auto& h : headers) {
    if (h.name == name) return h.value;
  }
  return {};
}

}  // namespace gantry::http
