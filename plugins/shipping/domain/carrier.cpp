#include "domain/carrier.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace shipping {
namespace {

// FNV-1a with a final mix, so that ids that differ in one bit give numbers that look unrelated.
std::uint64_t hash_of(std::string_view first, std::string_view second) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const std::string_view part : {first, second}) {
    for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31);
}

std::string upper_letters(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= 'a' && c <= 'z') out += static_cast<char>(c - 'a' + 'A');
    if (c >= 'A' && c <= 'Z') out += c;
    if (out.size() == 3) break;
  }
  return out;
}

// The place of a country in a table by two letters, or nothing if it is not two upper-case letters.
std::optional<std::size_t> place_of(std::string_view country) {
  const auto letter = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (country.size() != 2 || !letter(country[0]) || !letter(country[1])) return std::nullopt;
  return static_cast<std::size_t>(country[0] - 'A') * 26 + static_cast<std::size_t>(country[1] - 'A');
}

}  // namespace

simulated_carrier::simulated_carrier(carrier_terms terms)
    : terms_(std::move(terms)), prefix_(upper_letters(terms_.id)) {}

std::optional<quote> simulated_carrier::price(std::string_view zone, std::int64_t grams) const {
  const rate* best = nullptr;
  for (const rate& candidate : terms_.rates) {
    if (candidate.zone != zone || grams > candidate.up_to_grams) continue;
    if (best == nullptr || candidate.up_to_grams < best->up_to_grams) best = &candidate;
  }
  if (best == nullptr) return std::nullopt;
  return quote{terms_.id, terms_.name, terms_.service, best->amount, terms_.min_days, terms_.max_days};
}

// Crockford's base 32 has no letters that are read as digits, so the number can be told on the telephone.
booking simulated_carrier::book(std::string_view shipment_id) const {
  booking out;
  out.tracking_number = prefix_;
  std::uint64_t number = hash_of(terms_.id, shipment_id);
  for (int i = 0; i < 13; ++i, number >>= 5U) {
    out.tracking_number += "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[number & 31U];
  }
  out.reference.reserve(terms_.id.size() + 1 + shipment_id.size());
  out.reference.append(terms_.id).append("/").append(shipment_id);
  return out;
}

std::string_view shipment_in_reference(std::string_view carrier_id, std::string_view reference) {
  if (!reference.starts_with(carrier_id)) return {};
  reference.remove_prefix(carrier_id.size());
  if (!reference.starts_with('/')) return {};
  return reference.substr(1);
}

carrier_network::carrier_network(std::vector<zone> zones, std::vector<std::string> unservable,
                                 std::vector<std::unique_ptr<carrier>> carriers)
    : zones_(std::move(zones)), carriers_(std::move(carriers)) {
  std::int16_t rest = -1;
  for (std::size_t i = 0; i < zones_.size(); ++i) {
    if (std::ranges::find(zones_[i].countries, "*") != zones_[i].countries.end()) rest = static_cast<std::int16_t>(i);
  }
  zone_by_country_.fill(rest);
  for (std::size_t i = 0; i < zones_.size(); ++i) {
    for (const std::string& country : zones_[i].countries) {
      if (const auto place = place_of(country)) zone_by_country_[*place] = static_cast<std::int16_t>(i);
    }
  }
  for (const std::string& country : unservable) {
    if (const auto place = place_of(country)) zone_by_country_[*place] = -1;
  }
}

const std::string* carrier_network::zone_of(std::string_view country) const {
  const auto place = place_of(country);
  if (!place || zone_by_country_[*place] < 0) return nullptr;
  return &zones_[static_cast<std::size_t>(zone_by_country_[*place])].name;
}

std::vector<quote> carrier_network::quotes(std::string_view country, std::int64_t grams) const {
  std::vector<quote> out;
  const std::string* zone = zone_of(country);
  if (zone == nullptr) return out;
  for (const auto& candidate : carriers_) {
    if (const auto offer = candidate->price(*zone, grams)) out.push_back(*offer);
  }
  std::ranges::stable_sort(out, {}, &quote::amount);
  return out;
}

const carrier* carrier_network::cheapest(std::string_view country, std::int64_t grams) const {
  const std::string* zone = zone_of(country);
  if (zone == nullptr) return nullptr;
  const carrier* best = nullptr;
  std::int64_t least = 0;
  for (const auto& candidate : carriers_) {
    const auto offer = candidate->price(*zone, grams);
    if (!offer || (best != nullptr && offer->amount >= least)) continue;
    best = candidate.get();
    least = offer->amount;
  }
  return best;
}

const carrier* carrier_network::find(std::string_view id) const {
  const auto at = std::ranges::find(carriers_, id, [](const auto& entry) { return entry->id(); });
  return at == carriers_.end() ? nullptr : at->get();
}

std::string carrier_network::refusal(std::string_view country, std::int64_t grams) const {
  if (zone_of(country) == nullptr) return "no carrier serves " + std::string(country);
  return "no carrier takes " + std::to_string(grams) + " g to " + std::string(country);
}

}  // namespace shipping
