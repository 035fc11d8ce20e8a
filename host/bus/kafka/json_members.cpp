#include "bus/kafka/json_members.hpp"

namespace gantry::bus::kafka {

member_reader::member_reader(std::string_view text) : text_(text) {
  skip_spaces();
  if (!take('{')) ended_ = true;
}

bool member_reader::next_name(std::string_view& name) {
  if (ended_) return false;
  skip_spaces();
  if (take('}')) {
    skip_spaces();
    ended_ = true;
    sound_ = at_ == text_.size();
    return false;
  }
  const bool comma = first_ || take(',');
  first_ = false;
  skip_spaces();
  const bool named = comma && take_string(name);
  skip_spaces();
  if (!named || !take(':')) {
    ended_ = true;
    return false;
  }
  skip_spaces();
  return true;
}

bool member_reader::next(std::string_view& name, std::string_view& value) {
  if (!next_name(name)) return false;
  ended_ = !take_value(value);
  return !ended_;
}

void member_reader::skip_spaces() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
    ++at_;
}

bool member_reader::take(char expected) {
  if (at_ >= text_.size() || text_[at_] != expected) return false;
  ++at_;
  return true;
}

bool member_reader::take_string(std::string_view& inside) {
  if (!take('"')) return false;
  const std::size_t from = at_;
  for (; at_ < text_.size(); ++at_) {
    if (text_[at_] == '\\') {
      ++at_;
    } else if (text_[at_] == '"') {
      inside = text_.substr(from, at_ - from);
      ++at_;
      return true;
    }
  }
  return false;
}

bool member_reader::take_value(std::string_view& value) {
  const std::size_t from = at_;
  std::size_t depth = 0;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      std::string_view ignored;
      if (!take_string(ignored)) return false;
      if (depth == 0) break;
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t')) break;
    if (c == ']' || c == '}') {
      if (depth == 0) return false;
      ++at_;
      if (--depth == 0) break;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    ++at_;
  }
  value = text_.substr(from, at_ - from);
  return depth == 0 && !value.empty();
}

std::string_view string_inside(std::string_view value) noexcept {
  return value.size() >= 2 && value.front() == '"' ? value.substr(1, value.size() - 2) : std::string_view();
}

}  // namespace gantry::bus::kafka
