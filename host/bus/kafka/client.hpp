// Handles of librdkafka, their configuration and what they say of themselves.
// Thread: as librdkafka has it; a context's functions are called from the thread that polls the handle, logs from any.
#pragma once

#include <librdkafka/rdkafka.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "bus/kafka/kafka_bus.hpp"
#include "bus/kafka/properties.hpp"

namespace gantry::bus::kafka {

template <auto Release>
struct release {
  template <typename T>
  void operator()(T* what) const noexcept {
    Release(what);
  }
};
using handle = std::unique_ptr<rd_kafka_t, release<rd_kafka_destroy>>;
using topic_handle = std::unique_ptr<rd_kafka_topic_t, release<rd_kafka_topic_destroy>>;
using queue_handle = std::unique_ptr<rd_kafka_queue_t, release<rd_kafka_queue_destroy>>;
using event_handle = std::unique_ptr<rd_kafka_event_t, release<rd_kafka_event_destroy>>;
using error_handle = std::unique_ptr<rd_kafka_error_t, release<rd_kafka_error_destroy>>;
using message_handle = std::unique_ptr<rd_kafka_message_t, release<rd_kafka_message_destroy>>;
using partition_list = std::unique_ptr<rd_kafka_topic_partition_list_t, release<rd_kafka_topic_partition_list_destroy>>;

// What a handle's callbacks need. Outlives the handle, and doesn't move.
struct client_context {
  std::string name;
  std::mutex logging;  // librdkafka's own threads log: held while they use `options`, and while those are changed
  const kafka_bus_options* options = nullptr;
  // All brokers are out of reach, or the client can't go on (fatal).
  std::function<void(rd_kafka_resp_err_t code, std::string_view text, bool fatal)> on_error;
  std::function<void(rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions)> on_rebalance;
  std::function<void(rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* offsets)> on_commit;
};

// invalid: librdkafka refuses a property; the text is its own.
result<handle> make_client(rd_kafka_type_t type, const property_map& properties, client_context& context);
// The same without a client: only the check.
result<void> check_client(rd_kafka_type_t type, const property_map& properties);

// For handles that are polled for events: producers.
void report_error(const client_context& context, rd_kafka_t* client, rd_kafka_resp_err_t code, std::string_view text);
void report_statistics(const client_context& context, std::string_view json);

void log(const kafka_bus_options& options, int syslog_level, std::string_view text);

// The kind of an error that a broker or librdkafka gives.
errc kind_of(rd_kafka_resp_err_t code) noexcept;

}  // namespace gantry::bus::kafka
