// The events that tell what became of a payment, and their JSON Schemas. Thread: lane.
#pragma once

#include <string_view>

#include "gantry/plugin.hpp"
#include "store/payments.hpp"

namespace shop::payment {

// What an event about a payment names.
struct payment_facts {
  std::string_view order_id;
  std::string_view payment_id;
  std::int64_t amount = 0;
  std::string_view currency;
  std::string_view provider;
};

void emit_initiated(gantry::tx& tx, const payment_facts& facts);
void emit_processed(gantry::tx& tx, const payment_facts& facts, std::string_view reference);
void emit_failed(gantry::tx& tx, std::string_view order_id, std::string_view payment_id, std::string_view code,
                 std::string_view reason);

struct refund_facts {
  std::string_view order_id;
  std::string_view payment_id;  // empty: nothing was captured
  std::int64_t amount = 0;      // of this refund
  std::string_view currency;
  std::int64_t refunded = 0;  // in all
  bool full = true;           // nothing is left to give back
};
void emit_refunded(gantry::tx& tx, const refund_facts& facts);

// Declares the four event types with their schemas.
void declare_events(gantry::setup& s);

inline constexpr std::string_view payment_topic = "payment-events";

}  // namespace shop::payment
