// What a plugin file says about itself: the JSON of its section .gantry.manifest.
// Thread: any.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::loader {

struct abi_version {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  friend auto operator<=>(const abi_version&, const abi_version&) = default;
};

std::string to_text(abi_version version);

struct manifest_route {
  std::string method;
  std::string pattern;
  bool idempotent = false;
  friend auto operator<=>(const manifest_route&, const manifest_route&) = default;
};

struct manifest_subscription {
  std::string topic;
  std::string type;
  std::uint32_t min_version = 1;
  std::uint32_t max_version = 1;
  std::string mode;   // event, batch or observe
  std::string start;  // earliest or latest
  friend auto operator<=>(const manifest_subscription&, const manifest_subscription&) = default;
};

struct manifest_emission {
  std::string topic;
  std::string type;
  std::uint32_t version = 1;
  std::string schema;  // JSON Schema as text without blanks, or empty
  friend auto operator<=>(const manifest_emission&, const manifest_emission&) = default;
};

struct manifest_migration {
  std::uint32_t number = 0;
  std::string name;
  std::string driver;  // empty: every driver
  std::string sha256;
  friend auto operator<=>(const manifest_migration&, const manifest_migration&) = default;
};

struct manifest {
  std::string id;
  std::string version;
  abi_version abi;
  std::string sdk;
  std::string build_id;  // hexadecimal, or empty
  std::vector<std::string> needs;
  std::vector<std::string> offers;
  std::vector<manifest_route> routes;
  std::vector<manifest_subscription> consumes;
  std::vector<std::string> replays;
  std::vector<manifest_emission> emits;
  std::vector<std::string> calls;
  std::vector<std::string> jobs;
  std::vector<std::string> timers;
  std::vector<std::string> sagas;
  std::string config_schema;  // JSON Schema as text without blanks, or empty
  std::vector<manifest_migration> migrations;
};

// Reads the JSON. Members that it doesn't know are passed over, so that newer SDKs can add some. invalid: not JSON, a
// member missing or of another type; the text names it by its JSON pointer.
result<manifest> parse_manifest(std::string_view json);

// The text as the build wrote it: members in the fixed order, lists sorted.
std::string to_json(const manifest& manifest);

// The text of a JSON value without blanks, so that two accounts of one schema compare equal. invalid: not JSON.
result<std::string> normal_json(std::string_view json);

// How what a plugin declared in setup differs from its manifest, a sentence each; empty when the two agree. The order
// of lists doesn't matter. Version, SDK and build id are not compared.
std::vector<std::string> compare(const manifest& declared, const manifest& promised);

}  // namespace gantry::loader
