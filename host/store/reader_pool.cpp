#include "store/reader_pool.hpp"

#include <algorithm>
#include <utility>

namespace gantry::store {

// Goes back to the pool instead of closing.
class reader_pool::lease final : public session {
 public:
  lease(reader_pool& pool, std::unique_ptr<session> reader) : pool_(pool), reader_(std::move(reader)) {}
  ~lease() override {
    reader_->end_read();
    pool_.give_back(std::move(reader_));
  }

  gantry_status exec(std::string_view sql, std::span<const gantry_value> params, std::int64_t* changes) override {
    return reader_->exec(sql, params, changes);
  }
  gantry_status exec_many(std::string_view sql, std::span<const gantry_value> params, std::size_t param_count,
                          std::size_t row_count, std::int64_t* changes) override {
    return reader_->exec_many(sql, params, param_count, row_count, changes);
  }
  gantry_status defer(std::string_view sql, std::span<const gantry_value> params) override {
    return reader_->defer(sql, params);
  }
  gantry_status query(std::string_view sql, std::span<const gantry_value> params, cursor** out) override {
    return reader_->query(sql, params, out);
  }
  gantry_status script(std::string_view sql) override { return reader_->script(sql); }
  gantry_status begin() override { return reader_->begin(); }
  gantry_status commit() override { return reader_->commit(); }
  void rollback() noexcept override { reader_->rollback(); }
  gantry_status savepoint() override { return reader_->savepoint(); }
  gantry_status rollback_to() override { return reader_->rollback_to(); }
  gantry_status release() override { return reader_->release(); }
  gantry_status begin_read() override { return reader_->begin_read(); }
  void end_read() noexcept override { reader_->end_read(); }
  bool usable() noexcept override { return reader_->usable(); }
  std::string_view error_text() const noexcept override { return reader_->error_text(); }

 private:
  reader_pool& pool_;
  std::unique_ptr<session> reader_;
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
