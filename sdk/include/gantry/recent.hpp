// What a plugin remembers of the rows it wrote last, by key, in a bounded space.
//
// A guess, never the truth: the transaction that wrote a row may have been rolled back, and another host may have
// changed the row since. Whoever writes by what is found here lets the store compare, and reads when it finds
// otherwise:
//
//   if (auto* known = recent.find(key);
//       known != nullptr && tx.exec("UPDATE t SET n = $2 WHERE key = $1 AND n = $3", key, known->n + 1, known->n) == 1)
//     known->n += 1;
//   else ...  // recent.forget(key), read the row, recent.put(key, row)
//
// That saves the read, and on PostgreSQL the wait for it. Owned by the plugin. Thread: lane.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace gantry {

template <typename T>
class recent {
 public:
  // Keeps the last `most` that were put in, or up to half as many fewer. At least 2.
  explicit recent(std::size_t most) : half_(most < 2 ? 1 : most / 2) {}

  // Replaces what was known of `key`. May drop others. The reference stands until the next put, forget or clear.
  T& put(std::string_view key, T value) {
    if (newer_.size() >= half_) {
      older_ = std::move(newer_);
      newer_.clear();
    }
    if (!older_.empty()) erase(older_, key);
    return newer_.insert_or_assign(std::string(key), std::move(value)).first->second;
  }

  // Null: not known. Stands as what put() returned does.
  T* find(std::string_view key) {
    for (auto* part : {&newer_, &older_}) {
      if (part->empty()) continue;
      const auto found = part->find(key);
      if (found != part->end()) return &found->second;
    }
    return nullptr;
  }

  void forget(std::string_view key) {
    erase(newer_, key);
    erase(older_, key);
  }

  void clear() {
    newer_.clear();
    older_.clear();
  }

  std::size_t size() const noexcept { return newer_.size() + older_.size(); }

 private:
  struct hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using values = std::unordered_map<std::string, T, hash, std::equal_to<>>;

  static void erase(values& from, std::string_view key) {
    if (const auto found = from.find(key); found != from.end()) from.erase(found);
  }

  const std::size_t half_;
  values newer_;
  values older_;  // as they were when newer_ was full; dropped when it is full again
};

}  // namespace gantry
