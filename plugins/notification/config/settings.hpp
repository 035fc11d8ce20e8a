// The plugin's configuration as values. Read once at start; never changes afterwards. Thread: any.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gantry/json.hpp>

#include "channels/channel.hpp"
#include "domain/mime.hpp"
#include "domain/notice.hpp"
#include "provider/http_channel.hpp"
#include "smtp/smtp_channel.hpp"

namespace notification {

// The JSON Schema of the configuration.
extern const std::string_view settings_schema;

// Where a kind of short message goes: to a provider, or into files.
struct short_message_settings {
  std::optional<http_settings> provider;
  std::string directory;
  std::string recipient;
};

struct settings {
  std::string default_locale = "en";
  mailbox from{"Gantry Shop", "orders@shop.example"};
  std::string recipient = "{customerId}@customers.example";
  std::string eml_directory = "data/mail";
  std::optional<smtp_settings> smtp;
  short_message_settings sms{{}, "data/sms", "{customerId}"};
  short_message_settings push{{}, "data/push", "{customerId}"};
  // By which channels each notice goes out; the inbox shows the first.
  std::array<std::vector<channel_kind>, all_notices.size()> channels;

  const std::vector<channel_kind>& channels_of(notice about) const { return channels[static_cast<std::size_t>(about)]; }
  // The customer's address in a channel.
  std::string recipient_in(channel_kind channel, std::string_view customer_id) const;
};

// Throws gantry::failure INVALID, naming the field, for what the schema can't say.
settings read_settings(gantry::json_view config);

// What carries messages, by channel_kind; null for the inbox, which needs no carrier.
using channel_set = std::array<std::unique_ptr<channel>, 4>;
channel_set channels_from(const settings& from);

}  // namespace notification
