// The registry's series, as metrics.cpp keeps them and exposition.cpp writes them.
// Thread: under the registry's lock.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "observability/metrics.hpp"

namespace gantry::observability {

struct registry::series {
  std::unique_ptr<counter> plain;
  std::unique_ptr<sharded_counter> sharded;
  std::unique_ptr<gauge> level;
  std::unique_ptr<histogram> distribution;
  std::function<double()> read;
  std::set<owner_id> owners;
};

struct registry::family {
  metric_type type = metric_type::counter;
  std::string help;
  std::map<labels, series> all;
};

class registry::content {
 public:
  std::mutex mutex;
  std::map<std::string, family, std::less<>> families;
  std::atomic<owner_id> last_owner{0};

  // The series, made when it is new; `watched`: for a function. invalid, conflict: as get_counter.
  result<series*> get(metric_type type, std::string_view name, std::string_view help, labels with, owner_id owner,
                      bool watched = false);
};

constexpr std::string_view type_name(metric_type type) noexcept {
  switch (type) {
    case metric_type::counter:
      return "counter";
    case metric_type::gauge:
      return "gauge";
    case metric_type::histogram:
      return "histogram";
  }
  return "untyped";
}

// The value of a counter or gauge, however it is kept.
template <typename Series>
double value_of(const Series& of) {
  if (of.read) return of.read();
  if (of.level) return of.level->value();
  // Both kinds of counter may feed one series.
  return static_cast<double>((of.plain ? of.plain->value() : 0) + (of.sharded ? of.sharded->value() : 0));
}

}  // namespace gantry::observability
