#include "store/migration_plan.hpp"

#include <algorithm>
#include <map>

namespace gantry::store {

std::string title_of(std::uint32_t number, std::string_view name) {
  return "migration " + std::to_string(number) + " (" + std::string(name) + ")";
}

result<std::vector<const migration*>> choose_variants(std::span<const migration> steps, std::string_view driver) {
  std::map<std::uint32_t, const migration*> chosen;
  std::map<std::uint32_t, const migration*> seen;
  for (const auto& step : steps) {
    seen.emplace(step.number, &step);
    if (!step.driver.empty() && step.driver != driver) continue;
    auto& place = chosen[step.number];
    if (place && place->driver == step.driver) {
      return error{errc::invalid,
                   title_of(step.number, step.name) + " has the number of " + title_of(place->number, place->name)};
    }
    if (!place || place->driver.empty()) place = &step;
  }
  std::vector<const migration*> ordered;
  for (const auto& [number, first] : seen) {
    if (number != ordered.size() + 1) {
      return error{errc::invalid, "migrations are numbered from 1 without gaps: expected " +
                                      std::to_string(ordered.size() + 1) + ", found " + title_of(number, first->name)};
    }
    const auto found = chosen.find(number);
    if (found == chosen.end()) {
      return error{errc::invalid, title_of(number, first->name) + " has no variant for " + std::string(driver) +
                                      ": add one, or one for every driver"};
    }
    ordered.push_back(found->second);
  }
  return ordered;
}

bool is_contract(const migration& step) noexcept { return step.name.starts_with("contract"); }

std::size_t last_due(std::span<const migration* const> chosen, std::size_t applied,
                     const migration_rules& rules) noexcept {
  if (rules.contract) return std::max(applied, chosen.size());
  std::size_t to = applied;
  while (to < chosen.size() && !is_contract(*chosen[to])) ++to;
  return to;
}

result<std::size_t> count_applied(std::span<const recorded_step> recorded, std::span<const migration* const> chosen,
                                  bool ahead) {
  if (ahead && recorded.size() > chosen.size()) recorded = recorded.first(chosen.size());
  if (!recorded.empty() && recorded.back().number > chosen.size()) {
    return error{errc::invalid, "the schema is newer than the plugin: the database is at migration " +
                                    std::to_string(recorded.back().number) + ", the plugin knows " +
                                    std::to_string(chosen.size()) + ": run a newer plugin"};
  }
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    if (recorded[i].number != i + 1) {
      return error{errc::invalid, "gantry_migrations has a gap: expected " + std::to_string(i + 1) + ", found " +
                                      std::to_string(recorded[i].number)};
    }
    if (recorded[i].sha256 != chosen[i]->sha256) {
      return error{errc::invalid, title_of(recorded[i].number, chosen[i]->name) +
                                      " was changed after it had run: sha256 " + recorded[i].sha256 +
                                      " is recorded, the plugin has " + chosen[i]->sha256 +
                                      ": add a new migration instead"};
    }
  }
  return recorded.size();
}

}  // namespace gantry::store
