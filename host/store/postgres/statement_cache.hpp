// Prepared statements of one connection, found by their text.
// Owned by a session. Thread: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gantry/abi/store.h"
#include "store/postgres/sql_text.hpp"
#include "store/postgres/statement_shape.hpp"
#include "store/postgres/status.hpp"

struct pg_result;

namespace gantry::store::postgres {

// What the server knows of a statement, once it is prepared. One with arrays is prepared anew for other kinds of them.
struct prepared {
  std::string name;                  // on the server; empty: not prepared yet
  std::vector<bool> texts;           // of each array: it holds texts
  std::vector<std::uint32_t> types;  // of the parameters
  std::size_t columns = 0;
  bool binary = true;  // all columns can be read so

  // Takes what the server says about it.
  void describe(const pg_result* from);
};

// How a statement has gone so far: one that always goes the same way need not be waited for. Transactions are counted
// by the session, those that were committed.
class experience {
 public:
  // It has succeeded and changed so many rows.
  void went_well(std::int64_t changed) noexcept;
  // Waited for, it has failed, or what it was trusted to do did not come true.
  void disappointed(std::uint64_t committed) noexcept;

  // It may be expected to succeed.
  bool trusted(std::uint64_t committed) const noexcept {
    return successes_ >= enough && committed >= distrusted_until_;
  }
  // And to change as many rows as every time; negative: that can't be told.
  std::int64_t foreseen(std::uint64_t committed) const noexcept {
    return trusted(committed) && alike_ >= enough ? last_changed_ : -1;
  }

 private:
  static constexpr std::uint32_t enough = 32;
  static constexpr std::uint64_t first_penalty = 16;
  static constexpr std::uint64_t longest_penalty = 1 << 14;

  std::uint32_t successes_ = 0;  // one after the other
  std::uint32_t alike_ = 0;      // of these, with the same count
  std::int64_t last_changed_ = -1;
  std::uint64_t distrusted_until_ = 0;
  std::uint64_t penalty_ = first_penalty;  // transactions
};

// What the catalog says of the only table that a statement touches.
struct table_facts {
  bool alone = false;      // its rows are its own, and nothing but constraints looks at other tables when they change
  bool untouched = false;  // nor do constraints, and nothing happens when a row changes
  bool keyed = false;      // the columns that the statement compares with parameters hold a unique key

  // The question for it, and what its answer says.
  static std::string question(const statement_shape& about);
  static table_facts read(const pg_result* from);
};

struct statement {
  std::shared_ptr<const std::string> text;  // as it was written
  sql_text sql;
  statement_shape shape;
  table_facts table;
  std::uint64_t asked_at = 0;  // the epoch of the schema in which that was so
  std::optional<std::string>
      for_sets;  // its name on the server when it takes a set; empty: it can't. None: not known yet
  std::vector<prepared> variants;
  std::uint64_t used_at = 0;
  experience past;

  // The variant for these parameters; one that is new has no name yet. INVALID: an array where none may be, or none
  // where one must be.
  prepared* variant(std::span<const gantry_value> params, failure_text& failure);
};

class statement_cache {
 public:
  // The statement of this text; null: it is none, `failure` says why. Stays valid until a find() that makes room.
  statement* find(std::string_view sql, failure_text& failure);

  // A name for a new prepared statement of this connection.
  std::string new_name() { return "g" + std::to_string(++names_); }

  // Names that the server may forget.
  std::vector<std::string> take_evicted() { return std::exchange(evicted_, {}); }

  // find() would forget one to make room for this.
  bool makes_room_for(std::string_view sql) const noexcept {
    return by_text_.size() >= capacity && !by_text_.contains(sql);
  }

  // The server has forgotten all of them.
  void clear();
  void forget(const statement& which);
  // What the catalog says of its table; whether it takes sets is open again.
  void learn(statement& which, table_facts now);
  // Null: it is not there any more.
  statement* known(std::string_view sql) noexcept;

  static constexpr std::size_t capacity = 256;

 private:
  void evict();

  std::unordered_map<std::string_view, std::unique_ptr<statement>> by_text_;
  std::vector<std::string> evicted_;
  std::uint64_t names_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace gantry::store::postgres
