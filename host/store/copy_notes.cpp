#include <algorithm>
#include <sstream>

#include "store/copy.hpp"

namespace gantry::store {
namespace {

constexpr std::string_view mark = "-- gantry:";

std::vector<std::string> words_of(std::string_view line) {
  std::string text(line);
  std::replace(text.begin(), text.end(), ',', ' ');
  std::istringstream from(text);
  std::vector<std::string> out;
  for (std::string word; from >> word;) out.push_back(std::move(word));
  return out;
}

bool read_note(std::string_view line, copy_notes& out) {
  const auto words = words_of(line);
  if (words.size() >= 2 && words[0] == "derived") {
    out.derived.insert(words.begin() + 1, words.end());
    return true;
  }
  if (words.size() != 4 || words[0] != "sequence" || words[2] != "numbers") return false;
  const auto dot = words[3].find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == words[3].size()) return false;
  out.sequences.push_back({words[1], words[3].substr(0, dot), words[3].substr(dot + 1)});
  return true;
}

}  // namespace

result<copy_notes> read_copy_notes(std::span<const migration> steps) {
  copy_notes out;
  for (const auto& step : steps) {
    std::istringstream lines(step.sql);
    for (std::string line; std::getline(lines, line);) {
      const auto from = line.find_first_not_of(" \t");
      if (from == std::string::npos || line.compare(from, mark.size(), mark) != 0) continue;
      if (!read_note(std::string_view(line).substr(from + mark.size()), out))
        return error{errc::invalid, "migration " + std::to_string(step.number) + " (" + step.name + "): \"" + line +
                                        "\": expected \"-- gantry: derived TABLE, TABLE\" or \"-- gantry: sequence NAME"
                                        " numbers TABLE.COLUMN\""};
    }
  }
  return out;
}

}  // namespace gantry::store
