// Prometheus text format 0.0.4.
#include <array>
#include <charconv>
#include <cmath>

#include "observability/content.hpp"
#include "observability/metrics.hpp"

namespace gantry::observability {
namespace {

// The shortest text that reads back as the same number.
void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    out.append(text.data(), end);
  }
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (quotes && c == '"') {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

// name{a="b",le="0.1"}; without braces when there is nothing inside.
void append_series(std::string& out, std::string_view name, const labels& with, std::string_view le) {
  out += name;
  if (!with.empty() || !le.empty()) {
    char before = '{';
    for (const auto& [label_name, value] : with) {
      out += before;
      out += label_name;
      out += "=\"";
      append_escaped(out, value, true);
      out += '"';
      before = ',';
    }
    if (!le.empty()) {
      out += before;
      out.append("le=\"").append(le).append("\"");
    }
    out += '}';
  }
  out += ' ';
}

void append_histogram(std::string& out, const std::string& name, const labels& with, const histogram_counts& counts) {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i <= bucket_bounds_ns.size(); ++i) {
    below += counts.buckets[i];
    std::string le;
    if (i == bucket_bounds_ns.size()) {
      le = "+Inf";
    } else {
      append_number(le, static_cast<double>(bucket_bounds_ns[i]) / 1e9);
    }
    append_series(out, name + "_bucket", with, le);
    out += std::to_string(below) + '\n';
  }
  append_series(out, name + "_sum", with, {});
  append_number(out, static_cast<double>(counts.sum_ns) / 1e9);
  out += '\n';
  append_series(out, name + "_count", with, {});
  out += std::to_string(counts.count) + '\n';
}

}  // namespace

std::string registry::exposition() const {
  std::string out;
  const std::lock_guard lock(content_->mutex);
  for (const auto& [name, named] : content_->families) {
    out.append("# HELP ").append(name).append(" ");
    append_escaped(out, named.help, false);
    out.append("\n# TYPE ").append(name).append(" ").append(type_name(named.type)).append("\n");
    for (const auto& [with, one] : named.all) {
      if (named.type == metric_type::histogram) {
        append_histogram(out, name, with, one.distribution ? one.distribution->counts() : histogram_counts{});
        continue;
      }
      append_series(out, name, with, {});
      append_number(out, value_of(one));
      out += '\n';
    }
  }
  return out;
}

}  // namespace gantry::observability
