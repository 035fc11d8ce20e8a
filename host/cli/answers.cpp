#include "cli/answers.hpp"

#include <boost/json.hpp>

namespace gantry::cli {
namespace {

namespace json = boost::json;

std::string text(const json::object& in, std::string_view name) {
  const auto* v = in.if_contains(name);
  return v != nullptr && v->is_string() ? std::string(v->get_string().c_str(), v->get_string().size()) : std::string();
}

std::uint64_t count(const json::object& in, std::string_view name) {
  const auto* v = in.if_contains(name);
  if (v == nullptr) return 0;
  if (v->is_uint64()) return v->get_uint64();
  return v->is_int64() && v->get_int64() > 0 ? static_cast<std::uint64_t>(v->get_int64()) : 0;
}

bool flag(const json::object& in, std::string_view name) {
  const auto* v = in.if_contains(name);
  return v != nullptr && v->is_bool() && v->get_bool();
}

result<json::object> read_object(std::string_view body) {
  json::error_code fault;
  auto whole = json::parse(json::string_view(body.data(), body.size()), fault);
  if (fault || !whole.is_object())
    return error{errc::corrupt, "the host's answer is not the JSON expected here; is it another version of gantry?"};
  return std::move(whole.get_object());
}

// Reads an object with a list in it; `each` gets the list's objects.
template <typename F>
result<json::object> read(std::string_view body, std::string_view list, F&& each) {
  auto whole = read_object(body);
  if (!whole) return whole;
  const auto* items = whole->if_contains(list);
  if (items == nullptr || !items->is_array())
    return error{errc::corrupt,
                 "the host's answer has no list " + std::string(list) + "; is it another version of gantry?"};
  for (const auto& item : items->get_array())
    if (item.is_object()) each(item.get_object());
  return whole;
}

// The objects of a list that need not be there.
template <typename F>
void for_each_of(const json::object& in, std::string_view list, F&& each) {
  const auto* items = in.if_contains(list);
  if (items == nullptr || !items->is_array()) return;
  for (const auto& item : items->get_array())
    if (item.is_object()) each(item.get_object());
}

void indent(std::string& out, const json::value& v, std::size_t depth) {
  const auto line = [&](std::size_t d) { out.append("\n").append(d * 2, ' '); };
  if (v.is_object() && !v.get_object().empty()) {
    out += '{';
    bool first = true;
    for (const auto& member : v.get_object()) {
      if (!std::exchange(first, false)) out += ',';
      line(depth + 1);
      out += json::serialize(json::string(member.key())) + ": ";
      indent(out, member.value(), depth + 1);
    }
    line(depth);
    out += '}';
  } else if (v.is_array() && !v.get_array().empty()) {
    out += '[';
    bool first = true;
    for (const auto& item : v.get_array()) {
      if (!std::exchange(first, false)) out += ',';
      line(depth + 1);
      indent(out, item, depth + 1);
    }
    line(depth);
    out += ']';
  } else {
    out += json::serialize(v);
  }
}

}  // namespace

result<event_page> read_events(std::string_view body) {
  event_page page;
  auto whole = read(body, "events", [&](const json::object& e) {
    auto& out = page.events.emplace_back();
    out.topic = text(e, "topic");
    out.partition = count(e, "partition");
    out.offset = count(e, "offset");
    out.key = text(e, "key");
    out.plugin = text(e, "plugin");
    if (const auto* headers = e.if_contains("headers"); headers != nullptr && headers->is_object()) {
      const auto& h = headers->get_object();
      out.time = text(h, "ce_time");
      out.type = text(h, "ce_type");
      out.id = text(h, "ce_id");
      out.correlation_id = text(h, "correlation-id");
    }
    out.json = json::serialize(e);
  });
  if (!whole) return whole.failure();
  page.cursor = text(*whole, "cursor");
  page.more = flag(*whole, "more");
  return page;
}

result<std::vector<traced_event>> read_trace(std::string_view body) {
  std::vector<traced_event> out;
  auto whole = read(body, "events", [&](const json::object& e) {
    const auto* since = e.if_contains("sinceStartMs");
    json::error_code none;
    out.push_back({since == nullptr ? 0.0 : since->to_number<double>(none), text(e, "at"), text(e, "plugin"),
                   text(e, "type"), text(e, "topic"), text(e, "key"), text(e, "eventId"), text(e, "causationId")});
  });
  if (!whole) return whole.failure();
  return out;
}

result<std::vector<plugin_state>> read_plugins(std::string_view body) {
  std::vector<plugin_state> out;
  auto whole = read(body, "plugins", [&](const json::object& e) {
    out.push_back({text(e, "id"), text(e, "version"), text(e, "state"), text(e, "error"), text(e, "blocked"),
                   text(e, "quarantined"), count(e, "generation"), text(e, "isolation") == "process",
                   flag(e, "swapping")});
  });
  if (!whole) return whole.failure();
  return out;
}

result<parked_page> read_parked(std::string_view body) {
  parked_page page;
  auto whole = read(body, "items", [&](const json::object& e) {
    parked_item out;
    out.plugin = text(e, "plugin");
    out.id = text(e, "id");
    out.what = text(e, "what");
    const bool is_job = out.what == "job";
    out.subject = is_job ? text(e, "kind") : text(e, "topic") + " " + text(e, "type");
    out.key = text(e, "key");
    out.error = text(e, "error");
    out.since = text(e, is_job ? "dueAt" : "parkedAt");
    out.attempts = count(e, "attempts");
    page.items.push_back(std::move(out));
  });
  if (!whole) return whole.failure();
  page.truncated = flag(*whole, "truncated");
  for_each_of(*whole, "unanswered",
              [&](const json::object& one) { page.unanswered.emplace_back(text(one, "plugin"), text(one, "why")); });
  return page;
}

result<std::vector<quarantined_plugin>> read_quarantined(std::string_view body) {
  std::vector<quarantined_plugin> out;
  auto whole = read(body, "plugins", [&](const json::object& p) {
    out.push_back({text(p, "plugin"), text(p, "why"), text(p, "since"), count(p, "generation")});
  });
  if (!whole) return whole.failure();
  return out;
}

std::string merged_parked(const std::vector<std::string>& answers) {
  json::array items;
  json::array unanswered;
  bool truncated = false;
  for (const auto& one : answers) {
    auto whole = read(one, "items", [&](const json::object& item) { items.emplace_back(item); });
    if (!whole) continue;
    truncated = truncated || flag(*whole, "truncated");
    for_each_of(*whole, "unanswered", [&](const json::object& plugin) { unanswered.emplace_back(plugin); });
  }
  json::object out{{"items", std::move(items)}, {"truncated", truncated}};
  if (!unanswered.empty()) out["unanswered"] = std::move(unanswered);
  return json::serialize(out);
}

result<std::vector<replayed_partition>> read_replay(std::string_view body) {
  std::vector<replayed_partition> out;
  auto whole = read(body, "partitions", [&](const json::object& e) {
    out.push_back({count(e, "partition"), count(e, "next"), count(e, "replayEnd")});
  });
  if (!whole) return whole.failure();
  return out;
}

result<swap_answer> read_swap(std::string_view body) {
  swap_answer out;
  const auto whole = read_object(body);
  if (!whole) return whole.failure();
  for_each_of(*whole, "steps", [&](const json::object& e) { out.steps.emplace_back(text(e, "name"), count(e, "us")); });
  out.running = flag(*whole, "running");
  const auto* receipt = whole->if_contains("receipt");
  if (receipt == nullptr || !receipt->is_object()) return out;
  const auto& r = receipt->get_object();
  const auto part = [&](std::string_view name) {
    const auto* v = r.if_contains(name);
    return v != nullptr && v->is_object() ? v->get_object() : json::object();
  };
  const auto texts = [&](std::string_view name) {
    std::vector<std::string> list;
    if (const auto* v = r.if_contains(name); v != nullptr && v->is_array())
      for (const auto& item : v->get_array())
        if (item.is_string()) list.emplace_back(item.get_string().c_str(), item.get_string().size());
    return list;
  };
  out.ended = true;
  out.outcome = text(r, "outcome");
  const auto from = part("from");
  const auto to = part("to");
  const auto work = part("work");
  out.from_version = text(from, "version");
  out.from_generation = count(from, "generation");
  out.to_version = text(to, "version");
  out.to_generation = count(to, "generation");
  out.lane_pause_us = count(r, "lanePauseUs");
  out.route_pause_us = count(r, "routePauseUs");
  out.held_requests = count(r, "heldRequests");
  out.state_bytes = count(r, "stateBytes");
  out.requests = count(work, "requests");
  out.request_errors = count(work, "requestErrors");
  out.events = count(work, "events");
  out.events_duplicate = count(work, "eventsDuplicate");
  out.event_errors = count(work, "eventErrors");
  out.jobs = count(work, "jobs");
  out.job_errors = count(work, "jobErrors");
  out.reasons = texts("reasons");
  out.overruled = texts("overruled");
  out.resident = texts("resident");
  out.receipt = json::serialize(r);
  out.steps.clear();
  if (const auto* steps = r.if_contains("steps"); steps != nullptr && steps->is_array())
    for (const auto& step : steps->get_array())
      if (step.is_object()) out.steps.emplace_back(text(step.get_object(), "name"), count(step.get_object(), "us"));
  return out;
}

std::uint64_t read_count(std::string_view body, std::string_view member) {
  json::error_code fault;
  const auto whole = json::parse(json::string_view(body.data(), body.size()), fault);
  return fault || !whole.is_object() ? 0 : count(whole.get_object(), member);
}

std::string read_text(std::string_view body, std::string_view member) {
  json::error_code fault;
  const auto whole = json::parse(json::string_view(body.data(), body.size()), fault);
  return fault || !whole.is_object() ? std::string() : text(whole.get_object(), member);
}

bool read_flag(std::string_view body, std::string_view member) {
  json::error_code fault;
  const auto whole = json::parse(json::string_view(body.data(), body.size()), fault);
  return !fault && whole.is_object() && flag(whole.get_object(), member);
}

std::string indented(std::string_view body) {
  json::error_code fault;
  const auto whole = json::parse(json::string_view(body.data(), body.size()), fault);
  if (fault) return std::string(body);
  std::string out;
  indent(out, whole, 0);
  return out;
}

std::string problem_text(std::string_view body) {
  json::error_code fault;
  const auto whole = json::parse(json::string_view(body.data(), body.size()), fault);
  if (fault || !whole.is_object()) return std::string(body.substr(0, 200));
  auto out = text(whole.get_object(), "detail");
  return out.empty() ? text(whole.get_object(), "title") : out;
}

}  // namespace gantry::cli
