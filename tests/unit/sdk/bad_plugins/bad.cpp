// A plugin with one fault, chosen by a definition, for the check of gantry-manifest.
#include <atomic>
#include <gantry/plugin.hpp>
#include <string>

class bad : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override {
#if defined(CHANGES)
    // Another declaration each time.
    static std::atomic<int> times{0};
    s.calls("plugin-" + std::to_string(times++));
#endif
#if defined(PINNED)
    thread_local std::string kept = "until the thread ends";
    s.calls(kept.size() > 3 ? "one" : "two");
#endif
#if defined(FAILS)
    s.get("no-slash", [](const gantry::request&, gantry::context&) -> gantry::reply { return gantry::no_content(); });
    throw gantry::failure(GANTRY_INVALID, "I can't");
#endif
    s.calls("catalog");
  }
};

GANTRY_PLUGIN(bad, "1.0.0")

#if defined(EXPORTS)
extern "C" __attribute__((visibility("default"))) int extra_symbol() { return 1; }
#endif
