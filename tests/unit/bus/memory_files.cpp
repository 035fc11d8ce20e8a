#include "memory_files.hpp"

#include <algorithm>
#include <cstring>

namespace gantry::bus::local::testing {

class memory_files::open_file final : public file {
 public:
  open_file(memory_files& of, std::shared_ptr<content> what, open_mode mode)
      : of_(of), what_(std::move(what)), power_(of.power_), direct_(mode == open_mode::direct) {}

  result<std::size_t> pwrite(std::string_view bytes, std::uint64_t at) override {
    std::unique_lock lock(of_.mutex_);
    ++of_.held_writes_;
    of_.holding_.notify_all();
    of_.holding_.wait(lock, [&] { return !of_.hold_writes_; });
    --of_.held_writes_;
    if (power_ != of_.power_) return off();
    if (of_.writes_fail_) return error{errc::io, "the test's disk can't write"};
    if (direct_ && (at % block_bytes != 0 || bytes.size() % block_bytes != 0 ||
                    reinterpret_cast<std::uintptr_t>(bytes.data()) % block_bytes != 0))
      return error{errc::io, "a direct write that isn't whole blocks"};
    ++of_.writes_;
    bytes = bytes.substr(0, of_.longest_write_);
    const std::uint64_t grows = at + bytes.size() > what_->now.size() ? at + bytes.size() - what_->now.size() : 0;
    if (of_.free_bytes_ && grows > *of_.free_bytes_) {
      if (*of_.free_bytes_ == 0) return error{errc::unavailable, "no space left on the test's disk"};
      bytes = bytes.substr(0, bytes.size() - (grows - *of_.free_bytes_));  // as much as fits, as a real disk does
    }
    if (of_.free_bytes_) *of_.free_bytes_ -= std::min(grows, *of_.free_bytes_);
    if (what_->now.size() < at + bytes.size()) what_->now.resize(at + bytes.size());
    std::memcpy(what_->now.data() + at, bytes.data(), bytes.size());
    return bytes.size();
  }

  result<std::size_t> pread(char* to, std::size_t bytes, std::uint64_t at) override {
    const std::scoped_lock lock(of_.mutex_);
    if (power_ != of_.power_) return off();
    if (at >= what_->now.size()) return std::size_t{0};
    bytes = std::min(bytes, what_->now.size() - at);
    std::memcpy(to, what_->now.data() + at, bytes);
    return bytes;
  }

  void prefetch(std::uint64_t, std::uint64_t) override {}

  result<void> fdatasync() override {
    const std::scoped_lock lock(of_.mutex_);
    if (power_ != of_.power_) return off();
    if (of_.syncs_fail_) return error{errc::io, "the test's disk can't sync"};
    what_->durable = what_->now;
    return {};
  }

  result<void> truncate(std::uint64_t size) override {
    const std::scoped_lock lock(of_.mutex_);
    if (power_ != of_.power_) return off();
    if (of_.free_bytes_ && size < what_->now.size()) *of_.free_bytes_ += what_->now.size() - size;
    what_->now.resize(size);
    return {};
  }

 private:
  static error off() { return {errc::io, "the power went off"}; }

  memory_files& of_;
  std::shared_ptr<content> what_;
  std::uint64_t power_;
  bool direct_;
};

class memory_files::held_lock final : public directory_lock {
 public:
  explicit held_lock(std::shared_ptr<bool> locked) : locked_(std::move(locked)) { *locked_ = true; }
  ~held_lock() override { *locked_ = false; }

 private:
  std::shared_ptr<bool> locked_;
};

void memory_files::cut_power(std::size_t kept) {
  const std::scoped_lock lock(mutex_);
  ++power_;
  now_ = durable_;
  for (auto& [name, what] : now_) {
    // What changed begins at the first byte that differs: a block that was filled further, or the end.
    const auto& now = what->now;
    auto& durable = what->durable;
    const auto same = std::mismatch(now.begin(), now.end(), durable.begin(), durable.end()).first;
    const auto from = static_cast<std::size_t>(same - now.begin());
    const std::string survives = now.substr(from, kept);
    durable.resize(std::max(durable.size(), from + survives.size()));
    durable.replace(from, survives.size(), survives);
    what->now = durable;
  }
  locked_ = std::make_shared<bool>(false);
}

void memory_files::fail_syncs(bool yes) {
  const std::scoped_lock lock(mutex_);
  syncs_fail_ = yes;
}

void memory_files::fail_writes(bool yes) {
  const std::scoped_lock lock(mutex_);
  writes_fail_ = yes;
}

void memory_files::hold_writes() {
  const std::scoped_lock lock(mutex_);
  hold_writes_ = true;
}

void memory_files::wait_for_a_held_write() {
  std::unique_lock lock(mutex_);
  holding_.wait(lock, [&] { return held_writes_ != 0; });
}

void memory_files::let_writes_go() {
  const std::scoped_lock lock(mutex_);
  hold_writes_ = false;
  holding_.notify_all();
}

void memory_files::pad(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  auto& what = *now_.at(name);
  what.now.resize((what.now.size() + block_bytes - 1) / block_bytes * block_bytes);
  what.durable = what.now;
}

void memory_files::set_free_bytes(std::optional<std::uint64_t> bytes) {
  const std::scoped_lock lock(mutex_);
  free_bytes_ = bytes;
}

void memory_files::set_longest_write(std::size_t bytes) {
  const std::scoped_lock lock(mutex_);
  longest_write_ = bytes;
}

void memory_files::damage(const std::string& name, std::uint64_t at) {
  const std::scoped_lock lock(mutex_);
  auto& what = *now_.at(name);
  what.now.at(at) = static_cast<char>(what.now.at(at) ^ 0x40);
  what.durable = what.now;
}

std::vector<std::string> memory_files::names(std::string_view ending) const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [name, what] : now_)
    if (name.ends_with(ending)) out.push_back(name);
  return out;
}

std::uint64_t memory_files::size(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  return now_.at(name)->now.size();
}

std::size_t memory_files::writes() const {
  const std::scoped_lock lock(mutex_);
  return writes_;
}

result<std::unique_ptr<file>> memory_files::open(const std::filesystem::path& path, open_mode mode) {
  const std::scoped_lock lock(mutex_);
  const auto name = path.filename().string();
  if (mode == open_mode::create)
    now_[name] = std::make_shared<content>();
  else if (!now_.contains(name))
    return error{errc::not_found, path.string() + " is not there"};
  return std::unique_ptr<file>(std::make_unique<open_file>(*this, now_[name], mode));
}

result<void> memory_files::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  const std::scoped_lock lock(mutex_);
  auto node = now_.extract(from.filename().string());
  if (node.empty()) return error{errc::not_found, from.string() + " is not there"};
  now_[to.filename().string()] = node.mapped();
  return {};
}

result<void> memory_files::unlink(const std::filesystem::path& path) {
  const std::scoped_lock lock(mutex_);
  if (now_.erase(path.filename().string()) == 0) return error{errc::not_found, path.string() + " is not there"};
  return {};
}

result<void> memory_files::sync_directory(const std::filesystem::path&) {
  const std::scoped_lock lock(mutex_);
  if (syncs_fail_) return error{errc::io, "the test's disk can't sync"};
  durable_ = now_;
  return {};
}

result<std::vector<listed_file>> memory_files::list(const std::filesystem::path&) {
  const std::scoped_lock lock(mutex_);
  std::vector<listed_file> out;
  for (const auto& [name, what] : now_) out.push_back({name, what->now.size()});
  return out;
}

result<std::unique_ptr<directory_lock>> memory_files::lock(const std::filesystem::path& path) {
  const std::scoped_lock lock(mutex_);
  if (*locked_) return error{errc::conflict, path.string() + " is locked"};
  return std::unique_ptr<directory_lock>(std::make_unique<held_lock>(locked_));
}

}  // namespace gantry::bus::local::testing
