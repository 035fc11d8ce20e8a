#include "domain/template_text.hpp"

#include <algorithm>
#include <utility>

namespace notification {
namespace {

void escape_into(std::string& out, std::string_view text, escape how) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  const auto stands = [&](char c) {
    if (is_control(c)) return how != escape::line && (c == '\n' || c == '\t');
    return how != escape::html || (c != '&' && c != '<' && c != '>' && c != '"' && c != '\'');
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t run = i;
    while (i < text.size() && stands(text[i])) ++i;
    out.append(text, run, i - run);
    if (i == text.size()) return;
    switch (text[i]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (how == escape::line) out += ' ';
    }
  }
}

// ISO 4217: most currencies have two decimals.
std::size_t decimals_of(std::string_view currency) {
  constexpr std::string_view none[] = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW",
                                       "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"};
  constexpr std::string_view three[] = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};
  if (std::ranges::binary_search(none, currency)) return 0;
  return std::ranges::binary_search(three, currency) ? 3 : 2;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

money_style money_style_of(std::string_view locale) {
  const std::string_view language = locale.substr(0, locale.find('-'));
  constexpr std::string_view with_point[] = {"en", "ja", "zh", "ko", "th", "he"};
  return {std::ranges::find(with_point, language) != std::end(with_point) ? '.' : ','};
}

std::string format_money(std::int64_t minor_units, std::string_view currency, money_style style) {
  const bool negative = minor_units < 0;
  // Negated as unsigned, because the smallest int64_t has no positive counterpart.
  const auto amount = negative ? 0 - static_cast<std::uint64_t>(minor_units) : static_cast<std::uint64_t>(minor_units);
  std::string out = std::to_string(amount);
  const std::size_t decimals = decimals_of(currency);
  if (decimals > 0) {
    if (out.size() <= decimals) out.insert(0, decimals + 1 - out.size(), '0');
    out.insert(out.size() - decimals, 1, style.decimal);
  }
  if (negative) out.insert(0, 1, '-');
  return out.append(" ").append(currency);
}

class template_text::compiler {
 public:
  compiler(std::string_view source, std::span<const variable> known, std::vector<template_fault>& faults)
      : source_(source), faults_(faults) {
    scopes_.push_back({{}, 0, known});
  }

  std::vector<node> run() {
    while (at_ < source_.size()) {
      const std::size_t open = source_.find("{{", at_);
      text(source_.substr(at_, open - at_));
      if (open == std::string_view::npos) break;
      const std::size_t close = source_.find("}}", open);
      at_ = open;
      if (close == std::string_view::npos) {
        fault("{{ is never closed by }}");
        break;
      }
      tag(trimmed(source_.substr(open + 2, close - open - 2)));
      at_ = close + 2;
    }
    at_ = source_.size();
    if (scopes_.size() > 1)
      fault("{{#" + scopes_.back().name + "}} is never closed by {{/" + scopes_.back().name + "}}");
    return std::move(nodes_);
  }

 private:
  struct scope {
    std::string name;
    std::size_t node = 0;
    std::span<const variable> known;
  };

  void text(std::string_view piece) {
    if (!piece.empty()) nodes_.push_back({kind::text, std::string(piece), 0});
  }

  void tag(std::string_view inside) {
    if (inside.starts_with('#')) return open_section(trimmed(inside.substr(1)));
    if (inside.starts_with('/')) return close_section(trimmed(inside.substr(1)));
    const std::size_t bar = inside.find('|');
    const std::string_view name = trimmed(inside.substr(0, bar));
    const variable* found = find(name);
    if (found == nullptr) return;
    if (found->type == variable_type::list)
      return fault("{{" + std::string(name) + "}} is a list: use {{#" + std::string(name) + "}}");
    if (bar == std::string_view::npos) {
      nodes_.push_back({kind::value, std::string(name), 0});
      return;
    }
    const std::string_view filter = trimmed(inside.substr(bar + 1));
    if (filter != "money") return fault("there is no filter \"" + std::string(filter) + "\"; the only one is money");
    if (found->type != variable_type::money) return fault("{{" + std::string(name) + "}} is not an amount of money");
    nodes_.push_back({kind::money, std::string(name), 0});
  }

  void open_section(std::string_view name) {
    const variable* found = find(name);
    if (found != nullptr && found->type != variable_type::list && found->type != variable_type::boolean) {
      fault("{{#" + std::string(name) + "}} must name a list or a boolean");
    }
    scopes_.push_back({std::string(name), nodes_.size(), found == nullptr ? std::span<const variable>{} : found->item});
    nodes_.push_back({kind::section, std::string(name), 0});
  }

  void close_section(std::string_view name) {
    if (scopes_.size() == 1 || scopes_.back().name != name) {
      return fault("{{/" + std::string(name) + "}} closes no open section");
    }
    nodes_.push_back({kind::end, {}, 0});
    nodes_[scopes_.back().node].after = nodes_.size();
    scopes_.pop_back();
  }

  // Looks from the inside out. Complains and returns null if there is no such name.
  const variable* find(std::string_view name) {
    for (std::size_t i = scopes_.size(); i-- > 0;) {
      for (const variable& candidate : scopes_[i].known) {
        if (candidate.name == name) return &candidate;
      }
    }
    std::string text = "there is no variable \"" + std::string(name) + "\" here; there are";
    for (const scope& outer : scopes_) {
      for (const variable& candidate : outer.known) text.append(" ").append(candidate.name);
    }
    fault(std::move(text));
    return nullptr;
  }

  void fault(std::string text) {
    const std::string_view before = source_.substr(0, at_);
    const auto lines = static_cast<std::size_t>(std::ranges::count(before, '\n'));
    const std::size_t last = before.rfind('\n');
    faults_.push_back({lines + 1, last == std::string_view::npos ? at_ + 1 : at_ - last, std::move(text)});
  }

  std::string_view source_;
  std::vector<template_fault>& faults_;
  std::size_t at_ = 0;
  std::vector<scope> scopes_;
  std::vector<node> nodes_;
};

class template_text::renderer {
 public:
  renderer(const template_text& of, gantry::json_view event, money_style style, std::string& out, std::string& missing)
      : of_(of), event_(event), style_(style), out_(out), missing_(missing) {}

  // Renders the nodes from `at` up to `end`; names are looked up in `item` first.
  bool run(std::size_t at, std::size_t end, gantry::json_view item) {
    while (at < end) {
      const node& here = of_.nodes_[at];
      if (here.what == kind::section) {
        if (!section(here, at, item)) return false;
        at = here.after;
        continue;
      }
      if (!one(here, item)) return false;
      ++at;
    }
    return true;
  }

 private:
  bool section(const node& here, std::size_t at, gantry::json_view item) {
    const gantry::json_view over = find(here.text, item);
    if (!over) return lack(here.text);
    if (over.is_array()) {
      for (const gantry::json_view& entry : over) {
        if (!run(at + 1, here.after - 1, entry)) return false;
      }
      return true;
    }
    return !over.boolean() || run(at + 1, here.after - 1, item);
  }

  bool one(const node& here, gantry::json_view item) {
    if (here.what == kind::text) {
      out_ += here.text;
      return true;
    }
    if (here.what == kind::end) return true;
    const gantry::json_view value = find(here.text, item);
    if (!value || value.is_null()) return lack(here.text);
    if (here.what == kind::money) {
      const gantry::json_view currency = find("currency", item);
      if (!currency.is_string()) return lack("currency");
      escape_into(out_, format_money(value.integer(), currency.text(), style_), of_.escape_);
    } else {
      escape_into(out_, value.is_string() ? value.text() : value.raw(), of_.escape_);
    }
    return true;
  }

  gantry::json_view find(std::string_view name, gantry::json_view item) const {
    if (const gantry::json_view inner = item[name]) return inner;
    return event_[name];
  }

  bool lack(std::string_view name) {
    missing_ = name;
    return false;
  }

  const template_text& of_;
  gantry::json_view event_;
  money_style style_;
  std::string& out_;
  std::string& missing_;
};

std::optional<template_text> template_text::compile(std::string_view source, escape how,
                                                    std::span<const variable> known,
                                                    std::vector<template_fault>& faults) {
  const std::size_t before = faults.size();
  template_text out;
  out.escape_ = how;
  out.nodes_ = compiler(source, known, faults).run();
  if (faults.size() > before) return std::nullopt;
  return out;
}

bool template_text::render(gantry::json_view event, money_style style, std::string& out, std::string& missing) const {
  return renderer(*this, event, style, out, missing).run(0, nodes_.size(), {});
}

}  // namespace notification
