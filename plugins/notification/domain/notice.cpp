#include "domain/notice.hpp"

namespace notification {
namespace {

using enum variable_type;

constexpr std::array<std::string_view, 5> notice_names = {"order-confirmed", "order-cancelled", "payment-refunded",
                                                          "shipment-dispatched", "shipment-delivered"};
constexpr std::array<std::string_view, 4> channel_names = {"email", "sms", "push", "inapp"};

constexpr std::array<variable, 5> line_variables = {
    {{"sku"}, {"name"}, {"quantity", integer}, {"unitPrice", money}, {"lineTotal", money}}};
constexpr std::array<variable, 5> confirmed_variables = {
    {{"orderId"}, {"customerId"}, {"lines", list, line_variables}, {"total", money}, {"currency"}}};
constexpr std::array<variable, 5> cancelled_variables = {
    {{"orderId"}, {"customerId"}, {"reason"}, {"total", money}, {"currency"}}};
constexpr std::array<variable, 6> refunded_variables = {
    {{"paymentId"}, {"orderId"}, {"amount", money}, {"currency"}, {"refunded", money}, {"full", boolean}}};
constexpr std::array<variable, 5> dispatched_variables = {
    {{"shipmentId"}, {"orderId"}, {"customerId"}, {"carrier"}, {"trackingNumber"}}};
constexpr std::array<variable, 4> delivered_variables = {
    {{"shipmentId"}, {"orderId"}, {"customerId"}, {"deliveredAt"}}};

constexpr std::size_t uuid_size = 36;
constexpr std::size_t tail_size = 12;

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool is_uuid(std::string_view text) {
  if (text.size() != uuid_size) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : digit_of(text[i]) < 0) return false;
  }
  return true;
}

// What all notifications of an order begin with. The id goes into file names and mail headers, so whatever is not a
// plain character is written as _XX; different orders still give different prefixes.
std::string prefix_of(std::string_view order_id) {
  if (is_uuid(order_id)) return std::string(order_id.substr(0, uuid_size - tail_size));
  std::string out;
  for (const char c : order_id) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || (c >= '0' && c <= '9') || c == '-' || c == '.') {
      out += c;
      continue;
    }
    out += '_';
    out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4U];
    out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15U];
  }
  return out + "-";
}

// Distinct for every (notice, channel) with ordinal 0, because those differ before the multiplication by an odd number;
// for ordinals, which come from one order only, 48 bits are far more than enough.
std::uint64_t mask_of(notice about, channel_kind channel, std::int64_t ordinal) {
  const auto what = static_cast<std::uint64_t>(about) * 4 + static_cast<std::uint64_t>(channel) + 1;
  const std::uint64_t mixed = (what + static_cast<std::uint64_t>(ordinal) * 64) * 0x9e3779b97f4a7c15ULL;
  return mixed & 0xffffffffffffULL;
}

}  // namespace

std::string_view name_of(notice about) { return notice_names[static_cast<std::size_t>(about)]; }

std::optional<notice> notice_of(std::string_view name) {
  for (const notice candidate : all_notices) {
    if (name_of(candidate) == name) return candidate;
  }
  return std::nullopt;
}

std::span<const variable> variables_of(notice about) {
  switch (about) {
    case notice::order_confirmed:
      return confirmed_variables;
    case notice::order_cancelled:
      return cancelled_variables;
    case notice::payment_refunded:
      return refunded_variables;
    case notice::shipment_dispatched:
      return dispatched_variables;
    case notice::shipment_delivered:
      return delivered_variables;
  }
  return {};
}

std::string_view sample_of(notice about) {
  switch (about) {
    case notice::order_confirmed:
      return R"json({"orderId":"0194f0c2-0000-7000-8000-000000000001","customerId":"c-1","lines":[)json"
             R"json({"sku":"TEA-1","name":"Green tea","quantity":2,"unitPrice":450,"lineTotal":900},)json"
             R"json({"sku":"CUP-1","name":"Cup & saucer","quantity":1,"unitPrice":1290,"lineTotal":1290}],)json"
             R"json("total":2190,"currency":"EUR"})json";
    case notice::order_cancelled:
      return R"json({"orderId":"0194f0c2-0000-7000-8000-000000000001","customerId":"c-1","reason":"out of stock",)json"
             R"json("total":2190,"currency":"EUR"})json";
    case notice::payment_refunded:
      return R"json({"paymentId":"0194f0c2-0000-7000-8000-000000000002",)json"
             R"json("orderId":"0194f0c2-0000-7000-8000-000000000001","amount":900,"currency":"EUR","refunded":900,)json"
             R"json("full":false})json";
    case notice::shipment_dispatched:
      return R"json({"shipmentId":"0194f0c2-0000-7000-8000-000000000003",)json"
             R"json("orderId":"0194f0c2-0000-7000-8000-000000000001","customerId":"c-1","carrier":"parcel",)json"
             R"json("trackingNumber":"PAR0123456789AB"})json";
    case notice::shipment_delivered:
      return R"json({"shipmentId":"0194f0c2-0000-7000-8000-000000000003",)json"
             R"json("orderId":"0194f0c2-0000-7000-8000-000000000001","customerId":"c-1",)json"
             R"json("deliveredAt":"2026-01-01T12:00:00.000000Z"})json";
  }
  return "{}";
}

std::string_view name_of(channel_kind channel) { return channel_names[static_cast<std::size_t>(channel)]; }

std::optional<channel_kind> channel_of(std::string_view name) {
  for (std::size_t i = 0; i < channel_names.size(); ++i) {
    if (channel_names[i] == name) return static_cast<channel_kind>(i);
  }
  return std::nullopt;
}

std::string notification_id(std::string_view order_id, notice about, channel_kind channel, std::int64_t ordinal) {
  std::uint64_t mask = mask_of(about, channel, ordinal);
  std::string out = prefix_of(order_id);
  const std::size_t at = out.size();
  out.resize(at + tail_size);
  const bool from_uuid = is_uuid(order_id);
  for (std::size_t i = tail_size; i-- > 0; mask >>= 4U) {
    const auto own = from_uuid ? static_cast<std::uint64_t>(digit_of(order_id[uuid_size - tail_size + i])) : 0U;
    out[at + i] = "0123456789abcdef"[own ^ (mask & 15U)];
  }
  return out;
}

id_range notifications_of(std::string_view order_id) {
  const std::string prefix = prefix_of(order_id);
  return {prefix + std::string(tail_size, '0'), prefix + std::string(tail_size, 'f')};
}

std::string recipient_of(std::string_view pattern, std::string_view customer_id) {
  constexpr std::string_view place = "{customerId}";
  std::string id;
  for (const char c : customer_id) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain || c == '-' || c == '_' || c == '.' || c == '+') id += c;
  }
  std::string out(pattern);
  const std::size_t at = out.find(place);
  if (at != std::string::npos) out.replace(at, place.size(), id);
  return out;
}

}  // namespace notification
