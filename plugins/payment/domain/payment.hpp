// Payments and their rules: statuses, what a provider's answer makes of one, what may be refunded. Pure; money is
// integer minor units. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace shop::payment {

enum class payment_status : std::uint8_t {
  initiated,  // the provider has not settled yet
  captured,   // the money is here
  partially_refunded,
  refunded,
  failed,     // declined, or the provider could not be reached
  cancelled,  // called off before anything was captured; a late ProcessPayment is refused
};

// The name that clients see, e.g. "PartiallyRefunded".
std::string_view name_of(payment_status status);
std::optional<payment_status> status_named(std::string_view name);

// Every order has one payment, so its id is made from the order's: no index is needed to find one by the other. An
// order id that is a UUID gives one; any other is prefixed.
std::string payment_id_of(std::string_view order_id);
// The order of a payment id; nothing if no order gives that id.
std::optional<std::string> order_id_of(std::string_view payment_id);

// Whether a text could be the number of a payment card: 12 to 19 digits, spaces and dashes aside.
bool looks_like_card_number(std::string_view text);

struct amounts {
  std::int64_t amount = 0;          // asked for
  std::int64_t captured = 0;        // 0 or amount
  std::int64_t refunded = 0;        // paid back
  std::int64_t refund_pending = 0;  // being paid back

  // What can still be asked back.
  std::int64_t refundable() const { return captured - refunded - refund_pending; }
};

// What a provider says about a payment.
enum class provider_verdict : std::uint8_t { authorised, captured, declined, pending };

// What follows from a provider's verdict.
enum class settlement : std::uint8_t {
  ignore,     // a duplicate, or a verdict that changes nothing
  await,      // keep the reference, the provider will call
  capture,    // authorised later: capture now
  take,       // captured: tell that it is processed
  fail,       // declined: tell that it failed
  give_back,  // captured although the payment was called off or given up: refund all
};
settlement settle(payment_status status, provider_verdict verdict);

// What a ProcessPayment for an order that has a payment already is answered with.
enum class repeat_answer : std::uint8_t { none, processed, failed, refused };
repeat_answer answer_repeat(payment_status status);

// What a wish to refund leads to.
enum class refund_kind : std::uint8_t {
  call_off,     // nothing is captured yet: cancel the payment
  nothing,      // nothing was captured and nothing will be
  under_way,    // all of it is being refunded; the answer follows
  done_before,  // all of it is refunded
  pay_back,     // pay `amount` back
};
struct refund_plan {
  refund_kind kind = refund_kind::nothing;
  std::int64_t amount = 0;
};
// A refund of at most `wanted`; nothing: of all that is left.
refund_plan plan_refund(payment_status status, const amounts& sums, std::optional<std::int64_t> wanted);

}  // namespace shop::payment
