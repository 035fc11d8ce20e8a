// Signatures of webhooks: HMAC-SHA256 over "<timestamp>.<body>", in lower-case hexadecimal digits. Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace shop::payment {

// The signature of a message.
std::string sign_webhook(std::string_view secret, std::string_view timestamp, std::string_view body);

// Whether the signature is that of the message; takes the same time wherever they differ.
bool verify_webhook(std::string_view secret, std::string_view timestamp, std::string_view body,
                    std::string_view signature);

}  // namespace shop::payment
