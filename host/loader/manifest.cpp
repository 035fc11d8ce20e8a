#include "loader/manifest.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <limits>
#include <set>

#include "topology/json_text.hpp"

namespace gantry::loader {
namespace {

namespace json = boost::json;
using topology::json_pointer;
using topology::json_quoted;

struct bad_manifest {
  std::string text;
};

std::string_view kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::object:
      return "an object";
    case json::kind::array:
      return "a list";
    case json::kind::bool_:
      return "true or false";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "text";
  }
  return "nothing";
}

[[noreturn]] void refuse(const std::string& pointer, std::string_view found, std::string_view expected) {
  throw bad_manifest{(pointer.empty() ? "the document" : pointer) + ": found " + std::string(found) + ", expected " +
                     std::string(expected)};
}

// One object of the document, with its pointer for what is refused.
class reader {
 public:
  reader(const json::value& value, std::string pointer) : pointer_(std::move(pointer)) {
    if (!value.is_object()) refuse(pointer_, kind_of(value), "an object");
    object_ = &value.get_object();
  }

  std::string pointer_of(std::string_view name) const { return json_pointer(pointer_, name); }

  const json::value& at(std::string_view name, std::string_view expected) const {
    const json::value* found = object_->if_contains(name);
    if (found == nullptr) refuse(pointer_of(name), "nothing", expected);
    return *found;
  }

  std::string text(std::string_view name) const {
    const json::value& value = at(name, "text");
    if (!value.is_string()) refuse(pointer_of(name), kind_of(value), "text");
    return std::string(value.get_string());
  }

  bool boolean(std::string_view name) const {
    const json::value& value = at(name, "true or false");
    if (!value.is_bool()) refuse(pointer_of(name), kind_of(value), "true or false");
    return value.get_bool();
  }

  std::uint32_t number(std::string_view name) const {
    constexpr std::string_view expected = "a whole number from 0 to 4294967295";
    const json::value& value = at(name, expected);
    if (value.is_int64() && value.get_int64() >= 0 &&
        value.get_int64() <= std::int64_t{std::numeric_limits<std::uint32_t>::max()}) {
      return static_cast<std::uint32_t>(value.get_int64());
    }
    refuse(pointer_of(name), value.is_number() ? json::serialize(value) : kind_of(value), expected);
  }

  std::string one_of(std::string_view name, const std::vector<std::string_view>& allowed) const {
    std::string value = text(name);
    if (std::ranges::find(allowed, value) != allowed.end()) return value;
    std::string expected;
    for (const std::string_view each : allowed) expected.append(expected.empty() ? "" : " or ").append(each);
    refuse(pointer_of(name), json_quoted(value), expected);
  }

  // A JSON Schema, or null.
  std::string schema(std::string_view name) const {
    const json::value& value = at(name, "an object or null");
    if (value.is_null()) return {};
    if (!value.is_object()) refuse(pointer_of(name), kind_of(value), "an object or null");
    return json::serialize(value);
  }

  template <typename Read>
  void list(std::string_view name, Read read) const {
    const json::value& value = at(name, "a list");
    if (!value.is_array()) refuse(pointer_of(name), kind_of(value), "a list");
    std::size_t index = 0;
    for (const json::value& each : value.get_array())
      read(each, json_pointer(pointer_of(name), std::to_string(index++)));
  }

  std::vector<std::string> texts(std::string_view name) const {
    std::vector<std::string> out;
    list(name, [&out](const json::value& each, const std::string& pointer) {
      if (!each.is_string()) refuse(pointer, kind_of(each), "text");
      out.emplace_back(each.get_string());
    });
    return out;
  }

 private:
  const json::object* object_ = nullptr;
  std::string pointer_;
};

abi_version read_abi(const reader& from) {
  const std::string text = from.text("abi");
  abi_version out;
  const char* const end = text.data() + text.size();
  const auto [dot, major_code] = std::from_chars(text.data(), end, out.major);
  if (major_code == std::errc{} && dot != end && *dot == '.') {
    const auto [stop, minor_code] = std::from_chars(dot + 1, end, out.minor);
    if (minor_code == std::errc{} && stop == end) return out;
  }
  refuse(from.pointer_of("abi"), json_quoted(text), "a version such as \"1.0\"");
}

manifest read_manifest_of(const json::value& document) {
  const reader root(document, "");
  manifest out;
  out.id = root.text("id");
  out.version = root.text("version");
  out.abi = read_abi(root);
  out.sdk = root.text("sdk");
  out.build_id = root.text("buildId");
  const reader capabilities(root.at("capabilities", "an object"), "/capabilities");
  out.needs = capabilities.texts("needs");
  out.offers = capabilities.texts("offers");
  root.list("routes", [&out](const json::value& each, const std::string& pointer) {
    const reader route(each, pointer);
    out.routes.push_back({route.text("method"), route.text("pattern"), route.boolean("idempotent")});
  });
  root.list("consumes", [&out](const json::value& each, const std::string& pointer) {
    const reader from(each, pointer);
    out.consumes.push_back({from.text("topic"), from.text("type"), from.number("minVersion"), from.number("maxVersion"),
                            from.one_of("mode", {"event", "batch", "observe"}),
                            from.one_of("start", {"earliest", "latest"})});
  });
  out.replays = root.texts("replays");
  root.list("emits", [&out](const json::value& each, const std::string& pointer) {
    const reader from(each, pointer);
    out.emits.push_back({from.text("topic"), from.text("type"), from.number("version"), from.schema("schema")});
  });
  out.calls = root.texts("calls");
  out.jobs = root.texts("jobs");
  out.timers = root.texts("timers");
  out.sagas = root.texts("sagas");
  out.config_schema = root.schema("configSchema");
  root.list("migrations", [&out](const json::value& each, const std::string& pointer) {
    const reader from(each, pointer);
    out.migrations.push_back({from.number("number"), from.text("name"), from.text("driver"), from.text("sha256")});
  });
  return out;
}

template <typename T, typename Write>
std::string list_json(std::vector<T> list, Write write) {
  std::ranges::sort(list);
  std::string out = "[";
  for (const T& each : list) {
    if (out.size() > 1) out += ',';
    out += write(each);
  }
  return out + ']';
}

std::string texts_json(const std::vector<std::string>& list) { return list_json(list, json_quoted); }

std::string or_null(const std::string& schema) { return schema.empty() ? "null" : schema; }

std::string words(const std::string& name) { return name; }
std::string words(const manifest_route& route) {
  return route.method + ' ' + route.pattern + (route.idempotent ? " (idempotent)" : "");
}
std::string words(const manifest_subscription& each) {
  return each.type + " of " + each.topic + " in versions " + std::to_string(each.min_version) + " to " +
         std::to_string(each.max_version) + ", by " + each.mode + " from " + each.start;
}
std::string words(const manifest_emission& each) {
  return each.type + " to " + each.topic + " in version " + std::to_string(each.version) +
         (each.schema.empty() ? "" : " with schema " + each.schema);
}
std::string words(const manifest_migration& each) {
  return std::to_string(each.number) + ' ' + each.name + (each.driver.empty() ? "" : " for " + each.driver) +
         " with sha256 " + each.sha256;
}

template <typename T>
void compare_lists(std::string_view noun, const std::vector<T>& declared, const std::vector<T>& promised,
                   std::vector<std::string>& out) {
  const std::multiset<T> a(declared.begin(), declared.end());
  const std::multiset<T> b(promised.begin(), promised.end());
  std::vector<T> only;
  std::ranges::set_difference(a, b, std::back_inserter(only));
  for (const T& each : only)
    out.push_back("declares " + std::string(noun) + ' ' + words(each) + ", not in its manifest");
  only.clear();
  std::ranges::set_difference(b, a, std::back_inserter(only));
  for (const T& each : only) {
    out.push_back("has " + std::string(noun) + ' ' + words(each) + " in its manifest, but doesn't declare it");
  }
}

}  // namespace

std::string to_text(abi_version version) { return std::to_string(version.major) + '.' + std::to_string(version.minor); }

result<manifest> parse_manifest(std::string_view text) {
  json::error_code code;
  const json::value document = json::parse(text, code);
  if (code) return error{errc::invalid, "the manifest is not JSON: " + code.message()};
  try {
    return read_manifest_of(document);
  } catch (const bad_manifest& bad) {
    return error{errc::invalid, "the manifest is not one: " + bad.text};
  }
}

result<std::string> normal_json(std::string_view text) {
  json::error_code code;
  const json::value value = json::parse(text, code);
  if (code) return error{errc::invalid, "not JSON: " + code.message()};
  return json::serialize(value);
}

std::string to_json(const manifest& m) {
  std::string out = "{\"id\":" + json_quoted(m.id) + ",\"version\":" + json_quoted(m.version);
  out += ",\"abi\":" + json_quoted(to_text(m.abi)) + ",\"sdk\":" + json_quoted(m.sdk);
  out += ",\"buildId\":" + json_quoted(m.build_id);
  out += ",\"capabilities\":{\"needs\":" + texts_json(m.needs) + ",\"offers\":" + texts_json(m.offers) + '}';
  out += ",\"routes\":" + list_json(m.routes, [](const manifest_route& each) {
           return "{\"method\":" + json_quoted(each.method) + ",\"pattern\":" + json_quoted(each.pattern) +
                  ",\"idempotent\":" + (each.idempotent ? "true" : "false") + '}';
         });
  out += ",\"consumes\":" + list_json(m.consumes, [](const manifest_subscription& each) {
           return "{\"topic\":" + json_quoted(each.topic) + ",\"type\":" + json_quoted(each.type) +
                  ",\"minVersion\":" + std::to_string(each.min_version) +
                  ",\"maxVersion\":" + std::to_string(each.max_version) + ",\"mode\":" + json_quoted(each.mode) +
                  ",\"start\":" + json_quoted(each.start) + '}';
         });
  out += ",\"replays\":" + texts_json(m.replays);
  out += ",\"emits\":" + list_json(m.emits, [](const manifest_emission& each) {
           return "{\"topic\":" + json_quoted(each.topic) + ",\"type\":" + json_quoted(each.type) +
                  ",\"version\":" + std::to_string(each.version) + ",\"schema\":" + or_null(each.schema) + '}';
         });
  out += ",\"calls\":" + texts_json(m.calls) + ",\"jobs\":" + texts_json(m.jobs);
  out += ",\"timers\":" + texts_json(m.timers) + ",\"sagas\":" + texts_json(m.sagas);
  out += ",\"configSchema\":" + or_null(m.config_schema);
  out += ",\"migrations\":" + list_json(m.migrations, [](const manifest_migration& each) {
           return "{\"number\":" + std::to_string(each.number) + ",\"name\":" + json_quoted(each.name) +
                  ",\"driver\":" + json_quoted(each.driver) + ",\"sha256\":" + json_quoted(each.sha256) + '}';
         });
  return out + '}';
}

std::vector<std::string> compare(const manifest& declared, const manifest& promised) {
  std::vector<std::string> out;
  if (declared.id != promised.id) {
    out.push_back("declares id " + json_quoted(declared.id) + ", its manifest has " + json_quoted(promised.id));
  }
  compare_lists("needed capability", declared.needs, promised.needs, out);
  compare_lists("offered capability", declared.offers, promised.offers, out);
  compare_lists("route", declared.routes, promised.routes, out);
  compare_lists("handler for", declared.consumes, promised.consumes, out);
  compare_lists("replay of", declared.replays, promised.replays, out);
  compare_lists("event", declared.emits, promised.emits, out);
  compare_lists("calls to", declared.calls, promised.calls, out);
  compare_lists("job", declared.jobs, promised.jobs, out);
  compare_lists("timer", declared.timers, promised.timers, out);
  compare_lists("saga", declared.sagas, promised.sagas, out);
  compare_lists("migration", declared.migrations, promised.migrations, out);
  if (declared.config_schema != promised.config_schema) {
    out.push_back("declares configuration schema " + or_null(declared.config_schema) + ", its manifest has " +
                  or_null(promised.config_schema));
  }
  return out;
}

}  // namespace gantry::loader
