#include "bus/kafka/kafka_producer.hpp"

#include <array>

namespace gantry::bus::kafka {
namespace {

constexpr int poll_ms = 200;
// A broker forgets a producer that was silent for a day or more (producer.id.expiration.ms).
constexpr std::int64_t known_for_us = 600'000'000;
// What librdkafka keeps for a message besides its bytes: the structures of message and headers, and the document around
// the data.
constexpr std::uint64_t bytes_beside_message = 1024;

// librdkafka hands one pointer through; it carries the number of the append.
void* as_pointer(std::uint64_t number) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number)); }
std::uint64_t as_number(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

rd_kafka_vu_t argument(rd_kafka_vtype_t type) {
  rd_kafka_vu_t out{};
  out.vtype = type;
  return out;
}

rd_kafka_vu_t bytes_argument(rd_kafka_vtype_t type, std::string_view bytes) {
  auto out = argument(type);
  out.u.mem.ptr = const_cast<char*>(bytes.data());  // copied, not written to
  out.u.mem.size = bytes.size();
  return out;
}

}  // namespace

result<std::unique_ptr<producer>> kafka_producer::open(cluster& to, producer_events& events) {
  // While the brokers are away nothing is taken, so that no memory is held twice for what the outbox holds.
  if (auto well = to.health(); !well) return std::move(well).failure();
  std::unique_ptr<kafka_producer> out(new kafka_producer(to, events));
  auto made = make_client(RD_KAFKA_PRODUCER, producer_properties(to.options()), out->context_);
  if (!made) return std::move(made).failure();
  out->client_ = std::move(*made);
  out->deliveries_.reset(rd_kafka_queue_get_main(out->client_.get()));
  out->hearing_ = std::thread([&all = *out] { all.run(); });
  return std::unique_ptr<producer>(std::move(out));
}

kafka_producer::kafka_producer(cluster& to, producer_events& events) : cluster_(to), events_(events) {
  context_.name = "producer-" + std::to_string(to.next_client());
  context_.options = &to.options();
  context_.on_error = [this](rd_kafka_resp_err_t code, std::string_view text, bool fatal) {
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) cluster_.doubt();
    // A refused record ends the producer; its own report says more, and comes too.
    if (!fatal || code == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE) return;
    const std::lock_guard lock(mutex_);
    die({kind_of(code), std::string(text)});
  };
}

kafka_producer::~kafka_producer() {
  if (!hearing_.joinable()) return;
  stopping_ = true;
  rd_kafka_queue_yield(deliveries_.get());
  hearing_.join();
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  topics_.clear();
}

result<void> kafka_producer::append(std::uint64_t ticket, std::span<const batch> batches) {
  const std::lock_guard lock(mutex_);
  if (dead_) return *dead_;
  std::uint64_t bytes = 0;
  if (auto good = decode_all(batches, bytes); !good) {
    die(good.failure());
    return good;
  }
  if (!in_flight_.empty() && in_flight_.bytes() + bytes > cluster_.options().producer_bytes) {
    die({errc::unavailable, "Kafka has not acknowledged " + std::to_string(in_flight_.bytes()) +
                                " bytes, a producer holds " + std::to_string(cluster_.options().producer_bytes)});
    return *dead_;
  }
  const auto number = in_flight_.add(ticket, decoded_.size(), bytes);
  for (const auto& one : decoded_) {
    if (auto given = give(one.where, one.what, one.encoded, one.source, number); !given) {
      die(given.failure());
      return given;
    }
  }
  // Of an append without records nothing else will be heard.
  if (decoded_.empty()) rd_kafka_queue_yield(deliveries_.get());
  return {};
}

result<void> kafka_producer::decode_all(std::span<const batch> batches, std::uint64_t& bytes) {
  decoded_.clear();
  for (const auto& one : batches) {
    if (!cluster_.has(one.where))
      return error{errc::invalid, "a batch for partition " + std::to_string(one.where.partition) + " of topic " +
                                      std::to_string(one.where.topic) + ", which this bus does not have"};
    const auto max_message = lanes_of(one.where.topic).max_message;
    std::uint32_t count = 0;
    for (auto left = one.records; !left.empty(); ++count) {
      const auto from = left;
      auto r = decode(left);
      if (!r) return std::move(r).failure();
      const auto encoded = from.substr(0, from.size() - left.size());
      if (encoded.size() > max_message)
        return error{errc::too_large, "a record of " + std::to_string(encoded.size()) + " bytes for " +
                                          cluster_.topic(one.where.topic).name + "/" +
                                          std::to_string(one.where.partition) + ", whose max_message is " +
                                          std::to_string(max_message)};
      bytes += encoded.size() + bytes_beside_message;
      decoded_.push_back({one.where, one.source, encoded, *r});
    }
    if (count != one.count)
      return error{errc::invalid, "a batch for " + cluster_.topic(one.where.topic).name + " says it has " +
                                      std::to_string(one.count) + " records, its bytes hold " + std::to_string(count)};
  }
  return {};
}

kafka_producer::topic_lanes& kafka_producer::lanes_of(topic_id topic) {
  if (topics_.size() <= topic) topics_.resize(topic + 1);
  auto& lanes = topics_[topic];
  if (!lanes) {
    const auto& spec = cluster_.topic(topic);
    lanes = std::make_unique<topic_lanes>();
    lanes->max_message = spec.max_message;
    lanes->partitions.resize(spec.partitions);
    auto* settings = rd_kafka_default_topic_conf_dup(client_.get());
    rd_kafka_topic_conf_set_opaque(settings, lanes.get());
    lanes->topic.reset(rd_kafka_topic_new(client_.get(), spec.name.c_str(), settings));
  }
  return *lanes;
}

result<void> kafka_producer::give(partition_id where, const record& r, std::string_view encoded,
                                  std::string_view source, std::uint64_t number) {
  auto& topic = *topics_[where.topic];
  auto& lane = topic.partitions[where.partition];
  if (lane.known && lane.under_way == 0 && cluster_.options().time->steady_us() - lane.heard_us > known_for_us)
    lane.known = false;
  if (lane.known || lane.under_way == 0) return send(topic, where.partition, r, source, number);
  lane.held.push_back({std::string(encoded), std::string(source), number});
  return {};
}

result<void> kafka_producer::send(topic_lanes& to, std::uint32_t partition, const record& r, std::string_view source,
                                  std::uint64_t number) {
  layout_.lay_out(r, source);
  auto* headers = rd_kafka_headers_new(layout_.headers().size());
  for (const auto& h : layout_.headers())
    rd_kafka_header_add(headers, h.name.data(), static_cast<ssize_t>(h.name.size()), h.value.data(),
                        static_cast<ssize_t>(h.value.size()));
  std::array<rd_kafka_vu_t, 8> all{argument(RD_KAFKA_VTYPE_RKT),
                                   argument(RD_KAFKA_VTYPE_PARTITION),
                                   argument(RD_KAFKA_VTYPE_MSGFLAGS),
                                   argument(RD_KAFKA_VTYPE_TIMESTAMP),
                                   argument(RD_KAFKA_VTYPE_OPAQUE),
                                   argument(RD_KAFKA_VTYPE_HEADERS),
                                   bytes_argument(RD_KAFKA_VTYPE_KEY, r.key),
                                   bytes_argument(RD_KAFKA_VTYPE_VALUE, layout_.value())};
  all[0].u.rkt = to.topic.get();
  all[1].u.i32 = static_cast<std::int32_t>(partition);
  all[2].u.i = RD_KAFKA_MSG_F_COPY;
  all[3].u.i64 = r.time_us / 1000;
  all[4].u.ptr = as_pointer(number);
  all[5].u.headers = headers;
  const error_handle refused(rd_kafka_produceva(client_.get(), all.data(), all.size()));
  if (!refused) {
    ++to.partitions[partition].under_way;
    return {};
  }
  rd_kafka_headers_destroy(headers);
  return error{kind_of(rd_kafka_error_code(refused.get())), std::string("librdkafka does not take a record for ") +
                                                                rd_kafka_topic_name(to.topic.get()) + ": " +
                                                                rd_kafka_error_string(refused.get())};
}

void kafka_producer::run() {
  bool told = false;
  while (!stopping_) {
    const event_handle event(rd_kafka_queue_poll(deliveries_.get(), poll_ms));
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR)
      report_error(context_, client_.get(), rd_kafka_event_error(event.get()),
                   rd_kafka_event_error_string(event.get()));
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_STATS)
      report_statistics(context_, rd_kafka_event_stats(event.get()));
    std::optional<std::uint64_t> acknowledged;
    std::optional<error> failure;
    std::uint64_t failed_ticket = 0;
    {
      const std::lock_guard lock(mutex_);
      if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_DR) settle(event.get());
      acknowledged = in_flight_.take_acknowledged();
      if (dead_ && !told && !in_flight_.empty()) {
        failure = dead_;
        failed_ticket = in_flight_.lowest_ticket();
      }
    }
    if (told) continue;
    if (acknowledged) events_.acknowledged(*acknowledged);
    if (!failure) continue;
    told = true;
    events_.failed(failed_ticket, *failure);
  }
}

void kafka_producer::settle(rd_kafka_event_t* deliveries) {
  while (const auto* message = rd_kafka_event_message_next(deliveries)) {
    auto& topic = *static_cast<topic_lanes*>(rd_kafka_topic_opaque(message->rkt));
    const auto partition = static_cast<std::uint32_t>(message->partition);
    auto& lane = topic.partitions[partition];
    --lane.under_way;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      die({kind_of(message->err), std::string("Kafka refuses a record for ") + rd_kafka_topic_name(message->rkt) + "/" +
                                      std::to_string(partition) + ": " + rd_kafka_err2str(message->err)});
      continue;
    }
    in_flight_.settle(as_number(message->_private));
    lane.heard_us = cluster_.options().time->steady_us();
    if (!std::exchange(lane.known, true)) let_go(topic, partition);
  }
}

void kafka_producer::let_go(topic_lanes& to, std::uint32_t partition) {
  auto& held = to.partitions[partition].held;
  for (; !held.empty() && !dead_; held.pop_front()) {
    std::string_view bytes = held.front().encoded;
    const auto r = decode(bytes);
    if (auto sent = send(to, partition, *r, held.front().source, held.front().number); !sent) die(sent.failure());
  }
}

void kafka_producer::die(error why) {
  if (dead_) return;
  dead_ = std::move(why);
  for (const auto& topic : topics_)
    if (topic)
      for (auto& lane : topic->partitions) lane.held.clear();
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

}  // namespace gantry::bus::kafka
