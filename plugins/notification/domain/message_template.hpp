// A message in one language: subject, text, HTML and a short form, as written and as compiled.
// Pure. Never changes once made. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/notice.hpp"
#include "domain/template_text.hpp"

namespace notification {

// What a person writes.
struct template_source {
  std::string subject;
  std::string text;
  std::string html;   // may be empty: the mail then has a text only
  std::string brief;  // one line, for SMS, push and the inbox
};

// What is wrong, and in which of the four.
struct template_error {
  std::string field;  // "subject", "text", "html" or "short"
  std::string text;
};

struct rendered {
  std::string subject;
  std::string text;
  std::string html;
  std::string brief;
};

class message_template {
 public:
  // Compiles all four. Nothing, and every reason in `errors`, when one can't be used.
  static std::optional<message_template> compile(notice about, std::string_view locale, std::int64_t version,
                                                 template_source source, std::vector<template_error>& errors);

  notice about() const { return about_; }
  const std::string& locale() const { return locale_; }
  std::int64_t version() const { return version_; }
  const template_source& source() const { return source_; }

  // The same template under another version.
  message_template numbered(std::int64_t version) const;

  // The message for this event; nothing if the event lacks a variable, whose name is then in `missing`.
  std::optional<rendered> render(gantry::json_view event, std::string& missing) const;
  // Only the short form.
  std::optional<std::string> render_brief(gantry::json_view event, std::string& missing) const;

 private:
  notice about_ = notice::order_confirmed;
  std::string locale_;
  std::int64_t version_ = 1;
  template_source source_;
  money_style style_;
  template_text subject_;
  template_text text_;
  template_text html_;
  template_text brief_;
};

// True for a language tag of the form "de" or "de-AT".
bool is_locale(std::string_view text);

// The templates that a shop has before anybody writes one: all notices in English and German, as version 1.
struct built_in_template {
  notice about;
  std::string_view locale;
  template_source source;
};
std::vector<built_in_template> built_in_templates();

}  // namespace notification
