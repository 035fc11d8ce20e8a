#include "config/settings.hpp"

#include <chrono>
#include <utility>

#include "channels/file_sink.hpp"
#include "domain/message_template.hpp"

namespace notification {

const std::string_view settings_schema = R"json({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "default_locale": {"type": "string", "pattern": "^[a-z]{2}(-[A-Z]{2})?$", "default": "en"},
    "from": {"type": "string", "default": "Gantry Shop <orders@shop.example>"},
    "recipient": {"type": "string", "default": "{customerId}@customers.example"},
    "eml_directory": {"type": "string", "default": "data/mail"},
    "smtp": {
      "type": "object",
      "additionalProperties": false,
      "required": ["host"],
      "properties": {
        "host": {"type": "string"},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 587},
        "security": {"type": "string", "enum": ["starttls", "tls", "none"], "default": "starttls"},
        "ca_file": {"type": "string"},
        "username": {"type": "string"},
        "password": {"type": "string"},
        "helo": {"type": "string"},
        "timeout_ms": {"type": "integer", "minimum": 1, "maximum": 600000, "default": 10000}
      }
    },
    "sms": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "url": {"type": "string"}, "token": {"type": "string"}, "ca_file": {"type": "string"},
        "timeout_ms": {"type": "integer", "minimum": 1, "maximum": 600000, "default": 10000},
        "directory": {"type": "string"}, "recipient": {"type": "string"}
      }
    },
    "push": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "url": {"type": "string"}, "token": {"type": "string"}, "ca_file": {"type": "string"},
        "timeout_ms": {"type": "integer", "minimum": 1, "maximum": 600000, "default": 10000},
        "directory": {"type": "string"}, "recipient": {"type": "string"}
      }
    },
    "channels": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "order-confirmed": {"type": "array", "items": {"type": "string", "enum": ["email", "sms", "push", "inapp"]}},
        "order-cancelled": {"type": "array", "items": {"type": "string", "enum": ["email", "sms", "push", "inapp"]}},
        "payment-refunded": {"type": "array", "items": {"type": "string", "enum": ["email", "sms", "push", "inapp"]}},
        "shipment-dispatched": {"type": "array",
          "items": {"type": "string", "enum": ["email", "sms", "push", "inapp"]}},
        "shipment-delivered": {"type": "array", "items": {"type": "string", "enum": ["email", "sms", "push", "inapp"]}}
      }
    }
  }
})json";

namespace {

[[noreturn]] void refuse(const std::string& text) {
  throw gantry::failure(GANTRY_INVALID, "notification config: " + text);
}

// Overwrites `into` with the member of this name, if there is one.
void take(gantry::json_view from, std::string_view name, std::string& into) {
  if (const gantry::json_view given = from[name]; given.is_string()) into = given.text();
}

std::chrono::milliseconds timeout_in(gantry::json_view from) {
  return std::chrono::milliseconds(from["timeout_ms"].integer(10'000));
}

smtp_settings read_smtp(gantry::json_view from) {
  smtp_settings out;
  take(from, "host", out.host);
  out.port = static_cast<std::uint16_t>(from["port"].integer(587));
  const std::string_view security = from["security"].text_or("starttls");
  if (security == "none") out.security = smtp_security::none;
  if (security == "tls") out.security = smtp_security::tls;
  take(from, "ca_file", out.ca_file);
  take(from, "username", out.username);
  take(from, "password", out.password);
  take(from, "helo", out.helo);
  out.timeout = timeout_in(from);
  return out;
}

void read_short(gantry::json_view from, short_message_settings& into) {
  take(from, "directory", into.directory);
  take(from, "recipient", into.recipient);
  if (!from["url"].is_string()) return;
  http_settings provider;
  take(from, "url", provider.url);
  take(from, "token", provider.token);
  take(from, "ca_file", provider.ca_file);
  provider.timeout = timeout_in(from);
  into.provider = std::move(provider);
}

std::vector<channel_kind> read_channels(notice about, gantry::json_view list) {
  if (!list) return {channel_kind::email};
  std::vector<channel_kind> out;
  for (const gantry::json_view& entry : list) {
    const auto known = channel_of(entry.text());
    if (!known) {
      refuse("channels." + std::string(name_of(about)) + ": expected email, sms, push or inapp, found " +
             std::string(entry.raw()));
    }
    out.push_back(*known);
  }
  return out;
}

std::unique_ptr<channel> short_channel(const short_message_settings& from) {
  if (from.provider) return std::make_unique<http_channel>(*from.provider);
  return std::make_unique<json_file_channel>(from.directory);
}

}  // namespace

std::string settings::recipient_in(channel_kind channel, std::string_view customer_id) const {
  switch (channel) {
    case channel_kind::email:
      return recipient_of(recipient, customer_id);
    case channel_kind::sms:
      return recipient_of(sms.recipient, customer_id);
    case channel_kind::push:
      return recipient_of(push.recipient, customer_id);
    case channel_kind::inapp:
      return std::string(customer_id);
  }
  return {};
}

settings read_settings(gantry::json_view config) {
  settings out;
  take(config, "default_locale", out.default_locale);
  if (!is_locale(out.default_locale)) refuse("default_locale \"" + out.default_locale + "\" must be like de or de-AT");
  if (const gantry::json_view from = config["from"]; from.is_string()) {
    auto parsed = parse_mailbox(from.text());
    if (!parsed) refuse("from " + std::string(from.raw()) + " must be like \"Shop <orders@shop.example>\"");
    out.from = std::move(*parsed);
  }
  take(config, "recipient", out.recipient);
  take(config, "eml_directory", out.eml_directory);
  if (const gantry::json_view smtp = config["smtp"]; smtp.is_object()) out.smtp = read_smtp(smtp);
  read_short(config["sms"], out.sms);
  read_short(config["push"], out.push);
  for (const notice about : all_notices) {
    out.channels[static_cast<std::size_t>(about)] = read_channels(about, config["channels"][name_of(about)]);
  }
  return out;
}

channel_set channels_from(const settings& from) {
  channel_set out;
  if (from.smtp) {
    out[static_cast<std::size_t>(channel_kind::email)] = std::make_unique<smtp_channel>(*from.smtp, from.from);
  } else {
    out[static_cast<std::size_t>(channel_kind::email)] = std::make_unique<eml_channel>(from.eml_directory, from.from);
  }
  out[static_cast<std::size_t>(channel_kind::sms)] = short_channel(from.sms);
  out[static_cast<std::size_t>(channel_kind::push)] = short_channel(from.push);
  return out;
}

}  // namespace notification
