#include "supervisor/output.hpp"

#include <algorithm>

#include "base/json_members.hpp"

namespace gantry::supervisor {
namespace {

std::string padded(std::string name, std::size_t width) {
  name.resize(std::max(width, name.size()), ' ');
  return name + " | ";
}

std::string member(const std::string& name) {
  std::string out;
  append_member(out, "host", name);
  return out;
}

}  // namespace

named_lines::named_lines(const std::string& name, std::size_t width)
    : prefix_(padded(name, width)), member_(member(name)) {}

void named_lines::append(std::string_view line, std::string& out) const {
  if (line.starts_with("{\"")) {
    out.append("{").append(member_).append(",").append(line.substr(1));
  } else {
    out.append(prefix_).append(line);
  }
  out += '\n';
}

void named_lines::feed(std::string_view bytes, std::string& out) {
  for (;;) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) break;
    rest_.append(bytes.substr(0, end));
    append(rest_, out);
    rest_.clear();
    bytes.remove_prefix(end + 1);
  }
  rest_.append(bytes);
  while (rest_.size() > longest_line) {
    append(std::string_view(rest_).substr(0, longest_line), out);
    rest_.erase(0, longest_line);
  }
}

void named_lines::end(std::string& out) {
  if (!rest_.empty()) append(rest_, out);
  rest_.clear();
}

}  // namespace gantry::supervisor
