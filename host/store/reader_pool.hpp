// Sessions that read, lent to one user each and taken back: a bounded number of connections for everybody.
// Owned by a driver's store, which outlives what it lends. Thread: any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/store.hpp"

namespace gantry::store {

class reader_pool {
 public:
  using opener = std::function<result<std::unique_ptr<session>>()>;

  // At most `most` are open, one at the least. `name` is the store's, for error texts. `wait`: for one that is lent.
  reader_pool(std::size_t most, std::string name, opener open,
              std::chrono::milliseconds wait = std::chrono::seconds(5));

  // Lends a session; destroying it gives it back. timeout: all were lent for so long. Else what the opener says.
  result<std::unique_ptr<session>> acquire();

  // Closes those that are not lent.
  void clear();

 private:
  class lease;
  void give_back(std::unique_ptr<session> reader) noexcept;

  const std::size_t most_;
  const std::string name_;
  const opener open_;
  const std::chrono::milliseconds wait_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable returned_;
  std::vector<std::unique_ptr<session>> idle_;  // the one used last is taken first: its cache is warm
  std::size_t opened_ = 0;
};

}  // namespace gantry::store
