// The bus interface over a journal.
// Owned by app. Thread: any.
#pragma once

#include <memory>

#include "bus/bus.hpp"
#include "bus/local/group_table.hpp"
#include "bus/local/journal.hpp"

namespace gantry::bus::local {

class journal_bus final : public bus {
 public:
  static result<std::unique_ptr<journal_bus>> open(const local_bus_options& options);

  std::string_view id() const override { return journal_->bus_id(); }
  result<topic_id> open_topic(const topic_spec& spec) override { return journal_->open_topic(spec); }
  const topic_spec& topic(topic_id id) const override { return journal_->topic(id); }
  std::vector<topic_spec> topics() const override { return journal_->topics(); }
  result<std::unique_ptr<producer>> open_producer(producer_events& events) override;
  result<std::unique_ptr<consumer>> open_consumer(std::string_view group, std::span<const topic_id> topics,
                                                  consumer_events& events) override;
  result<void> health() const override { return journal_->health(); }

  // Syncs what was appended, and acknowledges it, before it returns.
  result<void> sync() { return journal_->sync(); }
  // Removes what retention allows to remove.
  void retain() { journal_->retain(); }

 private:
  explicit journal_bus(std::unique_ptr<journal> opened) : journal_(std::move(opened)) {}

  std::unique_ptr<journal> journal_;
  group_table groups_;
};

// Copies the planned frames into out.bytes, from memory where they are there, and adds their records from `from` on, at
// most max_records of them. corrupt: a frame fails its check; the text names file and position.
result<void> read_frames(const frame_plan& plan, const partition_index& partition, const tail& newest,
                         std::uint64_t from, std::size_t max_records, fetched& out);

}  // namespace gantry::bus::local
