// Goes through the members of a JSON object without copying or building anything: what a driver needs to know of a
// document that it hands on as it is.
// Thread: any.
#pragma once

#include <cstddef>
#include <string_view>

namespace gantry::bus::kafka {

// Reads one object, member by member. Finds where values end; doesn't check what is inside them.
class member_reader {
 public:
  explicit member_reader(std::string_view text);

  // The next member: its name without quotes and its value as written, both as they stand in the text. False at the
  // end, and when the text is not an object or breaks off.
  bool next(std::string_view& name, std::string_view& value);

  // The two halves of next(): the name, and then what stands behind its colon, to the end of the text.
  bool next_name(std::string_view& name);
  std::string_view remaining() const noexcept { return text_.substr(at_); }

  // After next() has returned false: true when the whole text was one object.
  bool sound() const noexcept { return sound_; }

 private:
  void skip_spaces();
  bool take(char expected);
  bool take_string(std::string_view& inside);
  bool take_value(std::string_view& value);

  std::string_view text_;
  std::size_t at_ = 0;
  bool first_ = true;
  bool ended_ = false;
  bool sound_ = false;
};

// What stands between the quotes of a JSON string, escapes left as they are; empty when the value is no string.
std::string_view string_inside(std::string_view value) noexcept;

}  // namespace gantry::bus::kafka
