#include "bus/kafka/message.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/text.hpp"
#include "bus/kafka/json_members.hpp"

namespace gantry::bus::kafka {
namespace {

constexpr char after_name = '\x1f';
constexpr char after_value = '\x1e';
constexpr std::size_t longest_text = 65535;
constexpr std::string_view own_beginning = R"({"eventId":)";

template <typename T>
std::optional<T> number(std::string_view text) {
  T out{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// Days since 1970-01-01 of a date of the Gregorian calendar; years from 1970 on.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
  if (month <= 2) --year;
  const std::int64_t era = year / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

// RFC 3339, in any zone; what is finer than a microsecond is cut.
std::optional<std::int64_t> time_of(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return std::nullopt;
  const auto part = [&](std::size_t at, std::size_t n) { return number<std::uint32_t>(text.substr(at, n)); };
  const auto year = part(0, 4), month = part(5, 2), day = part(8, 2);
  const auto hour = part(11, 2), minute = part(14, 2), second = part(17, 2);
  if (!year || !month || !day || !hour || !minute || !second || *year < 1970 || *month < 1 || *month > 12)
    return std::nullopt;
  std::int64_t out = ((days_of(*year, *month, *day) * 24 + *hour) * 60 + *minute) * 60 + *second;
  out *= 1'000'000;
  auto left = text.substr(19);
  if (left.front() == '.') {
    left.remove_prefix(1);
    std::int64_t unit = 100'000;
    for (; !left.empty() && left.front() >= '0' && left.front() <= '9'; left.remove_prefix(1), unit /= 10)
      out += (left.front() - '0') * unit;
  }
  if (left == "Z" || left == "z") return out;
  if (left.size() != 6 || (left[0] != '+' && left[0] != '-') || left[3] != ':') return std::nullopt;
  const auto hours = number<std::uint32_t>(left.substr(1, 2)), minutes = number<std::uint32_t>(left.substr(4, 2));
  if (!hours || !minutes) return std::nullopt;
  const std::int64_t shift = (std::int64_t{*hours} * 60 + *minutes) * 60'000'000;
  return left[0] == '+' ? out - shift : out + shift;
}

// What the headers say, as they came.
struct header_texts {
  std::string_view id, source, type, time, sequence, traceparent, correlation_id, causation_id;

  // Null: a header that is no field of a record.
  std::string_view* field(std::string_view name) {
    if (name == "ce_id") return &id;
    if (name == "ce_source") return &source;
    if (name == "ce_type") return &type;
    if (name == "ce_time") return &time;
    if (name == "ce_sequence") return &sequence;
    if (name == "traceparent") return &traceparent;
    if (name == "correlation-id") return &correlation_id;
    if (name == "causation-id") return &causation_id;
    return nullptr;
  }
};

// Follow from other fields, or are the same in every record.
bool implied(std::string_view name) {
  return name == "ce_specversion" || name == "ce_subject" || name == "content-type";
}

bool extra_can_hold(const header& h) {
  const auto plain = [](std::string_view text) {
    return text.find(after_name) == std::string_view::npos && text.find(after_value) == std::string_view::npos;
  };
  return plain(h.name) && plain(h.value);
}

class copier {
 public:
  explicit copier(char*& room) : room_(room) {}
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    std::memcpy(room_, text.data(), text.size());
    const std::string_view out(room_, text.size());
    room_ += text.size();
    return out;
  }
  std::string_view copy_short(std::string_view text) { return copy(text.substr(0, longest_text)); }

 private:
  char*& room_;
};

// The document of one of our own events: its last member is the data, the others but for the version stand in headers.
bool read_own(std::string_view document, record& r) {
  member_reader members(document);
  std::string_view name;
  std::string_view value;
  for (int i = 0; i < 5; ++i) {
    if (!members.next(name, value)) return false;
    if (name == "version") r.version = number<std::uint32_t>(value).value_or(1);
  }
  if (!members.next_name(name) || name != "data") return false;
  auto data = members.remaining();
  if (data.size() < 2 || data.back() != '}') return false;
  data.remove_suffix(1);
  r.data = data;
  return true;
}

// A document as foreign producers write it: our own form, CloudEvents' structured mode, or anything else.
void read_foreign(record& r, std::string_view& time) {
  member_reader members(r.document);
  std::string_view name;
  std::string_view value;
  std::string_view data, event_id, event_type, occurred, spec, id, source, type, ce_time;
  while (members.next(name, value)) {
    if (name == "data") data = value;
    if (name == "eventId") event_id = string_inside(value);
    if (name == "eventType") event_type = string_inside(value);
    if (name == "occurredOn") occurred = string_inside(value);
    if (name == "version") r.version = number<std::uint32_t>(value).value_or(1);
    if (name == "specversion") spec = value;
    if (name == "id") id = string_inside(value);
    if (name == "source") source = string_inside(value);
    if (name == "type") type = string_inside(value);
    if (name == "time") ce_time = string_inside(value);
  }
  r.data = r.document;
  if (!members.sound()) {
    r.version = 1;
    return;
  }
  if (!data.empty()) r.data = data;
  if (r.version == 0) r.version = 1;
  const auto otherwise = [](std::string_view& field, std::string_view text) {
    if (field.empty()) field = text.substr(0, longest_text);
  };
  otherwise(r.id, event_id);
  otherwise(r.type, event_type);
  otherwise(r.type, type);
  otherwise(time, occurred);
  if (spec.empty()) return;
  otherwise(r.id, id);
  otherwise(r.source, source);
  otherwise(time, ce_time);
}

}  // namespace

void message_layout::lay_out(const record& r, std::string_view source) {
  value_.clear();
  append_document(r, value_);
  time_.clear();
  append_rfc3339(time_, r.time_us);
  auto left = r.sequence;
  for (std::size_t i = sequence_.size(); i-- > 0; left /= 10) sequence_[i] = static_cast<char>('0' + left % 10);
  headers_.clear();
  const auto add = [&](std::string_view name, std::string_view text) {
    if (!text.empty()) headers_.push_back({name, text});
  };
  add("ce_specversion", "1.0");
  add("ce_id", r.id);
  add("ce_source", source);
  add("ce_type", r.type);
  add("ce_subject", r.key);
  add("ce_time", time_);
  if (r.sequence != 0) add("ce_sequence", {sequence_.data(), sequence_.size()});
  add("content-type", "application/json");
  add("traceparent", r.traceparent);
  add("correlation-id", r.correlation_id);
  add("causation-id", r.causation_id);
  auto extra = r.extra;
  while (!extra.empty()) {
    const auto one = extra.substr(0, extra.find(after_value));
    extra.remove_prefix(std::min(extra.size(), one.size() + 1));
    const auto cut = one.find(after_name);
    if (cut != std::string_view::npos && cut != 0) headers_.push_back({one.substr(0, cut), one.substr(cut + 1)});
  }
  size_ = r.key.size() + value_.size();
  for (const auto& h : headers_) size_ += h.name.size() + h.value.size();
}

std::size_t room_for(const delivered& message) noexcept {
  // The topic and two numbers make the id of a message that has none.
  std::size_t out = message.key.size() + message.value.size() + message.topic.size() + 48;
  for (const auto& h : message.headers) out += h.name.size() + h.value.size() + 2;
  return out;
}

record read_message(const delivered& message, char*& room, const record* before) {
  record r;
  copier to(room);
  header_texts texts;
  char* const extra = room;
  for (const auto& h : message.headers) {
    if (auto* field = texts.field(h.name)) {
      *field = h.value;
    } else if (!implied(h.name) && extra_can_hold(h)) {
      to.copy(h.name);
      to.copy({&after_name, 1});
      to.copy(h.value);
      to.copy({&after_value, 1});
    }
  }
  r.extra = {extra, static_cast<std::size_t>(room - extra)};
  r.offset = message.offset;
  r.sequence = number<std::uint64_t>(texts.sequence).value_or(0);
  r.key = to.copy_short(message.key);
  r.id = to.copy_short(texts.id);
  r.type = to.copy_short(texts.type);
  r.traceparent = to.copy_short(texts.traceparent);
  r.correlation_id = to.copy_short(texts.correlation_id);
  r.causation_id = to.copy_short(texts.causation_id);
  r.source = before != nullptr && before->source == texts.source ? before->source : to.copy_short(texts.source);
  std::string_view time = texts.time;
  if (r.sequence == 0 || !message.value.starts_with(own_beginning) || !read_own(message.value, r)) {
    // A deleted key, to topics that are compacted.
    r.document = message.value.empty() ? std::string_view("null") : to.copy(message.value);
    read_foreign(r, time);
  } else {
    r.data = to.copy(r.data);
  }
  r.time_us = time_of(time).value_or(message.timestamp_ms < 0 ? 0 : message.timestamp_ms * 1000);
  if (r.id.empty())
    r.id = to.copy_short(std::string(message.topic) + "-" + std::to_string(message.partition) + "-" +
                         std::to_string(message.offset));
  return r;
}

}  // namespace gantry::bus::kafka
