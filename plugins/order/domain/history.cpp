#include "domain/history.hpp"

#include <charconv>

namespace shop::order {
namespace {

std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

}  // namespace

std::string history_text(std::int64_t at_us, const std::vector<order_status>& passed, std::string_view cause,
                         std::string_view event_id) {
  std::string text;
  text.reserve(passed.size() * (40 + cause.size() + event_id.size()));
  const std::string at = std::to_string(at_us);
  for (const order_status status : passed) {
    text.append(at).append(1, ' ').append(name_of(status)).append(1, ' ').append(cause);
    text.append(1, ' ').append(event_id).append(1, '\n');
  }
  return text;
}

std::vector<history_entry> read_history(std::string_view text) {
  std::vector<history_entry> entries;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    history_entry entry;
    const std::string_view at = take_until(line, ' ');
    entry.status = take_until(line, ' ');
    entry.cause = take_until(line, ' ');
    entry.event_id = line;
    const auto parsed = std::from_chars(at.data(), at.data() + at.size(), entry.at_us);
    if (parsed.ec == std::errc{} && !entry.cause.empty()) entries.push_back(entry);
  }
  return entries;
}

}  // namespace shop::order
