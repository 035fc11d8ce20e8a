// What of the runtime's own tables matters when a plugin moves to another store or bus: which tables there are, how far
// it has read, and what its outbox still holds. Thread: that of the session.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "store/store.hpp"

namespace gantry::runtime {

// Makes the runtime's tables in a store of this driver; does nothing for those that are there. `shared`: with those by
// which hosts share a store.
std::string schema_of(std::string_view driver, bool shared);

using part_of_topic = std::pair<std::string, std::uint32_t>;  // topic and partition

// How far a plugin has read a partition.
struct read_position {
  std::uint64_t next = 0;
  std::map<std::string, std::uint64_t, std::less<>> sources;  // the last sequence that it has seen of each
};

// The positions on one bus. io: the store did not answer.
result<std::map<part_of_topic, read_position>> read_positions(store::session& from, std::string_view bus_id);

// Events that a plugin has committed and the store still holds; the bus may have them already.
struct waiting_events {
  std::string topic;
  std::uint32_t partition = 0;
  std::string source;
  std::vector<std::uint64_t> sequences;
};
// io; corrupt: a row that can't be read.
result<std::vector<waiting_events>> read_outbox(store::session& from);

}  // namespace gantry::runtime
