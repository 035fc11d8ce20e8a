#include "topology/substitute.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "topology/names.hpp"

namespace gantry::topology {
namespace {

constexpr std::streamsize most_bytes = 1 << 20;

std::optional<std::string> secret_file(const std::string& path, bad_reference& why) {
  // Whoever opens a pipe waits for somebody to write.
  std::error_code unknown;
  if (const auto kind = std::filesystem::status(path, unknown); std::filesystem::exists(kind) &&
                                                                !std::filesystem::is_regular_file(kind) &&
                                                                !std::filesystem::is_directory(kind)) {
    why = {"${file:" + path + "}, which is no regular file", "a file that this process may read", {}};
    return std::nullopt;
  }
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(most_bytes) + 1, '\0');
  if (stream) stream.read(text.data(), most_bytes + 1);
  if (!stream.is_open() || stream.bad() || (stream.fail() && !stream.eof())) {
    const int code = errno;
    why = {"${file:" + path + "}, which can't be read" + (code != 0 ? std::string(": ") + std::strerror(code) : ""),
           "a file that this process may read",
           {}};
    return std::nullopt;
  }
  const std::streamsize length = stream.gcount();
  if (length > most_bytes) {
    why = {"${file:" + path + "} with more than 1 MiB", "a secret of at most 1 MiB", {}};
    return std::nullopt;
  }
  text.resize(static_cast<std::size_t>(length));
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

struct reference_parts {
  std::string scheme;
  std::string name;
  std::optional<std::string> otherwise;
};

reference_parts split(std::string_view inside) {
  reference_parts parts;
  const std::size_t colon = inside.find(':');
  if (colon == std::string_view::npos) return {std::string(inside), {}, {}};
  parts.scheme = inside.substr(0, colon);
  std::string_view rest = inside.substr(colon + 1);
  const std::size_t dash = parts.scheme == "env" ? rest.find(":-") : std::string_view::npos;
  if (dash != std::string_view::npos) {
    parts.otherwise = std::string(rest.substr(dash + 2));
    rest = rest.substr(0, dash);
  }
  parts.name = rest;
  return parts;
}

std::optional<std::string> resolve(const reference_parts& parts, const env_lookup& env, bad_reference& why) {
  if (parts.scheme == "file" && !parts.name.empty()) return secret_file(parts.name, why);
  if (parts.scheme == "env" && !parts.name.empty()) {
    std::optional<std::string> value = env(parts.name);
    if (parts.otherwise && (!value || value->empty())) return parts.otherwise;
    if (value) return value;
    why = {"${env:" + parts.name + "}, which is not set", "an environment variable of that name",
           "set it, or give a default: ${env:" + parts.name + ":-...}"};
    return std::nullopt;
  }
  std::string suggestion = did_you_mean(parts.scheme, {"env", "file"});
  if (suggestion.empty()) suggestion = "write $${ for a plain ${";
  why = {"${" + parts.scheme + (parts.name.empty() ? "" : ":" + parts.name) + "}", "${env:NAME} or ${file:/path}",
         std::move(suggestion)};
  return std::nullopt;
}

}  // namespace

bool substitute(std::string_view value, const env_lookup& env, substituted& out, bad_reference& why) {
  out = {};
  bool refers = false;
  while (true) {
    const std::size_t start = value.find("${");
    if (start == std::string_view::npos) break;
    if (start > 0 && value[start - 1] == '$') {
      out.text.append(value.substr(0, start - 1)).append("${");
      out.reference.append(value.substr(0, start - 1)).append("${");
      value.remove_prefix(start + 2);
      continue;
    }
    const std::size_t end = value.find('}', start);
    if (end == std::string_view::npos) {
      why = {"${ without its }", "${env:NAME} or ${file:/path}", "write $${ for a plain ${"};
      out = {};
      return false;
    }
    const reference_parts parts = split(value.substr(start + 2, end - start - 2));
    std::optional<std::string> replacement = resolve(parts, env, why);
    if (!replacement) {
      out = {};
      return false;
    }
    refers = true;
    out.text.append(value.substr(0, start)).append(*replacement);
    out.reference.append(value.substr(0, start)).append("${" + parts.scheme + ":" + parts.name + "}");
    value.remove_prefix(end + 1);
  }
  out.text.append(value);
  out.reference.append(value);
  if (!refers) out.reference.clear();
  return true;
}

}  // namespace gantry::topology
