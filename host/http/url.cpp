#include "http/url.hpp"

#include <algorithm>

#include "base/uri.hpp"
#include "base/utf8.hpp"

namespace gantry::http {
namespace {

error bad(std::string_view text, std::string_view why) {
  return {errc::invalid, "found '" + std::string(text.substr(0, 100)) + "': " + std::string(why)};
}

bool has_control(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

result<path> parse_path(std::string_view raw) {
  if (raw.empty() || raw.front() != '/') return bad(raw, "a path must begin with '/'");
  path out;
  for (std::string_view left = raw; !left.empty();) {
    left.remove_prefix(1);
    const auto end = left.find('/');
    auto segment = percent_decode(left.substr(0, end));
    if (!segment) return std::move(segment).failure();
    left = end == std::string_view::npos ? std::string_view{} : left.substr(end);
    if (segment->empty() && !left.empty()) return bad(raw, "a path must not have empty segments");
    if (*segment == "." || *segment == "..") return bad(raw, "a path must not have dot segments");
    if (segment->find_first_of("/\\") != std::string::npos) return bad(raw, "a segment must not contain '/' or '\\'");
    if (has_control(*segment) || !is_utf8(*segment)) return bad(raw, "a path must be UTF-8 without control characters");
    out.text += '/';
    out.text += *segment;
    if (raw.size() > 1) out.segments.push_back(std::move(*segment));
  }
  return out;
}

}  // namespace gantry::http
