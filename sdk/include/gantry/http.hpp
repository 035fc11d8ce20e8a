// Requests as a handler sees them, and replies with their problem documents (RFC 9457).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gantry/abi/http.h"
#include "gantry/detail/runtime.hpp"
#include "gantry/json_writer.hpp"
#include "gantry/time.hpp"

namespace gantry {

// Names and values; names are compared as they are, in requests they are in lower case.
using header_list = std::vector<std::pair<std::string, std::string>>;

// Valid until the reply was sent, so a write function may refer to it: it may capture the request by reference, or
// views taken from it.
class request {
 public:
  request(detail::runtime& rt, const gantry_request& raw) : raw_(&raw), document_(rt.documents) {}
  request(const request&) = delete;
  request& operator=(const request&) = delete;
  ~request() = default;

  std::string_view method() const noexcept { return detail::view(raw_->method); }
  std::string_view path() const noexcept { return detail::view(raw_->path); }
  std::string_view body() const noexcept { return detail::view(raw_->body); }

  // A placeholder of the route's pattern; empty if the pattern has none of this name.
  std::string_view path(std::string_view name) const noexcept {
    return find(raw_->params, raw_->param_count, name).value_or(std::string_view{});
  }
  // The first query parameter of this name.
  std::optional<std::string_view> query(std::string_view name) const noexcept {
    return find(raw_->query, raw_->query_count, name);
  }
  // A header; the name in lower case.
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    return find(raw_->headers, raw_->header_count, name);
  }

  std::string_view correlation_id() const noexcept { return detail::view(raw_->correlation_id); }
  std::string_view traceparent() const noexcept { return detail::view(raw_->traceparent); }
  // The plugin that calls; empty for a request from outside.
  std::string_view caller() const noexcept { return detail::view(raw_->caller); }
  instant deadline() const noexcept { return {raw_->deadline_us}; }

  // The body, parsed once. A body that is not JSON throws what becomes a 400 that says where and why.
  json_view json() const { return document_.of(body()); }

  const gantry_request& raw() const noexcept { return *raw_; }

 private:
  static std::optional<std::string_view> find(const gantry_field* fields, std::size_t count, std::string_view name) {
    for (std::size_t i = 0; i < count; ++i) {
      if (detail::view(fields[i].name) == name) return detail::view(fields[i].value);
    }
    return std::nullopt;
  }

  const gantry_request* raw_;
  mutable detail::lazy_json document_;
};

namespace detail {
// A write that a handler answers with; runs after the handler has returned.
struct pending_write {
  pending_write() = default;
  pending_write(const pending_write&) = delete;
  pending_write& operator=(const pending_write&) = delete;
  virtual ~pending_write() = default;
  virtual gantry_status run(gantry_tx* raw) noexcept = 0;
  std::shared_ptr<void> keeps;  // what the function refers to: the request
};
}  // namespace detail

// What a request is answered with: a status, headers and a body; or a write that will answer (context::write).
class reply {
 public:
  explicit reply(int status) : status_(status) {}
  reply(int status, gantry::json body) : status_(status), body_(std::move(body).take()) {}
  reply(gantry::json body) : reply(200, std::move(body)) {}  // NOLINT(google-explicit-constructor)
  explicit reply(std::unique_ptr<detail::pending_write> write) : status_(202), write_(std::move(write)) {}

  // A body that is not JSON.
  static reply text(int status, std::string_view content_type, std::string body) {
    reply out(status);
    out.body_ = std::move(body);
    return std::move(out).header("content-type", content_type);
  }

  // Adds a header. content-type is application/json unless given; content-length and date are the host's.
  reply& header(std::string_view name, std::string_view value) & {
    headers_.emplace_back(name, value);
    return *this;
  }
  reply&& header(std::string_view name, std::string_view value) && {
    headers_.emplace_back(name, value);
    return std::move(*this);
  }

  int status() const noexcept { return status_; }
  const header_list& headers() const noexcept { return headers_; }
  const std::string& body() const noexcept { return body_; }

  std::unique_ptr<detail::pending_write> take_write() noexcept { return std::move(write_); }

 private:
  int status_;
  header_list headers_;
  std::string body_;
  std::unique_ptr<detail::pending_write> write_;
};

inline reply ok_t::operator()(const json& body) const { return {200, body}; }
inline reply created(std::string_view location, json body = json::object()) {
  return reply(201, std::move(body)).header("location", location);
}
inline reply accepted(json body = json::object()) { return {202, std::move(body)}; }
inline reply no_content() { return reply(204); }

// One bad field of a request: where ("lines[0].quantity") and what ("must be 1..1000, found 0").
struct field_error {
  std::string field;
  std::string detail;
};
using field_errors = std::vector<field_error>;

// A problem document; its type is "/problems/<slug>".
inline reply problem(int status, std::string_view type_slug, std::string_view title, std::string_view detail,
                     const field_errors& errors = {}) {
  json_writer out;
  out.object().field("type", "/problems/" + std::string(type_slug)).field("title", title).field("status", status);
  if (!detail.empty()) out.field("detail", detail);
  if (!errors.empty()) {
    out.key("errors").array();
    for (const field_error& e : errors) out.object().field("field", e.field).field("detail", e.detail).end();
    out.end();
  }
  out.end();
  return reply(status, json(std::move(out))).header("content-type", "application/problem+json");
}
inline reply bad_request(std::string_view detail, const field_errors& errors = {}) {
  return problem(400, "bad-request", "Bad request", detail, errors);
}
inline reply not_found(std::string_view detail) { return problem(404, "not-found", "Not found", detail); }
inline reply conflict(std::string_view slug, std::string_view detail) { return problem(409, slug, "Conflict", detail); }
inline reply unprocessable(std::string_view slug, std::string_view detail, const field_errors& errors = {}) {
  return problem(422, slug, "Unprocessable", detail, errors);
}
inline reply precondition_failed(std::string_view detail) {
  return problem(412, "precondition-failed", "Precondition failed", detail);
}

namespace detail {

// Calls send(status, fields, count, body) with the reply as the ABI wants it.
template <typename Send>
gantry_status send_reply(const reply& r, Send&& send) {
  std::array<gantry_field, 12> few;
  std::vector<gantry_field> many;
  gantry_field* fields = few.data();
  if (r.headers().size() >= few.size()) {
    many.resize(r.headers().size() + 1);
    fields = many.data();
  }
  std::size_t count = 0;
  bool typed = r.body().empty();
  for (const auto& [name, value] : r.headers()) {
    fields[count++] = {str(name), str(value)};
    typed = typed || name == "content-type";
  }
  if (!typed) fields[count++] = {str("content-type"), str("application/json")};
  return send(r.status(), fields, count, str(r.body()));
}

inline gantry_status answer_in(const runtime& rt, gantry_tx* raw, const reply& r) {
  const gantry_status sent =
      send_reply(r, [&](int status, const gantry_field* fields, std::size_t count, gantry_str body) {
        return rt.need(rt.http, GANTRY_HTTP_1).respond_in(raw, status, fields, count, body);
      });
  rt.check(sent);
  return r.status() >= 400 ? GANTRY_REJECT : GANTRY_OK;
}

}  // namespace detail
}  // namespace gantry
