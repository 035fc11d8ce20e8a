// Counters, gauges and histograms, exposed as Prometheus text 0.0.4. A series is made once and then used by pointer;
// recording is one relaxed atomic add on a cache line of its own.
// The registry is owned by app. Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::observability {

struct label {
  std::string name;
  std::string value;
  friend bool operator==(const label&, const label&) = default;
  friend auto operator<=>(const label&, const label&) = default;
};
using labels = std::vector<label>;

enum class metric_type { counter, gauge, histogram };

// Only grows.
class alignas(64) counter {
 public:
  void add(std::uint64_t by = 1) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// For a counter that many threads write at once: each adds to one of eight slots.
class sharded_counter {
 public:
  void add(std::uint64_t by = 1) noexcept;
  std::uint64_t value() const noexcept;

 private:
  std::array<counter, 8> slots_;
};

class alignas(64) gauge {
 public:
  void set(std::int64_t value) noexcept { value_.store(static_cast<double>(value), std::memory_order_relaxed); }
  void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(double by) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
  double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Upper bounds in nanoseconds: 100 us to 10 s in steps of 1, 2.5, 5. A last bucket takes the rest.
inline constexpr std::array<std::int64_t, 16> bucket_bounds_ns = {
    100'000,    250'000,     500'000,     1'000'000,   2'500'000,     5'000'000,     10'000'000,    25'000'000,
    50'000'000, 100'000'000, 250'000'000, 500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};

// What a histogram has counted at one moment; differences of two give a window.
struct histogram_counts {
  std::array<std::uint64_t, bucket_bounds_ns.size() + 1> buckets{};  // not cumulative
  std::uint64_t count = 0;
  std::int64_t sum_ns = 0;

  histogram_counts minus(const histogram_counts& earlier) const noexcept;
  // The estimate in nanoseconds of the q-quantile (0..1), linear inside its bucket; 0 without observations; the
  // greatest bound for what lies beyond it.
  std::int64_t quantile_ns(double q) const noexcept;
};

class alignas(64) histogram {
 public:
  // A negative duration counts as zero.
  void observe_ns(std::int64_t nanoseconds) noexcept;
  void observe_seconds(double seconds) noexcept;
  histogram_counts counts() const noexcept;

 private:
  std::array<std::atomic<std::uint64_t>, bucket_bounds_ns.size() + 1> buckets_{};
  std::atomic<std::int64_t> sum_ns_{0};
};

// Whose series these are: all of an owner are removed together. 0 is the host itself and stays.
using owner_id = std::uint64_t;

// Makes, finds, exposes and removes series. A pointer is good until its owner is removed or the registry ends.
class registry {
 public:
  registry();
  registry(const registry&) = delete;
  registry& operator=(const registry&) = delete;
  ~registry();

  // A fresh owner, for one plugin instance.
  owner_id new_owner() noexcept;

  // The series of this name and these labels, made on first use; one series may belong to several owners (two
  // generations of a plugin) and goes with the last. invalid: a name or label that Prometheus does not allow;
  // conflict: the name has another type, or the series is watched.
  result<counter*> get_counter(std::string_view name, std::string_view help, labels with = {}, owner_id owner = 0);
  result<sharded_counter*> get_sharded_counter(std::string_view name, std::string_view help, labels with = {},
                                               owner_id owner = 0);
  result<gauge*> get_gauge(std::string_view name, std::string_view help, labels with = {}, owner_id owner = 0);
  result<histogram*> get_histogram(std::string_view name, std::string_view help, labels with = {}, owner_id owner = 0);

  // A gauge or counter that is asked when scraped, on the scraping thread, under the registry's lock: it must be quick
  // and must not call the registry. Replaces the function and the owner of an equal series. The function is not called
  // any more once remove_owner has returned. invalid: as above, or a histogram; conflict: as above, or the series is
  // recorded.
  result<void> watch(metric_type type, std::string_view name, std::string_view help, labels with,
                     std::function<double()> read, owner_id owner = 0);

  // Takes away the owner's series; those that no other owner holds are gone from the exposition and freed.
  void remove_owner(owner_id owner);

  // Prometheus text format 0.0.4: families by name, series by labels. Content type: exposition_type.
  std::string exposition() const;

  // Every series with its value, for `gantry top` and the admin API.
  struct sample {
    std::string name;
    labels with;
    metric_type type = metric_type::counter;
    double value = 0;               // counters and gauges
    histogram_counts distribution;  // histograms
  };
  std::vector<sample> snapshot() const;

 private:
  struct series;
  struct family;
  class content;
  std::unique_ptr<content> content_;
};

inline constexpr std::string_view exposition_type = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace gantry::observability
