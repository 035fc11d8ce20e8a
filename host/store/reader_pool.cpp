#include "store/reader_pool.hpp"

#include <algorithm>
#include <utility>

#include "store/forwarding_session.hpp"

namespace gantry::store {

// Goes back to the pool instead of closing.
class reader_pool::lease final : public forwarding_session {
 public:
  lease(reader_pool& pool, std::unique_ptr<session> reader) : forwarding_session(std::move(reader)), pool_(pool) {}
  ~lease() override {
    to_->end_read();
    pool_.give_back(std::move(to_));
  }

 private:
  reader_pool& pool_;
};

reader_pool::reader_pool(std::size_t most, std::string name, opener open, std::chrono::milliseconds wait)
    : most_(std::max<std::size_t>(most, 1)), name_(std::move(name)), open_(std::move(open)), wait_(wait) {}

result<std::unique_ptr<session>> reader_pool::acquire() {
  std::unique_lock lock(mutex_);
  if (!returned_.wait_for(lock, wait_, [this] { return !idle_.empty() || opened_ < most_; })) {
    return error{errc::timeout, name_ + ": all " + std::to_string(most_) + " readers have been busy for " +
                                    std::to_string(wait_.count()) + " ms; raise the number of readers or read less"};
  }
  // One whose connection is gone is opened anew.
  while (!idle_.empty()) {
    auto reader = std::move(idle_.back());
    idle_.pop_back();
    if (reader->usable()) return std::unique_ptr<session>(std::make_unique<lease>(*this, std::move(reader)));
    --opened_;
  }
  ++opened_;
  lock.unlock();
  auto reader = open_();
  if (!reader) {
    lock.lock();
    --opened_;
    returned_.notify_one();
    return std::move(reader).failure();
  }
  return std::unique_ptr<session>(std::make_unique<lease>(*this, std::move(reader).value()));
}

void reader_pool::clear() {
  const std::lock_guard lock(mutex_);
  opened_ -= idle_.size();
  idle_.clear();
}

void reader_pool::give_back(std::unique_ptr<session> reader) noexcept {
  const std::lock_guard lock(mutex_);
  if (reader->usable()) {
    idle_.push_back(std::move(reader));
  } else {
    --opened_;
  }
  returned_.notify_one();
}

}  // namespace gantry::store
