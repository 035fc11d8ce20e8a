// Where a PostgreSQL url leads, in either of its forms: postgresql://user:password@host:port/database?option=value, or
// host=... port=... dbname=...
#include <map>
#include <string>
#include <string_view>

#include "base/uri.hpp"
#include "plan/diff.hpp"

namespace gantry::plan {
namespace {

struct place {
  std::string host = "localhost", port = "5432", database;
  friend bool operator==(const place&, const place&) = default;
};

std::string decoded(std::string_view text) {
  auto plain = percent_decode(text);
  return plain ? *plain : std::string(text);
}

// Words that say where, whatever the form. Without a database it is the one that is named as the user.
place place_of(std::map<std::string, std::string> words) {
  place out;
  if (const auto& at = words["hostaddr"]; !at.empty()) out.host = at;
  if (const auto& at = words["host"]; !at.empty()) out.host = at;
  if (const auto& at = words["port"]; !at.empty()) out.port = at;
  out.database = words["dbname"].empty() ? words["user"] : words["dbname"];
  return out;
}

std::map<std::string, std::string> words_of_url(std::string_view url) {
  std::map<std::string, std::string> out;
  if (const auto at = url.find('?'); at != std::string_view::npos) {
    if (const auto options = parse_query(url.substr(at + 1)))
      for (const auto& [name, value] : *options) out[name] = value;
    url = url.substr(0, at);
  }
  if (const auto at = url.find('/'); at != std::string_view::npos) {
    if (at + 1 < url.size()) out["dbname"] = decoded(url.substr(at + 1));
    url = url.substr(0, at);
  }
  if (const auto at = url.rfind('@'); at != std::string_view::npos) {
    const auto who = url.substr(0, at);
    out["user"] = decoded(who.substr(0, who.find(':')));
    url.remove_prefix(at + 1);
  }
  // Of several hosts each has its port: they are compared as they stand.
  const auto colon = url.find(',') == std::string_view::npos ? url.rfind(':') : std::string_view::npos;
  const bool port = colon != std::string_view::npos && url.find(']', colon) == std::string_view::npos;
  if (const auto host = url.substr(0, port ? colon : url.size()); !host.empty()) out["host"] = decoded(host);
  if (port && colon + 1 < url.size()) out["port"] = url.substr(colon + 1);
  return out;
}

// name = value, the value in quotes when it has blanks; a backslash takes the next character as it is.
std::map<std::string, std::string> words_of_list(std::string_view text) {
  std::map<std::string, std::string> out;
  const auto skip = [&] {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\n'))
      text.remove_prefix(1);
  };
  for (skip(); !text.empty(); skip()) {
    const auto sign = text.find('=');
    if (sign == std::string_view::npos) break;
    auto name = text.substr(0, sign);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    text.remove_prefix(sign + 1);
    skip();
    const bool quoted = text.starts_with('\'');
    if (quoted) text.remove_prefix(1);
    auto& value = out[std::string(name)];
    for (; !text.empty() && text.front() != (quoted ? '\'' : ' '); text.remove_prefix(1)) {
      if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
      value += text.front();
    }
    if (quoted && !text.empty()) text.remove_prefix(1);
  }
  return out;
}

place place_at(std::string_view url) {
  for (const std::string_view scheme : {"postgresql://", "postgres://"})
    if (url.starts_with(scheme)) return place_of(words_of_url(url.substr(scheme.size())));
  return place_of(words_of_list(url));
}

}  // namespace

bool same_database(const std::string& a, const std::string& b) { return a == b || place_at(a) == place_at(b); }

}  // namespace gantry::plan
