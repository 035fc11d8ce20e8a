#include "bus/kafka/client.hpp"

#include <array>

#include "bus/kafka/statistics.hpp"

namespace gantry::bus::kafka {
namespace {

constexpr int log_warning = 4;

client_context& context_of(void* opaque) { return *static_cast<client_context*>(opaque); }

void heard_log(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  // The first lines come while the handle is made, and know their context all the same.
  auto& context = context_of(rd_kafka_opaque(client));
  const std::lock_guard lock(context.logging);
  log(*context.options, level, context.name + ": " + facility + ": " + text);
}

void heard_error(rd_kafka_t* client, int code, const char* reason, void* opaque) {
  report_error(context_of(opaque), client, static_cast<rd_kafka_resp_err_t>(code), reason);
}

int heard_statistics(rd_kafka_t*, char* json, std::size_t length, void* opaque) {
  report_statistics(context_of(opaque), {json, length});
  return 0;
}

void heard_rebalance(rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  context_of(opaque).on_rebalance(code, partitions);
}

void heard_commit(rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* offsets, void* opaque) {
  context_of(opaque).on_commit(code, offsets);
}

using configuration = std::unique_ptr<rd_kafka_conf_t, release<rd_kafka_conf_destroy>>;

result<configuration> configure(const property_map& properties) {
  configuration out(rd_kafka_conf_new());
  std::array<char, 512> why{};
  for (const auto& [name, value] : properties)
    if (rd_kafka_conf_set(out.get(), name.c_str(), value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK)
      return error{errc::invalid, "bus property " + name + ": " + why.data()};
  return out;
}

}  // namespace

result<handle> make_client(rd_kafka_type_t type, const property_map& properties, client_context& context) {
  auto configured = configure(properties);
  if (!configured) return std::move(configured).failure();
  auto* conf = configured->get();
  rd_kafka_conf_set_opaque(conf, &context);
  rd_kafka_conf_set_log_cb(conf, heard_log);
  if (type == RD_KAFKA_PRODUCER) {
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS);
  } else {
    rd_kafka_conf_set_error_cb(conf, heard_error);
    rd_kafka_conf_set_stats_cb(conf, heard_statistics);
  }
  if (context.on_rebalance) rd_kafka_conf_set_rebalance_cb(conf, heard_rebalance);
  if (context.on_commit) rd_kafka_conf_set_offset_commit_cb(conf, heard_commit);
  std::array<char, 512> why{};
  handle out(rd_kafka_new(type, conf, why.data(), why.size()));
  if (!out) return error{errc::invalid, "librdkafka can't make " + context.name + ": " + why.data()};
  static_cast<void>(configured->release());  // the handle's now
  return out;
}

result<void> check_client(rd_kafka_type_t type, const property_map& properties) {
  kafka_bus_options silent;
  client_context context;
  context.name = type == RD_KAFKA_PRODUCER ? "a producer" : "a consumer";
  context.options = &silent;
  // Some properties are refused only together with others, when a client is made. It has no brokers to go to.
  auto alone = properties;
  alone.erase("bootstrap.servers");
  const auto made = make_client(type, alone, context);
  if (!made) return made.failure();
  return {};
}

void report_error(const client_context& context, rd_kafka_t* client, rd_kafka_resp_err_t code, std::string_view text) {
  std::array<char, 512> why{};
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    const auto original = rd_kafka_fatal_error(client, why.data(), why.size());
    log(*context.options, 3, context.name + ": " + why.data());
    context.on_error(original, why.data(), true);
    return;
  }
  log(*context.options, log_warning, context.name + ": " + std::string(text));
  context.on_error(code, text, false);
}

void report_statistics(const client_context& context, std::string_view json) {
  const kafka_bus_options& options = *context.options;
  if (options.on_statistics) options.on_statistics(read_statistics(context.name, json));
}

void log(const kafka_bus_options& options, int syslog_level, std::string_view text) {
  if (options.on_log) options.on_log(syslog_level, text);
}

errc kind_of(rd_kafka_resp_err_t code) noexcept {
  if (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT) return errc::timeout;
  if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE)
    return errc::too_large;
  if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
      code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    return errc::not_found;
  if (code == RD_KAFKA_RESP_ERR__BAD_MSG || code == RD_KAFKA_RESP_ERR__BAD_COMPRESSION ||
      code == RD_KAFKA_RESP_ERR_INVALID_MSG)
    return errc::corrupt;
  if (code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) return errc::conflict;
  return errc::unavailable;
}

}  // namespace gantry::bus::kafka
