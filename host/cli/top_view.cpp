#include "cli/top_view.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/json_members.hpp"
#include "cli/table.hpp"

namespace gantry::cli {
namespace {

constexpr double p99 = 0.99;

struct series {
  std::string_view name;
  std::map<std::string, std::string, std::less<>> labels;
  double value = 0;

  std::string label(std::string_view of) const {
    const auto found = labels.find(of);
    return found == labels.end() ? std::string() : found->second;
  }
};

double number_of(std::string_view text) {
  if (text == "+Inf") return std::numeric_limits<double>::infinity();
  double out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

// name{a="b",c="d"} 1.5
bool read_series(std::string_view line, series& out) {
  if (line.empty() || line.front() == '#') return false;
  const auto blank = line.rfind(' ');
  if (blank == std::string_view::npos) return false;
  out.value = number_of(line.substr(blank + 1));
  auto head = line.substr(0, blank);
  const auto brace = head.find('{');
  out.name = head.substr(0, brace);
  out.labels.clear();
  if (brace == std::string_view::npos) return true;
  head.remove_prefix(brace + 1);
  while (!head.empty() && head.front() != '}') {
    const auto equals = head.find("=\"");
    if (equals == std::string_view::npos) return false;
    const std::string name(head.substr(0, equals));
    head.remove_prefix(equals + 2);
    std::string text;
    std::size_t at = 0;
    for (; at < head.size() && head[at] != '"'; ++at) {
      if (head[at] == '\\' && at + 1 < head.size()) ++at;
      text += head[at];
    }
    out.labels.emplace(name, std::move(text));
    head.remove_prefix(std::min(at + 1, head.size()));
    if (!head.empty() && head.front() == ',') head.remove_prefix(1);
  }
  return true;
}

std::string state_of(const plugin_state& p) {
  if (!p.error.empty()) return "failed";
  if (!p.quarantined.empty()) return "quarantined";
  if (p.swapping) return "swapping";
  if (!p.blocked.empty()) return "blocked";
  return p.isolated ? "isolated" : p.state;
}

// The time below which so many of the requests between two moments ended; negative: there were none.
double quantile_ms(const std::map<double, double>& before, const std::map<double, double>& now, double share) {
  const auto since = [&](const auto& at) {
    const auto was = before.find(at.first);
    const auto then = was == before.end() ? 0.0 : was->second;
    return at.second >= then ? at.second - then : at.second;
  };
  if (now.empty()) return -1;
  const auto all = since(*now.rbegin());
  if (all <= 0) return -1;
  double least = 0;
  double below = 0;
  for (const auto& at : now) {
    const auto count = since(at);
    if (count >= share * all) {
      if (std::isinf(at.first)) return least * 1000;
      const auto within = count > below ? (share * all - below) / (count - below) : 1.0;
      return (least + (at.first - least) * within) * 1000;
    }
    least = at.first;
    below = count;
  }
  return least * 1000;
}

double rate(double before, double now, double seconds) {
  if (seconds <= 0) return 0;
  return (now >= before ? now - before : now) / seconds;
}

std::string short_number(double value) {
  char text[32];
  if (value >= 1e9) {
    std::snprintf(text, sizeof text, "%.1fG", value / 1e9);
  } else if (value >= 1e6) {
    std::snprintf(text, sizeof text, "%.1fM", value / 1e6);
  } else if (value >= 1e5) {
    std::snprintf(text, sizeof text, "%.0fk", value / 1e3);
  } else {
    std::snprintf(text, sizeof text, value > 0 && value < 10 && std::floor(value) < value ? "%.1f" : "%.0f", value);
  }
  return text;
}

std::string size_text(double bytes) {
  char text[32];
  if (bytes >= 1 << 20) {
    std::snprintf(text, sizeof text, "%.0fMiB", bytes / (1 << 20));
  } else if (bytes >= 1 << 10) {
    std::snprintf(text, sizeof text, "%.0fKiB", bytes / (1 << 10));
  } else {
    std::snprintf(text, sizeof text, "%.0fB", bytes);
  }
  return text;
}

std::string time_text(double ms) {
  if (ms < 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, ms < 10 ? "%.2fms" : "%.0fms", ms);
  return text;
}

struct column {
  const char* title;
  int need;  // columns with less go first
  std::string (*cell)(const top_row&);
};
constexpr column columns[] = {
    {"host", 3, [](const top_row& r) { return r.host; }},
    {"plugin", 100, [](const top_row& r) { return r.plugin; }},
    {"state", 90, [](const top_row& r) { return r.state; }},
    {"version", 1, [](const top_row& r) { return r.version; }},
    {"gen", 2, [](const top_row& r) { return std::to_string(r.generation); }},
    {"req/s", 80, [](const top_row& r) { return short_number(r.requests_s); }},
    {"ev/s", 70, [](const top_row& r) { return short_number(r.events_s); }},
    {"err/s", 75, [](const top_row& r) { return short_number(r.errors_s); }},
    {"p99", 60, [](const top_row& r) { return time_text(r.p99_ms); }},
    {"lag", 65, [](const top_row& r) { return short_number(r.lag); }},
    {"queue", 40, [](const top_row& r) { return short_number(r.queue); }},
    {"outbox", 30, [](const top_row& r) { return size_text(r.outbox_bytes); }},
    {"parked", 20, [](const top_row& r) { return short_number(r.parked); }},
};

std::string cut(const std::string& line, std::size_t width) {
  return width == 0 || line.size() <= width ? line : line.substr(0, width);
}

std::string table_of(const std::vector<top_row>& rows, const std::vector<column>& shown) {
  std::vector<std::string> titles;
  for (const auto& c : shown) titles.emplace_back(c.title);
  table out(std::move(titles));
  for (const auto& r : rows) {
    std::vector<std::string> cells;
    for (const auto& c : shown) cells.push_back(c.cell(r));
    out.add(std::move(cells));
  }
  return out.text();
}

std::size_t widest(const std::string& text) {
  std::size_t out = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    out = std::max(out, end - at);
    at = end + 1;
  }
  return out;
}

}  // namespace

void read_exposition(std::string_view text, host_sample& into) {
  series one;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const bool good = read_series(text.substr(0, end), one);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!good) continue;
    const auto plugin = one.label("plugin");
    if (plugin.empty()) {
      if (one.name == "process_cpu_seconds_total") into.cpu_s += one.value;
      if (one.name == "process_resident_memory_bytes") into.resident_bytes += one.value;
      continue;
    }
    auto& c = into.counts[plugin];
    if (one.name == "gantry_requests_total") c.requests += one.value;
    if (one.name == "gantry_events_handled_total") c.events += one.value;
    if (one.name == "gantry_request_errors_total" || one.name == "gantry_event_errors_total" ||
        one.name == "gantry_job_errors_total")
      c.errors += one.value;
    if (one.name == "gantry_request_seconds_bucket") c.requests_below[number_of(one.label("le"))] += one.value;
    if (one.name == "gantry_consumer_lag") c.lag += one.value;
    if (one.name == "gantry_write_queue") c.queue += one.value;
    if (one.name == "gantry_outbox_bytes") c.outbox_bytes += one.value;
    if (one.name == "gantry_parked_events") c.parked += one.value;
    // Of an isolated plugin's process: a part of its host.
    if (one.name == "process_cpu_seconds_total") into.cpu_s += one.value;
    if (one.name == "process_resident_memory_bytes") into.resident_bytes += one.value;
  }
}

top_view view_of(const std::vector<host_sample>& before, const std::vector<host_sample>& now) {
  top_view out;
  for (const auto& host : now) {
    const auto was = std::find_if(before.begin(), before.end(),
                                  [&](const auto& b) { return b.host == host.host && b.address == host.address; });
    const bool known = was != before.end() && was->answers;
    const double seconds = known ? host.at_s - was->at_s : 0;
    out.hosts.push_back({host.host, host.address, host.answers, host.why,
                         known ? 100 * rate(was->cpu_s, host.cpu_s, seconds) : 0, host.resident_bytes});
    for (const auto& p : host.plugins) {
      top_row row;
      row.host = host.host;
      row.plugin = p.id;
      row.state = state_of(p);
      row.version = p.version;
      row.generation = p.generation;
      if (const auto found = host.counts.find(p.id); found != host.counts.end()) {
        const auto& c = found->second;
        static_cast<plugin_backlog&>(row) = c;
        const auto then = known ? was->counts.find(p.id) : found;
        if (known && then != was->counts.end()) {
          row.requests_s = rate(then->second.requests, c.requests, seconds);
          row.events_s = rate(then->second.events, c.events, seconds);
          row.errors_s = rate(then->second.errors, c.errors, seconds);
          row.p99_ms = quantile_ms(then->second.requests_below, c.requests_below, p99);
        }
      }
      out.rows.push_back(std::move(row));
    }
  }
  return out;
}

std::string to_text(const top_view& view, std::size_t width) {
  std::string out;
  for (const auto& h : view.hosts) {
    std::string line = h.host.empty() ? h.address : h.host + "  " + h.address;
    if (h.answers) {
      char cpu[32];
      std::snprintf(cpu, sizeof cpu, "  cpu %.0f %%", h.cpu_percent);
      line.append(cpu).append("  memory ").append(size_text(h.resident_bytes));
    } else {
      line.append("  does not answer: ").append(printable(h.why));
    }
    out.append(cut(line, width)).append("\n");
  }
  std::vector<column> shown(std::begin(columns), std::end(columns));
  if (view.hosts.size() < 2) shown.erase(shown.begin());
  auto text = table_of(view.rows, shown);
  while (width != 0 && widest(text) > width && shown.size() > 1) {
    shown.erase(
        std::min_element(shown.begin(), shown.end(), [](const auto& a, const auto& b) { return a.need < b.need; }));
    text = table_of(view.rows, shown);
  }
  out += '\n';
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    out.append(cut(text.substr(at, end - at), width)).append("\n");
    at = end + 1;
  }
  return out;
}

std::string to_json(const top_view& view) {
  std::string out = "{\"hosts\":[";
  for (std::size_t i = 0; i < view.hosts.size(); ++i) {
    const auto& h = view.hosts[i];
    out.append(i == 0 ? "{" : ",{");
    append_member(out, "answers", h.answers);
    append_member(out, "host", h.host);
    append_member(out, "address", h.address);
    if (!h.answers) append_member(out, "error", h.why);
    append_member(out, "cpuPercent", h.cpu_percent);
    append_member(out, "residentBytes", h.resident_bytes);
    out += '}';
  }
  out += "],\"plugins\":[";
  for (std::size_t i = 0; i < view.rows.size(); ++i) {
    const auto& r = view.rows[i];
    out.append(i == 0 ? "{" : ",{");
    append_member(out, "generation", r.generation);
    append_member(out, "host", r.host);
    append_member(out, "plugin", r.plugin);
    append_member(out, "state", r.state);
    append_member(out, "version", r.version);
    append_member(out, "requestsPerSecond", r.requests_s);
    append_member(out, "eventsPerSecond", r.events_s);
    append_member(out, "errorsPerSecond", r.errors_s);
    if (r.p99_ms >= 0) append_member(out, "p99Ms", r.p99_ms);
    append_member(out, "lag", r.lag);
    append_member(out, "queue", r.queue);
    append_member(out, "outboxBytes", r.outbox_bytes);
    append_member(out, "parked", r.parked);
    out += '}';
  }
  return out + "]}";
}

}  // namespace gantry::cli
