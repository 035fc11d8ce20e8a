// What customers are told, and which ids their notifications get.
//
// A notification's id follows from its order's id: the same UUID with its last 48 bits, which are random in a UUIDv7,
// masked by what the notification is about. So all notifications of an order lie side by side under the one primary key
// and are found by a range of it, the same notice always has the same id, however often it is asked for, and no index
// by order is needed. Pure. Thread: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace notification {

enum class notice { order_confirmed, order_cancelled, payment_refunded, shipment_dispatched, shipment_delivered };
inline constexpr std::array all_notices = {notice::order_confirmed, notice::order_cancelled, notice::payment_refunded,
                                           notice::shipment_dispatched, notice::shipment_delivered};

// The name of the notice's template: "order-confirmed".
std::string_view name_of(notice about);
std::optional<notice> notice_of(std::string_view name);

enum class variable_type { text, integer, money, boolean, list };

// A name that a template may use. Of a list, `item` are the names inside its section.
struct variable {
  std::string_view name;
  variable_type type = variable_type::text;
  std::span<const variable> item{};
};

// What templates of this notice may use: the members of the event that causes it.
std::span<const variable> variables_of(notice about);

// Event data to try templates with, as JSON.
std::string_view sample_of(notice about);

enum class channel_kind { email, sms, push, inapp };
std::string_view name_of(channel_kind channel);
std::optional<channel_kind> channel_of(std::string_view name);

// The id of the notification about this order. `ordinal` tells apart what may happen to an order more than once.
std::string notification_id(std::string_view order_id, notice about, channel_kind channel, std::int64_t ordinal = 0);

// The range of ids that notifications of this order have; both ends belong to it.
struct id_range {
  std::string first;
  std::string last;
};
id_range notifications_of(std::string_view order_id);

// A pattern such as "{customerId}@customers.example" filled in. Characters that would change the meaning of an address
// are left out of the id.
std::string recipient_of(std::string_view pattern, std::string_view customer_id);

}  // namespace notification
