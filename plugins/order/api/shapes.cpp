#include "api/shapes.hpp"

#include "domain/flow.hpp"

namespace shop::order {
namespace {

std::string_view optional_text(gantry::json_view from, std::string_view name, std::string_view path,
                               std::vector<defect>& defects) {
  const gantry::json_view value = from[name];
  if (value && !value.is_null() && !value.is_string()) {
    defects.push_back({std::string(path) + std::string(name), "must be a text, found " + std::string(value.raw())});
  }
  return value.text();
}

std::vector<wanted_line> read_lines(gantry::json_view from) {
  std::vector<wanted_line> lines;
  lines.reserve(from.size());
  for (const gantry::json_view entry : from) {
    const gantry::json_view quantity = entry["quantity"];
    wanted_line line{entry["sku"].text(), std::nullopt};
    if (quantity.is_int()) line.quantity = quantity.integer();
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

wanted_order read_wanted(gantry::json_view body, std::vector<defect>& defects) {
  wanted_order wanted;
  const gantry::json_view address = body["shippingAddress"];
  wanted.customer_id = body["customerId"].text();
  wanted.lines = read_lines(body["lines"]);
  wanted.address.name = address["name"].text();
  wanted.address.line1 = address["line1"].text();
  wanted.address.line2 = optional_text(address, "line2", "shippingAddress.", defects);
  wanted.address.city = address["city"].text();
  wanted.address.region = optional_text(address, "region", "shippingAddress.", defects);
  wanted.address.postal_code = address["postalCode"].text();
  wanted.address.country = address["country"].text();
  wanted.token = body["paymentMethod"]["token"].text();
  wanted.currency = body["currency"].text();
  wanted.voucher = optional_text(body, "voucher", "", defects);
  return wanted;
}

std::string lines_json(const std::vector<priced_line>& lines) {
  gantry::json_writer out;
  out.reserve(160 * lines.size());
  out.array();
  for (const priced_line& line : lines) {
    out.object().field("sku", line.sku).field("name", line.name).field("quantity", line.quantity);
    out.field("unitPrice", line.unit_price).field("lineTotal", line.line_total).end();
  }
  out.end();
  return out.take();
}

std::string address_json(const postal_address& address) {
  gantry::json_writer out;
  out.object().field("name", address.name).field("line1", address.line1);
  if (!address.line2.empty()) out.field("line2", address.line2);
  out.field("city", address.city);
  if (!address.region.empty()) out.field("region", address.region);
  out.field("postalCode", address.postal_code).field("country", address.country).end();
  return out.take();
}

void put_order(gantry::json_writer& out, const order_row& row) {
  out.object().field("orderId", row.order_id).field("customerId", row.customer_id).field("status", name_of(row.status));
  const auto saga = gantry::decode_saga(row.saga, step_count, row.deadline_us);
  if (saga && !saga->reason.empty()) out.field("reason", saga->reason);
  out.key("lines").raw(row.lines);
  out.field("subtotal", row.subtotal).field("shipping", row.shipping).field("discount", row.discount);
  out.field("total", row.total).field("currency", row.currency);
  out.key("shippingAddress").raw(row.address);
  out.field("createdAt", gantry::instant{row.created_us}.rfc3339());
  out.field("updatedAt", gantry::instant{row.updated_us}.rfc3339());
  out.field("version", row.version).end();
}

gantry::json order_json(const order_row& row) {
  gantry::json_writer out;
  out.reserve(512 + row.lines.size() + row.address.size());
  put_order(out, row);
  return gantry::json(std::move(out));
}

std::string etag(std::int64_t version) { return '"' + std::to_string(version) + '"'; }

gantry::field_errors to_field_errors(const std::vector<defect>& defects) {
  gantry::field_errors errors;
  errors.reserve(defects.size());
  for (const defect& d : defects) errors.push_back({d.field, d.detail});
  return errors;
}

}  // namespace shop::order
