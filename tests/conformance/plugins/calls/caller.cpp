// Calls other plugins as a request tells it to, and answers what came of it.
#include <gantry/plugin.hpp>

#include <chrono>

namespace {

class caller : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override {
    s.calls("conf-target");
    s.calls("conf-frail");
    s.post("/caller/call", &caller::call);
    s.post("/caller/inside", &caller::ask_inside);
    s.get("/caller/inside/{key}", &caller::inside);
    s.job("call-inside", &caller::call_inside);
  }

  gantry::reply call(const gantry::request& q, gantry::context& ctx) {
    const auto what = q.json();
    gantry::call_request out{std::string(what["method"].text_or("GET")), std::string(what["target"].text())};
    for (const auto& [name, value] : what["headers"].members()) out.headers.emplace_back(name, value.text());
    out.body = what["body"].text();
    out.timeout = std::chrono::milliseconds(what["timeoutMs"].integer());
    gantry::json_writer answer;
    try {
      const auto reply = ctx.call(what["plugin"].text(), out);
      answer.object().field("status", reply.status).field("body", reply.body).key("headers").object();
      for (const auto& [name, value] : reply.headers) answer.field(name, value);
      answer.end().end();
    } catch (const gantry::failure& e) {
      answer.object().field("failure", static_cast<int>(e.status())).field("text", std::string_view(e.what())).end();
    }
    return gantry::ok(gantry::json(std::move(answer)));
  }

  gantry::reply ask_inside(const gantry::request& q, gantry::context& ctx) {
    return ctx.write([&q](gantry::tx& tx) -> gantry::reply {
      tx.schedule("call-inside", "", {.key = q.json()["key"].text()});
      return gantry::no_content();
    });
  }

  gantry::reply inside(const gantry::request& q, gantry::context& ctx) {
    const auto row = ctx.read().one("SELECT status, explanation FROM inside WHERE key = $1", q.path("key"));
    if (!row) return gantry::not_found("not tried yet");
    return gantry::ok({{"failure", row->get<std::int64_t>(0)}, {"text", row->get<std::string_view>(1)}});
  }

  // A job's write runs while the job waits, so the context of a call is still there.
  static std::string call_inside(const gantry::job& j, gantry::context& ctx) {
    ctx.write([&](gantry::tx& tx) -> gantry::reply {
      std::int64_t status = GANTRY_OK;
      std::string text;
      try {
        ctx.get("conf-target", "/target/echo");
      } catch (const gantry::failure& e) {
        status = e.status();
        text = e.what();
      }
      tx.exec("INSERT INTO inside (key, status, explanation) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING", j.key(),
              status, text);
      return gantry::no_content();
    });
    return {};
  }
};

}  // namespace

GANTRY_PLUGIN(caller, "1.0.0")
