// Turns what a person typed into a full-text query that can't be anything but words.
// Pure. Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace catalog {

// The words of a text, at most 16 of at most 64 bytes: ASCII letters and digits and everything beyond ASCII. All
// operators of the search engines are outside of that.
std::vector<std::string> words(std::string_view text);

// All words must occur, each as the beginning of a word. Empty when there are no words.
std::string fts5_query(const std::vector<std::string>& of);  // SQLite: "red"* "lamp"*
std::string tsquery(const std::vector<std::string>& of);     // PostgreSQL: 'red':* & 'lamp':*

}  // namespace catalog
