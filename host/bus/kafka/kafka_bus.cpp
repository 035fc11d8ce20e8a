#include "bus/kafka/kafka_bus.hpp"

#include "bus/kafka/cluster.hpp"
#include "bus/kafka/kafka_consumer.hpp"
#include "bus/kafka/kafka_producer.hpp"

namespace gantry::bus {
namespace {

class kafka_bus final : public bus {
 public:
  explicit kafka_bus(std::unique_ptr<kafka::cluster> on) : cluster_(std::move(on)) {}

  std::string_view id() const override { return cluster_->id(); }
  result<topic_id> open_topic(const topic_spec& spec) override { return cluster_->open_topic(spec); }
  const topic_spec& topic(topic_id id) const override { return cluster_->topic(id); }
  std::vector<topic_spec> topics() const override { return cluster_->topics(); }
  result<std::unique_ptr<producer>> open_producer(producer_events& events) override {
    return kafka::kafka_producer::open(*cluster_, events);
  }
  result<std::unique_ptr<consumer>> open_consumer(std::string_view group, std::span<const topic_id> topics,
                                                  consumer_events& events) override {
    return kafka::kafka_consumer::open(*cluster_, group, topics, events);
  }
  result<void> health() const override { return cluster_->health(); }

 private:
  std::unique_ptr<kafka::cluster> cluster_;
};

}  // namespace

result<std::unique_ptr<bus>> open_kafka_bus(const kafka_bus_options& options) {
  auto opened = kafka::cluster::open(options);
  if (!opened) return std::move(opened).failure();
  return std::unique_ptr<bus>(std::make_unique<kafka_bus>(std::move(*opened)));
}

}  // namespace gantry::bus
