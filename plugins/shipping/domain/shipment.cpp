#include "domain/shipment.hpp"

#include <array>
#include <cstddef>

namespace shipping {
namespace {

constexpr std::array<std::string_view, 5> status_names = {"Created", "Dispatched", "Delivered", "Cancelled", "Failed"};
constexpr std::array<std::string_view, 6> tracking_names = {"label_printed",    "picked_up", "in_transit",
                                                            "out_for_delivery", "exception", "delivered"};

template <typename Enum, std::size_t Size>
std::optional<Enum> find(const std::array<std::string_view, Size>& names, std::string_view text) {
  for (std::size_t i = 0; i < Size; ++i) {
    if (names[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_text(shipment_status status) { return status_names[static_cast<std::size_t>(status)]; }
std::optional<shipment_status> shipment_status_of(std::string_view text) {
  return find<shipment_status>(status_names, text);
}

std::string_view to_text(tracking_status status) { return tracking_names[static_cast<std::size_t>(status)]; }
std::optional<tracking_status> tracking_status_of(std::string_view text) {
  return find<tracking_status>(tracking_names, text);
}

step toward(shipment_status wanted, shipment_status from) {
  if (wanted == from) return step::repeated;
  switch (wanted) {
    case shipment_status::dispatched:
      // A parcel that has arrived was dispatched.
      if (from == shipment_status::delivered) return step::repeated;
      return from == shipment_status::created ? step::taken : step::refused;
    case shipment_status::delivered:
      return from == shipment_status::dispatched ? step::taken : step::refused;
    case shipment_status::cancelled:
      return from == shipment_status::created || from == shipment_status::failed ? step::taken : step::refused;
    case shipment_status::created:
    case shipment_status::failed:
      return step::refused;
  }
  return step::refused;
}

consequence consequence_of(tracking_status report, shipment_status from) {
  if (from != shipment_status::created && from != shipment_status::dispatched) return {};
  consequence out{.accepted = true};
  const bool in_hand = report != tracking_status::label_printed && report != tracking_status::exception;
  out.dispatches = in_hand && from == shipment_status::created;
  out.delivers = report == tracking_status::delivered;
  return out;
}

}  // namespace shipping
