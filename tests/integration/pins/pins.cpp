// A plugin full of what pins a library that is built without care: inline variables, statics of templates and of inline
// functions, regular expressions and streams out of libstdc++'s headers, exceptions of its own, thread_local data.
#include <gantry/plugin.hpp>

#include <atomic>
#include <functional>
#include <iostream>
#include <locale>
#include <map>
#include <regex>
#include <sstream>

namespace pins {

inline std::atomic<int> built{0};
inline std::map<std::string, int, std::less<>> seen;

template <typename T>
struct counted {
  static inline int count = 0;
  static T& shared() {
    static T value{};
    return value;
  }
};

inline std::string& last_word() {
  static std::string word = "none, and long enough that it needs memory of its own";
  return word;
}

struct own_failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct facet : std::numpunct<char> {
  char do_thousands_sep() const override { return '\''; }
  std::string do_grouping() const override { return "\3"; }
};

thread_local int calls_of_thread = 0;

inline std::string greet(const std::string& text) {
  static const std::regex words("([a-z]+)-([0-9]+)", std::regex::optimize);
  std::smatch found;
  std::ostringstream out;
  out.imbue(std::locale(std::locale::classic(), new facet));
  out << 1234567 << ' ' << ++calls_of_thread;
  if (std::regex_match(text, found, words)) out << ' ' << found[1];
  try {
    throw own_failure(out.str());
  } catch (const std::exception& e) {
    last_word() = e.what();
  }
  ++counted<std::string>::count;
  counted<std::string>::shared() += '.';
  ++seen[last_word()];
  return last_word();
}

class plugin : public gantry::plugin {
 public:
  plugin() { ++built; }
  void setup(gantry::setup& s) override {
    greet("client-12");
    const std::function<std::string(const std::string&)> call = greet;
    call("client-13");
    s.get("/pins/{word}", [](const gantry::request& q, gantry::context&) {
      return gantry::ok({{"said", greet(std::string(q.path("word")))}});
    });
  }
};

}  // namespace pins

using pins_plugin = pins::plugin;
GANTRY_PLUGIN(pins_plugin, "1.0.0")
