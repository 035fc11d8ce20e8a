// Postal addresses: ISO 3166-1 countries and the postal codes of those whose form is known here.
// Pure. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shipping {

struct address {
  std::string name;
  std::string line1;
  std::string line2;
  std::string city;
  std::string region;
  std::string postal_code;
  std::string country;  // ISO 3166-1 alpha-2
};

// What is wrong with one field; the field is named as in JSON.
struct address_fault {
  std::string field;
  std::string text;
};

struct checked_address {
  address normalised;  // trimmed; country in upper case; the postal code as its country writes it
  std::vector<address_fault> faults;
};

// Checks every field and reports all that is wrong at once.
checked_address check(const address& given);

// True for an officially assigned ISO 3166-1 alpha-2 code, in upper case.
bool is_country(std::string_view code);

// The postal code as this country writes it ("sw1a1aa" -> "SW1A 1AA"), or nothing if it has another form. Of a
// country whose form is not known here, any short code of letters and digits is accepted.
std::optional<std::string> normalise_postal_code(std::string_view country, std::string_view code);

// How this country writes its codes, N for a digit and A for a letter; empty if not known here.
std::string_view postal_code_form(std::string_view country);

}  // namespace shipping
