#include "api/quotes.hpp"

#include <string>

#include "domain/address.hpp"

namespace shipping {
namespace {

constexpr std::int64_t most_grams = 100'000'000'000;

// The parcel's weight: given as a whole, or as lines of which each may give its own. What is wrong goes to `errors`.
std::int64_t weight_asked(gantry::json_view body, std::int64_t item_grams, gantry::field_errors& errors) {
  const gantry::json_view whole = body["weightGrams"];
  if (whole) {
    const std::int64_t grams = whole.integer(0);
    if (grams < 1 || grams > most_grams) {
      errors.push_back({"weightGrams", "must be a whole number from 1 to " + std::to_string(most_grams) + ", found " +
                                           std::string(whole.raw())});
    }
    return grams;
  }
  const gantry::json_view lines = body["lines"];
  if (!lines.is_array() || lines.empty() || lines.size() > 100) {
    errors.push_back({"lines", "must have 1 to 100 entries, unless weightGrams is given"});
    return 0;
  }
  std::int64_t total = 0;
  std::size_t i = 0;
  for (const gantry::json_view& line : lines) {
    const std::string where = "lines[" + std::to_string(i++) + "].";
    const std::int64_t quantity = line["quantity"].integer(0);
    const std::int64_t grams = line["grams"] ? line["grams"].integer(0) : item_grams;
    if (quantity < 1 || quantity > 1000) errors.push_back({where + "quantity", "must be 1..1000"});
    if (grams < 1 || grams > 1'000'000) errors.push_back({where + "grams", "must be 1..1000000"});
    if (errors.empty()) total += quantity * grams;
  }
  return total;
}

void write_quote(gantry::json_writer& out, const quote& offer, const std::string& currency) {
  out.object().field("carrier", offer.carrier).field("name", offer.name).field("service", offer.service);
  out.key("price").object().field("amount", offer.amount).field("currency", currency).end();
  out.field("minDays", offer.min_days).field("maxDays", offer.max_days).end();
}

address address_in(gantry::json_view from) {
  const auto text = [&](std::string_view name) { return std::string(from[name].text()); };
  return {text("name"),   text("line1"),      text("line2"),  text("city"),
          text("region"), text("postalCode"), text("country")};
}

}  // namespace

gantry::reply quote_parcel(const gantry::request& q, const settings& config, const carrier_network& carriers) {
  const gantry::json_view body = q.json();
  gantry::field_errors errors;
  const std::string_view country = body["destination"]["country"].text();
  if (!is_country(country)) {
    errors.push_back({"destination.country",
                      "must be an ISO 3166-1 alpha-2 code in upper case, found \"" + std::string(country) + "\""});
  }
  const std::int64_t grams = weight_asked(body, config.default_item_grams, errors);
  if (!errors.empty()) return gantry::unprocessable("invalid-quote", "The parcel can't be priced.", errors);

  gantry::json_writer out;
  out.object().field("weightGrams", grams).key("quotes").array();
  for (const quote& offer : carriers.quotes(country, grams)) write_quote(out, offer, config.currency);
  out.end().end();
  return gantry::reply(200, std::move(out));
}

gantry::reply validate_address(const gantry::request& q) {
  const gantry::json_view body = q.json();
  if (!body.is_object()) return gantry::bad_request("The body must be a JSON object: the address.");
  const checked_address found = check(address_in(body));
  const address& clean = found.normalised;
  gantry::json_writer out;
  out.object().field("valid", found.faults.empty()).key("address").object();
  out.field("name", clean.name).field("line1", clean.line1);
  if (!clean.line2.empty()) out.field("line2", clean.line2);
  out.field("city", clean.city);
  if (!clean.region.empty()) out.field("region", clean.region);
  out.field("postalCode", clean.postal_code).field("country", clean.country).end();
  out.key("errors").array();
  for (const address_fault& fault : found.faults) {
    out.object().field("field", fault.field).field("detail", fault.text).end();
  }
  out.end().end();
  return gantry::reply(200, std::move(out));
}

}  // namespace shipping
