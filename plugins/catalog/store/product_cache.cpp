#include "store/product_cache.hpp"

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
