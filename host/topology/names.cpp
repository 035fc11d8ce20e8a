#include "topology/names.hpp"

#include <algorithm>
#include <cstddef>

namespace gantry::topology {
namespace {

constexpr std::size_t longest_compared = 128;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Edits in tenths, so that a slip of case costs one tenth and loses against nothing else.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = 10 * i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = 10 * j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const char x = a[i - 1];
      const char y = b[j - 1];
      std::size_t change = 10;
      if (x == y) {
        change = 0;
      } else if (lower(x) == lower(y) || ((x == '-' || x == '_') && (y == '-' || y == '_'))) {
        change = 1;
      }
      cost[i][j] = std::min({cost[i - 1][j] + 10, cost[i][j - 1] + 10, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && x == b[j - 2] && a[i - 2] == y) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 10);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > longest_compared) return {};
  std::string best;
  std::size_t best_cost = 0;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > longest_compared || candidate == word) continue;
    const std::size_t cost = edits(word, candidate);
    const std::size_t allowed = 10 * std::max<std::size_t>(1, std::max(word.size(), candidate.size()) / 3);
    const bool all_changed = cost >= 10 * std::max(word.size(), candidate.size());
    if (cost > allowed || all_changed) continue;
    if (best.empty() || cost < best_cost) {
      best = candidate;
      best_cost = cost;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string near = nearest_name(word, candidates);
  return near.empty() ? std::string{} : "did you mean \"" + near + "\"?";
}

std::string listed(const std::vector<std::string>& names) {
  if (names.empty()) return "none";
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " or " : ", ";
    out += names[i];
  }
  return out;
}

bool is_plugin_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= 63 && is_lower(id.front()) &&
         std::ranges::all_of(id, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

bool is_host_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 63 && name != "." && name != ".." && std::ranges::all_of(name, [](char c) {
    return is_lower(lower(c)) || is_digit(c) || c == '.' || c == '_' || c == '-';
  });
}

bool is_topic_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." && std::ranges::all_of(name, [](char c) {
    return is_lower(lower(c)) || is_digit(c) || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace gantry::topology
