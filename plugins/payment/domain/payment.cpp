#include "domain/payment.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace shop::payment {
namespace {

constexpr std::array<std::string_view, 6> names = {"Initiated", "Captured", "PartiallyRefunded",
                                                   "Refunded",  "Failed",   "Cancelled"};
constexpr std::string_view other_prefix = "p-";
constexpr std::string_view hex = "0123456789abcdef";

// The last hexadecimal digit of a UUID with its highest bit flipped: the same function leads back.
std::optional<std::string> flipped(std::string_view uuid) {
  constexpr std::array<std::size_t, 4> dashes = {8, 13, 18, 23};
  if (uuid.size() != 36) return std::nullopt;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    const bool dash = std::find(dashes.begin(), dashes.end(), i) != dashes.end();
    if (dash ? uuid[i] != '-' : hex.find(uuid[i]) == std::string_view::npos) return std::nullopt;
  }
  std::string out(uuid);
  out.back() = hex[hex.find(out.back()) ^ 8U];
  return out;
}

}  // namespace

std::string_view name_of(payment_status status) { return names[static_cast<std::size_t>(status)]; }

std::optional<payment_status> status_named(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<payment_status>(found - names.begin());
}

std::string payment_id_of(std::string_view order_id) {
  if (auto uuid = flipped(order_id)) return *std::move(uuid);
  return std::string(other_prefix).append(order_id);
}

std::optional<std::string> order_id_of(std::string_view payment_id) {
  if (auto uuid = flipped(payment_id)) return uuid;
  if (!payment_id.starts_with(other_prefix)) return std::nullopt;
  const std::string_view order_id = payment_id.substr(other_prefix.size());
  if (order_id.empty() || flipped(order_id)) return std::nullopt;
  return std::string(order_id);
}

bool looks_like_card_number(std::string_view text) {
  std::size_t digits = 0;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      ++digits;
    } else if (c != ' ' && c != '-') {
      return false;
    }
  }
  return digits >= 12 && digits <= 19;
}

settlement settle(payment_status status, provider_verdict verdict) {
  const bool open = status == payment_status::initiated;
  const bool given_up = status == payment_status::failed || status == payment_status::cancelled;
  switch (verdict) {
    case provider_verdict::authorised:
      return open ? settlement::capture : settlement::ignore;  // what is never captured lapses
    case provider_verdict::captured:
      if (open) return settlement::take;
      return given_up ? settlement::give_back : settlement::ignore;
    case provider_verdict::declined:
      return open ? settlement::fail : settlement::ignore;
    case provider_verdict::pending:
      return open ? settlement::await : settlement::ignore;
  }
  return settlement::ignore;
}

repeat_answer answer_repeat(payment_status status) {
  switch (status) {
    case payment_status::initiated:
      return repeat_answer::none;
    case payment_status::captured:
    case payment_status::partially_refunded:
      return repeat_answer::processed;
    case payment_status::failed:
      return repeat_answer::failed;
    case payment_status::refunded:
    case payment_status::cancelled:
      return repeat_answer::refused;
  }
  return repeat_answer::none;
}

refund_plan plan_refund(payment_status status, const amounts& sums, std::optional<std::int64_t> wanted) {
  if (status == payment_status::initiated) return {refund_kind::call_off, 0};
  if (sums.captured == 0) return {refund_kind::nothing, 0};
  const std::int64_t left = sums.refundable();
  if (left > 0) return {refund_kind::pay_back, std::min(left, wanted.value_or(left))};
  return {sums.refund_pending > 0 ? refund_kind::under_way : refund_kind::done_before, 0};
}

}  // namespace shop::payment
