// Is called: says what it was given, answers with a status it was asked for, takes its time, calls on.
// Built twice: as conf-target, which calls conf-frail, and as conf-frail, whose breaker is opened.
#include <gantry/plugin.hpp>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace {

#if defined(CONF_FRAIL)
constexpr std::string_view root = "/frail";
#else
constexpr std::string_view root = "/target";
#endif

std::string at(std::string_view path) { return std::string(root) + std::string(path); }

class target : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override {
    s.get(at("/echo"), &target::echo);
    s.post(at("/echo"), &target::echo);
    s.get(at("/statuses/{code}"), &target::status);
    s.get(at("/slow"), &target::slow);
    s.get(at("/runs"), [this](const gantry::request&, gantry::context&) {
      return gantry::ok({{"runs", runs_.load()}});
    });
#if !defined(CONF_FRAIL)
    s.calls("conf-frail");
    s.get(at("/chain"), [](const gantry::request&, gantry::context& ctx) {
      const auto reply = ctx.get("conf-frail", "/frail/echo");
      return gantry::reply::text(reply.status, "application/json", reply.body);
    });
#endif
  }

  gantry::reply echo(const gantry::request& q, gantry::context&) {
    return gantry::ok({{"method", q.method()},
                       {"caller", q.caller()},
                       {"correlation", q.correlation_id()},
                       {"trace", q.traceparent()},
                       {"header", q.header("x-conformance").value_or("")},
                       {"query", q.query("q").value_or("")},
                       {"body", q.body()},
                       {"leftMs", (q.deadline().us - host().now().us) / 1000}})
        .header("x-answer", "given");
  }

  gantry::reply status(const gantry::request& q, gantry::context&) {
    ++runs_;
    const int code = std::stoi(std::string(q.path("code")));
    if (code == 204) return gantry::no_content();
    return gantry::problem(code, "told-to", "As told", "told to answer so", {{"code", "was asked for"}});
  }

  gantry::reply slow(const gantry::request& q, gantry::context&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(std::string(q.query("ms").value_or("0")))));
    return gantry::ok({{"slow", true}});
  }

 private:
  std::atomic<std::int64_t> runs_{0};
};

}  // namespace

GANTRY_PLUGIN(target, "1.0.0")
