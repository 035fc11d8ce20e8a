// The rules of shipping, without a host.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "config/settings.hpp"
#include "domain/address.hpp"
#include "domain/carrier.hpp"
#include "domain/identity.hpp"
#include "domain/shipment.hpp"

namespace shipping {
namespace {

std::string random_uuid(std::mt19937_64& random) {
  std::string out = "00000000-0000-7000-8000-000000000000";
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] != '-' && i != 14 && i != 19) out[i] = "0123456789abcdef"[random() % 16];
  }
  return out;
}

TEST(Identity, AShipmentIdLeadsBackToItsOrderAndIsAUuidOfTheSameTime) {
  std::mt19937_64 random(7);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string order = random_uuid(random);
    const std::string shipment = shipment_id_of(order);
    EXPECT_NE(shipment, order);
    EXPECT_EQ(shipment.substr(0, 24), order.substr(0, 24));
    EXPECT_EQ(order_id_of(shipment), order);
    EXPECT_TRUE(seen.insert(shipment).second);
  }
}

TEST(Identity, OrdersThatAreNoUuidsGetAShipmentIdToo) {
  for (const std::string order : {"o-1", "s-1", "", "0194F0C2-0000-7000-8000-00000000000A"}) {
    EXPECT_EQ(order_id_of(shipment_id_of(order)), order);
  }
}

TEST(Identity, WhatCantBeAShipmentIdHasNoOrder) {
  EXPECT_EQ(order_id_of("o-1"), "");
  EXPECT_EQ(order_id_of("s-0194f0c2-0000-7000-8000-000000000001"), "");
}

TEST(Shipment, FollowsItsTable) {
  using enum shipment_status;
  EXPECT_EQ(toward(dispatched, created), step::taken);
  EXPECT_EQ(toward(dispatched, dispatched), step::repeated);
  EXPECT_EQ(toward(dispatched, delivered), step::repeated);
  EXPECT_EQ(toward(dispatched, cancelled), step::refused);
  EXPECT_EQ(toward(delivered, dispatched), step::taken);
  EXPECT_EQ(toward(delivered, created), step::refused);
  EXPECT_EQ(toward(cancelled, created), step::taken);
  EXPECT_EQ(toward(cancelled, failed), step::taken);
  EXPECT_EQ(toward(cancelled, dispatched), step::refused);
  for (const shipment_status from : {dispatched, delivered, cancelled, failed}) {
    EXPECT_EQ(toward(created, from), step::refused);
  }
}

TEST(Shipment, NamesAreReadBack) {
  using enum shipment_status;
  for (const shipment_status status : {created, dispatched, delivered, cancelled, failed}) {
    EXPECT_EQ(shipment_status_of(to_text(status)), status);
  }
  EXPECT_FALSE(shipment_status_of("created"));
  EXPECT_EQ(tracking_status_of("in_transit"), tracking_status::in_transit);
  EXPECT_FALSE(tracking_status_of("lost"));
}

TEST(Shipment, ADeliveryReportForAParcelThatNobodyDispatchedDispatchesItFirst) {
  const consequence after = consequence_of(tracking_status::delivered, shipment_status::created);
  EXPECT_TRUE(after.accepted);
  EXPECT_TRUE(after.dispatches);
  EXPECT_TRUE(after.delivers);
}

TEST(Shipment, ALabelDispatchesNothing) {
  const consequence after = consequence_of(tracking_status::label_printed, shipment_status::created);
  EXPECT_TRUE(after.accepted);
  EXPECT_FALSE(after.dispatches);
}

TEST(Shipment, ReportsAboutWhatIsOverAreRefused) {
  using enum shipment_status;
  for (const shipment_status from : {delivered, cancelled, failed}) {
    EXPECT_FALSE(consequence_of(tracking_status::in_transit, from).accepted);
  }
}

TEST(Address, PostalCodesAreWrittenAsTheirCountryDoes) {
  EXPECT_EQ(normalise_postal_code("GB", "sw1a1aa"), "SW1A 1AA");
  EXPECT_EQ(normalise_postal_code("GB", "m1 1ae"), "M1 1AE");
  EXPECT_EQ(normalise_postal_code("US", "123456789"), "12345-6789");
  EXPECT_EQ(normalise_postal_code("US", "12345"), "12345");
  EXPECT_EQ(normalise_postal_code("NL", "1012ab"), "1012 AB");
  EXPECT_EQ(normalise_postal_code("PL", "00950"), "00-950");
  EXPECT_EQ(normalise_postal_code("LV", "lv1050"), "LV-1050");
  EXPECT_EQ(normalise_postal_code("DE", "1234"), std::nullopt);
  EXPECT_EQ(normalise_postal_code("CA", "K1A 0B1"), "K1A 0B1");
  EXPECT_EQ(normalise_postal_code("CA", "11A 0B1"), std::nullopt);
}

TEST(Address, ACountryWithoutAKnownFormTakesAnyShortCode) {
  EXPECT_EQ(normalise_postal_code("KE", "00100"), "00100");
  EXPECT_EQ(normalise_postal_code("HK", ""), "");
  EXPECT_EQ(normalise_postal_code("KE", "<b>"), std::nullopt);
  EXPECT_EQ(normalise_postal_code("KE", "1234567890123"), std::nullopt);
}

TEST(Address, ANormalisedCodeIsLeftAsItIs) {
  for (const auto& [country, code] : {std::pair{"GB", "EC1A 1BB"}, {"SE", "114 55"}, {"BR", "01310-100"}}) {
    const auto once = normalise_postal_code(country, code);
    ASSERT_TRUE(once) << country;
    EXPECT_EQ(normalise_postal_code(country, *once), once);
  }
}

TEST(Address, KnowsExactlyTheAssignedCountries) {
  int count = 0;
  for (char a = 'A'; a <= 'Z'; ++a) {
    for (char b = 'A'; b <= 'Z'; ++b) count += is_country(std::string{a, b}) ? 1 : 0;
  }
  EXPECT_EQ(count, 249);
  EXPECT_TRUE(is_country("DE"));
  EXPECT_TRUE(is_country("AD"));
  EXPECT_TRUE(is_country("ZW"));
  EXPECT_FALSE(is_country("de"));
  EXPECT_FALSE(is_country("XX"));
  EXPECT_FALSE(is_country("EUR"));
}

TEST(Address, EveryFaultIsReportedAtOnce) {
  const checked_address found = check({"", " ", "", "", "", "12", "de"});
  ASSERT_EQ(found.faults.size(), 4U);
  EXPECT_EQ(found.faults[0].field, "name");
  EXPECT_EQ(found.faults[1].field, "line1");
  EXPECT_EQ(found.faults[2].field, "city");
  EXPECT_EQ(found.faults[3].field, "postalCode");
  EXPECT_EQ(found.faults[3].text, "must have the form NNNNN in DE, found \"12\"");
}

settings built_in() { return read_settings({}); }

TEST(Carriers, TheCheapestOfferComesFirst) {
  const carrier_network network = network_of(built_in());
  const auto offers = network.quotes("DE", 1500);
  ASSERT_EQ(offers.size(), 3U);
  EXPECT_EQ(offers[0].carrier, "parcel");
  EXPECT_EQ(offers[0].amount, 490);
  EXPECT_LE(offers[1].amount, offers[2].amount);
  EXPECT_EQ(network.cheapest("DE", 1500)->id(), "parcel");
}

TEST(Carriers, WeightMovesAParcelToTheNextRateAndTheNextCarrier) {
  const carrier_network network = network_of(built_in());
  EXPECT_EQ(network.quotes("DE", 2000)[0].amount, 490);
  EXPECT_EQ(network.quotes("DE", 2001)[0].amount, 990);
  EXPECT_EQ(network.cheapest("DE", 31'501)->id(), "express");
  EXPECT_EQ(network.cheapest("DE", 70'001)->id(), "freight");
}

TEST(Carriers, TheLargestOrderOfTheShopFindsACarrier) {
  EXPECT_NE(network_of(built_in()).cheapest("NZ", 100 * 1000 * 500), nullptr);
}

TEST(Carriers, ACountryThatIsNotServedHasNoOffer) {
  settings given = built_in();
  given.unservable_countries = {"NZ"};
  const carrier_network network = network_of(given);
  EXPECT_TRUE(network.quotes("NZ", 100).empty());
  EXPECT_EQ(network.cheapest("NZ", 100), nullptr);
  EXPECT_EQ(network.refusal("NZ", 100), "no carrier serves NZ");
  EXPECT_NE(network.cheapest("AU", 100), nullptr);
}

TEST(Carriers, BookingIsTheSameEveryTimeAndNamesTheShipment) {
  const carrier_network network = network_of(built_in());
  const carrier& parcel = *network.find("parcel");
  const booking first = parcel.book("s-1");
  EXPECT_EQ(first.tracking_number, parcel.book("s-1").tracking_number);
  EXPECT_NE(first.tracking_number, parcel.book("s-2").tracking_number);
  EXPECT_EQ(first.tracking_number.substr(0, 3), "PAR");
  EXPECT_EQ(first.tracking_number.size(), 16U);
  EXPECT_EQ(shipment_in_reference("parcel", first.reference), "s-1");
  EXPECT_EQ(shipment_in_reference("express", first.reference), "");
}

TEST(Settings, ARateForAZoneThatIsNotThereIsRefused) {
  const auto config =
      gantry::json_document::parse(R"({"carriers":[{"id":"x","rates":[{"zone":"moon","up_to_grams":1,"amount":1}]}]})");
  try {
    read_settings(config.root());
    FAIL();
  } catch (const gantry::failure& e) {
    EXPECT_EQ(e.status(), GANTRY_INVALID);
    EXPECT_NE(std::string(e.what()).find("moon"), std::string::npos);
  }
}

TEST(Settings, ACarrierNamedTwiceIsRefused) {
  const auto config = gantry::json_document::parse(R"({"carriers":[{"id":"x","rates":[]},{"id":"x","rates":[]}]})");
  EXPECT_THROW(read_settings(config.root()), gantry::failure);
}

}  // namespace
}  // namespace shipping
