// Requests from plugin to plugin, made through context::call.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gantry/abi/call.h"
#include "gantry/http.hpp"

namespace gantry {

struct call_request {
  std::string method = "GET";
  std::string target;  // path and query, percent-encoded
  header_list headers{};
  std::string body{};
  std::chrono::microseconds timeout{0};  // 0: what is left of the caller's own deadline, at most 30 s
};

// The answer of another plugin, whatever its status. Owns all of it.
class call_reply {
 public:
  call_reply() = default;
  call_reply(int code, std::string text) : status(code), body(std::move(text)) {}
  call_reply(int code, header_list fields, std::string text)
      : status(code), headers(std::move(fields)), body(std::move(text)) {}
  template <std::same_as<gantry::json> Json>
  call_reply(int code, const Json& value) : status(code), body(value.text()) {}

  int status = 0;
  header_list headers;
  std::string body;

  bool ok() const noexcept { return status >= 200 && status < 300; }
  // A header; the name in lower case.
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return std::nullopt;
  }

  // The body, parsed once; valid as long as this reply stays where it is. Throws json_error.
  json_view json() const { return cache_.of(body); }

 private:
  // A copy parses its own body again.
  class parsed {
   public:
    parsed() = default;
    parsed(const parsed&) noexcept {}
    parsed(parsed&&) noexcept {}
    parsed& operator=(const parsed&) noexcept {
      document_.reset();
      return *this;
    }
    parsed& operator=(parsed&&) noexcept {
      document_.reset();
      return *this;
    }
    ~parsed() = default;
    json_view of(const std::string& text) {
      if (!document_) document_ = std::make_unique<json_document>(json_document::parse(text));
      return document_->root();
    }

   private:
    std::unique_ptr<json_document> document_;
  };
  mutable parsed cache_;
};

namespace detail {

inline call_reply call(const runtime& rt, gantry_context* context, std::string_view plugin, const call_request& what) {
  const gantry_call_1& table = rt.need(rt.call, GANTRY_CALL_1);
  std::vector<gantry_field> fields;
  fields.reserve(what.headers.size());
  for (const auto& [name, value] : what.headers) fields.push_back({str(name), str(value)});
  const auto timeout = static_cast<std::uint64_t>(what.timeout.count() < 0 ? 0 : what.timeout.count());
  const gantry_call raw{
      sizeof raw,     0,      str(plugin), str(what.method), str(what.target), fields.data(), fields.size(),
      str(what.body), timeout};
  struct released {
    const gantry_call_1& table;
    gantry_call_reply reply{};
    ~released() { table.release(&reply); }
  } answer{table};
  answer.reply.struct_size = sizeof answer.reply;
  rt.check(table.call(context, &raw, &answer.reply));
  call_reply out(answer.reply.status, std::string(view(answer.reply.body)));
  for (std::size_t i = 0; i < answer.reply.header_count; ++i) {
    out.headers.emplace_back(view(answer.reply.headers[i].name), view(answer.reply.headers[i].value));
  }
  return out;
}

}  // namespace detail
}  // namespace gantry
