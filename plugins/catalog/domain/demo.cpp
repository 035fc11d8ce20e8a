#include "domain/demo.hpp"

#include <algorithm>
#include <string_view>

namespace catalog {
namespace {

// SplitMix64: the library's distributions differ between implementations.
class dice {
 public:
  explicit dice(std::uint64_t seed) : state_(seed) {}

  std::uint64_t below(std::uint64_t bound) {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return (z ^ (z >> 31U)) % bound;
  }
  const std::string& one_of(const std::vector<std::string>& list) { return list[below(list.size())]; }

 private:
  std::uint64_t state_;
};

std::string numbered(std::size_t number) {
  const std::string digits = std::to_string(number);
  return "SKU-" + std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits;
}

std::int64_t pick_price(dice& roll, const demo_category& in) {
  const auto span = static_cast<std::uint64_t>(in.price_to - in.price_from) + 1;
  const auto raw = in.price_from + static_cast<std::int64_t>(roll.below(span));
  const std::int64_t rounded = raw / 50 * 50 + 49;
  return std::clamp(rounded, in.price_from, in.price_to);
}

}  // namespace

std::vector<product> make_demo(const demo_description& from) {
  dice roll(from.seed);
  std::vector<product> products;
  for (const demo_category& in : from.categories) {
    for (int i = 0; i < from.products_per_category; ++i) {
      product p;
      p.sku = numbered(products.size() + 1);
      const std::string& thing = in.things[static_cast<std::size_t>(i) % in.things.size()];
      p.name = roll.one_of(from.adjectives) + " " + roll.one_of(from.materials) + " " + thing;
      p.description = roll.one_of(from.phrases) + " " + roll.one_of(from.phrases);
      p.category_id = in.self.id;
      p.price = {pick_price(roll, in), from.currency};
      p.version = 1;
      products.push_back(std::move(p));
    }
  }
  return products;
}

}  // namespace catalog
