// Products as ready JSON, for the reads that every order makes.
//
// Only what is committed is in here, and after a write of this instance was acknowledged nobody reads the old text:
//  - a transaction that changes a product calls changing() before it commits; from then on the product is read from the
//    store, whatever readers that began earlier try to put in here;
//  - the product's event, which is seen after the commit, calls changed() and ends that;
//  - a transaction that was rolled back never sends its event, so the mark ends after `mark_lifetime`, much longer than
//    a transaction may take.
// Another replica learns of a change by the event alone. After missed events everything is dropped.
// A generation that takes over is told which products were in here, and reads them itself: their texts may have changed
// in between without its notice. Owned by the plugin. Thread: any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <gantry/time.hpp>
#include <memory>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace catalog {

class product_cache {
 public:
  struct entry {
    std::string text;
    std::int64_t version = 0;
  };
  using found = std::shared_ptr<const entry>;

  static constexpr std::size_t max_entries = 100'000;
  static constexpr std::chrono::microseconds mark_lifetime = std::chrono::minutes(2);

  // The state of the cache: take it before the snapshot that a later put() is made from.
  std::uint64_t epoch() const;

  // One element for each SKU, empty where it is not here.
  std::vector<found> find(std::span<const std::string_view> skus) const;

  // Keeps what was read. Does nothing if anything has changed since `since`, or the product is changing.
  void put(std::string_view sku, const found& what, std::uint64_t since, gantry::instant now);

  // A transaction that is not committed yet changes this product and emitted this event.
  void changing(std::string_view sku, std::string_view event_id, gantry::instant now);

  // The event was seen on the bus: its transaction is committed.
  void changed(std::string_view sku, std::string_view event_id);

  // Forgets the products, keeps the marks.
  void clear();

  // The SKUs of all products in here, a line for each.
  std::string names() const;
  // Products, named as by names(), that should be read as soon as there is an occasion.
  void want(std::string_view names);
  // Some of them, at most so many; they are not wanted any more. Costs nothing when there are none.
  std::vector<std::string> take_wanted(std::size_t most);

 private:
  struct mark {
    std::string event_id;
    gantry::instant at;
  };
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <typename T>
  using by_sku = std::unordered_map<std::string, T, text_hash, std::equal_to<>>;

  void forget(std::string_view sku);
  bool is_changing(std::string_view sku, gantry::instant now);

  mutable std::shared_mutex mutex_;
  std::uint64_t epoch_ = 0;
  by_sku<found> entries_;
  by_sku<std::vector<mark>> marks_;
  std::vector<std::string> wanted_;
  std::atomic<bool> any_wanted_{false};
};

}  // namespace catalog
