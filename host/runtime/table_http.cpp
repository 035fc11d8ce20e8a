#include <algorithm>

#include "gantry/abi/http.h"
#include "gantry/abi/call.h"
#include "runtime/context.hpp"
#include "runtime/dispatcher.hpp"
#include "runtime/instance.hpp"
#include "runtime/tables.hpp"
#include "runtime/text.hpp"

namespace gantry::runtime {
namespace {

gantry_status declare_route(const gantry_host* host, const gantry_route* r) {
  auto& self = instance::of(host);
  if (self.state() != phase::setup) return fail(GANTRY_REFUSED, "http.route is for setup only");
  if (r == nullptr || r->handler == nullptr || r->method.len == 0)
    return fail(GANTRY_INVALID, "a route needs a method, a pattern and a handler");
  const auto pattern = view(r->pattern);
  if (pattern.size() < 2 || pattern.front() != '/' || pattern.find("//") != std::string_view::npos || pattern.back() == '/')
    return fail(GANTRY_INVALID, "route pattern \"" + std::string(pattern) + "\": expected /segment/{placeholder}/...");
  const auto method = view(r->method);
  if (std::any_of(method.begin(), method.end(), [](char c) { return c < 'A' || c > 'Z'; }))
    return fail(GANTRY_INVALID, "method \"" + std::string(method) + "\": expected upper case letters");
  for (const auto& other : self.declared.routes)
    if (other.method == method && other.pattern == pattern)
      return fail(GANTRY_INVALID, std::string(method) + " " + std::string(pattern) + " is declared twice");
  self.declared.routes.push_back({std::string(method), std::string(pattern),
                                  (r->flags & GANTRY_ROUTE_IDEMPOTENT) != 0, r->handler, r->user, nullptr});
  self.declared.routes.back().may_lag = (r->flags & GANTRY_ROUTE_MAY_LAG) != 0;
  return GANTRY_OK;
}

bool is_token(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

gantry_status fill(std::optional<reply>& out, std::int32_t status, const gantry_field* headers, std::size_t count,
                   gantry_str body) {
  if (status < 100 || status > 599)
    return fail(GANTRY_INVALID, "reply status " + std::to_string(status) + ", expected 100 to 599");
  reply r;
  r.status = status;
  for (std::size_t i = 0; i < count; ++i) {
    std::string name(view(headers[i].name));
    const auto text = view(headers[i].value);
    if (!is_token(name) || text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
      return fail(GANTRY_INVALID, "reply header \"" + name + "\" is not allowed by HTTP (RFC 9110, 5.1 and 5.5)");
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (name == "content-length" || name == "date" || name == "connection" || name == "transfer-encoding") continue;
    r.headers.emplace_back(std::move(name), text);
  }
  r.body = view(body);
  out = std::move(r);
  return GANTRY_OK;
}

gantry_status respond(gantry_context* context, std::int32_t status, const gantry_field* headers, std::size_t count,
                      gantry_str body) {
  if (context == nullptr || context->is_job) return fail(GANTRY_REFUSED, "respond is for requests only");
  return fill(context->reply, status, headers, count, body);
}

gantry_status respond_in(gantry_tx* tx, std::int32_t status, const gantry_field* headers, std::size_t count,
                         gantry_str body) {
  if (tx == nullptr || !tx->usable) return fail(GANTRY_REFUSED, "respond_in: the transaction is not open");
  return fill(tx->reply, status, headers, count, body);
}

gantry_status answer_by_write(gantry_context* context, gantry_write_handler fn, void* user, void (*drop)(void*)) {
  if (context == nullptr || context->is_job || fn == nullptr || context->write != nullptr) {
    if (drop != nullptr) drop(user);
    return fail(GANTRY_REFUSED, "write answers a request, once");
  }
  context->write = fn;
  context->write_user = user;
  context->write_drop = drop;
  return GANTRY_OK;
}

gantry_status declare_calls(const gantry_host* host, gantry_str plugin) {
  auto& self = instance::of(host);
  if (self.state() != phase::setup) return fail(GANTRY_REFUSED, "call.calls is for setup only");
  if (plugin.len == 0) return fail(GANTRY_INVALID, "calls: no plugin named");
  if (!self.may_call(view(plugin))) self.declared.calls.emplace_back(view(plugin));
  return GANTRY_OK;
}

gantry_status call(gantry_context* context, const gantry_call* request, gantry_call_reply* out) {
  if (context == nullptr || request == nullptr || out == nullptr) return fail(GANTRY_INVALID, "call: no request");
  // A call through which the caller waits must not hold a reader of the pool.
  context->end_read();
  return context->owner.around.calls->call(*context, *request, *out);
}

gantry_status call_async(const gantry_host* host, const gantry_call* request,
                         void (*done)(void*, gantry_status, const gantry_call_reply*), void* user) {
  if (request == nullptr || done == nullptr) return fail(GANTRY_INVALID, "call_async: no request");
  auto& self = instance::of(host);
  return self.around.calls->call_async(self, *request, done, user);
}

void release(gantry_call_reply* out) {
  if (out != nullptr && out->owner != nullptr) dispatcher::release(*out);
}

}  // namespace

const void* http_table() noexcept {
  static constexpr gantry_http_1 table = {sizeof table, declare_route, respond, respond_in, answer_by_write};
  return &table;
}

const void* call_table() noexcept {
  static constexpr gantry_call_1 table = {sizeof table, declare_calls, call, call_async, release};
  return &table;
}

}  // namespace gantry::runtime
