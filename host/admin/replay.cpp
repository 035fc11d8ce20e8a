#include "admin/replay.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "admin/answering_write.hpp"
#include "admin/event_json.hpp"
#include "http/problem.hpp"
#include "runtime/text.hpp"
#include "runtime/values.hpp"

namespace gantry::admin {
namespace {

using runtime::integer_at;
using runtime::value;

// Where to begin: an offset, a time, or with neither the start of the log.
struct beginning {
  std::string text;
  std::optional<std::uint64_t> offset;
  std::optional<std::int64_t> time_us;
};

// Reads `digits` digits from the front.
bool take_number(std::string_view& text, std::size_t digits, int& out) {
  if (text.size() < digits) return false;
  const auto [end, code] = std::from_chars(text.data(), text.data() + digits, out);
  if (code != std::errc{} || end != text.data() + digits) return false;
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// The fraction of a second, as microseconds; further digits are dropped.
bool take_fraction(std::string_view& text, std::int64_t& us) {
  std::int64_t unit = 100'000;
  std::size_t digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), ++digits, unit /= 10)
    us += unit * (text.front() - '0');
  return digits != 0;
}

// RFC 3339, section 5.6.
std::optional<std::int64_t> parse_time(std::string_view text) {
  using namespace std::chrono;
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  if (!take_number(text, 4, y) || !take(text, "-") || !take_number(text, 2, mo) || !take(text, "-") ||
      !take_number(text, 2, d) || !take(text, "Tt ") || !take_number(text, 2, h) || !take(text, ":") ||
      !take_number(text, 2, mi) || !take(text, ":") || !take_number(text, 2, s))
    return std::nullopt;
  std::int64_t us = 0;
  if (take(text, ".") && !take_fraction(text, us)) return std::nullopt;
  int zone_minutes = 0;
  if (!take(text, "Zz")) {
    const bool west = !text.empty() && text.front() == '-';
    int zh = 0, zm = 0;
    if (!take(text, "+-") || !take_number(text, 2, zh) || !take(text, ":") || !take_number(text, 2, zm) || zh > 23 ||
        zm > 59)
      return std::nullopt;
    zone_minutes = (west ? -1 : 1) * (zh * 60 + zm);
  }
  const year_month_day date(year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d)));
  if (!text.empty() || !date.ok() || h < 0 || h > 23 || mi < 0 || mi > 59 || s < 0 || s > 60) return std::nullopt;
  const auto at = sys_days(date) + hours(h) + minutes(mi - zone_minutes) + seconds(s);
  return duration_cast<microseconds>(at.time_since_epoch()).count() + us;
}

std::optional<beginning> parse_beginning(std::string_view text) {
  beginning out;
  out.text = text.empty() ? "earliest" : std::string(text);
  if (out.text == "earliest") return out;
  std::uint64_t offset = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), offset);
  if (code == std::errc{} && end == text.data() + text.size()) {
    out.offset = offset;
  } else {
    out.time_us = parse_time(text);
    if (!out.time_us) return std::nullopt;
  }
  return out;
}

class topic_replay final : public answering_write {
 public:
  topic_replay(runtime::instance& owner, const runtime::replay_hook& hook, std::string bus_id, beginning from,
               bool accept_gap, http::responder&& out)
      : answering_write(std::move(out)),
        owner_(owner),
        hook_(hook),
        bus_id_(std::move(bus_id)),
        from_(std::move(from)),
        accept_gap_(accept_gap) {}

 protected:
  gantry_status change(gantry_tx& tx) override {
    moves_.clear();
    auto& session = *tx.db.session;
    const auto feeds = owner_.writer->feeds_of(hook_.topic);
    if (feeds.empty())
      return refuse(409, "no-position", "Nothing to replay", owner_.id() + " reads nothing of " + hook_.topic);
    if (const auto status = none_parked(session); status != GANTRY_OK) return status;
    if (const auto status = all_on_this_bus(session); status != GANTRY_OK) return status;
    for (auto* f : feeds)
      if (const auto status = plan(session, *f); status != GANTRY_OK) return status;
    const auto status = owner_.guarded([&] { return hook_.fn(hook_.user, &tx); }, "on_replay");
    tx.db.close_cursors();
    if (status != GANTRY_OK)
      return refuse(409, "replay-failed", "The projection was not cleared",
                    owner_.id() + ": on_replay of " + hook_.topic + " ended with " + runtime::status_name(status) +
                        ": " + std::string(runtime::last_failure()) + "; nothing was changed");
    for (const auto& m : moves_)
      if (runtime::id_window::forget(session, m.of->topic) != GANTRY_OK ||
          m.of->rewind(session, m.next, m.replay_end, true) != GANTRY_OK)
        return runtime::fail(GANTRY_RETRY, session.error_text());
    return GANTRY_OK;
  }

  void committed() override {
    for (const auto& m : moves_) {
      m.of->rewound(m.next, m.replay_end);
      // Retention must keep what is still to be read again.
      m.of->from().committed(m.of->where, m.next);
    }
    owner_.writer->resume();
  }

  std::string report() const override {
    std::string out = "{";
    append_member(out, "plugin", owner_.id());
    append_member(out, "topic", hook_.topic);
    append_member(out, "from", from_.text);
    out += ",\"partitions\":[";
    for (const auto& m : moves_) {
      out += out.back() == '[' ? "{" : ",{";
      append_member(out, "partition", m.of->where.partition);
      append_member(out, "next", m.next);
      append_member(out, "replayEnd", m.replay_end);
      out += '}';
    }
    return out + "]}";
  }

 private:
  struct move {
    runtime::feed* of;
    std::uint64_t next;
    std::uint64_t replay_end;
  };

  // What is parked was never handled: read again as a replay it would lose what it emits.
  gantry_status none_parked(store::session& session) {
    const gantry_value which[] = {value(std::string_view(hook_.topic))};
    store::cursor* rows = nullptr;
    if (session.query("SELECT count(*) FROM gantry_parked WHERE topic = $1", which, &rows) != GANTRY_OK)
      return runtime::fail(GANTRY_RETRY, session.error_text());
    const auto parked = rows->next() == GANTRY_OK ? integer_at(*rows, 0) : 0;
    rows->close();
    if (parked == 0) return GANTRY_OK;
    return refuse(409, "events-parked", "Events are parked",
                  std::to_string(parked) + " events of " + hook_.topic + " are parked at " + owner_.id() +
                      ": replay or discard them first (gantry dlq)");
  }

  // What was read on another bus, before the plugin moved to this one, can't be read again here.
  gantry_status all_on_this_bus(store::session& session) {
    if (accept_gap_) return GANTRY_OK;
    const gantry_value which[] = {value(std::string_view(hook_.topic)), value(std::string_view(bus_id_))};
    store::cursor* rows = nullptr;
    if (session.query("SELECT count(*) FROM gantry_position WHERE topic = $1 AND bus <> $2 AND next > 0", which,
                      &rows) != GANTRY_OK)
      return runtime::fail(GANTRY_RETRY, session.error_text());
    const auto elsewhere = rows->next() == GANTRY_OK ? integer_at(*rows, 0) : 0;
    rows->close();
    if (elsewhere == 0) return GANTRY_OK;
    return refuse(409, "events-elsewhere", "A part of the topic is on another bus",
                  owner_.id() + " has read " + std::to_string(elsewhere) + " partitions of " + hook_.topic +
                      " on another bus: what it made of those events would be gone; accept that with accept_gap=1"
                      " (gantry replay --accept-gap)");
  }

  // The position that this transaction leaves: the batch has moved it before this write runs.
  result<std::uint64_t> position(store::session& session, const runtime::feed& f) {
    const gantry_value which[] = {value(std::string_view(bus_id_)), value(std::string_view(f.topic)),
                                  value(f.where.partition)};
    store::cursor* rows = nullptr;
    if (session.query("SELECT next FROM gantry_position WHERE bus = $1 AND topic = $2 AND part = $3", which, &rows) !=
        GANTRY_OK)
      return error{errc::io, std::string(session.error_text())};
    const auto stored = rows->next() == GANTRY_OK ? static_cast<std::uint64_t>(integer_at(*rows, 0)) : 0;
    rows->close();
    return std::max(stored, f.next());
  }

  // Reads from the place asked for up to where the plugin has come: what it has not handled yet is no replay, and none
  // of it is passed over.
  gantry_status plan(store::session& session, runtime::feed& f) {
    const auto handled = position(session, f);
    if (!handled) return runtime::fail(GANTRY_RETRY, handled.failure().text);
    const auto range = f.from().range(f.where);
    if (!range) return runtime::fail(GANTRY_FAILED, range.failure().text);
    auto next = from_.offset.value_or(0);
    if (from_.time_us) {
      const auto found = f.from().offset_at(f.where, *from_.time_us);
      if (!found) return runtime::fail(GANTRY_FAILED, found.failure().text);
      // Nothing says whether earlier records of this time are among those that are gone.
      next = *found <= range->start ? 0 : *found;
    }
    const auto place = f.topic + "/" + std::to_string(f.where.partition);
    if (next < range->start && *handled != 0 && !accept_gap_)
      return refuse(409, "log-trimmed", "The log is trimmed",
                    place + " begins at offset " + std::to_string(range->start) +
                        ", retention has taken what was asked for (" + from_.text +
                        "): accept the gap (--accept-gap), or begin later");
    next = std::min(std::max(next, range->start), std::max(*handled, range->start));
    moves_.push_back({&f, next, std::max(*handled, next)});
    return GANTRY_OK;
  }

  runtime::instance& owner_;
  const runtime::replay_hook& hook_;
  const std::string bus_id_;
  const beginning from_;
  const bool accept_gap_;
  std::vector<move> moves_;
};

}  // namespace

void replay_topic(const lifecycle::plugin_set& set, std::string_view bus_id, const question& what,
                  http::responder&& out) {
  const auto& plugin = what.names[0];
  const auto& topic = what.names[1];
  const auto running = set.find(plugin);
  if (!running) {
    out.send(http::problem(404, "plugin " + plugin + " does not run on this host"));
    return;
  }
  if (running->state() != runtime::phase::running) {
    out.send(http::problem(
        503, plugin + " is not running: its state is " + std::string(runtime::to_string(running->state()))));
    return;
  }
  auto from = parse_beginning(what.asked("from"));
  if (!from) {
    out.send(http::problem(400, "from=" + std::string(what.asked("from")) +
                                    ": expected earliest, an offset, or a time like 2026-01-31T12:00:00Z"));
    return;
  }
  const auto& hooks = running->declared.replays;
  const auto hook = std::find_if(hooks.begin(), hooks.end(), [&](const auto& h) { return h.topic == topic; });
  if (hook == hooks.end()) {
    out.send(
        http::problem(409, "no-replay", "The topic can't be replayed",
                      plugin + " has no on_replay for " + topic +
                          ": it can't clear what it derived from the topic, so reading it again would count it twice"));
    return;
  }
  answering_write::enqueue(running,
                           std::make_unique<topic_replay>(*running, *hook, std::string(bus_id), std::move(*from),
                                                          what.asked("accept_gap") == "1", std::move(out)));
}

}  // namespace gantry::admin
