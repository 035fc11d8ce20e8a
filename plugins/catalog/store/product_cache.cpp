#include "store/product_cache.hpp"

#include <algorithm>
#include <iterator>
#include <mutex>

namespace catalog {

std::uint64_t product_cache::epoch() const {
  const std::shared_lock lock(mutex_);
  return epoch_;
}

std::vector<product_cache::found> product_cache::find(std::span<const std::string_view> skus) const {
  std::vector<found> all(skus.size());
  const std::shared_lock lock(mutex_);
  for (std::size_t i = 0; i < skus.size(); ++i) {
    const auto at = entries_.find(skus[i]);
    if (at != entries_.end()) all[i] = at->second;
  }
  return all;
}

void product_cache::put(std::string_view sku, const found& what, std::uint64_t since, gantry::instant now) {
  const std::unique_lock lock(mutex_);
  if (epoch_ != since || is_changing(sku, now)) return;
  if (entries_.size() >= max_entries) entries_.clear();
  entries_.insert_or_assign(std::string(sku), what);
}

void product_cache::changing(std::string_view sku, std::string_view event_id, gantry::instant now) {
  const std::unique_lock lock(mutex_);
  forget(sku);
  marks_[std::string(sku)].push_back({std::string(event_id), now});
}

void product_cache::changed(std::string_view sku, std::string_view event_id) {
  const std::unique_lock lock(mutex_);
  forget(sku);
  const auto at = marks_.find(sku);
  if (at == marks_.end()) return;
  std::erase_if(at->second, [&](const mark& each) { return each.event_id == event_id; });
  if (at->second.empty()) marks_.erase(at);
}

void product_cache::clear() {
  const std::unique_lock lock(mutex_);
  ++epoch_;
  entries_.clear();
}

std::string product_cache::names() const {
  const std::shared_lock lock(mutex_);
  std::string out;
  for (const auto& [sku, text] : entries_) out.append(sku).append("\n");
  return out;
}

void product_cache::want(std::string_view names) {
  const std::unique_lock lock(mutex_);
  while (!names.empty()) {
    const auto sku = names.substr(0, names.find('\n'));
    names.remove_prefix(std::min(names.size(), sku.size() + 1));
    wanted_.emplace_back(sku);
  }
  any_wanted_ = !wanted_.empty();
}

std::vector<std::string> product_cache::take_wanted(std::size_t most) {
  if (!any_wanted_.load(std::memory_order_relaxed)) return {};
  const std::unique_lock lock(mutex_);
  const auto first = wanted_.end() - static_cast<std::ptrdiff_t>(std::min(most, wanted_.size()));
  std::vector<std::string> some(std::make_move_iterator(first), std::make_move_iterator(wanted_.end()));
  wanted_.erase(first, wanted_.end());
  any_wanted_ = !wanted_.empty();
  return some;
}

void product_cache::forget(std::string_view sku) {
  ++epoch_;
  const auto at = entries_.find(sku);
  if (at != entries_.end()) entries_.erase(at);
}

bool product_cache::is_changing(std::string_view sku, gantry::instant now) {
  const auto at = marks_.find(sku);
  if (at == marks_.end()) return false;
  std::erase_if(at->second, [&](const mark& each) { return now - each.at > mark_lifetime; });
  if (!at->second.empty()) return true;
  marks_.erase(at);
  return false;
}

}  // namespace catalog
