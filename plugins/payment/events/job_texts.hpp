// The payloads and results of the payment plugin's jobs, as JSON. Texts that are read are borrowed from the document.
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gantry/plugin.hpp"
#include "provider/provider.hpp"

namespace shop::payment {

struct charge_payload {
  std::string_view payment_id;
  std::string_view order_id;
  std::int64_t amount = 0;
  std::string_view currency;
  std::string_view token;
  std::string_view reference;  // not empty: authorised already, only to be captured
};
std::string charge_text(const charge_payload& payload);
charge_payload read_charge(gantry::json_view from);

struct refund_payload {
  std::string_view payment_id;
  std::string_view order_id;
  std::int64_t amount = 0;
  std::string_view currency;
  std::string_view reference;
  std::string_view reason;
};
std::string refund_text(const refund_payload& payload);
refund_payload read_refund(gantry::json_view from);

// The result of a charge.
std::string answer_text(const provider_answer& answer);
provider_answer read_answer_text(std::string_view text);

// The payload, and the result, of a callback: the same with the order's id.
std::string callback_text(std::string_view order_id, const provider_answer& answer);

}  // namespace shop::payment
