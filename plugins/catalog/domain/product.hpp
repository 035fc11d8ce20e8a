// What a product is, and what makes one valid.
// Pure. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace catalog {

struct money {
  std::int64_t amount = 0;  // minor units
  std::string currency;     // ISO 4217

  bool operator==(const money&) const = default;
};

struct stars {
  std::int64_t sum = 0;
  std::int64_t count = 0;

  // 0 to 5, rounded to two digits.
  double average() const;
  bool operator==(const stars&) const = default;
};

struct product {
  std::string sku;
  std::string name;
  std::string description;
  std::string category_id;
  money price;
  std::vector<std::string> images;  // URLs
  stars rating;
  std::int64_t version = 0;

  bool operator==(const product&) const = default;
};

// One rule that is broken: the field, as the client wrote it, and what was found and expected.
struct violation {
  std::string field;
  std::string detail;
};

inline constexpr std::int64_t max_price = 100'000'000'000;
inline constexpr std::size_t max_images = 20;

void check_price(const money& price, std::vector<violation>& broken);
void check_images(const std::vector<std::string>& images, std::vector<violation>& broken);
void check_rating(std::int64_t rating, std::vector<violation>& broken);

// All rules of a product. Whether its category exists is for the store to say.
void check(const product& p, std::vector<violation>& broken);

}  // namespace catalog
