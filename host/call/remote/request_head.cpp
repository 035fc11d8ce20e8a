#include "call/remote/request_head.hpp"

#include <algorithm>
#include <array>

namespace gantry::call {
namespace {

constexpr std::array<std::string_view, 7> methods = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH"};
constexpr std::size_t repeatable_methods = 5;  // the first ones
constexpr std::size_t room_for_ours = 512;     // host, deadline and length

// Headers that belong to the connection or to the host: a plugin's own words for them are not passed on.
constexpr std::array<std::string_view, 16> reserved = {"host",
                                                       "content-length",
                                                       "transfer-encoding",
                                                       "connection",
                                                       "keep-alive",
                                                       "proxy-connection",
                                                       "te",
                                                       "trailer",
                                                       "upgrade",
                                                       "expect",
                                                       "traceparent",
                                                       "correlation-id",
                                                       "gantry-deadline-ms",
                                                       "gantry-caller",
                                                       "gantry-call",
                                                       "gantry-inner-key"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7F) || byte == '\t';
  });
}

bool is_target(std::string_view text) {
  return text.starts_with('/') &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F && c != '#'; });
}

std::string_view view(gantry_str s) noexcept { return {s.ptr, s.len}; }

void append(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

result<request_head> request_head::make(const remote_request& of, std::size_t max_headers) {
  const auto method = std::find(methods.begin(), methods.end(), of.method);
  if (method == methods.end()) return error{errc::invalid, "the method " + std::string(of.method) + " is not known"};
  if (!is_target(of.target))
    return error{errc::invalid,
                 "found the target '" + std::string(of.target) + "', expected a '/' and percent-encoded text"};
  request_head made;
  made.repeatable_ = method < methods.begin() + repeatable_methods;
  made.head_only_ = of.method == "HEAD";
  made.line_.append(of.method).append(" ").append(of.target).append(" HTTP/1.1\r\n");
  auto& out = made.headers_;
  std::string name;
  for (const auto& field : of.headers) {
    name.assign(view(field.name));
    std::transform(name.begin(), name.end(), name.begin(), lower);
    if (!is_token(name) || !is_field_value(view(field.value)))
      return error{errc::invalid, "the header '" + name + "' or its value has characters that HTTP does not allow"};
    if (std::find(reserved.begin(), reserved.end(), name) != reserved.end()) continue;
    if (name == "idempotency-key") made.repeatable_ = true;
    append(out, name, view(field.value));
  }
  for (const auto& [ours, value] : {std::pair{"correlation-id", of.correlation_id},
                                    std::pair{"traceparent", of.traceparent}, std::pair{"gantry-caller", of.caller}}) {
    if (!is_field_value(value)) return error{errc::invalid, std::string(ours) + " has a control character"};
    if (!value.empty()) append(out, ours, value);
  }
  if (!is_field_value(of.host)) return error{errc::invalid, "host has a control character"};
  made.host_ = of.host;
  if (of.unproven_call) append(out, "gantry-call", "1");
  if (!of.body.empty() || method >= methods.begin() + 3) append(out, "content-length", std::to_string(of.body.size()));
  const auto size = made.line_.size() + out.size() + room_for_ours;
  if (size > max_headers)
    return error{errc::too_large, "the request's target and headers have " + std::to_string(size) + " bytes, at most " +
                                      std::to_string(max_headers) + " may be sent"};
  return made;
}

std::string request_head::text(std::string_view host, std::int64_t left_us, std::string_view key) const {
  std::string out;
  out.reserve(line_.size() + headers_.size() + host.size() + 64);
  out.append(line_);
  append(out, "host", host_.empty() ? host : std::string_view(host_));
  out.append(headers_);
  // Rounded up: a callee that is told 0 would refuse what can still be done.
  append(out, "gantry-deadline-ms", std::to_string((left_us + 999) / 1000));
  if (!key.empty()) append(out, "gantry-inner-key", key);
  out.append("\r\n");
  return out;
}

}  // namespace gantry::call
