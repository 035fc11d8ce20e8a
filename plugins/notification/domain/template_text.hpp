// The template language, compiled once and rendered many times.
//
//   {{orderId}}                    a variable, escaped for where it stands
//   {{total|money}}                minor units in the currency of the event: "21.90 EUR"
//   {{#lines}}...{{/lines}}        once for each entry of a list; its names come before those outside
//   {{#full}}...{{/full}}          once if a boolean is true
//
// There is no way to switch escaping off. Pure. Thread: compiled texts are const: any.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gantry/json.hpp>

#include "domain/notice.hpp"

namespace notification {

enum class escape {
  html,   // & < > " ' become references
  plain,  // control characters but line breaks are left out
  line,   // and line breaks become spaces: for header fields and short messages
};

// Why a template can't be used. Line and column count from 1.
struct template_fault {
  std::size_t line = 1;
  std::size_t column = 1;
  std::string text;
};

// Decimal separator and the like.
struct money_style {
  char decimal = '.';
};
money_style money_style_of(std::string_view locale);

// "21.90 EUR"; the number of decimals is the currency's.
std::string format_money(std::int64_t minor_units, std::string_view currency, money_style style);

class template_text {
 public:
  template_text() = default;

  // Compiles for events that have these variables. Nothing, and the reasons in `faults`, when the text is malformed or
  // uses what is not there.
  static std::optional<template_text> compile(std::string_view source, escape how, std::span<const variable> known,
                                              std::vector<template_fault>& faults);

  // Appends the text for this event. False if the event lacks a variable; its name is then in `missing`.
  bool render(gantry::json_view event, money_style style, std::string& out, std::string& missing) const;

 private:
  enum class kind : std::uint8_t { text, value, money, section, end };
  struct node {
    kind what = kind::text;
    std::string text;       // or the variable's name
    std::size_t after = 0;  // of a section: the node after its end
  };
  class compiler;
  class renderer;

  escape escape_ = escape::html;
  std::vector<node> nodes_;
};

}  // namespace notification
