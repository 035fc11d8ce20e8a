// Writes a mail as RFC 5322 and MIME ask for it: headers in ASCII, bodies quoted-printable, lines ended by CRLF.
// Pure: the same mail gives the same bytes, so that sending it again is recognised as a repetition. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace notification {

struct mailbox {
  std::string name;  // UTF-8; may be empty
  std::string address;
};

// "Gantry Shop <orders@shop.example>" or "orders@shop.example". Nothing if the address could not be used in a header or
// an SMTP command.
std::optional<mailbox> parse_mailbox(std::string_view text);

// True for a plain local@domain without spaces, quotes, brackets or control characters.
bool is_address(std::string_view text);

struct mail {
  std::string id;  // of the notification; makes the Message-ID
  mailbox from;
  std::string to;
  std::string subject;
  std::string text;
  std::string html;        // may be empty
  std::int64_t at_us = 0;  // since 1970
};

// The whole message.
std::string write_mail(const mail& m);

// "<id@domain of the sender>"
std::string message_id_of(const mail& m);

// RFC 2047: as it is if it is ASCII and short enough, else encoded words, folded.
std::string encode_header_text(std::string_view text, std::size_t first_column);

// RFC 2045, with CRLF line ends; any of \n and \r\n in the text is a line end.
std::string quoted_printable(std::string_view text);

// "Thu, 01 Jan 2026 12:00:00 +0000"
std::string mail_date(std::int64_t at_us);

std::string base64(std::string_view bytes);

}  // namespace notification
