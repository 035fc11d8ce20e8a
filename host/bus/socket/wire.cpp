#include "bus/socket/wire.hpp"

#include <algorithm>

namespace gantry::bus::socket {

frame_writer& frame_writer::spec(const topic_spec& v) {
  return text(v.name)
      .u32(v.partitions)
      .u64(static_cast<std::uint64_t>(v.retention.count()))
      .u64(v.retention_bytes)
      .u64(v.max_message);
}

frame_writer& frame_writer::runs(std::span<const record> v) {
  for (std::size_t i = 0; i < v.size();) {
    const auto& first = v[i];
    u64(first.offset);
    const std::size_t count_at = out_.size();
    u32(0).text(first.source).u32(0);
    const std::size_t records_at = out_.size();
    std::uint32_t count = 0;
    for (; i < v.size() && v[i].offset == first.offset + count && v[i].source == first.source; ++i, ++count)
      encode(v[i], out_);
    const auto length = static_cast<std::uint32_t>(out_.size() - records_at);
    std::memcpy(out_.data() + count_at, &count, sizeof count);
    std::memcpy(out_.data() + records_at - sizeof length, &length, sizeof length);
  }
  return *this;
}

std::string_view frame_reader::text() {
  const auto size = u32();
  if (left_.size() < size) {
    good_ = false;
    left_ = {};
    return {};
  }
  const auto out = left_.substr(0, size);
  left_.remove_prefix(size);
  return out;
}

error frame_reader::failure() {
  const auto code = u8();
  if (code > static_cast<std::uint8_t>(errc::internal)) good_ = false;
  return {static_cast<errc>(code), std::string(text())};
}

topic_spec frame_reader::spec() {
  topic_spec out;
  out.name = text();
  out.partitions = u32();
  out.retention = std::chrono::milliseconds(static_cast<std::int64_t>(u64()));
  out.retention_bytes = u64();
  out.max_message = u64();
  return out;
}

std::optional<std::vector<record_run>> read_runs(frame_reader& from, std::uint32_t count) {
  std::vector<record_run> out;
  std::uint64_t found = 0;
  while (!from.left().empty()) {
    auto& run = out.emplace_back();
    run.base = from.u64();
    run.count = from.u32();
    run.source = from.text();
    run.records = from.text();
    if (!from.good()) return std::nullopt;
    found += run.count;
  }
  if (found != count) return std::nullopt;
  return out;
}

result<batch_count> count_records(std::string_view records) {
  batch_count out;
  while (!records.empty()) {
    frame_reader head(records);
    const std::size_t size = sizeof(std::uint32_t) + head.u32();
    if (!head.good() || size > records.size())
      return error{errc::invalid, "a batch ends within a record: " + std::to_string(size) + " bytes are expected, " +
                                      std::to_string(records.size()) + " are there"};
    out.largest = std::max(out.largest, size);
    ++out.records;
    records.remove_prefix(size);
  }
  return out;
}

}  // namespace gantry::bus::socket
