#include "outbox/row.hpp"

#include <cstring>

namespace gantry::outbox {
namespace {

template <typename T>
void put(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
bool take(std::string_view& from, T& value) {
  if (from.size() < sizeof value) return false;
  std::memcpy(&value, from.data(), sizeof value);
  from.remove_prefix(sizeof value);
  return true;
}

}  // namespace

void append_part(const part& p, std::string& row) {
  put(static_cast<std::uint16_t>(p.topic.size()), row);
  put(p.partition, row);
  put(p.count, row);
  put(static_cast<std::uint32_t>(p.records.size()), row);
  row.append(p.topic);
  row.append(p.records);
}

result<std::vector<part>> read_parts(std::string_view row) {
  const std::size_t size = row.size();
  std::vector<part> parts;
  while (!row.empty()) {
    part p;
    std::uint16_t name = 0;
    std::uint32_t bytes = 0;
    if (!take(row, name) || !take(row, p.partition) || !take(row, p.count) || !take(row, bytes) ||
        row.size() < std::size_t{name} + bytes)
      return error{errc::corrupt, "an outbox row of " + std::to_string(size) + " bytes ends inside part " +
                                      std::to_string(parts.size() + 1)};
    p.topic = row.substr(0, name);
    p.records = row.substr(name, bytes);
    row.remove_prefix(std::size_t{name} + bytes);
    parts.push_back(p);
  }
  return parts;
}

}  // namespace gantry::outbox
