// Names: which are well formed, and which one somebody probably meant.
// Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gantry::topology {

// The candidate with the fewest edits (insert, delete, replace, swap of neighbours; case counts little), if that
// is close enough to be a slip: at most a third of the longer word. Empty when none is.
std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates);

// `did you mean "order"?`, or empty when no candidate is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

// `a, b or c`; "none" for an empty list.
std::string listed(const std::vector<std::string>& names);

// Lower case, digits and '-'; begins with a letter; at most 63 characters.
bool is_plugin_id(std::string_view id) noexcept;

// Letters, digits, '.', '_' and '-'; at most 63 characters. Names of processes add a sign that is none of these.
bool is_host_name(std::string_view name) noexcept;

// As Kafka has it: letters, digits, '.', '_' and '-'; at most 249 characters; neither "." nor "..".
bool is_topic_name(std::string_view name) noexcept;

}  // namespace gantry::topology
