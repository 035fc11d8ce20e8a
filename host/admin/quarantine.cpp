#include "admin/quarantine.hpp"

#include "admin/event_json.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"
#include "observability/log.hpp"
#include "supervisor/quarantine.hpp"

namespace gantry::admin {
namespace {

std::string time_of(std::int64_t wall_us) {
  std::string out;
  append_rfc3339(out, wall_us);
  return out;
}

}  // namespace

http::reply quarantine(const topology::topology& model, const std::string& host) {
  const auto known = supervisor::read_quarantine(supervisor::quarantine_path(*model.state, host));
  if (!known) return http::problem(500, known.failure().text);
  std::string out = "{\"plugins\":[";
  for (const auto& p : known->plugins) {
    out += out.ends_with('[') ? "{" : ",{";
    append_member(out, "plugin", p.plugin);
    append_member(out, "generation", p.generation);
    append_member(out, "why", p.why);
    append_member(out, "since", time_of(p.since_us));
    out += '}';
  }
  out += "],\"deaths\":[";
  for (const auto& e : known->events) {
    out += out.ends_with('[') ? "{" : ",{";
    append_member(out, "plugin", e.plugin);
    append_member(out, e.job ? "job" : "topic", e.topic);
    if (!e.job) {
      append_member(out, "partition", std::uint64_t{e.partition});
      append_member(out, "offset", e.offset);
      append_member(out, "length", e.length);
    }
    append_member(out, "id", e.id);
    append_member(out, "deaths", e.crashes);
    append_member(out, "why", e.why);
    out += '}';
  }
  return json_reply(out + "]}");
}

http::reply release(const topology::topology& model, const std::string& host, const question& q,
                    const std::function<void()>& restart) {
  const auto& plugin = q.names[0];
  const bool now = q.asked("now") == "true";
  if (now && !restart)
    return http::problem(409, "nobody would start this host again: end it and start it anew, without now");
  bool was = false;
  const auto done =
      supervisor::change_quarantine(supervisor::quarantine_path(*model.state, host),
                                    [&](supervisor::quarantine& all) { return was = all.release(plugin); });
  if (!done) return http::problem(500, done.failure().text);
  if (!was) return http::problem(404, plugin + " is not in quarantine on host " + host);
  observability::log_info("A quarantine was ended.", {{"plugin", plugin}});
  if (now) restart();
  std::string out = "{";
  append_member(out, "released", plugin);
  append_member(out, "from", now ? "now" : "the host's next start");
  return json_reply(out + "}");
}

}  // namespace gantry::admin
