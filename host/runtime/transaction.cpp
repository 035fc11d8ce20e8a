#include "runtime/transaction.hpp"

#include <cstring>

#include "base/hash.hpp"
#include "base/uuid.hpp"
#include "outbox/row.hpp"
#include "runtime/instance.hpp"
#include "runtime/text.hpp"

void gantry_db::close_cursors() noexcept {
  for (auto& c : cursors) {
    if (c.rows != nullptr) c.rows->close();
    c.rows = nullptr;
  }
}

void gantry_tx::begin(gantry::store::session& session, std::uint64_t row, std::int64_t wall_us) {
  db.session = &session;
  db.writable = true;
  row_ = row;
  now_us = wall_us;
  for (std::size_t i = 0; i < out_.used; ++i) {
    out_.parts[i].bytes.clear();
    out_.parts[i].count = 0;
  }
  out_.used = 0;
  emitted_.clear();
  timers.clear();
  jobs.clear();
  dropped_jobs.clear();
  reply.reset();
  usable = false;
  suppressed = false;
}

std::uint32_t gantry_tx::slot_for(gantry::bus::partition_id where, std::string_view topic) {
  for (std::size_t i = 0; i < out_.used; ++i)
    if (out_.parts[i].where == where) return static_cast<std::uint32_t>(i);
  if (out_.used == out_.parts.size()) out_.parts.emplace_back();
  out_.parts[out_.used].where = where;
  out_.parts[out_.used].topic = topic;
  return static_cast<std::uint32_t>(out_.used++);
}

void gantry_tx::emit_raw(gantry::bus::partition_id where, std::string_view topic, gantry::bus::record event) {
  const auto s = slot_for(where, topic);
  event.sequence = (row_ << number_bits) | emitted_.size();
  emitted_.push_back({s, out_.parts[s].bytes.size()});
  gantry::bus::encode(event, out_.parts[s].bytes);
  ++out_.parts[s].count;
}

gantry_status gantry_tx::emit(std::string_view topic, std::string_view type, std::string_view key,
                              std::string_view data, char* id) {
  using gantry::runtime::fail;
  const auto* const e = owner->find_emission(topic, type);
  if (e == nullptr)
    return fail(GANTRY_REFUSED, owner->id() + " emits " + std::string(type) + " on " + std::string(topic) +
                                    " but has not declared it in setup");
  if (key.empty() || key.size() > 255)
    return fail(GANTRY_INVALID, "emit " + std::string(type) + ": a key has 1 to 255 bytes, found " +
                                    std::to_string(key.size()));
  if (const auto fault = gantry::runtime::json_fault(data); !fault.empty())
    return fail(GANTRY_INVALID, "emit " + std::string(type) + ": data is not JSON: " + std::string(fault));
  const auto uuid = gantry::new_uuid(now_us);
  if (id != nullptr) std::memcpy(id, uuid.data(), uuid.size());
  if (suppressed) return GANTRY_OK;
  // One short of what a number has room for: the next row's numbers begin there.
  if (emitted_.size() >= (std::size_t{1} << number_bits) - 1)
    return fail(GANTRY_TOO_LARGE, "emit " + std::string(type) + ": a million events in one transaction");

  const std::string_view event_id(uuid.data(), uuid.size());
  gantry::bus::record r;
  r.time_us = now_us;
  r.version = e->version;
  r.key = key;
  r.type = type;
  r.id = event_id;
  r.correlation_id = why.correlation_id.empty() ? event_id : why.correlation_id;
  r.causation_id = why.causation_id;
  r.traceparent = why.traceparent;
  r.data = data;
  if (gantry::bus::encoded_size(r) > e->max_message)
    return fail(GANTRY_TOO_LARGE, "emit " + std::string(type) + ": the record has " +
                                      std::to_string(gantry::bus::encoded_size(r)) + " bytes, topic " + e->topic +
                                      " takes " + std::to_string(e->max_message));
  emit_raw({e->topic_id, gantry::partition_of(key, e->partitions)}, e->topic, r);
  return GANTRY_OK;
}

void gantry_tx::back_to(const mark& m) {
  while (emitted_.size() > m.events) {
    const auto& last = emitted_.back();
    out_.parts[last.slot].bytes.resize(last.size_before);
    --out_.parts[last.slot].count;
    emitted_.pop_back();
  }
  timers.resize(m.timers);
  jobs.resize(m.jobs);
  dropped_jobs.resize(m.dropped_jobs);
}

std::string_view gantry_tx::row_bytes() {
  row_bytes_.clear();
  for (std::size_t i = 0; i < out_.used; ++i) {
    const auto& p = out_.parts[i];
    if (p.count != 0) gantry::outbox::append_part({p.topic, p.where.partition, p.count, p.bytes}, row_bytes_);
  }
  out_.row_size = row_bytes_.size();
  return row_bytes_;
}

void gantry_tx::hand_over(gantry::runtime::outgoing& to) { std::swap(out_, to); }

std::span<const gantry::bus::batch> gantry::runtime::outgoing::batches(std::string_view source) {
  batches_.clear();
  for (std::size_t i = 0; i < used; ++i)
    if (parts[i].count != 0) batches_.push_back({parts[i].where, parts[i].count, source, parts[i].bytes});
  return batches_;
}
