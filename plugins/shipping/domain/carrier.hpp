// Carriers: what they charge and how they take a parcel.
//
// A carrier is an interface, so that one with a rate table of its own stands beside the simulated one, whose rates come
// from the configuration. Everything here is arithmetic on what is in memory: booking is a rule, not a conversation.
// Owned by the plugin from start to stop; never changes in between. Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shipping {

// One offer. Money in minor units of the settings' currency.
struct quote {
  std::string_view carrier;
  std::string_view name;
  std::string_view service;
  std::int64_t amount = 0;
  std::int64_t min_days = 0;
  std::int64_t max_days = 0;
};

struct booking {
  std::string tracking_number;
  std::string reference;  // by which the carrier's reports name the parcel
};

class carrier {
 public:
  virtual ~carrier() = default;
  virtual std::string_view id() const = 0;
  // What it charges for a parcel of this weight into this zone; nothing if it does not take it.
  virtual std::optional<quote> price(std::string_view zone, std::int64_t grams) const = 0;
  // The same shipment always gets the same answer.
  virtual booking book(std::string_view shipment_id) const = 0;
};

// Up to and including this weight, into this zone.
struct rate {
  std::string zone;
  std::int64_t up_to_grams = 0;
  std::int64_t amount = 0;
};

// A carrier as the configuration describes it.
struct carrier_terms {
  std::string id;
  std::string name;
  std::string service;
  std::string webhook_secret;  // empty: takes no reports
  std::int64_t min_days = 1;
  std::int64_t max_days = 3;
  std::vector<rate> rates;
};

// Prices by its rate table and simulates the rest: the tracking number is computed from the shipment's id.
class simulated_carrier final : public carrier {
 public:
  explicit simulated_carrier(carrier_terms terms);
  std::string_view id() const override { return terms_.id; }
  std::optional<quote> price(std::string_view zone, std::int64_t grams) const override;
  booking book(std::string_view shipment_id) const override;

 private:
  carrier_terms terms_;
  std::string prefix_;
};

// The shipment id inside a carrier's reference; empty if it is not one of this carrier.
std::string_view shipment_in_reference(std::string_view carrier_id, std::string_view reference);

// Countries that are priced alike. "*" stands for every country that no other zone names.
struct zone {
  std::string name;
  std::vector<std::string> countries;
};

// All carriers, and which zone a country is in.
class carrier_network {
 public:
  carrier_network(std::vector<zone> zones, std::vector<std::string> unservable,
                  std::vector<std::unique_ptr<carrier>> carriers);

  // What every carrier asks, the cheapest first; empty if nobody goes there, or not with that weight.
  std::vector<quote> quotes(std::string_view country, std::int64_t grams) const;

  // The carrier of the cheapest quote; null if there is none.
  const carrier* cheapest(std::string_view country, std::int64_t grams) const;

  // Null if there is none of that id.
  const carrier* find(std::string_view id) const;

  // Why cheapest() has no answer, for people.
  std::string refusal(std::string_view country, std::int64_t grams) const;

 private:
  const std::string* zone_of(std::string_view country) const;

  std::vector<zone> zones_;
  std::array<std::int16_t, 676> zone_by_country_{};  // index into zones_, by two letters; -1: none
  std::vector<std::unique_ptr<carrier>> carriers_;
};

}  // namespace shipping
