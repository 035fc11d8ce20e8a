// What differs between two values of a topology, in words: "batch.max: 256 -> 64". A secret shows as its reference.
// Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "topology/topology.hpp"

namespace gantry::plan {

using differences = std::vector<std::string>;

void compare(differences& out, std::string_view name, const topology::setting<std::string>& now,
             const topology::setting<std::string>& next);
void compare(differences& out, std::string_view name, const topology::setting<std::uint64_t>& now,
             const topology::setting<std::uint64_t>& next);
void compare(differences& out, std::string_view name, const topology::setting<bool>& now,
             const topology::setting<bool>& next);
void compare(differences& out, std::string_view name, const topology::setting<double>& now,
             const topology::setting<double>& next);
void compare(differences& out, std::string_view name, const topology::setting<std::chrono::microseconds>& now,
             const topology::setting<std::chrono::microseconds>& next);

template <typename E>
requires std::is_enum_v<E>
void compare(differences& out, std::string_view name, const topology::setting<E>& now,
             const topology::setting<E>& next) {
  if (*now != *next)
    out.push_back(std::string(name) + ": " + std::string(name_of(*now)) + " -> " + std::string(name_of(*next)));
}

// Member by member.
void compare(differences& out, const topology::config_settings& now, const topology::config_settings& next);

// "a, b and c"
std::string listed(const std::vector<std::string>& names);

}  // namespace gantry::plan
