#include "topology/document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>

namespace gantry::topology {
namespace {

constexpr std::size_t most_nodes = 100'000;

// Inside [ ] and { } YAML ends a plain scalar at the characters below, but {plugin} and ${...} are written there
// without quotes. So inside of those two each is swapped for a control character, one column wide like itself, before
// YAML sees the text, and swapped back in the scalars.
constexpr std::string_view special = "{},[]";
constexpr std::string_view stand_in = "\x01\x02\x03\x05\x06";

void swap_each(std::string& text, std::size_t from, std::size_t to, std::string_view these, std::string_view those) {
  for (std::size_t i = from; i < to; ++i) {
    const std::size_t which = these.find(text[i]);
    if (which != std::string_view::npos) text[i] = those[which];
  }
}

std::string guarded(std::string text) {
  constexpr std::string_view plugin = "{plugin}";
  for (std::size_t at = text.find('{'); at != std::string::npos; at = text.find('{', at + 1)) {
    std::size_t end = at;
    if (text.compare(at, plugin.size(), plugin) == 0) {
      end = at + plugin.size();
    } else if (at > 0 && text[at - 1] == '$') {
      end = text.find_first_of("}\n", at);
      end = end == std::string::npos || text[end] == '\n' ? at : end + 1;
    }
    swap_each(text, at, end, special, stand_in);
  }
  return text;
}

std::string unguarded(std::string text) {
  swap_each(text, 0, text.size(), stand_in, special);
  return text;
}

// Where the first control character stands that no text file should have; also one that guarded() uses.
bool find_control(std::string_view text, location& where) {
  where = {1, 1};
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') return true;
    where = c == '\n' ? location{where.line + 1, 1} : location{where.line, where.column + 1};
  }
  return false;
}

location place_of(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

struct refused {
  location at;
  std::string text;
};

std::size_t count_of(const yaml_node& node) {
  std::size_t count = 1;
  for (const auto& item : node.items) count += count_of(item);
  for (const auto& [key, value] : node.map) count += count_of(key) + count_of(value);
  return count;
}

// Builds the tree from the parser's events. Events, not nodes: only they tell every key of a map and let aliases
// be counted before they unfold.
class tree_builder final : public YAML::EventHandler {
 public:
  yaml_node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    leaf({yaml_node::kind::null, place_of(mark), false, {}, {}, {}}, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw refused{place_of(mark), "an alias inside the value that it names"};
    count(mark, count_of(found->second));
    place(found->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    leaf({yaml_node::kind::scalar, place_of(mark), tag != "?", unguarded(value), {}, {}}, anchor, mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(yaml_node::kind::list, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(yaml_node::kind::map, mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct frame {
    yaml_node node;
    YAML::anchor_t anchor;
    bool has_key = false;
    yaml_node key;
  };

  void count(const YAML::Mark& mark, std::size_t more) {
    nodes_ += more;
    if (nodes_ > most_nodes) throw refused{place_of(mark), "more than 100000 values, aliases unfolded"};
  }

  void leaf(yaml_node node, YAML::anchor_t anchor, const YAML::Mark& mark = YAML::Mark::null_mark()) {
    count(mark, 1);
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    place(std::move(node));
  }

  void open(yaml_node::kind what, const YAML::Mark& mark, YAML::anchor_t anchor) {
    count(mark, 1);
    stack_.push_back({{what, place_of(mark), false, {}, {}, {}}, anchor, false, {}});
  }

  void close() {
    frame done = std::move(stack_.back());
    stack_.pop_back();
    if (done.anchor != YAML::NullAnchor) anchors_[done.anchor] = done.node;
    place(std::move(done.node));
  }

  void place(yaml_node node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    frame& top = stack_.back();
    if (top.node.what == yaml_node::kind::list) {
      top.node.items.push_back(std::move(node));
    } else if (!top.has_key) {
      top.key = std::move(node);
      top.has_key = true;
    } else {
      top.node.map.emplace_back(std::move(top.key), std::move(node));
      top.has_key = false;
    }
  }

  yaml_node root_;
  std::vector<frame> stack_;
  std::map<YAML::anchor_t, yaml_node> anchors_;
  std::size_t nodes_ = 0;
};

}  // namespace

scalar_type type_of(std::string_view plain) noexcept {
  if (plain.empty() || plain == "~" || plain == "null" || plain == "Null" || plain == "NULL") return scalar_type::null;
  if (plain == "true" || plain == "false") return scalar_type::boolean;
  std::string_view digits = plain;
  if (digits.front() == '-' || digits.front() == '+') digits.remove_prefix(1);
  if (digits.empty() || digits.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return scalar_type::text;
  // A leading zero marks a code, not a number: 007, 01234.
  if (digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9') return scalar_type::text;
  if (std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return scalar_type::integer;
  if (digits.front() < '0' || digits.front() > '9' || digits.back() < '0' || digits.back() > '9') {
    return scalar_type::text;
  }
  double value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return code == std::errc{} && end == digits.data() + digits.size() ? scalar_type::real : scalar_type::text;
}

result<yaml_node> read_document(const std::string& text, location& where) {
  if (find_control(text, where)) return error{errc::invalid, "a control character"};
  where = {1, 1};
  try {
    std::istringstream stream(guarded(text));
    YAML::Parser parser(stream);
    tree_builder builder;
    parser.HandleNextDocument(builder);
    yaml_node root = builder.take();
    tree_builder second;
    if (parser.HandleNextDocument(second)) {
      where = second.take().at;
      return error{errc::invalid, "a second document in the file"};
    }
    return root;
  } catch (const YAML::Exception& failure) {
    where = place_of(failure.mark);
    return error{errc::invalid, "text that is not YAML (" + failure.msg + ")"};
  } catch (const refused& failure) {
    where = failure.at;
    return error{errc::invalid, failure.text};
  }
}

}  // namespace gantry::topology
