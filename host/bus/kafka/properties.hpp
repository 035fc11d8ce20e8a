// Which of librdkafka's properties a topology may set, and what the driver sets for each kind of client.
// Thread: any.
#pragma once

#include <map>
#include <string>

#include "base/result.hpp"
#include "bus/kafka/kafka_bus.hpp"

namespace gantry::bus::kafka {

using property_map = std::map<std::string, std::string>;

// The bytes of one batch that a producer sends; a topic must take as much.
constexpr std::uint64_t default_batch_bytes = 1'000'000;

// invalid: one that the bus's promises stand on is set otherwise; the text says why, and what to do instead.
result<void> check_properties(const property_map& given);

// The properties of each kind of client: the driver's own, over the given ones, over the driver's defaults. Given ones
// that are only for another kind of client are left out.
property_map cluster_properties(const kafka_bus_options& options);
property_map producer_properties(const kafka_bus_options& options);
// `group` is empty for observers.
property_map consumer_properties(const kafka_bus_options& options, const std::string& group);

std::uint64_t batch_bytes(const kafka_bus_options& options);

}  // namespace gantry::bus::kafka
