#include "observability/metrics.hpp"

#include <algorithm>
#include <utility>

#include "observability/content.hpp"

namespace gantry::observability {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name(std::string_view text, bool colons) {
  if (text.empty() || is_digit(text.front())) return false;
  return std::all_of(text.begin(), text.end(),
                     [colons](char c) { return is_letter(c) || is_digit(c) || (colons && c == ':'); });
}

// Threads take slots in turn, so that few of them share one.
std::size_t shard_of_this_thread() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

// Labels in order of their names; an error when one is not allowed or given twice.
result<void> normalise(metric_type type, labels& with) {
  std::sort(with.begin(), with.end());
  for (std::size_t i = 0; i < with.size(); ++i) {
    const auto& name = with[i].name;
    if (!is_name(name, false) || name.starts_with("__") || (type == metric_type::histogram && name == "le")) {
      return error{errc::invalid, "metrics: '" + name + "' can't be a label"};
    }
    if (i > 0 && with[i - 1].name == name) return error{errc::invalid, "metrics: label '" + name + "' is given twice"};
  }
  return {};
}

}  // namespace

void sharded_counter::add(std::uint64_t by) noexcept { slots_[shard_of_this_thread() % slots_.size()].add(by); }

std::uint64_t sharded_counter::value() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& slot : slots_) sum += slot.value();
  return sum;
}

void histogram::observe_ns(std::int64_t nanoseconds) noexcept {
  const auto value = std::max<std::int64_t>(nanoseconds, 0);
  const auto bound = std::lower_bound(bucket_bounds_ns.begin(), bucket_bounds_ns.end(), value);
  buckets_[static_cast<std::size_t>(bound - bucket_bounds_ns.begin())].fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(value, std::memory_order_relaxed);
}

void histogram::observe_seconds(double seconds) noexcept {
  // Beyond what 64 bits of nanoseconds hold lies only a mistake; NaN counts as zero.
  constexpr double most = 9e9;
  observe_ns(seconds > 0 ? static_cast<std::int64_t>(std::min(seconds, most) * 1e9) : 0);
}

histogram_counts histogram::counts() const noexcept {
  histogram_counts out;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    out.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    out.count += out.buckets[i];
  }
  out.sum_ns = sum_ns_.load(std::memory_order_relaxed);
  return out;
}

histogram_counts histogram_counts::minus(const histogram_counts& earlier) const noexcept {
  histogram_counts out;
  for (std::size_t i = 0; i < buckets.size(); ++i)
    out.buckets[i] = buckets[i] - std::min(buckets[i], earlier.buckets[i]);
  out.count = count - std::min(count, earlier.count);
  out.sum_ns = sum_ns - std::min(sum_ns, earlier.sum_ns);
  return out;
}

std::int64_t histogram_counts::quantile_ns(double q) const noexcept {
  if (count == 0) return 0;
  const double rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(count);
  double below = 0;
  for (std::size_t i = 0; i < bucket_bounds_ns.size(); ++i) {
    const auto inside = static_cast<double>(buckets[i]);
    if (inside > 0 && below + inside >= rank) {
      const double low = i == 0 ? 0.0 : static_cast<double>(bucket_bounds_ns[i - 1]);
      const double high = static_cast<double>(bucket_bounds_ns[i]);
      return static_cast<std::int64_t>(low + (high - low) * std::max(0.0, rank - below) / inside);
    }
    below += inside;
  }
  return bucket_bounds_ns.back();
}

registry::registry() : content_(std::make_unique<content>()) {}
registry::~registry() = default;

owner_id registry::new_owner() noexcept { return content_->last_owner.fetch_add(1, std::memory_order_relaxed) + 1; }

result<registry::series*> registry::content::get(metric_type type, std::string_view name, std::string_view help,
                                                 labels with, owner_id owner, bool watched) {
  if (!is_name(name, true)) return error{errc::invalid, "metrics: '" + std::string(name) + "' can't be a name"};
  if (auto sorted = normalise(type, with); !sorted) return std::move(sorted).failure();
  auto found = families.find(name);
  if (found == families.end()) {
    found = families.emplace(std::string(name), family{type, std::string(help), {}}).first;
  } else if (found->second.type != type) {
    return error{errc::conflict, "metrics: '" + std::string(name) + "' is a " +
                                     std::string(type_name(found->second.type)) + ", not a " +
                                     std::string(type_name(type))};
  }
  const auto [place, fresh] = found->second.all.try_emplace(std::move(with));
  auto& one = place->second;
  if (!fresh && static_cast<bool>(one.read) != watched) {
    return error{errc::conflict, "metrics: '" + std::string(name) + "' is " + (watched ? "recorded" : "watched") +
                                     " already; one series can't be both"};
  }
  // A function belongs to whoever gave it last: with that owner it goes.
  if (watched) one.owners.clear();
  one.owners.insert(owner);
  return &one;
}

result<counter*> registry::get_counter(std::string_view name, std::string_view help, labels with, owner_id owner) {
  const std::lock_guard lock(content_->mutex);
  auto one = content_->get(metric_type::counter, name, help, std::move(with), owner);
  if (!one) return std::move(one).failure();
  if (!(*one)->plain) (*one)->plain = std::make_unique<counter>();
  return (*one)->plain.get();
}

result<sharded_counter*> registry::get_sharded_counter(std::string_view name, std::string_view help, labels with,
                                                       owner_id owner) {
  const std::lock_guard lock(content_->mutex);
  auto one = content_->get(metric_type::counter, name, help, std::move(with), owner);
  if (!one) return std::move(one).failure();
  if (!(*one)->sharded) (*one)->sharded = std::make_unique<sharded_counter>();
  return (*one)->sharded.get();
}

result<gauge*> registry::get_gauge(std::string_view name, std::string_view help, labels with, owner_id owner) {
  const std::lock_guard lock(content_->mutex);
  auto one = content_->get(metric_type::gauge, name, help, std::move(with), owner);
  if (!one) return std::move(one).failure();
  if (!(*one)->level) (*one)->level = std::make_unique<gauge>();
  return (*one)->level.get();
}

result<histogram*> registry::get_histogram(std::string_view name, std::string_view help, labels with, owner_id owner) {
  const std::lock_guard lock(content_->mutex);
  auto one = content_->get(metric_type::histogram, name, help, std::move(with), owner);
  if (!one) return std::move(one).failure();
  if (!(*one)->distribution) (*one)->distribution = std::make_unique<histogram>();
  return (*one)->distribution.get();
}

result<void> registry::watch(metric_type type, std::string_view name, std::string_view help, labels with,
                             std::function<double()> read, owner_id owner) {
  if (type == metric_type::histogram) {
    return error{errc::invalid, "metrics: '" + std::string(name) + "': a histogram can't be asked for one value"};
  }
  const std::lock_guard lock(content_->mutex);
  auto one = content_->get(type, name, help, std::move(with), owner, true);
  if (!one) return std::move(one).failure();
  (*one)->read = std::move(read);
  return {};
}

void registry::remove_owner(owner_id owner) {
  if (owner == 0) return;
  const std::lock_guard lock(content_->mutex);
  for (auto named = content_->families.begin(); named != content_->families.end();) {
    auto& all = named->second.all;
    for (auto one = all.begin(); one != all.end();) {
      auto& owners = one->second.owners;
      one = owners.erase(owner) > 0 && owners.empty() ? all.erase(one) : std::next(one);
    }
    named = all.empty() ? content_->families.erase(named) : std::next(named);
  }
}

std::vector<registry::sample> registry::snapshot() const {
  std::vector<sample> out;
  const std::lock_guard lock(content_->mutex);
  for (const auto& [name, named] : content_->families) {
    for (const auto& [with, one] : named.all) {
      sample entry{name, with, named.type, value_of(one), {}};
      if (one.distribution) entry.distribution = one.distribution->counts();
      out.push_back(std::move(entry));
    }
  }
  return out;
}

}  // namespace gantry::observability
