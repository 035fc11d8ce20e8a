#include "domain/identity.hpp"

#include <cstddef>

namespace shipping {
namespace {

constexpr std::string_view foreign_prefix = "s-";
constexpr std::string_view mask = "5419b6d3a07c";
constexpr std::size_t uuid_size = 36;
constexpr std::size_t tail = uuid_size - mask.size();

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Lower case only: another spelling would not come back from the mask as it went in.
bool is_uuid(std::string_view text) {
  if (text.size() != uuid_size) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : digit_of(text[i]) < 0) return false;
  }
  return true;
}

std::string masked(std::string_view uuid) {
  std::string out(uuid);
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const auto digit = static_cast<std::size_t>(digit_of(uuid[tail + i]) ^ digit_of(mask[i]));
    out[tail + i] = "0123456789abcdef"[digit];
  }
  return out;
}

}  // namespace

std::string shipment_id_of(std::string_view order_id) {
  if (is_uuid(order_id)) return masked(order_id);
  return std::string(foreign_prefix).append(order_id);
}

std::string order_id_of(std::string_view shipment_id) {
  if (is_uuid(shipment_id)) return masked(shipment_id);
  if (!shipment_id.starts_with(foreign_prefix)) return {};
  shipment_id.remove_prefix(foreign_prefix.size());
  // A UUID never gets the prefix, so this is nobody's id.
  if (is_uuid(shipment_id)) return {};
  return std::string(shipment_id);
}

}  // namespace shipping
