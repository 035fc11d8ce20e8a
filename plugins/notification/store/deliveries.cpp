#include "store/deliveries.hpp"

#include <utility>

#include "domain/notice.hpp"

namespace notification {
namespace {

constexpr std::string_view delivery_columns =
    "notification_id, order_id, channel, template, recipient, status, reason, coalesce(ended_us, created_us)";

// From where the inbox of customer $1 is read; $2 is 1 for what was not read yet.
#define INBOX                                                                                         \
  " FROM messages m JOIN delivery_state s ON s.notification_id = m.notification_id "                  \
  "WHERE m.seq IN (SELECT seq FROM customer_messages WHERE customer_id = $1) AND m.customer_id = $1 " \
  "AND m.in_inbox = 1 AND ($2 = 0 OR s.read_us IS NULL)"

// A row of delivery_columns: `at` is when it last changed.
template <typename Row>
void write_delivery(gantry::json_writer& out, const Row& row) {
  out.object()
      .field("notificationId", row.template get<std::string_view>(0))
      .field("orderId", row.template get<std::string_view>(1))
      .field("channel", row.template get<std::string_view>(2))
      .field("template", row.template get<std::string_view>(3))
      .field("to", row.template get<std::string_view>(4))
      .field("status", row.template get<std::string_view>(5));
  const auto reason = row.template get<std::string>(6);
  if (!reason.empty()) out.field("reason", reason);
  out.field("at", gantry::instant{row.template get<std::int64_t>(7)}.rfc3339()).end();
}

// A row of notification_id, order_id, template, title, created_us, read_us.
template <typename Row>
void write_entry(gantry::json_writer& out, const Row& row) {
  const auto read = row.template get<std::optional<std::int64_t>>(5);
  out.object()
      .field("notificationId", row.template get<std::string_view>(0))
      .field("orderId", row.template get<std::string_view>(1))
      .field("template", row.template get<std::string_view>(2))
      .field("title", row.template get<std::string_view>(3))
      .field("read", read.has_value())
      .field("at", gantry::instant{row.template get<std::int64_t>(4)}.rfc3339());
  if (read) out.field("readAt", gantry::instant{*read}.rfc3339());
  out.end();
}

gantry::json finish_list(gantry::json_writer& out, page which, std::int64_t total) {
  out.end().field("page", which.number).field("pageSize", which.size).field("total", total).end();
  return std::move(out);
}

}  // namespace

bool insert_delivery(gantry::tx& t, const new_delivery& row, gantry::sequence* numbers) {
  const auto insert_message = [&](std::string_view sql, const auto&... number) {
    t.exec(sql, row.notification_id, row.order_id, row.customer_id, row.template_name, row.channel, row.recipient,
           row.title, row.in_inbox ? 1 : 0, row.at.us, number...);
  };
#define INTO_STATE "INSERT INTO delivery_state (notification_id, status, reason, seq) VALUES ($1, $2, $3, "
#define UNLESS_KNOWN ") ON CONFLICT (notification_id) DO NOTHING"
#define INTO_MESSAGES                                                                                             \
  "INSERT INTO messages (notification_id, order_id, customer_id, template, channel, recipient, title, in_inbox, " \
  "created_us, seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
  if (numbers != nullptr) {
    const auto seq = numbers->next(t);
    if (t.exec(INTO_STATE "$4" UNLESS_KNOWN, row.notification_id, row.status, row.reason, seq) == 0) return false;
    insert_message(INTO_MESSAGES "$10)", seq);
    return true;
  }
  if (t.exec(INTO_STATE "(SELECT seq FROM next_message)" UNLESS_KNOWN, row.notification_id, row.status, row.reason) ==
      0)
    return false;
  insert_message(INTO_MESSAGES "(SELECT seq FROM delivery_state WHERE notification_id = $1))");
  return true;
#undef INTO_STATE
#undef UNLESS_KNOWN
#undef INTO_MESSAGES
}

void end_delivery(gantry::tx& t, std::string_view notification_id, std::string_view status, std::string_view reason,
                  gantry::instant at) {
  t.defer("UPDATE delivery_state SET status = $2, reason = $3, ended_us = $4 WHERE notification_id = $1",
          notification_id, status, reason, at.us);
}

void set_recipient(gantry::tx& t, std::string_view notification_id, std::string_view customer_id,
                   std::string_view recipient, inbox_index index) {
  t.exec(
      "UPDATE messages SET customer_id = $2, recipient = $3 "
      "WHERE seq = (SELECT seq FROM delivery_state WHERE notification_id = $1)",
      notification_id, customer_id, recipient);
  if (index == inbox_index::tree) return;
  t.exec(
      "INSERT INTO customer_runs (run, customer_id, seq) SELECT r.run, m.customer_id, m.seq FROM messages m "
      "JOIN (SELECT max(run) AS run FROM runs) r ON m.seq <= r.run "
      "WHERE m.seq = (SELECT seq FROM delivery_state WHERE notification_id = $1)",
      notification_id);
}

void add_customer_run(gantry::tx& t) {
  t.exec(
      "INSERT INTO customer_runs (run, customer_id, seq) "
      "SELECT (SELECT max(seq) FROM messages), customer_id, seq FROM messages "
      "WHERE seq > (SELECT coalesce(max(run), 0) FROM runs) AND in_inbox = 1 AND customer_id <> '' "
      "ORDER BY customer_id, seq");
  t.exec("INSERT INTO runs (run) SELECT max(seq) FROM messages");
}

std::string customer_of_order(gantry::db& d, std::string_view order_id) {
  const id_range range = notifications_of(order_id);
  const auto row = d.one(
      "SELECT customer_id FROM delivery WHERE notification_id BETWEEN $1 AND $2 AND order_id = $3 "
      "AND customer_id <> '' LIMIT 1",
      range.first, range.last, order_id);
  return row ? row->get<std::string>(0) : std::string();
}

gantry::json deliveries_of_order(gantry::db& d, std::string_view order_id) {
  const id_range range = notifications_of(order_id);
  gantry::json_writer out;
  out.object().key("items").array();
  std::int64_t total = 0;
  const std::string sql = "SELECT " + std::string(delivery_columns) +
                          " FROM delivery WHERE notification_id BETWEEN $1 AND $2 AND order_id = $3 "
                          "ORDER BY created_us, notification_id LIMIT 100";
  for (const auto& row : d.query(sql, range.first, range.last, order_id)) {
    write_delivery(out, row);
    ++total;
  }
  return finish_list(out, {1, 100}, total);
}

gantry::json inbox_of(gantry::db& d, std::string_view customer_id, page which, bool unread_only) {
  const std::int64_t wanted = unread_only ? 1 : 0;
  gantry::json_writer out;
  out.object().key("items").array();
  for (const auto& row : d.query("SELECT m.notification_id, m.order_id, m.template, m.title, m.created_us, "
                                 "s.read_us" INBOX " ORDER BY m.created_us DESC, m.notification_id DESC "
                                 "LIMIT $3 OFFSET $4",
                                 customer_id, wanted, which.size, (which.number - 1) * which.size)) {
    write_entry(out, row);
  }
  const auto total = d.one("SELECT COUNT(*)" INBOX, customer_id, wanted);
  return finish_list(out, which, total ? total->get<std::int64_t>(0) : 0);
}

std::optional<gantry::json> mark_read(gantry::tx& t, std::string_view notification_id, gantry::instant at) {
  t.exec("UPDATE delivery_state SET read_us = $2 WHERE notification_id = $1 AND read_us IS NULL", notification_id,
         at.us);
  const auto row = t.one(
      "SELECT notification_id, order_id, template, title, created_us, read_us FROM delivery "
      "WHERE notification_id = $1 AND in_inbox = 1",
      notification_id);
  if (!row) return std::nullopt;
  gantry::json_writer out;
  write_entry(out, *row);
  return out;
}

#undef INBOX

}  // namespace notification
