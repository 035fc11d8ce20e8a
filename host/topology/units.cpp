#include "topology/units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <span>
#include <vector>

#include "topology/names.hpp"

namespace gantry::topology {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<unit, 6> duration_units{
    {{"us", 1}, {"ms", 1'000}, {"s", 1'000'000}, {"m", 60'000'000}, {"h", 3'600'000'000}, {"d", 86'400'000'000}}};

constexpr std::array<unit, 9> size_units{{{"B", 1},
                                          {"KB", 1'000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000},
                                          {"TB", 1'000'000'000'000},
                                          {"KiB", 1ULL << 10U},
                                          {"MiB", 1ULL << 20U},
                                          {"GiB", 1ULL << 30U},
                                          {"TiB", 1ULL << 40U}}};

error wrong(std::string suggestion) { return {errc::invalid, std::move(suggestion)}; }

// The failure's text is the suggestion alone; callers know what was found and what was expected.
result<std::uint64_t> parse_amount(std::string_view text, std::span<const unit> units, std::string_view example) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::uint64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc::result_out_of_range) return wrong("use a larger unit");
  if (code != std::errc{}) return wrong("write it like " + std::string(example));
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (rest.empty()) {
    if (number == 0) return number;
    return wrong("add the unit, for example " + std::string(text) + std::string(example.substr(1)));
  }
  std::vector<std::string> names;
  for (const unit& each : units) {
    if (rest == each.name) {
      if (number > most / each.factor) return wrong("use a smaller value");
      return number * each.factor;
    }
    names.emplace_back(each.name);
  }
  const std::string near = nearest_name(rest, names);
  if (!near.empty()) return wrong("did you mean \"" + std::to_string(number) + near + "\"?");
  return wrong("the units are " + listed(names));
}

}  // namespace

result<std::chrono::microseconds> parse_duration(std::string_view text) {
  auto amount = parse_amount(text, duration_units, "5ms");
  if (!amount) return amount.failure();
  return std::chrono::microseconds(static_cast<std::int64_t>(*amount));
}

result<std::uint64_t> parse_size(std::string_view text) { return parse_amount(text, size_units, "1MiB"); }

std::string duration_text(std::chrono::microseconds value) {
  const auto count = static_cast<std::uint64_t>(value.count());
  if (count == 0) return "0";
  const unit* best = &duration_units.front();
  for (const unit& each : duration_units) {
    if (count % each.factor == 0) best = &each;
  }
  return std::to_string(count / best->factor) + std::string(best->name);
}

}  // namespace gantry::topology
