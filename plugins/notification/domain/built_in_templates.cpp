#include "domain/message_template.hpp"

namespace notification {
namespace {

constexpr std::string_view item_rows_html =
    "<table>{{#lines}}<tr><td>{{quantity}} x</td><td>{{name}}</td><td>{{lineTotal|money}}</td></tr>{{/lines}}</table>";

std::string page(std::string_view locale, std::string_view body) {
  return "<!DOCTYPE html><html lang=\"" + std::string(locale) +
         "\"><head><meta charset=\"utf-8\"></head><body style=\"font-family:sans-serif\">" + std::string(body) +
         "</body></html>\n";
}

template_source english(notice about) {
  switch (about) {
    case notice::order_confirmed:
      return {"Your order {{orderId}} is confirmed",
              "Thank you for your order.\n\nOrder {{orderId}}\n"
              "{{#lines}}- {{quantity}} x {{name}} ({{sku}}): {{lineTotal|money}}\n{{/lines}}"
              "\nTotal: {{total|money}}\n\nWe will write again when it is on its way.\n",
              page("en", "<h1>Thank you for your order</h1><p>Order {{orderId}}</p>" + std::string(item_rows_html) +
                             "<p>Total: <strong>{{total|money}}</strong></p>"
                             "<p>We will write again when it is on its way.</p>"),
              "Your order is confirmed: {{total|money}}"};
    case notice::order_cancelled:
      return {"Your order {{orderId}} was cancelled",
              "Your order {{orderId}} over {{total|money}} was cancelled.\n\nReason: {{reason}}\n\n"
              "What you have paid comes back to you.\n",
              page("en",
                   "<h1>Your order was cancelled</h1><p>Order {{orderId}} over {{total|money}}</p>"
                   "<p>Reason: {{reason}}</p><p>What you have paid comes back to you.</p>"),
              "Your order was cancelled: {{reason}}"};
    case notice::payment_refunded:
      return {"We have refunded {{amount|money}}",
              "We have refunded {{amount|money}} for your order {{orderId}}.\n"
              "Refunded in total: {{refunded|money}}\n",
              page("en",
                   "<h1>Refund</h1><p>We have refunded <strong>{{amount|money}}</strong> for your order "
                   "{{orderId}}.</p><p>Refunded in total: {{refunded|money}}</p>"),
              "Refunded: {{amount|money}}"};
    case notice::shipment_dispatched:
      return {"Your order {{orderId}} is on its way",
              "Your order {{orderId}} is on its way.\n\nCarrier: {{carrier}}\nTracking number: {{trackingNumber}}\n",
              page("en",
                   "<h1>Your order is on its way</h1><p>Order {{orderId}}</p>"
                   "<p>Carrier: {{carrier}}<br>Tracking number: {{trackingNumber}}</p>"),
              "Your order is on its way: {{carrier}} {{trackingNumber}}"};
    case notice::shipment_delivered:
      return {"Your order {{orderId}} has arrived", "Your order {{orderId}} was delivered.\n\nTime: {{deliveredAt}}\n",
              page("en", "<h1>Your order has arrived</h1><p>Order {{orderId}}</p><p>Time: {{deliveredAt}}</p>"),
              "Your order has arrived"};
  }
  return {};
}

template_source german(notice about) {
  switch (about) {
    case notice::order_confirmed:
      return {"Ihre Bestellung {{orderId}} ist bestätigt",
              "Vielen Dank für Ihre Bestellung.\n\nBestellung {{orderId}}\n"
              "{{#lines}}- {{quantity}} x {{name}} ({{sku}}): {{lineTotal|money}}\n{{/lines}}"
              "\nSumme: {{total|money}}\n\nWir schreiben Ihnen, sobald sie unterwegs ist.\n",
              page("de", "<h1>Vielen Dank für Ihre Bestellung</h1><p>Bestellung {{orderId}}</p>" +
                             std::string(item_rows_html) +
                             "<p>Summe: <strong>{{total|money}}</strong></p>"
                             "<p>Wir schreiben Ihnen, sobald sie unterwegs ist.</p>"),
              "Ihre Bestellung ist bestätigt: {{total|money}}"};
    case notice::order_cancelled:
      return {"Ihre Bestellung {{orderId}} wurde storniert",
              "Ihre Bestellung {{orderId}} über {{total|money}} wurde storniert.\n\nGrund: {{reason}}\n\n"
              "Was Sie bezahlt haben, erhalten Sie zurück.\n",
              page("de",
                   "<h1>Ihre Bestellung wurde storniert</h1><p>Bestellung {{orderId}} über {{total|money}}</p>"
                   "<p>Grund: {{reason}}</p><p>Was Sie bezahlt haben, erhalten Sie zurück.</p>"),
              "Ihre Bestellung wurde storniert: {{reason}}"};
    case notice::payment_refunded:
      return {"Wir haben {{amount|money}} erstattet",
              "Wir haben {{amount|money}} für Ihre Bestellung {{orderId}} erstattet.\n"
              "Insgesamt erstattet: {{refunded|money}}\n",
              page("de",
                   "<h1>Erstattung</h1><p>Wir haben <strong>{{amount|money}}</strong> für Ihre Bestellung "
                   "{{orderId}} erstattet.</p><p>Insgesamt erstattet: {{refunded|money}}</p>"),
              "Erstattet: {{amount|money}}"};
    case notice::shipment_dispatched:
      return {"Ihre Bestellung {{orderId}} ist unterwegs",
              "Ihre Bestellung {{orderId}} ist unterwegs.\n\nVersand: {{carrier}}\n"
              "Sendungsnummer: {{trackingNumber}}\n",
              page("de",
                   "<h1>Ihre Bestellung ist unterwegs</h1><p>Bestellung {{orderId}}</p>"
                   "<p>Versand: {{carrier}}<br>Sendungsnummer: {{trackingNumber}}</p>"),
              "Ihre Bestellung ist unterwegs: {{carrier}} {{trackingNumber}}"};
    case notice::shipment_delivered:
      return {"Ihre Bestellung {{orderId}} ist angekommen",
              "Ihre Bestellung {{orderId}} wurde zugestellt.\n\nZeit: {{deliveredAt}}\n",
              page("de",
                   "<h1>Ihre Bestellung ist angekommen</h1><p>Bestellung {{orderId}}</p>"
                   "<p>Zeit: {{deliveredAt}}</p>"),
              "Ihre Bestellung ist angekommen"};
  }
  return {};
}

}  // namespace

std::vector<built_in_template> built_in_templates() {
  std::vector<built_in_template> out;
  for (const notice about : all_notices) {
    out.push_back({about, "en", english(about)});
    out.push_back({about, "de", german(about)});
  }
  return out;
}

}  // namespace notification
