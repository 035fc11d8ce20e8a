#include "domain/search.hpp"

namespace catalog {
namespace {

constexpr std::size_t max_words = 16;
constexpr std::size_t max_word_bytes = 64;

bool is_word_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Cuts at a character, not inside one.
std::string_view shorten(std::string_view word) {
  if (word.size() <= max_word_bytes) return word;
  std::size_t end = max_word_bytes;
  while (end > 0 && (static_cast<unsigned char>(word[end]) & 0xC0U) == 0x80U) --end;
  return word.substr(0, end);
}

}  // namespace

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> found;
  std::size_t begin = 0;
  while (begin < text.size() && found.size() < max_words) {
    std::size_t end = begin;
    while (end < text.size() && is_word_char(text[end])) ++end;
    if (end > begin) found.emplace_back(shorten(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return found;
}

std::string fts5_query(const std::vector<std::string>& of) {
  std::string out;
  for (const std::string& word : of) out.append(out.empty() ? "\"" : " \"").append(word).append("\"*");
  return out;
}

std::string tsquery(const std::vector<std::string>& of) {
  std::string out;
  for (const std::string& word : of) out.append(out.empty() ? "'" : " & '").append(word).append("':*");
  return out;
}

}  // namespace catalog
