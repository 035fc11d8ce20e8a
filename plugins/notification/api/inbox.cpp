#include "api/inbox.hpp"

#include <charconv>
#include <string>

#include "store/deliveries.hpp"

namespace notification {
namespace {

// The query parameter as a number from 1 to `most`; what is wrong goes to `errors`.
std::int64_t number_in(const gantry::request& q, std::string_view name, std::int64_t otherwise, std::int64_t most,
                       gantry::field_errors& errors) {
  const auto text = q.query(name);
  if (!text) return otherwise;
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (error != std::errc() || end != text->data() + text->size() || out < 1 || out > most) {
    errors.push_back({std::string(name), "must be a whole number from 1 to " + std::to_string(most) + ", found \"" +
                                             std::string(*text) + "\""});
  }
  return out;
}

}  // namespace

gantry::reply list_inbox(const gantry::request& q, gantry::context& ctx) {
  gantry::field_errors errors;
  const page which{number_in(q, "page", 1, 1'000'000, errors), number_in(q, "pageSize", 20, 100, errors)};
  const std::string_view customer_id = q.query("customerId").value_or("");
  if (customer_id.empty()) errors.push_back({"customerId", "must be given"});
  if (!errors.empty()) return gantry::bad_request("The inbox can't be read like this.", errors);
  return {200, inbox_of(ctx.read(), customer_id, which, q.query("unread").value_or("") == "true")};
}

gantry::reply mark_as_read(const gantry::request& q, gantry::context& ctx) {
  return ctx.write([id = q.path("id")](gantry::tx& t) -> gantry::reply {
    auto entry = mark_read(t, id, t.now());
    if (!entry) return gantry::not_found("There is no notification " + std::string(id) + ".");
    return {200, std::move(*entry)};
  });
}

gantry::reply list_deliveries(const gantry::request& q, gantry::context& ctx) {
  const auto order_id = q.query("orderId");
  if (!order_id || order_id->empty()) {
    return gantry::bad_request("Deliveries are listed by order.", {{"orderId", "must be given"}});
  }
  return {200, deliveries_of_order(ctx.read(), *order_id)};
}

}  // namespace notification
