#include "domain/message_template.hpp"

#include <utility>

namespace notification {

std::optional<message_template> message_template::compile(notice about, std::string_view locale, std::int64_t version,
                                                          template_source source, std::vector<template_error>& errors) {
  message_template out;
  out.about_ = about;
  out.locale_ = locale;
  out.version_ = version;
  out.style_ = money_style_of(locale);
  const std::size_t before = errors.size();
  const auto part = [&](std::string_view field, const std::string& text, escape how, template_text& into) {
    std::vector<template_fault> faults;
    if (auto compiled = template_text::compile(text, how, variables_of(about), faults)) into = std::move(*compiled);
    for (const template_fault& fault : faults) {
      errors.push_back({std::string(field), "line " + std::to_string(fault.line) + ", column " +
                                                std::to_string(fault.column) + ": " + fault.text});
    }
  };
  part("subject", source.subject, escape::line, out.subject_);
  part("text", source.text, escape::plain, out.text_);
  part("html", source.html, escape::html, out.html_);
  part("short", source.brief, escape::line, out.brief_);
  if (errors.size() > before) return std::nullopt;
  out.source_ = std::move(source);
  return out;
}

message_template message_template::numbered(std::int64_t version) const {
  message_template out = *this;
  out.version_ = version;
  return out;
}

std::optional<rendered> message_template::render(gantry::json_view event, std::string& missing) const {
  rendered out;
  const bool complete =
      subject_.render(event, style_, out.subject, missing) && text_.render(event, style_, out.text, missing) &&
      html_.render(event, style_, out.html, missing) && brief_.render(event, style_, out.brief, missing);
  if (!complete) return std::nullopt;
  return out;
}

std::optional<std::string> message_template::render_brief(gantry::json_view event, std::string& missing) const {
  std::string out;
  if (!brief_.render(event, style_, out, missing)) return std::nullopt;
  return out;
}

bool is_locale(std::string_view text) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (text.size() != 2 && text.size() != 5) return false;
  if (!lower(text[0]) || !lower(text[1])) return false;
  return text.size() == 2 || (text[2] == '-' && upper(text[3]) && upper(text[4]));
}

}  // namespace notification
