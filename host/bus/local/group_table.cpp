#include "bus/local/group_table.hpp"

#include <algorithm>
#include <utility>

namespace gantry::bus::local {

void group_table::join(std::string_view name, group_member& who, std::vector<topic_share> topics) {
  const std::scoped_lock turn(turn_);
  auto& joined = groups_.try_emplace(std::string(name)).first->second;
  joined.members.push_back({&who, std::move(topics)});
  rebalance(joined);
}

void group_table::leave(std::string_view name, group_member& who) {
  const std::scoped_lock turn(turn_);
  const auto found = groups_.find(name);
  if (found == groups_.end()) return;
  auto& left = found->second;
  std::erase_if(left.members, [&](const member& m) { return m.who == &who; });
  std::erase_if(left.owners, [&](const auto& owned) { return owned.second == &who; });
  if (left.members.empty())
    groups_.erase(found);
  else
    rebalance(left);
}

void group_table::rebalance(group& of) {
  std::map<topic_id, std::uint32_t> topics;
  for (auto& m : of.members) {
    m.load = 0;
    for (const auto& t : m.topics) topics[t.topic] = t.partitions;
  }
  std::map<partition_id, group_member*> to;
  for (const auto& [topic, partitions] : topics) share_out(of, {topic, partitions}, to);
  // Nobody takes what another one still has.
  const auto from = std::exchange(of.owners, std::move(to));
  for (const auto& [where, owner] : from)
    if (const auto now = of.owners.find(where); now == of.owners.end() || now->second != owner) owner->give_up(where);
  for (const auto& [where, owner] : of.owners)
    if (const auto before = from.find(where); before == from.end() || before->second != owner) owner->take(where);
}

void group_table::share_out(group& of, const topic_share& topic, std::map<partition_id, group_member*>& to) {
  struct share {
    member* of = nullptr;
    std::size_t held = 0;
    std::size_t quota = 0;
  };
  std::vector<share> shares;
  for (auto& m : of.members) {
    if (std::none_of(m.topics.begin(), m.topics.end(), [&](const auto& t) { return t.topic == topic.topic; })) continue;
    auto& added = shares.emplace_back(share{&m});
    for (std::uint32_t p = 0; p < topic.partitions; ++p)
      if (const auto owned = of.owners.find({topic.topic, p}); owned != of.owners.end() && owned->second == m.who)
        ++added.held;
  }
  // What can't be divided goes to those that have most of it already, else to those with least of other topics.
  std::stable_sort(shares.begin(), shares.end(), [](const share& a, const share& b) {
    return a.held != b.held ? a.held > b.held : a.of->load < b.of->load;
  });
  for (std::size_t i = 0; i < shares.size(); ++i)
    shares[i].quota = topic.partitions / shares.size() + (i < topic.partitions % shares.size() ? 1U : 0U);
  const auto give = [&](share& s, std::uint32_t partition) {
    to[{topic.topic, partition}] = s.of->who;
    --s.quota;
    ++s.of->load;
  };
  std::vector<std::uint32_t> left;
  for (std::uint32_t p = 0; p < topic.partitions; ++p) {
    const auto owned = of.owners.find({topic.topic, p});
    const auto keeps = std::find_if(shares.begin(), shares.end(), [&](const share& s) {
      return owned != of.owners.end() && owned->second == s.of->who && s.quota > 0;
    });
    if (keeps != shares.end())
      give(*keeps, p);
    else
      left.push_back(p);
  }
  for (const auto p : left)
    give(*std::find_if(shares.begin(), shares.end(), [](const share& s) { return s.quota > 0; }), p);
}

}  // namespace gantry::bus::local
