#include "admin/event_json.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "runtime/text.hpp"

namespace gantry::admin {
namespace {

void append_extra(std::string& out, std::string_view extra) {
  while (!extra.empty()) {
    const auto one = extra.substr(0, extra.find('\x1e'));
    extra.remove_prefix(std::min(extra.size(), one.size() + 1));
    const auto cut = one.find('\x1f');
    if (cut != std::string_view::npos) append_member(out, one.substr(0, cut), one.substr(cut + 1));
  }
}

void append_headers(std::string& out, const bus::record& r) {
  const auto unless_empty = [&](std::string_view name, std::string_view text) {
    if (!text.empty()) append_member(out, name, text);
  };
  out += '{';
  append_member(out, "ce_specversion", "1.0");
  append_member(out, "ce_id", r.id);
  append_member(out, "ce_type", r.type);
  unless_empty("ce_source", r.source);
  unless_empty("ce_subject", r.key);
  append_member_name(out, "ce_time");
  append_time(out, r.time_us);
  if (r.sequence != 0) {
    auto digits = std::to_string(r.sequence);
    digits.insert(0, 20 - digits.size(), '0');
    append_member(out, "ce_sequence", digits);
  }
  unless_empty("traceparent", r.traceparent);
  unless_empty("correlation-id", r.correlation_id);
  unless_empty("causation-id", r.causation_id);
  append_member(out, "content-type", "application/json");
  append_extra(out, r.extra);
  out += '}';
}

}  // namespace

void append_time(std::string& out, std::int64_t wall_us) {
  out += '"';
  append_rfc3339(out, std::max<std::int64_t>(wall_us, 0));
  out += '"';
}

void append_json_or_text(std::string& out, std::string_view text) {
  if (!text.empty() && runtime::json_fault(text).empty() && is_utf8(text)) {
    out += text;
  } else {
    append_json_string(out, text);
  }
}

std::string_view plugin_of(std::string_view source) noexcept {
  if (!source.starts_with('/')) return source;
  const auto topology_end = source.find('/', 1);
  if (topology_end == std::string_view::npos) return source;
  const auto rest = source.substr(topology_end + 1);
  const auto end = rest.find('/');
  return end == std::string_view::npos ? source : rest.substr(0, end);
}

void append_event(std::string& out, std::string_view topic, std::uint32_t partition, const bus::record& r) {
  out += '{';
  append_member(out, "topic", topic);
  append_member(out, "partition", partition);
  append_member(out, "offset", r.offset);
  append_member(out, "key", r.key);
  append_member(out, "plugin", plugin_of(r.source));
  out += ",\"headers\":";
  append_headers(out, r);
  out += ",\"body\":";
  std::string document;
  bus::append_document(r, document);
  append_json_or_text(out, document);
  out += '}';
}

http::reply json_reply(std::string body) {
  return {200, {{"content-type", "application/json"}, {"cache-control", "no-store"}}, std::move(body)};
}

}  // namespace gantry::admin
