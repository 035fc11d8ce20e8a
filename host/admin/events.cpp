#include "admin/events.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "admin/event_json.hpp"
#include "http/problem.hpp"
#include "runtime/lane.hpp"

namespace gantry::admin {
namespace {

constexpr std::size_t default_limit = 100;
constexpr std::size_t largest_limit = 1000;
// One answer reads and carries no more, so that a filter that fits nothing does not hold the thread.
constexpr std::size_t scanned_at_once = 50'000;
constexpr std::size_t answer_bytes = 4 * 1024 * 1024;
constexpr std::size_t traced_events = 10'000;
// How far the clocks of two hosts may be apart.
constexpr std::int64_t clock_slack_us = 3'600'000'000;

template <typename T>
std::optional<T> number(std::string_view text) {
  T out{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (code != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return out;
}

// "topic:offset.offset,topic:offset", an offset for each partition in order.
std::string encode_cursor(const std::vector<event_log::place>& places) {
  std::string out;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (i != 0 && places[i].topic == places[i - 1].topic) {
      out += '.';
    } else {
      if (i != 0) out += ',';
      out.append(places[i].topic).append(":");
    }
    out += std::to_string(places[i].next);
  }
  return out;
}

// Sets the places that the cursor names; a topic it does not know is read from its start.
bool decode_cursor(std::string_view text, std::vector<event_log::place>& places) {
  while (!text.empty()) {
    auto part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const auto colon = part.rfind(':');
    if (colon == std::string_view::npos) return false;
    const auto topic = part.substr(0, colon);
    part.remove_prefix(colon + 1);
    for (std::uint32_t p = 0; !part.empty(); ++p) {
      const auto one = part.substr(0, part.find('.'));
      part.remove_prefix(std::min(part.size(), one.size() + 1));
      const auto offset = number<std::uint64_t>(one);
      if (!offset) return false;
      for (auto& place : places)
        if (place.topic == topic && place.where.partition == p) place.next = *offset;
    }
  }
  return true;
}

result<void> move_to(event_log& log, std::string_view from, std::vector<event_log::place>& places) {
  for (auto& place : places) {
    const auto range = log.range(place);
    if (!range) return range.failure();
    place.next = from == "end" ? range->end : range->start;
  }
  if (from.empty() || from == "start" || from == "end" || decode_cursor(from, places)) return {};
  return error{errc::invalid,
               "from=" + std::string(from) + ": expected start, end, or the cursor of an earlier answer"};
}

// The time that a UUIDv7 carries.
std::optional<std::int64_t> made_at_us(std::string_view id) {
  if (id.size() != 36 || id[8] != '-' || id[13] != '-' || id[14] != '7') return std::nullopt;
  std::string digits(id.substr(0, 8));
  digits += id.substr(9, 4);
  std::int64_t ms = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), ms, 16);
  if (code != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return ms * 1000;
}

struct traced {
  std::int64_t time_us = 0;
  std::uint64_t sequence = 0;
  std::string topic, plugin, type, key, id, causation_id;
};

result<std::vector<traced>> collect(event_log& log, std::string_view correlation_id,
                                    std::optional<std::int64_t> since_us) {
  auto places = log.places({});
  if (!places) return places.failure();
  for (auto& place : *places) {
    const auto range = log.range(place);
    if (!range) return range.failure();
    place.next = range->start;
    if (!since_us) continue;
    const auto offset = log.offset_at(place, *since_us);
    if (!offset) return offset.failure();
    place.next = std::max(place.next, *offset);
  }
  std::vector<traced> out;
  auto done = log.scan(*places, [&](const event_log::place& place, const bus::record& r) {
    if (r.correlation_id == correlation_id)
      out.push_back({r.time_us, r.sequence, place.topic, std::string(plugin_of(r.source)), std::string(r.type),
                     std::string(r.key), std::string(r.id), std::string(r.causation_id)});
    return out.size() < traced_events;
  });
  if (!done) return done.failure();
  std::stable_sort(out.begin(), out.end(), [](const traced& a, const traced& b) {
    return std::pair(a.time_us, a.sequence) < std::pair(b.time_us, b.sequence);
  });
  return out;
}

void append_traced(std::string& out, const traced& e, std::int64_t start_us) {
  out += "{\"at\":";
  append_time(out, e.time_us);
  const auto since_us = e.time_us - start_us;
  auto fraction = std::to_string(since_us % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  out.append(",\"sinceStartMs\":").append(std::to_string(since_us / 1000)).append(".").append(fraction);
  append_member(out, "plugin", e.plugin);
  append_member(out, "type", e.type);
  append_member(out, "topic", e.topic);
  append_member(out, "key", e.key);
  append_member(out, "eventId", e.id);
  append_member(out, "causationId", e.causation_id);
  out += '}';
}

// By topic: the group, the plugin and its lag in each partition.
struct group_lag {
  std::string group, plugin;
  std::map<std::uint32_t, std::uint64_t> records;
};

constexpr auto patience = std::chrono::milliseconds(2000);  // with another process

using topic_lags = std::map<std::string, std::vector<group_lag>>;

// `found`: "topic/partition" -> records, of one plugin.
void add_lags(topic_lags& to, const std::string& plugin, const std::string& group,
              const std::vector<std::pair<std::string, std::uint64_t>>& found) {
  for (const auto& [name, records] : found) {
    const auto cut = name.rfind('/');
    auto& groups = to[name.substr(0, cut)];
    if (groups.empty() || groups.back().plugin != plugin) groups.push_back({group, plugin, {}});
    groups.back().records[number<std::uint32_t>(std::string_view(name).substr(cut + 1)).value_or(0)] = records;
  }
}

// A line each: "topic/partition", a blank, the records.
std::vector<std::pair<std::string, std::uint64_t>> read_lags(std::string_view text) {
  std::vector<std::pair<std::string, std::uint64_t>> out;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto blank = line.rfind(' ');
    if (blank == std::string_view::npos) continue;
    if (const auto records = number<std::uint64_t>(line.substr(blank + 1)))
      out.emplace_back(line.substr(0, blank), *records);
  }
  return out;
}

topic_lags lags(const lifecycle::plugin_set& set, const topology::topology& model, apart* others) {
  topic_lags out;
  for (const auto& row : set.rows()) {
    const auto running = set.find(row.id);
    if (running && running->writer) add_lags(out, row.id, topology::group_of(model, row.id), running->writer->lags());
  }
  if (others == nullptr) return out;
  for (const auto& one : ask_all(*others, "/admin/lags", patience))
    if (one.good()) add_lags(out, one.plugin, topology::group_of(model, one.plugin), read_lags(one.reply->body));
  return out;
}

void append_groups(std::string& out, const std::vector<group_lag>& groups) {
  out += ",\"groups\":[";
  for (const auto& g : groups) {
    if (out.back() != '[') out += ',';
    out += '{';
    append_member(out, "group", g.group);
    append_member(out, "plugin", g.plugin);
    out += ",\"lag\":[";
    for (const auto& [partition, records] : g.records) {
      if (out.back() != '[') out += ',';
      out += std::to_string(records);
    }
    out += "]}";
  }
  out += ']';
}

}  // namespace

http::reply log_problem(const error& why) {
  switch (why.code) {
    case errc::invalid:
      return http::problem(400, why.text);
    case errc::not_found:
      return http::problem(404, why.text);
    case errc::conflict:
      return http::problem(409, why.text);
    case errc::unavailable:
    case errc::timeout:
      return http::problem(503, why.text);
    case errc::unsupported:
    case errc::too_large:
    case errc::corrupt:
    case errc::out_of_range:
    case errc::io:
    case errc::internal:
      break;
  }
  return http::problem(500, why.text);
}

http::reply topics(event_log& log, const lifecycle::plugin_set& set, const topology::topology& model, apart* others) {
  const auto places = log.places({});
  if (!places) return log_problem(places.failure());
  const auto groups = lags(set, model, others);
  std::string out = "{\"topics\":[";
  for (std::size_t i = 0; i < places->size();) {
    const auto& name = (*places)[i].topic;
    out += i == 0 ? "{" : ",{";
    append_member(out, "name", name);
    out += ",\"partitions\":[";
    for (; i < places->size() && (*places)[i].topic == name; ++i) {
      const auto range = log.range((*places)[i]);
      if (!range) return log_problem(range.failure());
      out += out.back() == '[' ? "{" : ",{";
      append_member(out, "partition", (*places)[i].where.partition);
      append_member(out, "start", range->start);
      append_member(out, "end", range->end);
      out += '}';
    }
    out += ']';
    const auto at = groups.find(name);
    append_groups(out, at == groups.end() ? std::vector<group_lag>{} : at->second);
    out += '}';
  }
  return json_reply(out + "]}");
}

http::reply lags(const lifecycle::plugin_set& set) {
  std::string out;
  for (const auto& row : set.rows())
    if (const auto running = set.find(row.id); running && running->writer)
      for (const auto& [place, records] : running->writer->lags())
        out.append(place).append(" ").append(std::to_string(records)).append("\n");
  return {200, {{"content-type", "text/plain"}}, std::move(out)};
}

http::reply events(event_log& log, const question& what) {
  const auto limit = what.asked("limit").empty() ? default_limit : number<std::size_t>(what.asked("limit")).value_or(0);
  if (limit == 0 || limit > largest_limit)
    return http::problem(400, "limit=" + std::string(what.asked("limit")) + ": expected 1 to 1000");
  auto places = log.places(what.asked("topic"));
  if (!places) return log_problem(places.failure());
  if (auto done = move_to(log, what.asked("from"), *places); !done) return log_problem(done.failure());
  const auto fits = [](std::string_view wanted, std::string_view found) { return wanted.empty() || wanted == found; };
  std::string out = "{\"events\":[";
  std::size_t found = 0;
  std::size_t scanned = 0;
  const auto end = log.scan(*places, [&](const event_log::place& place, const bus::record& r) {
    ++scanned;
    if (fits(what.asked("type"), r.type) && fits(what.asked("key"), r.key) &&
        fits(what.asked("correlation"), r.correlation_id)) {
      if (found++ != 0) out += ',';
      append_event(out, place.topic, place.where.partition, r);
    }
    return found < limit && scanned < scanned_at_once && out.size() < answer_bytes;
  });
  if (!end) return log_problem(end.failure());
  out += ']';
  append_member(out, "cursor", encode_cursor(*places));
  out += *end == event_log::end::stopped ? ",\"more\":true}" : ",\"more\":false}";
  return json_reply(std::move(out));
}

http::reply trace(event_log& log, const question& what) {
  const auto& id = what.names[0];
  // A correlation id of the runtime's own says when it was made: nothing before that can belong to it.
  const auto made = made_at_us(id);
  auto found = collect(log, id, made ? std::optional(*made - clock_slack_us) : std::nullopt);
  if (found && found->empty() && made) found = collect(log, id, std::nullopt);
  if (!found) return log_problem(found.failure());
  if (found->empty()) return http::problem(404, "no stored event has the correlation id " + id);
  std::string out = "{";
  append_member(out, "correlationId", id);
  out += ",\"events\":[";
  for (const auto& e : *found) {
    if (out.back() != '[') out += ',';
    append_traced(out, e, found->front().time_us);
  }
  return json_reply(out + "]}");
}

}  // namespace gantry::admin
