// Text in columns for terminals. What comes from stored events is cleaned: no control character reaches the terminal.
// Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gantry::cli {

class table {
 public:
  explicit table(std::vector<std::string> titles) { add(std::move(titles)); }

  void add(std::vector<std::string> cells);
  // Each column as wide as its widest cell, the last one as it is.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// Control characters as escapes; "-" for nothing.
std::string printable(std::string_view text);

}  // namespace gantry::cli
