// What librdkafka's statistics say, as the few numbers that /metrics shows.
// Thread: any.
#pragma once

#include <string_view>

#include "bus/kafka/kafka_bus.hpp"

namespace gantry::bus::kafka {

// `json` as librdkafka's STATISTICS.md describes it; what it does not say stays 0.
kafka_statistics read_statistics(std::string_view client, std::string_view json);

}  // namespace gantry::bus::kafka
