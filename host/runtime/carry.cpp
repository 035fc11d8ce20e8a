#include "runtime/carry.hpp"

#include <algorithm>
#include <charconv>

#include "bus/record.hpp"
#include "outbox/row.hpp"
#include "runtime/values.hpp"

namespace gantry::runtime {
namespace {

// Lines of "<sequence> <source>", as a feed keeps them.
void read_sources(std::string_view text, read_position& into) {
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    std::uint64_t last = 0;
    const auto [end, code] = std::from_chars(line.data(), line.data() + line.size(), last);
    if (code != std::errc{} || end == line.data() + line.size()) continue;
    into.sources[std::string(end + 1, line.data() + line.size())] = last;
  }
}

result<void> read_parts_of(store::cursor& row, std::vector<waiting_events>& out) {
  const std::string source(text_at(row, 0));
  const auto parts = outbox::read_parts(text_at(row, 1));
  if (!parts) return parts.failure();
  for (const auto& p : *parts) {
    waiting_events events{std::string(p.topic), p.partition, source, {}};
    for (auto records = p.records; !records.empty();) {
      const auto record = bus::decode(records);
      if (!record) return record.failure();
      events.sequences.push_back(record->sequence);
    }
    out.push_back(std::move(events));
  }
  return {};
}

}  // namespace

result<std::map<part_of_topic, read_position>> read_positions(store::session& from, std::string_view bus_id) {
  const gantry_value params[] = {value(bus_id)};
  store::cursor* rows = nullptr;
  if (from.query("SELECT topic, part, next, sources FROM gantry_position WHERE bus = $1", params, &rows) != GANTRY_OK)
    return error{errc::io, "reading positions: " + std::string(from.error_text())};
  std::map<part_of_topic, read_position> out;
  auto next = rows->next();
  for (; next == GANTRY_OK; next = rows->next()) {
    auto& p = out[{std::string(text_at(*rows, 0)), static_cast<std::uint32_t>(integer_at(*rows, 1))}];
    p.next = static_cast<std::uint64_t>(integer_at(*rows, 2));
    read_sources(text_at(*rows, 3), p);
  }
  rows->close();
  if (next != GANTRY_DONE) return error{errc::io, "reading positions: " + std::string(from.error_text())};
  return out;
}

result<std::vector<waiting_events>> read_outbox(store::session& from) {
  store::cursor* rows = nullptr;
  if (from.query("SELECT source, bytes FROM gantry_outbox ORDER BY id", {}, &rows) != GANTRY_OK)
    return error{errc::io, "reading the outbox: " + std::string(from.error_text())};
  std::vector<waiting_events> out;
  result<void> done;
  auto next = rows->next();
  for (; done && next == GANTRY_OK; next = done ? rows->next() : next) done = read_parts_of(*rows, out);
  rows->close();
  if (!done) return done.failure();
  if (next != GANTRY_DONE) return error{errc::io, "reading the outbox: " + std::string(from.error_text())};
  return out;
}

}  // namespace gantry::runtime
