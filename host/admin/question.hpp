// One request to /admin, taken apart: the names in its path, and its query.
// Thread: any.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace gantry::admin {

struct question {
  std::vector<std::string> names;  // what stands for the variable parts of the path, in order
  std::vector<std::pair<std::string, std::string>> query;
  std::string body{};

  // The first value of this name, or empty.
  std::string_view asked(std::string_view name) const noexcept {
    for (const auto& [key, text] : query)
      if (key == name) return text;
    return {};
  }
  // The same as milliseconds. Nothing: there is none. invalid: it is no such number.
  result<std::optional<std::chrono::milliseconds>> asked_ms(std::string_view name) const;
};

}  // namespace gantry::admin
