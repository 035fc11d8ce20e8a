// Routes of customers' inboxes and of deliveries. Thread: pool; what they write runs in the write lane.
#pragma once

#include <gantry/context.hpp>
#include <gantry/http.hpp>

namespace notification {

// GET /notifications?customerId=&unread=true&page=&pageSize=
gantry::reply list_inbox(const gantry::request& q, gantry::context& ctx);

// POST /notifications/{id}/read
gantry::reply mark_as_read(const gantry::request& q, gantry::context& ctx);

// GET /notifications/deliveries?orderId=
gantry::reply list_deliveries(const gantry::request& q, gantry::context& ctx);

}  // namespace notification
