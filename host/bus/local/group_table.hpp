// Who of a group reads which partition: its members share each topic's partitions evenly, and keep what they have as
// far as that allows.
// Owned by journal_bus. Thread: any; one change of membership at a time, and members are called during it.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "bus/bus.hpp"

namespace gantry::bus::local {

// One consumer. Each call is made by the thread that joins or leaves, and must not come back to the table.
class group_member {
 public:
  virtual ~group_member() = default;
  virtual void take(partition_id where) = 0;
  virtual void give_up(partition_id where) = 0;
};

class group_table {
 public:
  struct topic_share {
    topic_id topic = 0;
    std::uint32_t partitions = 0;
  };

  // Other members give up what is to be the new one's, then that one takes it.
  void join(std::string_view group, group_member& who, std::vector<topic_share> topics);
  // The others take over what it had; it is not called any more.
  void leave(std::string_view group, group_member& who);

 private:
  struct member {
    group_member* who = nullptr;
    std::vector<topic_share> topics;
    std::size_t load = 0;  // partitions of all topics that a rebalancing has given it so far
  };
  struct group {
    std::vector<member> members;  // in the order of joining
    std::map<partition_id, group_member*> owners;
  };
  static void rebalance(group& of);
  static void share_out(group& of, const topic_share& topic, std::map<partition_id, group_member*>& to);

  std::mutex turn_;
  std::map<std::string, group, std::less<>> groups_;
};

}  // namespace gantry::bus::local
